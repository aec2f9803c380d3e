"""A `model.fit` whose training samples are augmented, each batch when it is asked for; validation data never are."""

from __future__ import annotations

import functools
import math

import keras
import numpy as np

from hwkeras.build.augment import augment
from hwkeras.build.batches import Batches
from hwkeras.build.batches import change_batches
from hwkeras.build.fit_plan import KERAS_BATCH_SIZE
from hwkeras.build.fit_plan import is_batched
from hwkeras.build.soft_labels import soft_labels
from hwkeras.build.soft_labels import takes_class_numbers
from hwkeras.build.soft_labels import with_soft_labels
from hwkeras.errors import UserError


def fit_augmented(model, arguments, values, new_metrics, standardization=None):
    """Trains a model on augmented samples.

    Where `mixup` mixes labels that are class numbers, they are shares of the classes while it lasts, and so are those
    of the validation data; the model that comes back takes class numbers as before. Random numbers follow
    `keras.utils.set_random_seed`.

    Args:
        model: keras.Model, compiled.
        arguments: dict of the arguments of `model.fit`.
        values: dict of `space.augmentation.Augmentation.read`.
        new_metrics: callable without arguments that returns the model's metrics, new ones, as for `model.compile`.
        standardization: see `augment.augment`. Defaults to `None`.

    Returns:
        keras History.

    Raises:
        UserError: several inputs, or a loss that cannot be one of mixed labels.
    """
    rank = len(model.input_shape) - 1
    seed = int(keras.random.randint((), 0, 2**31 - 1))
    if "mixup" not in values or not takes_class_numbers(model.loss):
        return model.fit(**augmented_arguments(arguments, values, rank, seed, None, standardization))
    num_classes = model.output_shape[-1]
    arguments = augmented_arguments(arguments, values, rank, seed, num_classes, standardization)
    if arguments.get("validation_data") is not None:
        arguments["validation_data"] = with_soft_labels(arguments["validation_data"], num_classes)
    with soft_labels(model, new_metrics):
        return model.fit(**arguments)


def augmented_arguments(arguments, values, rank, seed, num_classes=None, standardization=None):
    """Arguments that train on augmented batches.

    Weights of samples and classes go with the samples, see `augment.augment`.

    Args:
        arguments: dict of the arguments of `model.fit`.
        values: dict of `space.augmentation.Augmentation.read`.
        rank: int, axes of an input, those of the batch not counted.
        seed: int, 0 or more.
        num_classes: int where labels are class numbers that `mixup` is to make shares of classes. Defaults to `None`.
        standardization: see `augment.augment`. Defaults to `None`.

    Returns:
        dict of arguments.

    Raises:
        UserError: several inputs.
    """
    change = functools.partial(
        _change, values=values, rank=rank, num_classes=num_classes, standardization=standardization
    )
    x = arguments["x"]
    if is_batched(x):
        return arguments | {"x": change_batches(x, change, seed)}
    if isinstance(x, (list, tuple, dict)):
        raise UserError(
            f"Networks of one input are augmented. Received: inputs in a {type(x).__name__}. Pass one array, or leave "
            "the augmentation away."
        )
    arguments = _split(arguments)
    steps = arguments.get("steps_per_epoch")
    batches = Batches(
        arguments["x"],
        arguments.pop("y", None),
        arguments.get("batch_size") or KERAS_BATCH_SIZE,
        sample_weight=arguments.pop("sample_weight", None),
        change=change,
        seed=seed,
        shuffle=bool(arguments.get("shuffle", True)),
        # Steps of the user's need not end where an epoch of the samples does.
        endless=steps is not None,
    )
    return arguments | {"x": batches, "shuffle": False}


def _change(x, y, rng, values, rank, num_classes, standardization):
    # Keras too adds the single channel that is missing.
    shape = x.shape
    x = x[..., None] if x.ndim == rank else x
    x, y = augment(x, y, values, rng, num_classes, standardization)
    return x.reshape(shape), y


def _split(arguments):
    """The last share of the samples for validation, where it was asked for, as Keras takes it of arrays."""
    arguments = dict(arguments)
    share = arguments.pop("validation_split", None)
    if not share or arguments.get("validation_data") is not None:
        return arguments
    num_samples = len(arguments["x"])
    num_training = math.floor(num_samples * (1.0 - share))
    valid = []
    for name in ("x", "y", "sample_weight"):
        if arguments.get(name) is not None:
            valid.append(_part(arguments[name], num_training, num_samples))
            arguments[name] = _part(arguments[name], 0, num_training)
    return arguments | {"validation_data": tuple(valid)}


def _part(array, start, stop):
    # What is only read like an array, from a file say, takes indices.
    is_read = hasattr(array, "dtype") and not hasattr(array, "__array__")
    return np.asarray(array[np.arange(start, stop)]) if is_read else np.asarray(array)[start:stop]
