"""Keras 3 models to checked `.tflite` bytes; calibration samples; the accuracy of the bytes."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "PRECISIONS": "hwkeras.convert.converter",
        "Converted": "hwkeras.convert.converter",
        "Untrained": "hwkeras.convert.untrained",
        "convert": "hwkeras.convert.converter",
        "convert_all": "hwkeras.convert.converter",
        "convert_untrained": "hwkeras.convert.untrained",
        "import_tensorflow": "hwkeras.convert.frozen",
        "evaluate": "hwkeras.convert.scoring",
        "node_paths": "hwkeras.convert.converter",
        "require_precisions": "hwkeras.convert.converter",
        "take_samples": "hwkeras.convert.calibration",
        "predict": "hwkeras.convert.scoring",
        "score": "hwkeras.convert.scoring",
        "silenced": "hwkeras.convert.silence",
    },
)
