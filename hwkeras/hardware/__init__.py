"""The device database and what can be said of a model from it alone: whether it fits, and estimates."""

import importlib

_HOMES = {
    "Estimate": "hwkeras.hardware.estimates",
    "Fit": "hwkeras.hardware.fit",
    "Profile": "hwkeras.hardware.profile",
    "estimate_energy_mj": "hwkeras.hardware.estimates",
    "estimate_latency_ms": "hwkeras.hardware.estimates",
    "fits": "hwkeras.hardware.fit",
    "load_profile": "hwkeras.hardware.profile",
    "profile_names": "hwkeras.hardware.profile",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
