"""The device database and what can be said of a model from it alone: whether it fits, and estimates."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ArenaEstimate": "hwkeras.hardware.arena",
        "Estimate": "hwkeras.hardware.estimates",
        "Fit": "hwkeras.hardware.fit",
        "Profile": "hwkeras.hardware.profile",
        "Reserve": "hwkeras.hardware.fit",
        "estimate_arena": "hwkeras.hardware.arena",
        "estimate_energy_mj": "hwkeras.hardware.estimates",
        "estimate_latency_ms": "hwkeras.hardware.estimates",
        "fits": "hwkeras.hardware.fit",
        "limits_of": "hwkeras.hardware.fit",
        "load_profile": "hwkeras.hardware.database",
        "profile_names": "hwkeras.hardware.database",
        "reserve_of": "hwkeras.hardware.fit",
    },
)
