"""Rooms that open when somebody knocks: a public name is imported when it is first used (PEP 562)."""

import importlib


def lazy_names(module_name, homes):
    """Makes what a package needs to hand out names it has not imported yet.

    Args:
        module_name: str, `__name__` of the package.
        homes: dict of public name to the module it is defined in. A module of exactly that path stands for itself
            where its last part is the name (`{"spaces": "hwkeras.build.spaces"}`).

    Returns:
        `__getattr__`, `__dir__` and `__all__` of the package.
    """

    def __getattr__(name):
        if name not in homes:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        module = importlib.import_module(homes[name])
        return module if homes[name].rpartition(".")[2] == name else getattr(module, name)

    public = sorted(homes)
    return __getattr__, lambda: public, public
