"""The data a compression is given, checked at the door, and the samples taken from it."""

from __future__ import annotations

import numpy as np

from hwkeras.errors import DataError

_CALIBRATION_SAMPLES = 200
_SCORED_SAMPLES = 2000
_CHECK_SAMPLES = 16
_SEED = 0


def checked_data(model, recipe, data):
    """The data as arrays, after asking what a later failure would say less clearly.

    Args:
        model: tf_keras.Model.
        recipe: Recipe.
        data: tuple `(x, y)`, or None.

    Returns:
        Tuple `(x, y)`: a numpy array or a list of them, in the dtypes of the model, and an array of labels or None.

    Raises:
        DataError: no pair, other shapes than the model takes, or no labels where training needs them.
    """
    if data is None and not recipe.needs_training and not recipe.needs_calibration:
        return None, None
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"`data` must be a tuple (x, y). Received: {type(data).__name__}. Give the arrays the model was trained on."
        )
    x, y = data
    parts = checked_inputs(model, x)
    if recipe.needs_training and y is None:
        raise DataError(f"The recipe '{recipe}' trains and needs labels. Received: y=None. Give `data` as (x, y).")
    y = None if y is None else np.asarray(y)
    if y is not None and len(y) != len(parts[0]):
        raise DataError(
            f"`data` must hold one label per sample. Received: {len(parts[0])} samples, {len(y)} labels. "
            "Give x and y of one length."
        )
    dtypes = [tensor.dtype.as_numpy_dtype for tensor in model.inputs]
    parts = [part.astype(dtype, copy=False) for part, dtype in zip(parts, dtypes, strict=True)]
    return (parts if isinstance(x, list | tuple) else parts[0]), y


def checked_inputs(model, x):
    """Samples as arrays of the shapes a model takes.

    Args:
        model: keras.Model or tf_keras.Model.
        x: array, or a list or tuple of them.

    Returns:
        List of numpy arrays, one per input.

    Raises:
        DataError: other shapes, or no samples.
    """
    parts = [np.asarray(part) for part in (x if isinstance(x, list | tuple) else [x])]
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    received = [part.shape[1:] for part in parts]
    fits = len(shapes) == len(received) and all(map(_fits, received, shapes))
    if not fits or not all(len(part) for part in parts):
        raise DataError(
            f"The samples must have the shape the model takes, {shapes}. Received: {[part.shape for part in parts]}. "
            "Give x with the samples on the first axis."
        )
    return parts


def calibration_samples(x):
    """Samples for the converter, drawn with a fixed seed.

    Args:
        x: numpy array or list of them.

    Returns:
        List of numpy arrays of at most 200 samples, one per input.
    """
    return drawn(x, None, _CALIBRATION_SAMPLES)[0]


def labeled_calibration_samples(data):
    """The same samples with their labels.

    Args:
        data: tuple `(x, y)`; `y` may be None.

    Returns:
        Tuple `(list of arrays, labels or None)`.
    """
    return drawn(data[0], data[1], _CALIBRATION_SAMPLES)


def check_samples(model, x):
    """Samples on which a file is compared with its model: some of the data, or noise where there is none.

    Args:
        model: tf_keras.Model.
        x: numpy array, list of them, or None.

    Returns:
        List of numpy arrays, one per input.
    """
    if x is not None:
        return drawn(x, None, _CHECK_SAMPLES)[0]
    rng = np.random.default_rng(_SEED)
    shapes = [(_CHECK_SAMPLES, *tensor.shape[1:]) for tensor in model.inputs]
    dtypes = [tensor.dtype.as_numpy_dtype for tensor in model.inputs]
    # Token 0 exists in every vocabulary.
    return [
        (rng.normal(size=shape) if np.issubdtype(dtype, np.floating) else np.zeros(shape)).astype(dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


def scored_samples(data):
    """At most 2000 samples with their labels, on which accuracy is told.

    Args:
        data: tuple `(x, y, ...)`.

    Returns:
        Tuple `(list of arrays, labels)`.
    """
    return drawn(data[0], data[1], _SCORED_SAMPLES)


def drawn(x, y, count):
    """Draws samples with a fixed seed.

    Args:
        x: numpy array or list of them.
        y: labels or None.
        count: int, the most.

    Returns:
        Tuple `(list of arrays, labels or None)`.
    """
    parts = [np.asarray(part) for part in (x if isinstance(x, list | tuple) else [x])]
    chosen = np.random.default_rng(_SEED).choice(len(parts[0]), min(len(parts[0]), count), replace=False)
    return [part[chosen] for part in parts], None if y is None else np.asarray(y)[chosen]


def _fits(received, shape):
    return len(received) == len(shape) and all(axis in (None, size) for size, axis in zip(received, shape, strict=True))
