"""What may vary: `Architecture`, a frozen graph of typed layers, and the spaces it is drawn from. Pure Python."""

import importlib

_HOMES = {
    "ACTIVATIONS": "hwkeras.space.kinds",
    "Architecture": "hwkeras.space.architecture",
    "Choice": "hwkeras.space.choice",
    "DictSpace": "hwkeras.space.plain_dict",
    "Draft": "hwkeras.space.draft",
    "ImageSpace": "hwkeras.space.image",
    "KINDS": "hwkeras.space.kinds",
    "Layer": "hwkeras.space.layer",
    "LayerListSpace": "hwkeras.space.layer_list",
    "Menu": "hwkeras.space.choice",
    "OneArchitecture": "hwkeras.space.one_architecture",
    "Params": "hwkeras.space.layer",
    "architecture_from_actions": "hwkeras.space.actions",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return __all__
