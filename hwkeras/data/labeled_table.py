"""A file of a table to columns and targets."""

from __future__ import annotations

from hwkeras.data.archive import read_archive
from hwkeras.data.table import Table
from hwkeras.data.table_file import read_columns
from hwkeras.data.tables import Tables
from hwkeras.data.tables import note_of_equal_rows
from hwkeras.data.targets import CLASSIFICATION
from hwkeras.data.targets import MOST_CLASSES
from hwkeras.data.targets import REGRESSION
from hwkeras.data.targets import require_task
from hwkeras.data.targets import target_of
from hwkeras.errors import DataError
from hwkeras.errors import UserError


def read_table(path, target=None, task=None):
    """Reads a table and what is to be predicted.

    Args:
        path: `pathlib.Path` of a CSV or Parquet file with named columns; or of an `.npz` with `x_train`, `y_train` (or
            `x`, `y`) and perhaps `x_test`, `y_test`.
        target: str, name of the column to predict. Defaults to `None`, the last one. An `.npz` has `y`.
        task: `"classification"` or `"regression"`. Defaults to `None`: what the targets suggest.

    Returns:
        tuple `(train, test, task, notes)`: tuples of a table and its targets (`test` is None where the file has none),
        the task, and a list of str for a person.

    Raises:
        DataError: a file that cannot be used as it is.
        UserError: an unknown task, or a target of an `.npz`.
    """
    if path.suffix.lower() != ".npz":
        columns = read_columns(path)
        values, name = take_target(columns, target, path)
        y, task = target_of(values, name, task)
        return (Table.of(columns), y), None, task, []
    train, test = read_labeled_archive(path, target)
    task = require_task(task) or _task_of(train[1])
    return train, test, task, _notes(train, test)


def take_target(columns, target, path):
    """Takes the target out of the columns of a file.

    Args:
        columns: dict of column name to list of raw values; loses the target.
        target: str, a name, or None for the last one.
        path: `pathlib.Path` of the file.

    Returns:
        tuple of the list of raw values and the name.

    Raises:
        DataError: there is no such column, or no other.
    """
    name = list(columns)[-1] if target is None else target
    if name not in columns:
        raise DataError(
            f"The target must be a column of the table. Received: target={target!r} for {path} with "
            f"{', '.join(columns)}."
        )
    if len(columns) == 1:
        raise DataError(f"A table must hold a column beside the target. Received: {path} with {name!r} alone.")
    return columns.pop(name), name


def read_labeled_archive(path, target):
    """Reads an `.npz`, whose targets have a fixed name.

    Args:
        path: `pathlib.Path`.
        target: str or None, what was asked for.

    Returns:
        tuple `(train, test)` as of `archive.read_archive`.

    Raises:
        UserError: a target was asked for.
    """
    if target is not None:
        raise UserError(
            f"`target` names a column of a CSV or Parquet file. Received: target={target!r} for {path}, whose targets "
            "are `y_train`. Leave it away."
        )
    return read_archive(path)


def _task_of(y):
    is_number = y.dtype.kind in "iuf" and y.size == len(y)
    is_class = y.dtype.kind != "f" and len(set(y.reshape(-1).tolist())) <= MOST_CLASSES
    return REGRESSION if is_number and not is_class else CLASSIFICATION


def _notes(train, test):
    if test is None:
        return []
    reading = Tables()
    trained, held = (reading.require(part[0], name) for part, name in ((train, "x_train"), (test, "x_test")))
    return note_of_equal_rows(trained.keys(), held.keys(), "test")
