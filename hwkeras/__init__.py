"""hwkeras: hardware-aware neural architecture search for Keras, measured on the `.tflite` files that ship.

The front door is lazy (PEP 562): `import hwkeras` loads neither TensorFlow nor Keras; a name is imported when first used.
"""

import importlib

__version__ = "0.1.0"

# Public name -> the module it lives in; a name equal to the module's last part stands for the module itself.
_HOMES = {
    "HardwareHyperModel": "hwkeras.build",
    "HardwareTuner": "hwkeras.search",
    "LatencyCallback": "hwkeras.search",
    "SearchSpace": "hwkeras.build",
    "Searcher": "hwkeras.search",
    "analyze": "hwkeras.measure",
    "architecture_from_actions": "hwkeras.space",
    "benchmark": "hwkeras.measure",
    "build_model": "hwkeras.build",
    "keras": "keras",
    "lite": "hwkeras.convert.lite",
    "load_dataset": "hwkeras.data",
    "oracles": "hwkeras.oracles",
    "reestimate_batch_statistics": "hwkeras.build",
    "spaces": "hwkeras.build.spaces",
    "twin": "hwkeras.compress",
    "verify": "hwkeras.export",
}
# The room itself: a module that can be called (`hw.compress(model, recipe, data)`).
_ROOMS = ("compress",)

__all__ = sorted([*_HOMES, *_ROOMS, "__version__"])


def __getattr__(name):
    if name in _ROOMS:
        return importlib.import_module(f"hwkeras.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'hwkeras' has no attribute {name!r}")
    home = _HOMES[name]
    module = importlib.import_module(home)
    return module if home.rpartition(".")[2] == name else getattr(module, name)


def __dir__():
    return __all__
