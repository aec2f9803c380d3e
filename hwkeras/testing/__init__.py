"""For plug-in authors: conformance classes to inherit, fakes, and models of a few hundred weights."""

from __future__ import annotations

import importlib

_HOMES = {
    "FakeClock": "hwkeras.testing.fake_clock",
    "OracleConformance": "hwkeras.testing.oracle_conformance",
    "drive": "hwkeras.testing.oracle_conformance",
    "tiny_cnn": "hwkeras.testing.tiny_models",
    "tiny_mlp": "hwkeras.testing.tiny_models",
    "toy_cost": "hwkeras.testing.oracle_conformance",
    "toy_metrics": "hwkeras.testing.oracle_conformance",
    "toy_space": "hwkeras.testing.oracle_conformance",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
