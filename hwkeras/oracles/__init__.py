"""Who proposes the next candidate: keras-tuner oracles that know limits, one algorithm a file."""

from __future__ import annotations

import importlib

from hwkeras.errors import UserError

_ORACLES = {
    "evolution": ("hwkeras.oracles.evolution", "EvolutionOracle"),
    "random": ("hwkeras.oracles.random_search", "RandomOracle"),
}
_HOMES = {
    "HardwareOracle": "hwkeras.oracles.base",
    "Observation": "hwkeras.oracles.observation",
    "StopReason": "hwkeras.oracles.stopping",
    **{class_name: home for home, class_name in _ORACLES.values()},
}
__all__ = sorted([*_HOMES, "get", "names"])


def names():
    """The names `get` knows.

    Returns:
        list of str, sorted.
    """
    return sorted(_ORACLES)


def get(name):
    """Finds an oracle by its name.

    Args:
        name: str, one of `names()`.

    Returns:
        class, derived from `HardwareOracle`.

    Raises:
        UserError: an unknown name.
    """
    if name not in _ORACLES:
        raise UserError(f"An oracle is one of {', '.join(names())}. Received: {name!r}.")
    home, class_name = _ORACLES[name]
    return getattr(importlib.import_module(home), class_name)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
