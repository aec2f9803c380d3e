"""Keras 3 models to checked `.tflite` bytes; calibration samples; the accuracy of the bytes."""

from __future__ import annotations

import importlib

_HOMES = {
    "PRECISIONS": "hwkeras.convert.converter",
    "Converted": "hwkeras.convert.converter",
    "convert": "hwkeras.convert.converter",
    "convert_all": "hwkeras.convert.converter",
    "convert_untrained": "hwkeras.convert.untrained",
    "require_precisions": "hwkeras.convert.converter",
    "take_samples": "hwkeras.convert.calibration",
    "predict": "hwkeras.convert.scoring",
    "score": "hwkeras.convert.scoring",
    "silenced": "hwkeras.convert.silence",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
