"""Bytes in, measurements out: static analysis of `.tflite` files and the meters that time them."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Analysis": "hwkeras.measure.analysis",
        "LocalMeter": "hwkeras.measure.local",
        "Measurement": "hwkeras.measure.measurement",
        "Meter": "hwkeras.measure.meter",
        "OpCost": "hwkeras.measure.analysis",
        "analyze": "hwkeras.measure.analysis",
        "benchmark": "hwkeras.measure.devices",
        "list_devices": "hwkeras.measure.devices",
        "open_meter": "hwkeras.measure.devices",
    },
)
