"""hwkeras: hardware-aware neural architecture search for Keras, measured on the `.tflite` files that ship.

The front door is lazy (PEP 562): `import hwkeras` loads neither TensorFlow nor Keras; names are imported on first use.
"""

from hwkeras.lazy import lazy_names

__version__ = "0.1.0"

_HOMES = {
    "Compression": "hwkeras.search",
    "Economy": "hwkeras.search",
    "HardwareHyperModel": "hwkeras.build",
    "HardwareTuner": "hwkeras.search",
    "LatencyCallback": "hwkeras.search",
    "SearchSpace": "hwkeras.build",
    "Searcher": "hwkeras.search",
    "analyze": "hwkeras.measure",
    "architecture_from_actions": "hwkeras.space",
    "benchmark": "hwkeras.measure",
    "build_model": "hwkeras.build",
    "compare": "hwkeras.measure",
    # The room itself: a module that can be called, `hw.compress(model, recipe, data)`.
    "compress": "hwkeras.compress",
    "keras": "keras",
    "lite": "hwkeras.convert.lite",
    "load_dataset": "hwkeras.data",
    "open_meter": "hwkeras.measure",
    "oracles": "hwkeras.oracles",
    "profile": "hwkeras.measure",
    "reestimate_batch_statistics": "hwkeras.build",
    "spaces": "hwkeras.build.spaces",
    "twin": "hwkeras.compress",
    "verify": "hwkeras.export",
}
__getattr__, __dir__, __all__ = lazy_names(__name__, _HOMES)
