"""Architecture -> keras.Model: blocks, hypermodels for keras-tuner, and what makes short trainings tell the truth."""

import importlib

_HOMES = {
    "HardwareHyperModel": "hwkeras.build.hypermodel",
    "SearchSpace": "hwkeras.build.spaces",
    "as_hypermodel": "hwkeras.build.hypermodel",
    "batch_norm_momentum": "hwkeras.build.schedule",
    "build_model": "hwkeras.build.model",
    "cosine_learning_rate": "hwkeras.build.schedule",
    "peak_learning_rate": "hwkeras.build.schedule",
    "reestimate_batch_statistics": "hwkeras.build.batch_statistics",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return __all__
