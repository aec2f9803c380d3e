"""Pruning and quantization-aware training for Keras 3 models, proven on the `.tflite` bytes they become.

The room is lazy: importing it loads neither TensorFlow nor tfmot. It is also a callable module, because the public
function and the room share a name: `hwkeras.compress(model, recipe, data)` is `hwkeras.compress.compress(...)`.
"""

import importlib
import sys
import types

_HOMES = {
    "Compressed": "hwkeras.compress.compressor",
    "CompressionReport": "hwkeras.compress.report",
    "LayerReport": "hwkeras.compress.report",
    "Recipe": "hwkeras.compress.recipe",
    "compress": "hwkeras.compress.compressor",
    "twin": "hwkeras.compress.twinning",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return __all__


class _CallableRoom(types.ModuleType):
    """This module, made callable; see `hwkeras.compress.compress` for the arguments."""

    def __call__(self, model, recipe, data, **options):
        return self.compress(model, recipe, data, **options)


sys.modules[__name__].__class__ = _CallableRoom
