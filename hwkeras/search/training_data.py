"""What was handed to `search(...)`: training data, validation arrays, and who they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.data import fingerprint
from hwkeras.data import split
from hwkeras.data.splitting import split_indices
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
        fingerprint: str, sha256 of all data given, whatever share of them is trained on.
    """

    x: object
    x_valid: object
    y_valid: np.ndarray
    fit_args: tuple
    fit_kwargs: dict
    fingerprint: str

    @property
    def num_epochs(self):
        """int, those a whole training has."""
        return self.fit_kwargs.get("epochs", 1)

    @property
    def num_samples(self):
        """int, samples that are trained on; None for a dataset."""
        arrays = _flat(self.x) if is_arrays(self.x) else []
        return len(arrays[0]) if arrays else None

    @classmethod
    def from_fit_arguments(cls, args, kwargs, seed=0, train_share=1.0):
        """Reads `model.fit` arguments and makes sure there is validation data.

        Args:
            args: tuple of positional arguments; the first two are `x` and `y`.
            kwargs: dict of keyword arguments.
            seed: int, of the split made when no validation data is given, and of the share. Defaults to `0`.
            train_share: float in (0, 1], the share of the training data to train on: the same samples for the same
                seed, of each class its share, at least one sample. Defaults to `1.0`.

        Returns:
            TrainingData.

        Raises:
            DataError: no training data; no validation data where none can be split off; arrays of different length; a
                share of something else than arrays.
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
        if train_share < 1:
            x, y = _shared_out(x, y, kwargs, train_share, seed)
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


def _shared_out(x, y, kwargs, share, seed):
    """A share of the samples, of their weights too; steps that were asked for are fewer by as much."""
    if y is None or not is_arrays(x):
        raise DataError(
            f"A share of the training data can only be taken of arrays. Received: train_share={share} and x of type "
            f"{type(x).__name__}. Pass x and y as arrays, or a smaller dataset."
        )
    # The part that is held back leaves a sample of each class.
    chosen, _ = split_indices(np.asarray(y), 1 - share, seed)
    if kwargs.get("sample_weight") is not None:
        kwargs["sample_weight"] = np.asarray(kwargs["sample_weight"])[chosen]
    if kwargs.get("steps_per_epoch") is not None:
        kwargs["steps_per_epoch"] = max(1, round(kwargs["steps_per_epoch"] * share))
    return _taken(x, chosen), np.asarray(y)[chosen]


def is_arrays(x):
    """Whether data are arrays: one, or a list, tuple or dict of them; not a dataset, which may have no end.

    Args:
        x: as for `model.fit`.

    Returns:
        bool.
    """
    if isinstance(x, (list, tuple, dict)):
        return all(map(is_arrays, x.values() if isinstance(x, dict) else x))
    return hasattr(x, "__array__")


def _taken(x, chosen):
    if isinstance(x, dict):
        return {name: _taken(part, chosen) for name, part in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(_taken(part, chosen) for part in x)
    return np.asarray(x)[chosen]


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
