"""Data sets as numpy arrays: loading, checking, splitting, and a fingerprint. Imports no TensorFlow."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "BUILTIN_NAMES": "hwkeras.data.builtin",
        "Dataset": "hwkeras.data.dataset",
        "KINDS": "hwkeras.data.loading",
        "LogMel": "hwkeras.data.log_mel",
        "class_indices": "hwkeras.data.labels",
        "fingerprint": "hwkeras.data.digest",
        "load_dataset": "hwkeras.data.loading",
        "split": "hwkeras.data.splitting",
    },
)
