"""The device database and what can be said of a model from it alone: whether it fits, and estimates."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Estimate": "hwkeras.hardware.estimates",
        "Fit": "hwkeras.hardware.fit",
        "Profile": "hwkeras.hardware.profile",
        "estimate_energy_mj": "hwkeras.hardware.estimates",
        "estimate_latency_ms": "hwkeras.hardware.estimates",
        "fits": "hwkeras.hardware.fit",
        "load_profile": "hwkeras.hardware.profile",
        "profile_names": "hwkeras.hardware.profile",
    },
)
