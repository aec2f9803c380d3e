"""Architecture -> keras.Model: blocks, hypermodels for keras-tuner, and what makes short trainings tell the truth."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Batches": "hwkeras.build.batches",
        "HardwareHyperModel": "hwkeras.build.hypermodel",
        "SearchSpace": "hwkeras.build.spaces",
        "StreamingModel": "hwkeras.build.streaming",
        "as_hypermodel": "hwkeras.build.hypermodel",
        "batch_norm_momentum": "hwkeras.build.schedule",
        "build_model": "hwkeras.build.model",
        "cosine_learning_rate": "hwkeras.build.schedule",
        "peak_learning_rate": "hwkeras.build.schedule",
        "require_model": "hwkeras.build.hypermodel",
        "reestimate_batch_statistics": "hwkeras.build.batch_statistics",
    },
)
