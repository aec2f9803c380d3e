"""What a table is to predict: classes, or a number of each row in its own unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.data.table import first_other_word
from hwkeras.data.table import numbers_of
from hwkeras.data.table import words_of
from hwkeras.errors import DataError
from hwkeras.errors import UserError

CLASSIFICATION = "classification"
REGRESSION = "regression"
TASKS = (CLASSIFICATION, REGRESSION)
# Whole numbers of more different values are a quantity, not the numbers of classes.
MOST_CLASSES = 20
_LARGEST_WHOLE = 2**53


@dataclass(frozen=True)
class Targets:
    """Numbers to be predicted; the counterpart of `labels.Classes`.

    They stay in their own unit: a training that needs them near 0 scales them within the last layer, so that what is
    scored and what ships answers in that unit.
    """

    num_classes = 1
    names = ()

    @classmethod
    def of(cls, y):
        """Makes sure that targets are numbers that differ.

        Args:
            y: array of numbers of shape (n,) or (n, 1).

        Returns:
            Targets.

        Raises:
            DataError: they are not.
        """
        numbers = cls().numbers(y)
        if len(numbers) and (numbers == numbers[0]).all():
            raise DataError(
                f"Numbers to be predicted must differ. Received: {numbers[0]:g} for all of {len(numbers)} samples."
            )
        return cls()

    def numbers(self, y):
        """Targets as training takes them.

        Args:
            y: array of numbers of shape (n,) or (n, 1).

        Returns:
            float32 array of shape (n,).

        Raises:
            DataError: another shape, no numbers, or some that are missing or infinite.
        """
        y = np.asarray(y)
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        if y.ndim != 1 or y.dtype.kind not in "biuf":
            raise DataError(
                f"What is to be predicted must be one number a sample. Received: dtype {y.dtype}, shape {y.shape}. "
                "For classes pass task='classification' (`--task classification`)."
            )
        with np.errstate(over="ignore"):
            numbers = y.astype(np.float32)
        broken = np.flatnonzero(~np.isfinite(numbers))
        if len(broken):
            raise DataError(
                "What is to be predicted must be a finite number for every sample. Received: "
                f"{len(broken)} without, the first is number {broken[0]} (from 0). Leave those out."
            )
        return numbers


def require_task(task):
    """Checks the name of a task.

    Args:
        task: str, or None for whatever the targets suggest.

    Returns:
        str or None, the same.

    Raises:
        UserError: an unknown one.
    """
    if task is not None and task not in TASKS:
        raise UserError(f"`task` must be one of {', '.join(TASKS)}. Received: task={task!r}.")
    return task


def target_of(values, name, task=None):
    """Makes targets of a table's column.

    Args:
        values: list of raw values, as in a file.
        name: str, the column's.
        task: str of `TASKS`. Defaults to `None`: words and up to 20 different whole numbers are classes, other numbers
            are numbers to predict.

    Returns:
        tuple of an array of shape (n,), of words or whole numbers for a classification and of floats for a regression,
        and the task.

    Raises:
        DataError: rows without a value, numbers asked of words, or a class for each row.
        UserError: an unknown task.
    """
    require_task(task)
    words = words_of(values)
    _require_all(words, name)
    numbers = numbers_of(words)
    is_whole = numbers is not None and bool(
        np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() and np.abs(numbers).max() < _LARGEST_WHOLE
    )
    if task is None:
        is_class = numbers is None or (is_whole and len(np.unique(numbers)) <= MOST_CLASSES)
        task = CLASSIFICATION if is_class else REGRESSION
    if task == REGRESSION:
        if numbers is None:
            word, place = first_other_word(words)
            raise DataError(
                f"A number to predict must be a number. Received: {word!r} in column {name!r}, row {place} (from 0). "
                "Pass task='classification' (`--task classification`), or another target."
            )
        return numbers, task
    labels = numbers.astype(np.int64) if is_whole else np.array(words, np.str_)
    num_classes = len(np.unique(labels))
    if num_classes == len(labels) > 2:
        raise DataError(
            f"A class must have several rows. Received: column {name!r} with another value in each of {len(labels)} "
            "rows. Pass another target, or task='regression' (`--task regression`)."
        )
    return labels, task


def _require_all(words, name):
    missing = [place for place, word in enumerate(words) if not word]
    if missing:
        raise DataError(
            f"Every row must have a value in the target column {name!r}. Received: {len(missing)} without, the first "
            f"in row {missing[0]} (from 0). Leave those rows out."
        )
