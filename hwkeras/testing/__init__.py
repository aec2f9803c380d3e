"""For plug-in authors: conformance classes to inherit, fakes, and models of a few hundred weights."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "DeviceConformance": "hwkeras.testing.device_conformance",
        "FakeBoard": "hwkeras.testing.fake_device",
        "FakeClock": "hwkeras.testing.fake_clock",
        "FakeDevice": "hwkeras.testing.fake_device",
        "MeterConformance": "hwkeras.testing.meter_conformance",
        "OracleConformance": "hwkeras.testing.oracle_conformance",
        "Simulator": "hwkeras.testing.simulator",
        "SpaceConformance": "hwkeras.testing.space_conformance",
        "comparison_text": "hwkeras.testing.curves",
        "curves_picture": "hwkeras.testing.curves",
        "drive": "hwkeras.testing.toy_search",
        "mean_curves": "hwkeras.testing.curves",
        "tiny_cnn": "hwkeras.testing.tiny_models",
        "tiny_mlp": "hwkeras.testing.tiny_models",
        "toy_cost": "hwkeras.testing.toy_search",
        "toy_metrics": "hwkeras.testing.toy_search",
        "toy_space": "hwkeras.testing.toy_search",
    },
)
