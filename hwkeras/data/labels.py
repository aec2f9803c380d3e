"""Labels of every usual form to class indices 0..num_classes-1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.errors import DataError


@dataclass(frozen=True)
class Classes:
    """The classes of a data set, in the order of their indices.

    Args:
        values: tuple of int or str, the labels as they came; for one-hot labels the column numbers.
        one_hot: bool, whether labels come as rows of 0 and 1.
    """

    values: tuple
    one_hot: bool = False

    @property
    def names(self):
        """The classes' names, tuple of str."""
        return tuple(str(value) for value in self.values)

    @property
    def num_classes(self):
        """int."""
        return len(self.values)

    @classmethod
    def of(cls, y):
        """Finds the classes of labels.

        Args:
            y: array of whole numbers or strings of shape (n,) or (n, 1), or one-hot of shape (n, num_classes).

        Returns:
            Classes, sorted; of one-hot labels every column is a class.

        Raises:
            DataError: labels of no known form.
        """
        y = np.asarray(y)
        if _is_one_hot_shape(y):
            _require_one_hot(y)
            return cls(tuple(range(y.shape[1])), one_hot=True)
        return cls(tuple(np.unique(_column(y)).tolist()))

    def indices(self, y):
        """Numbers labels by their class.

        Args:
            y: array of the form the classes were found in.

        Returns:
            int64 array of shape (n,).

        Raises:
            DataError: labels of another form, or of a class that is not among `values`.
        """
        y = np.asarray(y)
        if self.one_hot:
            if not _is_one_hot_shape(y) or y.shape[1] != len(self.values):
                raise DataError(f"Labels must be one-hot of {len(self.values)} columns. Received: shape {y.shape}.")
            _require_one_hot(y)
            return y.argmax(axis=1).astype(np.int64)
        column = _column(y)
        numbers = {value: index for index, value in enumerate(self.values)}
        present, inverse = np.unique(column, return_inverse=True)
        unknown = [value for value in present.tolist() if value not in numbers]
        if unknown:
            raise DataError(
                f"Every label must be one of the {len(self.values)} classes of the training labels "
                f"({_some(self.names)}). Received: {unknown[0]!r}."
            )
        table = np.array([numbers[value] for value in present.tolist()], np.int64)
        return table[inverse.reshape(-1)]

    def numbers(self, y):
        """What training takes: the same as `indices`, under the name that `targets.Targets` has for its numbers.

        Args:
            y: array of the form the classes were found in.

        Returns:
            int64 array of shape (n,).
        """
        return self.indices(y)


def class_indices(y):
    """Numbers the classes of labels from 0, in sorted order.

    Args:
        y: array of whole numbers or strings of shape (n,) or (n, 1), or one-hot of shape (n, num_classes).

    Returns:
        int64 array of shape (n,).

    Raises:
        DataError: labels of no known form.
    """
    return Classes.of(y).indices(y)


def _is_one_hot_shape(y):
    return y.ndim == 2 and y.shape[1] > 1


def _require_one_hot(y):
    # NOTE: uint8 rows would wrap around in a sum of their own dtype; numpy sums them in a wider one.
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all() or not (y.sum(axis=1) == 1).all():
        raise DataError(
            f"Labels of shape {y.shape} must be one-hot: one 1 and otherwise 0 in each row. Received: dtype {y.dtype}, "
            f"first row {y[:1].tolist()}. Pass class numbers of shape (n,) instead."
        )


def _column(y):
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"Labels must have the shape (n,), (n, 1) or one-hot (n, num_classes). Received: {y.shape}.")
    if y.dtype.kind == "f":
        raise DataError(
            f"Labels must be whole numbers, strings or one-hot. Received: dtype {y.dtype}, first {y[:3].tolist()}. "
            "For class numbers stored as floats pass y.astype(int)."
        )
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8")
    if y.dtype.kind not in "biuU":
        raise DataError(f"Labels must be whole numbers, strings or one-hot. Received: dtype {y.dtype}.")
    return y.astype(np.int64) if y.dtype.kind in "bi" else y


def _some(names, most=10):
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
