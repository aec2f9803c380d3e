"""Bytes in, measurements out: static analysis of `.tflite` files and the meters that time them."""

import importlib

_HOMES = {
    "Analysis": "hwkeras.measure.analysis",
    "LocalMeter": "hwkeras.measure.local",
    "Measurement": "hwkeras.measure.measurement",
    "Meter": "hwkeras.measure.meter",
    "OpCost": "hwkeras.measure.analysis",
    "analyze": "hwkeras.measure.analysis",
    "benchmark": "hwkeras.measure.devices",
    "list_devices": "hwkeras.measure.devices",
    "open_meter": "hwkeras.measure.devices",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
