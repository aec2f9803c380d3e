"""The bundle: a directory with the file that ships and everything needed to check its numbers again.

A consumer needs only `model.tflite`, or `model_data.h` and `model_data.cc`; `verify` needs the whole directory.
"""

import importlib

_HOMES = {
    "BundleSource": "hwkeras.export.source",
    "Check": "hwkeras.export.verification",
    "Verification": "hwkeras.export.verification",
    "read_manifest": "hwkeras.export.manifest",
    "verify": "hwkeras.export.verification",
    "write_bundle": "hwkeras.export.bundle",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
