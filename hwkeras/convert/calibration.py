"""Samples to calibrate and check a conversion with, from whatever a user trains on."""

from __future__ import annotations

import numpy as np

from hwkeras.data.stored import is_stored
from hwkeras.errors import DataError


def take_samples(x, num_samples, seed=0):
    """Takes samples, the same for the same arguments.

    Args:
        x: array of shape (n, ...), or `data.StoredArray`; or a list, tuple or dict of such arrays for several inputs;
            or a batched `tf.data.Dataset` of `x`, `(x, y)` or `(x, y, sample_weight)`; or a `keras.utils.PyDataset`.
        num_samples: int, how many at most. Of arrays a random choice is taken, in ascending order of index; of data
            sets the first samples, so that an unshuffled data set gives the same ones each time.
        seed: int, for the choice. Defaults to `0`.

    Returns:
        array, or list or dict of arrays as given, of shape (at most num_samples, ...); float32, or of the given dtype
        where that is an integer.

    Raises:
        DataError: no samples, NaN or infinity, numbers of no known kind, or inputs of different lengths.
    """
    if num_samples < 1:
        raise DataError(f"`num_samples` must be at least 1. Received: num_samples={num_samples}.")
    if hasattr(x, "as_numpy_iterator") and hasattr(x, "element_spec"):
        return _mapped(_stream(iter(x), num_samples), _checked)
    if hasattr(x, "num_batches") and hasattr(x, "__getitem__"):
        return _mapped(_stream(_batches(x), num_samples), _checked)
    # What stays in files is not read as a whole to take some of it.
    given, x = x, _mapped(x, lambda value: value if is_stored(value) else np.asarray(value))
    arrays = _flat(x)
    if any(array.ndim == 0 for array in arrays):
        raise DataError(
            "Samples must be arrays of shape (n, ...), a tf.data.Dataset or a PyDataset. Received: "
            f"{type(given).__name__}."
        )
    lengths = sorted({len(array) for array in arrays})
    if len(lengths) != 1:
        raise DataError(f"All inputs must have the same number of samples. Received: {lengths}.")
    chosen = _choose(lengths[0], num_samples, seed)
    return _mapped(x, lambda array: _checked(array[chosen]))


def _choose(length, num_samples, seed):
    if length <= num_samples:
        return np.arange(length)
    return np.sort(np.random.default_rng(seed).choice(length, num_samples, replace=False))


def _batches(dataset):
    """A PyDataset's batches; one without a length goes on for ever and is read only as far as needed."""
    count, index = dataset.num_batches, 0
    while count is None or index < count:
        yield dataset[index]
        index += 1


def _stream(batches, num_samples):
    parts, taken = [], 0
    for batch in batches:
        x = _mapped(batch[0] if isinstance(batch, (tuple, list)) else batch, np.asarray)
        first = _flat(x)[0]
        if first.ndim == 0:
            raise DataError("A data set must be batched. Received: single samples. Call `.batch(32)` on it.")
        parts.append(x)
        taken += len(first)
        if taken >= num_samples:
            break
    if not parts:
        raise DataError("Samples are needed to calibrate a conversion. Received: an empty data set.")
    return _joined(parts, num_samples)


def _joined(parts, num_samples):
    first = parts[0]
    if isinstance(first, dict):
        return {key: np.concatenate([part[key] for part in parts])[:num_samples] for key in first}
    if isinstance(first, list):
        return [np.concatenate(columns)[:num_samples] for columns in zip(*parts, strict=True)]
    return np.concatenate(parts)[:num_samples]


def _mapped(x, function):
    if isinstance(x, dict):
        return {key: function(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)) and len(x) and all(hasattr(value, "shape") for value in x):
        return [function(value) for value in x]
    return function(x)


def _flat(x):
    if isinstance(x, dict):
        return list(x.values())
    return x if isinstance(x, list) else [x]


def _checked(array):
    array = np.asarray(array)
    if array.size == 0:
        raise DataError(f"Samples are needed to calibrate a conversion. Received: an array of shape {array.shape}.")
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind not in "fb":
        raise DataError(f"Samples must be numbers. Received: dtype {array.dtype}.")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise DataError(
            f"Samples must be finite. Received: {count} values that are NaN or infinite. Remove them first."
        )
    return array


def random_samples(frozen, num_samples, seed=0):
    """Samples for a model whose data are not at hand: uniform in [0, 1) for floats, 0 or 1 for integers.

    Args:
        frozen: `Frozen`.
        num_samples: int.
        seed: int. Defaults to `0`.

    Returns:
        list of arrays of shape (num_samples, ...), one an input.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for shape, dtype in zip(frozen.input_shapes, frozen.input_dtypes, strict=True):
        size = (num_samples, *shape)
        samples.append(rng.random(size).astype(dtype) if dtype.kind == "f" else rng.integers(0, 2, size).astype(dtype))
    return samples


def arrange(x, names, shapes, dtypes):
    """Brings samples into the order, the shape and the numbers the model takes.

    Args:
        x: array, or list or dict (by input name) of arrays of shape (n, ...).
        names: sequence of str, the inputs' names.
        shapes: sequence of shapes without the batch dimension.
        dtypes: sequence of numpy dtypes.

    Returns:
        list of arrays of shape (n, ...), one an input.

    Raises:
        DataError: a missing or superfluous input, or a wrong shape.
    """
    x = _mapped(x, np.asarray)
    if isinstance(x, dict):
        if sorted(x) != sorted(names):
            raise DataError(f"Samples must be given for the inputs {sorted(names)}. Received: {sorted(x)}.")
        x = [x[name] for name in names]
    arrays = _flat(x)
    if len(arrays) != len(names):
        raise DataError(f"The model takes {len(names)} inputs ({', '.join(names)}). Received: {len(arrays)} arrays.")
    for name, array, shape in zip(names, arrays, shapes, strict=True):
        if array.shape[1:] != tuple(shape) or array.ndim == 0:
            raise DataError(
                f"Samples for input {name!r} must have the shape (n, {', '.join(map(str, shape))}). "
                f"Received: shape {array.shape}. Reshape them, for images with the channel axis last."
            )
    if len({len(array) for array in arrays}) > 1:
        lengths = sorted({len(array) for array in arrays})
        raise DataError(f"All inputs must have the same number of samples. Received: {lengths}.")
    return [array.astype(dtype, copy=False) for array, dtype in zip(arrays, dtypes, strict=True)]
