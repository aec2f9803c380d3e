"""What the arguments of a `model.fit` say before it runs: how many steps, which batch size, which form of labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

KERAS_BATCH_SIZE = 32
# For data that comes batched, where the batch size is not told (`Batches` tells it).
_USUAL_BATCH_SIZE = 64


@dataclass(frozen=True)
class FitPlan:
    """The length of a training.

    Args:
        steps_per_epoch: int.
        num_epochs: int.
        batch_size: int; 64 where the data does not tell.
    """

    steps_per_epoch: int
    num_epochs: int
    batch_size: int

    @property
    def num_steps(self):
        """int, of the whole training."""
        return self.steps_per_epoch * self.num_epochs

    @classmethod
    def of(cls, arguments):
        """Reads the arguments of `model.fit`.

        Args:
            arguments: dict of argument name to value.

        Returns:
            FitPlan, or None where the number of steps cannot be known before, or is zero.
        """
        x = arguments.get("x")
        num_epochs = (1 if arguments.get("epochs") is None else arguments["epochs"]) - (
            arguments.get("initial_epoch") or 0
        )
        usual = getattr(x, "batch_size", _USUAL_BATCH_SIZE) if is_batched(x) else KERAS_BATCH_SIZE
        batch_size = arguments.get("batch_size") or usual
        steps = arguments.get("steps_per_epoch")
        if steps is None:
            steps = _num_batches(x) if is_batched(x) else _array_steps(x, batch_size, arguments)
        return cls(int(steps), int(num_epochs), int(batch_size)) if steps and num_epochs > 0 else None


def is_batched(x):
    """Whether the data comes in batches (a data set, a generator) and not as arrays.

    Args:
        x: the first argument of `model.fit`.

    Returns:
        bool.
    """
    leaves = _leaves(x)
    return not leaves or not all(hasattr(leaf, "shape") for leaf in leaves)


def label_shape(arguments):
    """The shape of the labels, where it can be told without taking data away from the training.

    Args:
        arguments: dict of the arguments of `model.fit`.

    Returns:
        Tuple whose first entry, the number of samples, may be None; or None.
    """
    x, y = arguments.get("x"), arguments.get("y")
    if y is not None:
        return tuple(y.shape) if hasattr(y, "shape") else None
    if hasattr(x, "element_spec"):
        batch = x.element_spec
    elif isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    else:
        return None
    labels = batch[1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None
    return tuple(labels.shape) if hasattr(labels, "shape") else None


def _leaves(x):
    if isinstance(x, dict):
        return [leaf for value in x.values() for leaf in _leaves(value)]
    if isinstance(x, (list, tuple)):
        return [leaf for value in x for leaf in _leaves(value)]
    return [] if x is None else [x]


def _num_batches(x):
    # A PyDataset may be infinite and says so by None; tf.data raises for infinite and unknown lengths.
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches
    try:
        return len(x)
    except TypeError:
        return None


def _array_steps(x, batch_size, arguments):
    num_samples = int(_leaves(x)[0].shape[0])
    num_training = math.floor(num_samples * (1.0 - (arguments.get("validation_split") or 0.0)))
    return math.ceil(num_training / batch_size)
