"""Who runs a search: the tuner, the stand-alone callback, the journal. The one room where the others meet."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Candidate": "hwkeras.search.candidate",
        "Compression": "hwkeras.search.compression",
        "Economy": "hwkeras.search.economy",
        "HardwareTuner": "hwkeras.search.tuner",
        "Journal": "hwkeras.search.journal",
        "LatencyCallback": "hwkeras.search.callback",
        "Searcher": "hwkeras.search.searcher",
    },
)
