"""Data sets as numpy arrays: loading, checking, splitting, and a fingerprint. Imports no TensorFlow."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "BUILTIN_NAMES": "hwkeras.data.builtin",
        "DataWarning": "hwkeras.data.duplicates",
        "Dataset": "hwkeras.data.dataset",
        "IdEncoder": "hwkeras.data.interactions",
        "KINDS": "hwkeras.data.loading",
        "LogMel": "hwkeras.data.log_mel",
        "StoredArray": "hwkeras.data.stored",
        "Table": "hwkeras.data.table",
        "TableEncoder": "hwkeras.data.table_encoder",
        "Tokenizer": "hwkeras.data.tokenizer",
        "class_indices": "hwkeras.data.labels",
        "class_weights": "hwkeras.data.class_balance",
        "fingerprint": "hwkeras.data.digest",
        "kind_of": "hwkeras.data.recognition",
        "load_dataset": "hwkeras.data.loading",
        "split": "hwkeras.data.splitting",
    },
)
