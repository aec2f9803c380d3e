"""Who proposes the next candidate: keras-tuner oracles that know limits, one algorithm a file."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "EvolutionOracle": "hwkeras.oracles.evolution",
        "HardwareOracle": "hwkeras.oracles.base",
        "Observation": "hwkeras.oracles.observation",
        "RandomOracle": "hwkeras.oracles.random_search",
        "StopReason": "hwkeras.oracles.stopping",
        "get": "hwkeras.oracles.catalogue",
        "names": "hwkeras.oracles.catalogue",
    },
)
