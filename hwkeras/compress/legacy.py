"""The quarantine: the one file that imports tf_keras and tfmot, and leaves the process as it found it.

tfmot sets `TF_USE_LEGACY_KERAS=1` when imported. Left alone that turns a `tf.keras` nobody has touched yet into
tf_keras, and every child process with it. So `tf.keras` is resolved first and the variable is put back afterwards.
"""

import importlib
import os
import warnings

import tensorflow as tf

_VARIABLE = "TF_USE_LEGACY_KERAS"


def _load():
    before = os.environ.get(_VARIABLE)
    str(tf.keras.__version__)  # `tf.keras` is a lazy loader: reading an attribute decides for good which Keras it is.
    try:
        with warnings.catch_warnings():
            # tfmot compares versions with distutils' deprecated classes.
            warnings.simplefilter("ignore", DeprecationWarning)
            import tensorflow_model_optimization as tfmot
            import tf_keras
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before
    return tf_keras, tfmot


tf_keras, tfmot = _load()

_TFMOT = "tensorflow_model_optimization.python.core"


def _from_tfmot(module, name):
    """A class tfmot keeps outside its public names; the version is pinned in setup.cfg."""
    return getattr(importlib.import_module(module), name)


Pruning = _from_tfmot(f"{_TFMOT}.sparsity.keras.pruning_impl", "Pruning")
PruneRegistry = _from_tfmot(f"{_TFMOT}.sparsity.keras.prune_registry", "PruneRegistry")
