"""What a class can be made with, told by the signatures of itself and those it derives from."""

from __future__ import annotations

import inspect


def parameters_of(kind):
    """The names of all parameters of the constructors of a class and those it derives from.

    Args:
        kind: class.

    Returns:
        set of str.
    """
    return {name for signature in _signatures(kind) for name in signature.parameters}


def default_of(kind, name):
    """The default of one parameter, as the most derived class that names it has it.

    Args:
        kind: class.
        name: str.

    Returns:
        The default; None where no signature has one.
    """
    for signature in _signatures(kind):
        parameter = signature.parameters.get(name)
        if parameter is not None and parameter.default is not parameter.empty:
            return parameter.default
    return None


def _signatures(kind):
    return [inspect.signature(base.__init__) for base in kind.__mro__ if "__init__" in vars(base)]
