"""A table in memory: named columns, each of numbers or of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwkeras.errors import DataError

# What stands for a value that is not there, whatever its case.
MISSING = frozenset({"", "?", "n/a", "na", "nan", "none", "null"})
# Numbers beyond have no square in double precision to speak of: no mean, no deviation.
_LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length under their names.

    Args:
        columns: dict of name to array of shape (n,): float64, NaN where a number is missing, or str, empty where a word
            is missing.
    """

    columns: Mapping

    @classmethod
    def of(cls, columns):
        """Makes columns of raw values; a column is of numbers where each value that is there can be read as one.

        Args:
            columns: mapping of name to a sequence of values: str, numbers, None; all of one length.

        Returns:
            Table.

        Raises:
            DataError: no columns or rows, columns of different length, or a number that is infinite or beyond 1e100.
        """
        made = {str(name): _column(name, values) for name, values in columns.items()}
        lengths = {name: len(column) for name, column in made.items()}
        if not lengths or not max(lengths.values()):
            raise DataError(f"A table must hold a row and a column at least. Received: columns {list(made)}, no rows.")
        if len(set(lengths.values())) > 1:
            raise DataError(f"Columns of a table must be equally long. Received: lengths {lengths}.")
        return cls(made)

    @property
    def names(self):
        """The columns' names, tuple of str."""
        return tuple(self.columns)

    @property
    def shape(self):
        """tuple of int: rows, columns."""
        return (len(self), len(self.columns))

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows):
        return Table({name: column[rows] for name, column in self.columns.items()})

    def keys(self):
        """What tells rows apart.

        Returns:
            list of tuples, one a row; equal rows have equal ones, also where values are missing.
        """
        return list(zip(*(_comparable(column) for column in self.columns.values()), strict=True))


def words_of(values):
    """Values as words.

    Args:
        values: sequence of str, numbers, or None.

    Returns:
        list of str without spaces around; whole numbers without a fraction; `""` for what is missing (None, NaN, `NA`,
        `?` and the like).
    """
    return [_word(value) for value in values]


def numbers_of(words):
    """The numbers that words stand for.

    Args:
        words: list of str, as `words_of` makes them.

    Returns:
        float64 array, NaN for the empty word; or None where a word is no number.
    """
    try:
        return np.array([float(word) if word else np.nan for word in words], np.float64)
    except ValueError:
        return None


def first_other_word(words):
    """Finds what keeps words from being numbers.

    Args:
        words: list of str, not all of them numbers.

    Returns:
        tuple of the first word that is no number, and its place from 0.
    """
    return next((word, place) for place, word in enumerate(words) if numbers_of([word]) is None)


def _column(name, values):
    array = values if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" else None
    words = words_of(values) if array is None else None
    numbers = numbers_of(words) if array is None else array.astype(np.float64)
    if numbers is None or (words is not None and not any(words)):
        return np.array(words, np.str_)
    with np.errstate(invalid="ignore"):
        broken = np.flatnonzero(np.abs(numbers) > _LARGEST)
    if len(broken):
        raise DataError(
            f"Numbers of column {name!r} must be finite and at most {_LARGEST:g} in size. Received: "
            f"{numbers[broken[0]]:g} in row {broken[0]} (from 0). Leave the value empty, or drop the row."
        )
    return numbers


def _word(value):
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    word = "" if value is None else str(value).strip()
    return "" if word.lower() in MISSING else word


def _comparable(column):
    # NaN equals nothing; infinity is not in a table.
    return (np.where(np.isnan(column), np.inf, column) if column.dtype.kind == "f" else column).tolist()
