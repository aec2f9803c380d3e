"""What was handed to `search(...)`: training data, validation arrays, and who they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.data import fingerprint
from hwkeras.data import split
from hwkeras.errors import DataError

VALIDATION_SHARE = 0.2
# Enough of a dataset that streams to know it again, without reading all of it twice.
_FINGERPRINT_SAMPLES = 256


@dataclass(frozen=True)
class TrainingData:
    """The data of a search, with the arguments `model.fit` gets.

    Args:
        x: training inputs: array, list or dict of arrays, or a dataset that yields `(x, y)`.
        x_valid: inputs candidates are scored on, array of shape (num_samples, ...) or list or dict of these.
        y_valid: array of shape (num_samples,), labels; or (num_samples, num_classes), one-hot.
        fit_args: tuple, positional arguments for `model.fit`.
        fit_kwargs: dict, keyword arguments for `model.fit`, `validation_data` included.
        fingerprint: str, sha256 of the data.
    """

    x: object
    x_valid: object
    y_valid: np.ndarray
    fit_args: tuple
    fit_kwargs: dict
    fingerprint: str

    @classmethod
    def from_fit_arguments(cls, args, kwargs, seed=0):
        """Reads `model.fit` arguments and makes sure there is validation data.

        Args:
            args: tuple of positional arguments; the first two are `x` and `y`.
            kwargs: dict of keyword arguments.
            seed: int, of the split made when no validation data is given. Defaults to `0`.

        Returns:
            TrainingData.

        Raises:
            DataError: no training data; no validation data where none can be split off; arrays of different length.
        """
        kwargs = dict(kwargs)
        named = dict(zip(("x", "y"), args, strict=False))
        x = kwargs.pop("x", named.get("x"))
        y = kwargs.pop("y", named.get("y"))
        if x is None:
            raise DataError("`search` needs training data as `model.fit` does: search(x, y, ...). Received: x=None.")
        if y is not None and not isinstance(x, (list, dict)) and len(x) != len(y):
            raise DataError(f"x and y must have the same length. Received: {len(x)} inputs and {len(y)} labels.")
        x, y, valid = _with_validation(x, y, kwargs, seed)
        x_valid, y_valid = _arrays(valid)
        kwargs["validation_data"] = valid
        print_of = fingerprint(*_flat(x), *_flat(y), *_flat(x_valid), *_flat(y_valid))
        given = (x,) if y is None else (x, y)
        return cls(x, x_valid, np.asarray(y_valid), given + tuple(args[2:]), kwargs, print_of)


def _with_validation(x, y, kwargs, seed):
    share = kwargs.pop("validation_split", 0.0) or VALIDATION_SHARE
    if kwargs.get("validation_data") is not None:
        return x, y, kwargs.pop("validation_data")
    kwargs.pop("validation_data", None)
    if not isinstance(x, np.ndarray) or y is None:
        raise DataError(
            "Candidates are scored on validation data, and it can only be split off arrays. "
            f"Received: x of type {type(x).__name__} without `validation_data`. Pass validation_data=(x, y)."
        )
    x_train, y_train, x_valid, y_valid = split(x, np.asarray(y), share, seed)
    return x_train, y_train, (x_valid, y_valid)


def _arrays(valid):
    if isinstance(valid, (tuple, list)):
        return valid[0], valid[1]
    batches = [batch[:2] for batch in valid]
    if not batches:
        raise DataError("`validation_data` must yield at least one batch. Received: an empty dataset.")
    return tuple(np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True))


def _flat(value):
    """Arrays of a nested value, in a fixed order; the first samples where it is a dataset."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [array for key in sorted(value) for array in _flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in _flat(item)]
    if hasattr(value, "__array__"):
        return [np.asarray(value)]
    arrays, num_seen = [], 0
    for batch in value:
        arrays += _flat(batch)
        num_seen += len(arrays[-1])
        if num_seen >= _FINGERPRINT_SAMPLES:
            break
    return arrays
