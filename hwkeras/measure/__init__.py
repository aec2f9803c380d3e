"""Bytes in, measurements out: static analysis, devices and the meters that time on them, what is learned from that."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Analysis": "hwkeras.measure.analysis",
        "Arena": "hwkeras.measure.arena",
        "BenchmarkModelMeter": "hwkeras.measure.benchmark_model",
        "CachedMeter": "hwkeras.measure.cached",
        "Comparison": "hwkeras.measure.comparison",
        "Device": "hwkeras.measure.device",
        "DeviceMeter": "hwkeras.measure.device_meter",
        "DevicePool": "hwkeras.measure.pool",
        "EstimatedMeter": "hwkeras.measure.estimated",
        "LatencyPredictor": "hwkeras.measure.predictor",
        "LocalMeter": "hwkeras.measure.local",
        "Measurement": "hwkeras.measure.measurement",
        "MeasurementCache": "hwkeras.measure.cache",
        "Meter": "hwkeras.measure.meter",
        "OpCost": "hwkeras.measure.analysis",
        "OpTime": "hwkeras.measure.op_times",
        "PooledMeter": "hwkeras.measure.pooled",
        "Profile": "hwkeras.measure.op_times",
        "analyze": "hwkeras.measure.analysis",
        "analyze_delegation": "hwkeras.measure.delegation",
        "analyze_quantization": "hwkeras.measure.quantization",
        "analyze_weights": "hwkeras.measure.weights",
        "benchmark": "hwkeras.measure.devices",
        "compare": "hwkeras.measure.comparison",
        "list_devices": "hwkeras.measure.devices",
        "open_meter": "hwkeras.measure.devices",
        "profile": "hwkeras.measure.op_profile",
        "tflm_arena": "hwkeras.measure.arena",
        "transfer": "hwkeras.measure.transfer",
        "transfer_table": "hwkeras.measure.transfer",
    },
)
