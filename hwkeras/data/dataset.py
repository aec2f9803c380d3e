"""A data set: what candidates train on, what scores them, and what nobody looks at before the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.data.class_balance import notes_of_imbalance
from hwkeras.data.digest import fingerprint
from hwkeras.data.duplicates import with_duplicates_told
from hwkeras.data.labels import Classes
from hwkeras.data.splitting import split_indices
from hwkeras.data.targets import CLASSIFICATION
from hwkeras.data.targets import REGRESSION
from hwkeras.data.targets import Targets
from hwkeras.data.targets import require_task
from hwkeras.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Samples and their classes, or the numbers to predict of them.

    Args:
        x_train: float32 array of shape (num_train, height, width, channels), (num_train, steps, channels) or
            (num_train, features); of tokens and ids an int32 array.
        y_train: int64 array of shape (num_train,), class indices from 0; of a regression float32, in its own unit; of
            masks uint8 or int32 of shape (num_train, height, width), the class of each pixel.
        x_valid: float32 array, a stratified part held back of the training data; it scores candidates.
        y_valid: array as `y_train`.
        x_test: float32 array, or None: untouched by the search, for one final independent score.
        y_test: array as `y_train`, or None.
        num_classes: int; 1 of a regression.
        class_names: tuple of str, by index; empty of a regression.
        name: str.
        fingerprint: str, SHA-256 of all arrays.
        preprocessing: dict that says what was done to the raw data: `"scale"` (factor of the pixels) and
            `"channel_axis_added"`, for folders also `"image_size"` and `"color"`; for sequences `"mean"` and
            `"deviation"` of each channel; for tables `"encoder"`, for recommendations `"ids"`. A device must do the
            same. What a person should know is the list of str `"notes"`, where there is any.
        task: str, `"classification"` or `"regression"`. Defaults to `"classification"`.
        groups: array of shape (num_train + num_valid,), whom each sample is of, those to train on first. Defaults to
            `None`, unknown.
    """

    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_valid: np.ndarray = field(repr=False)
    y_valid: np.ndarray = field(repr=False)
    x_test: np.ndarray | None = field(repr=False)
    y_test: np.ndarray | None = field(repr=False)
    num_classes: int
    class_names: tuple[str, ...]
    name: str
    fingerprint: str
    preprocessing: Mapping
    task: str = CLASSIFICATION
    groups: np.ndarray | None = field(default=None, repr=False)

    @property
    def input_shape(self):
        """Shape of one sample: (height, width, channels), (steps, channels) or (features,)."""
        return tuple(self.x_train.shape[1:])


def make_dataset(
    name,
    train,
    test=None,
    *,
    reading,
    validation_share=0.2,
    seed=0,
    groups=None,
    notes=None,
    task=None,
    labels=Classes,
):
    """Checks raw arrays and makes them a data set.

    Args:
        name: str.
        train: tuple `(x, y)` of raw arrays.
        test: tuple `(x, y)` of raw arrays, kept untouched. Defaults to `None`.
        reading: `Pixels`, `Signals` or another of the kind: how the samples are checked and prepared.
        validation_share: float in (0, 1), of the training data. Defaults to `0.2`.
        seed: int, for the split. Defaults to `0`.
        groups: array of shape (n,), whom each training sample is of: nobody is in both the training and the validation
            part. Defaults to `None`.
        notes: dict that joins `preprocessing`. Defaults to `None`.
        task: str, `"classification"` or `"regression"`. Defaults to `None`, classification.
        labels: the class that reads labels of a classification, `Classes` or `masks.Masks`. Defaults to `Classes`.

    Returns:
        Dataset.

    Raises:
        DataError: arrays of another form or no labels, that do not fit each other, or hold one class or number only.
        UserError: a share outside (0, 1), or an unknown task.
    """
    x, y = _paired(*train, ("x_train", "y_train"), reading)
    task, classes, y = classes_of(y, task, labels)
    indices = split_indices(y, validation_share, seed, groups)
    prepared, facts = reading.fit(train[0], x, indices[0])
    (x_train, y_train), (x_valid, y_valid) = ((prepared(x[part]), y[part]) for part in indices)
    x_test, y_test = _test_part(test, x.shape[1:], classes, reading, prepared)
    told = with_duplicates_told(facts, notes, reading.noun, x_train, x_valid, x_test)
    kept = None if groups is None else np.asarray(groups)[np.concatenate(indices)]
    return assembled(name, (x_train, y_train), (x_valid, y_valid), (x_test, y_test), classes, task, told, kept)


def assembled(name, train, valid, test, classes, task, told, groups=None):
    """A data set of its prepared parts.

    Args:
        name: str.
        train: tuple `(x, y)`, arrays or `StoredArray`s as `Dataset` takes them.
        valid: tuple as `train`.
        test: tuple as `train`, or `(None, None)`.
        classes: as `classes_of` makes them.
        task: str, `"classification"` or `"regression"`.
        told: dict, of `with_duplicates_told`.
        groups: array, see `Dataset`. Defaults to `None`.

    Returns:
        Dataset, with its fingerprint, and with a note on uneven classes where they are.
    """
    return Dataset(
        *train,
        *valid,
        *test,
        num_classes=classes.num_classes,
        class_names=classes.names,
        name=name,
        fingerprint=fingerprint(*train, *valid, *test),
        preprocessing=_with_imbalance_told(told, train[1], classes.names),
        task=task,
        groups=groups,
    )


def classes_of(y, task, labels=Classes):
    """What is to be told of samples, from their labels.

    Args:
        y: array of labels or numbers, as they came.
        task: str, or None for classification.
        labels: as for `make_dataset`. Defaults to `Classes`.

    Returns:
        tuple of the task, `Targets` or what `labels` makes, and the array that training takes.

    Raises:
        DataError: no labels, or one class or number only.
        UserError: an unknown task.
    """
    task = require_task(task) or CLASSIFICATION
    classes = Targets.of(y) if task == REGRESSION else labels.of(y)
    y = classes.numbers(y)
    if task == CLASSIFICATION and len(np.unique(y)) < 2:
        only = classes.names[y.flat[0]]
        raise DataError(f"At least two classes are needed. Received: only {only!r} in {len(y)} labels.")
    return task, classes, y


def _with_imbalance_told(told, y_train, names):
    notes = notes_of_imbalance(y_train, names) if names and y_train.ndim == 1 else []
    return {**told, "notes": [*told.get("notes", ()), *notes]} if notes else told


def _paired(x, y, names, reading):
    x, y = reading.require(x, names[0]), np.asarray(y)
    if y.ndim == 0 or len(x) != len(y):
        num_labels = len(y) if y.ndim else 0
        raise DataError(
            f"`{names[0]}` and `{names[1]}` must have the same length. Received: {len(x)} {reading.noun}s, "
            f"{num_labels} labels."
        )
    return x, y


def _test_part(test, shape, classes, reading, prepared):
    if test is None:
        return None, None
    x, y = _paired(*test, ("x_test", "y_test"), reading)
    if x.shape[1:] != shape:
        raise DataError(
            f"`x_test` must have {reading.noun}s of the shape of `x_train`, {shape}. Received: {x.shape[1:]}."
        )
    return prepared(x), classes.numbers(y)
