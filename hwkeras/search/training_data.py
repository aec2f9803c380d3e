"""What was handed to `search(...)`: training data, validation arrays, and who they are."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from dataclasses import replace

import keras
import numpy as np

from hwkeras.build.batches import Batches
from hwkeras.build.fit_plan import KERAS_BATCH_SIZE
from hwkeras.data import class_weights
from hwkeras.data import fingerprint
from hwkeras.data.array_folder import MappedArray
from hwkeras.data.splitting import split_indices
from hwkeras.data.stored import StoredArray
from hwkeras.data.stored import is_stored
from hwkeras.data.stored import places_held
from hwkeras.errors import DataError
from hwkeras.search.folds import arguments_of_fold
from hwkeras.search.folds import checked_groups
from hwkeras.search.folds import fold_indices
from hwkeras.search.folds import together
from hwkeras.search.streams import Generated
from hwkeras.search.streams import as_stream
from hwkeras.search.streams import first_samples
from hwkeras.search.streams import identity_of
from hwkeras.search.streams import validation_arrays

VALIDATION_SHARE = 0.2
_FIT_ARGUMENTS = tuple(inspect.signature(keras.Model.fit).parameters)[1:]


@dataclass(frozen=True)
class TrainingData:
    """The data of a search, with the arguments `model.fit` gets.

    Data may be arrays; an array whose samples stay in files (`data.StoredArray`, or a numpy memmap); or come in batches
    `(x, y)` or `(x, y, sample_weight)`: a tf.data.Dataset, a keras PyDataset, or a generator without an end. Of what is
    no array in memory only samples are read at a time.

    Args:
        x: training inputs: array, `StoredArray`, list or dict of arrays, or a dataset that yields `(x, y)`; of a
            generator arrays of its first samples.
        x_valid: inputs candidates are scored on, array of shape (num_samples, ...) or list or dict of these.
        y_valid: array of shape (num_samples,), labels; or (num_samples, num_classes), one-hot.
        fit_args: tuple, `(x, y)` to train on, or `(dataset,)`.
        fit_kwargs: dict, keyword arguments for `model.fit`, `validation_data` included.
        fingerprint: str, sha256 of all data given, whatever share of them is trained on; of training data in batches as
            `streams.identity_of` says.
        seed: int, of what is drawn. Defaults to `0`.
        num_folds: int, into which the samples are cut, each to be judged by a network that was trained on the others:
            then `x_valid` are the training samples. Defaults to `None`, for validation data of their own.
        groups: array of shape (num_samples,), whom each sample is of: all of a group are in one fold. Defaults to
            `None`, samples of their own.
    """

    x: object
    x_valid: object
    y_valid: np.ndarray
    fit_args: tuple
    fit_kwargs: dict
    fingerprint: str
    seed: int = 0
    num_folds: int | None = None
    groups: np.ndarray | None = None

    @property
    def num_epochs(self):
        """int, those a whole training has."""
        return self.fit_kwargs.get("epochs", 1)

    @property
    def num_samples(self):
        """int, samples that are trained on; None for a dataset."""
        arrays = _flat(self.fit_args[0]) if is_arrays(self.fit_args[0]) else []
        return len(arrays[0]) if arrays else None

    @classmethod
    def from_fit_arguments(cls, args, kwargs, seed=0, train_share=1.0):
        """Reads `model.fit` arguments and makes sure there is validation data.

        Args:
            args: tuple of positional arguments, as of `model.fit`.
            kwargs: dict of keyword arguments; a `class_weight` of `"balanced"` is counted on the training part. Beside
                them `validation_folds`: int, 2 or more (see `TrainingData`); validation data are then as others; and
                `validation_groups`: array, whom each sample is of, validation data last; a group is in one fold.
            seed: int, of the split made when no validation data is given, and of the share. Defaults to `0`.
            train_share: float in (0, 1], the share of the training data to train on: the same samples for the same
                seed, of each class its share, at least one sample. Defaults to `1.0`.

        Returns:
            TrainingData. Validation data are in memory: what yields batches is read, and of a `StoredArray` at most
            2,000 samples and 256 MiB, drawn by class.

        Raises:
            DataError: no training data; no validation data where none can be split off; arrays of different length; a
                share, or folds, of something else than arrays; batches of another form, or without an end.
            UserError: fewer folds than 2 or more than samples or groups, or of a share; groups without folds.
        """
        kwargs = dict(zip(_FIT_ARGUMENTS, args, strict=False)) | kwargs
        num_folds, groups = kwargs.pop("validation_folds", None), kwargs.pop("validation_groups", None)
        x, y = _opened(kwargs.pop("x", None)), kwargs.pop("y", None)
        if x is None:
            raise DataError("`search` needs training data as `model.fit` does: search(x, y, ...). Received: x=None.")
        if not is_arrays(x):
            x = as_stream(x, y, kwargs.get("steps_per_epoch"))
            # Keras warns of what it cannot shuffle, though nobody asked it to.
            kwargs.setdefault("shuffle", isinstance(x, keras.utils.PyDataset) and x.num_batches is not None)
        _require_one_stored(x, y)
        if is_arrays(x) and y is not None and not isinstance(x, (list, dict)) and len(x) != len(y):
            raise DataError(f"x and y must have the same length. Received: {len(x)} inputs and {len(y)} labels.")
        if num_folds is None:
            x, y = _with_validation(x, y, kwargs, seed)
        else:
            x, y = together(x, y, kwargs, num_folds, train_share)
        groups = checked_groups(groups, num_folds, y)
        if kwargs.get("class_weight") is not None:
            kwargs["class_weight"] = class_weights(kwargs["class_weight"], y)
        x_valid, y_valid, identity = _in_memory(kwargs, seed)
        who = _flat(x) if is_arrays(x) else [identity_of(x)]
        # Candidates that were judged on other folds cannot be compared.
        print_of = fingerprint(*who, *_flat(y), *identity, *([] if num_folds is None else [np.array(num_folds)]))
        if train_share < 1:
            x, y = _shared_out(x, y, kwargs, train_share, seed)
        given = (x,) if y is None else (x, y)
        if isinstance(x, Generated):
            x = first_samples(x, num_steps=kwargs["steps_per_epoch"])[0][0]
        return cls(x, x_valid, np.asarray(y_valid), given, kwargs, print_of, seed, num_folds, groups)

    def folds(self):
        """The data without a fold each.

        Returns:
            list of TrainingData, `num_folds` of them; see `folds.fold_indices`.
        """
        x, y = self.fit_args
        return [
            replace(
                self,
                x=x[chosen],
                x_valid=x[held],
                y_valid=y[held],
                fit_args=(x[chosen], y[chosen]),
                fit_kwargs=arguments_of_fold(self.fit_kwargs, x, y, chosen, held),
                num_folds=None,
                groups=None,
            )
            for chosen, held in fold_indices(y, self.num_folds, self.seed, self.groups)
        ]

    def for_training(self, seed=0, initial_epoch=0):
        """What `model.fit` is called with.

        Args:
            seed: int, of the order of samples that stay in files. Defaults to `0`.
            initial_epoch: int, epochs that were trained before. Defaults to `0`.

        Returns:
            tuple of positional arguments: samples that stay in files are in `Batches`, new ones for each training; and
            dict of keyword arguments.
        """
        kwargs = dict(self.fit_kwargs)
        if not is_stored(self.x):
            return self.fit_args, kwargs
        batches = Batches(
            *self.fit_args,
            batch_size=kwargs.get("batch_size") or KERAS_BATCH_SIZE,
            sample_weight=kwargs.pop("sample_weight", None),
            seed=seed,
            shuffle=bool(kwargs.pop("shuffle", True)),
            endless=kwargs.get("steps_per_epoch") is not None,
        )
        batches.epoch = initial_epoch
        return (batches,), kwargs | {"shuffle": False}

    def one_sample(self):
        """Returns tuple `(x, y)`, a batch of the first sample that candidates are scored on."""
        return _taken(self.x_valid, slice(1)), self.y_valid[:1]

    def in_memory(self):
        """Training data for what takes arrays alone, such as the recipes of `hwkeras.compress`.

        Returns:
            tuple `(x, y, sample_weight)`, the last one None where there are none: all of what is in memory; of other
            data as many samples as are kept in memory, at most 2,000 and 256 MiB: drawn by class of those that stay in
            files, else the first.
        """
        weights = self.fit_kwargs.get("sample_weight")
        if not is_arrays(self.fit_args[0]):
            batch, _ = first_samples(self.fit_args[0], num_steps=self.fit_kwargs.get("steps_per_epoch"))
            return (*batch, None)[:3]
        x, y = self.fit_args
        if not is_stored(x):
            return x, y, weights
        chosen = places_held(x, np.asarray(y), self.seed)
        return x[chosen], np.asarray(y)[chosen], None if weights is None else np.asarray(weights)[chosen]


def _require_one_stored(x, y):
    if is_arrays(x) and any(map(is_stored, _flat(x))) and (y is None or not is_stored(x)):
        raise DataError(
            "What stays in files is one input, with labels. Received: x of type "
            f"{type(x).__name__}{' and y=None' if y is None else ''}. Pass x and y, or a tf.data.Dataset."
        )


def _opened(x):
    """An array that is mapped to a file stays there."""
    return StoredArray(MappedArray(x), np.asarray) if isinstance(x, np.memmap) and x.ndim else x


def _with_validation(x, y, kwargs, seed):
    """The part to train on; the other is in `kwargs` afterwards."""
    share = kwargs.pop("validation_split", 0.0) or VALIDATION_SHARE
    if kwargs.get("validation_data") is not None:
        return x, y
    if not isinstance(x, (np.ndarray, StoredArray)) or y is None:
        raise DataError(
            "Candidates are scored on validation data, and it can only be split off arrays. "
            f"Received: x of type {type(x).__name__} without `validation_data`. Pass validation_data=(x, y)."
        )
    y = np.asarray(y)
    chosen, valid = split_indices(y, share, seed)
    kwargs["validation_data"] = (_taken(x, valid), y[valid])
    if kwargs.get("sample_weight") is not None:
        kwargs["sample_weight"] = np.asarray(kwargs["sample_weight"])[chosen]
    return _taken(x, chosen), y[chosen]


def _in_memory(kwargs, seed):
    """Validation data as arrays, and what tells them from others; `model.fit` gets them so, too."""
    valid, num_steps = kwargs["validation_data"], kwargs.get("validation_steps")
    if not isinstance(valid, (tuple, list)):
        kwargs["validation_data"], identity = validation_arrays(valid, num_steps)
        kwargs.pop("validation_steps", None)
        return *kwargs["validation_data"][:2], [identity]
    x, y, *weights = valid
    x = _opened(x)
    if is_stored(x):
        chosen = places_held(x, np.asarray(y), seed)
        x, y, *weights = (x[chosen], *(np.asarray(part)[chosen] for part in (y, *weights)))
    kwargs["validation_data"] = (x, y, *weights)
    return x, y, [*_flat(x), *_flat(y)]


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
        x: as for `model.fit`, or a `StoredArray`.

    Returns:
        bool.
    """
    if isinstance(x, (list, tuple, dict)):
        return all(map(is_arrays, x.values() if isinstance(x, dict) else x))
    return hasattr(x, "__array__") or is_stored(x)


def _taken(x, chosen):
    if isinstance(x, dict):
        return {name: _taken(part, chosen) for name, part in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(_taken(part, chosen) for part in x)
    return x.at(chosen) if is_stored(x) else np.asarray(x)[chosen]


def _flat(value):
    """Arrays of a nested value, in a fixed order."""
    if value is None:
        return []
    if isinstance(value, dict):
        return [array for key in sorted(value) for array in _flat(value[key])]
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in _flat(item)]
    return [value if is_stored(value) else np.asarray(value)]
