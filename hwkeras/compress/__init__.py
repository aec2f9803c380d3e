"""Pruning and quantization-aware training for Keras 3 models, proven on the `.tflite` bytes they become.

The room is lazy: importing it loads neither TensorFlow nor tfmot. It is also a callable module, because the public
function and the room share a name: `hwkeras.compress(model, recipe, data)` is `hwkeras.compress.compress(...)`.
"""

import sys
import types

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ChannelPruned": "hwkeras.compress.channels",
        "ChannelReport": "hwkeras.compress.channel_report",
        "Compressed": "hwkeras.compress.compressor",
        "CompressionReport": "hwkeras.compress.report",
        "LayerReport": "hwkeras.compress.report",
        "OperatorReport": "hwkeras.compress.report",
        "Recipe": "hwkeras.compress.recipe",
        "StepReport": "hwkeras.compress.report",
        "compress": "hwkeras.compress.compressor",
        "load_model": "hwkeras.compress.model_files",
        "prune_channels": "hwkeras.compress.channels",
        "return_weights": "hwkeras.compress.weight_return",
        "twin": "hwkeras.compress.twinning",
    },
)


class _CallableRoom(types.ModuleType):
    """This module, made callable; see `hwkeras.compress.compress` for the arguments."""

    def __call__(self, model, recipe, data, **options):
        return self.compress(model, recipe, data, **options)


sys.modules[__name__].__class__ = _CallableRoom
