"""Data sets as numpy arrays: loading, checking, splitting, and a fingerprint. Imports no TensorFlow."""

from __future__ import annotations

import importlib

_HOMES = {
    "BUILTIN_NAMES": "hwkeras.data.builtin",
    "Dataset": "hwkeras.data.dataset",
    "class_indices": "hwkeras.data.labels",
    "fingerprint": "hwkeras.data.digest",
    "load_dataset": "hwkeras.data.loading",
    "split": "hwkeras.data.splitting",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
