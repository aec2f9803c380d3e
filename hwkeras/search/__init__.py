"""Who runs a search: the tuner, the stand-alone callback, the journal. The one room where the others meet."""

import importlib

_HOMES = {
    "Candidate": "hwkeras.search.candidate",
    "HardwareTuner": "hwkeras.search.tuner",
    "Journal": "hwkeras.search.journal",
    "LatencyCallback": "hwkeras.search.callback",
    "Searcher": "hwkeras.search.searcher",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
