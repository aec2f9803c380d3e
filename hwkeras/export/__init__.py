"""The bundle: a directory with the file that ships and everything needed to check its numbers again.

A consumer needs only `model.tflite`, or `model_data.h` and `model_data.cc`; `verify` needs the whole directory.
"""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "BundleSource": "hwkeras.export.source",
        "Check": "hwkeras.export.verification",
        "Verification": "hwkeras.export.verification",
        "read_manifest": "hwkeras.export.manifest",
        "verify": "hwkeras.export.verification",
        "write_bundle": "hwkeras.export.bundle",
        "write_streaming": "hwkeras.export.streaming",
    },
)
