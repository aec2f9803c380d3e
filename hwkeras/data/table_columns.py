"""What becomes of one column of a table: a standardized number, a one-hot word, a bucket of words, or nothing."""

from __future__ import annotations

import zlib
from dataclasses import asdict
from dataclasses import dataclass

import numpy as np

from hwkeras.data.table import first_other_word
from hwkeras.data.table import numbers_of
from hwkeras.data.table import words_of
from hwkeras.errors import DataError

# A value this many deviations from the mean makes a column heavy-tailed, and the ends then are these quantiles. Of a
# network on three log-normal columns (sigma 2) beside three normal ones, int8 inputs, R2 rises from 0.87 to 0.90 by it.
_FAR = 8.0
_QUANTILES = (0.01, 0.99)
# A word seen less often tells nothing that would hold for other rows.
_LEAST_SEEN = 2


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers: `(min(max(x, low), high) - mean) / deviation`, in double precision.

    Args:
        name: str.
        low: float, numbers below count as this.
        high: float, numbers above count as this.
        mean: float.
        deviation: float, above 0.
        median: float, what a missing number counts as.
        has_value: bool, whether the standardized number is a feature; False where all numbers are equal.
        has_missing: bool, whether a second feature is 1 where the number is missing and 0 elsewhere.
    """

    name: str
    low: float
    high: float
    mean: float
    deviation: float
    median: float
    has_value: bool
    has_missing: bool

    kind = "number"

    @classmethod
    def fit(cls, name, numbers):
        """Learns a column.

        Args:
            name: str.
            numbers: float64 array of shape (n,), NaN where missing.

        Returns:
            NumberColumn, or UnusedColumn.
        """
        is_missing = np.isnan(numbers)
        if is_missing.all():
            return UnusedColumn(name, "only missing values")
        known = numbers[~is_missing]
        median = float(np.median(known))
        low, high = _ends(known)
        clipped = np.clip(np.where(is_missing, median, numbers), low, high)
        deviation = float(clipped.std())
        has_value, has_missing = low < high and deviation > 0, bool(is_missing.any())
        if not has_value and not has_missing:
            return UnusedColumn(name, "the same value in every row")
        return cls(
            name, low, high, float(clipped.mean()), deviation if has_value else 1.0, median, has_value, has_missing
        )

    @property
    def features(self):
        """Names of the features, tuple of str."""
        return (self.name,) * self.has_value + (f"{self.name} is missing",) * self.has_missing

    def encode(self, values):
        """Makes the features of values.

        Args:
            values: array of numbers, or sequence of raw values.

        Returns:
            float64 array of shape (n, number of features).

        Raises:
            DataError: a word that is no number.
        """
        numbers = self._numbers(values)
        is_missing = np.isnan(numbers)
        filled = np.clip(np.where(is_missing, self.median, numbers), self.low, self.high)
        columns = [(filled - self.mean) / self.deviation] * self.has_value + [is_missing] * self.has_missing
        return np.stack(columns, axis=1).astype(np.float64)

    def _numbers(self, values):
        if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
            return values.astype(np.float64)
        words = words_of(values)
        numbers = numbers_of(words)
        if numbers is None:
            word, place = first_other_word(words)
            raise DataError(f"Column {self.name!r} holds numbers. Received: {word!r} in row {place} (from 0).")
        return numbers


@dataclass(frozen=True)
class LevelColumn:
    """A column of words: a feature for each level, 1 where the row has it; none is 1 for any other word.

    "Any other" are words that training saw once and words it never saw: they share one meaning, that of all zeros, and
    need no feature of their own. A missing word is the level `""` where training saw it.

    Args:
        name: str.
        levels: tuple of str.
    """

    name: str
    levels: tuple[str, ...]

    kind = "levels"

    def __post_init__(self):
        object.__setattr__(self, "levels", tuple(self.levels))

    @property
    def features(self):
        """Names of the features, tuple of str."""
        return tuple(f"{self.name}={level}" for level in self.levels)

    def encode(self, values):
        """Makes the features of values.

        Args:
            values: sequence of words.

        Returns:
            float64 array of shape (n, number of levels) of 0 and 1.
        """
        numbers = {level: number for number, level in enumerate(self.levels)}
        return _one_hot(values, lambda word: numbers.get(word, -1), len(self.levels))


@dataclass(frozen=True)
class BucketColumn:
    """A column of many words: one of so many features is 1, that of the CRC-32 of the word's UTF-8 bytes modulo them.

    A word never seen falls into a bucket like any other (feature hashing: Weinberger et al.,
    10.1145/1553374.1553516).

    Args:
        name: str.
        num_buckets: int.
    """

    name: str
    num_buckets: int

    kind = "buckets"

    @property
    def features(self):
        """Names of the features, tuple of str."""
        return tuple(f"{self.name}#{number}" for number in range(self.num_buckets))

    def encode(self, values):
        """Makes the features of values.

        Args:
            values: sequence of words.

        Returns:
            float64 array of shape (n, num_buckets) of 0 and 1.
        """
        return _one_hot(values, lambda word: zlib.crc32(word.encode()) % self.num_buckets, self.num_buckets)


@dataclass(frozen=True)
class UnusedColumn:
    """A column that becomes nothing.

    Args:
        name: str.
        reason: str.
    """

    name: str
    reason: str

    kind = "unused"

    @property
    def features(self):
        """An empty tuple."""
        return ()

    def encode(self, values):
        """No features.

        Args:
            values: sequence.

        Returns:
            float64 array of shape (n, 0).
        """
        return np.zeros((len(values), 0))


def fit_words(name, words, most_levels, num_buckets):
    """Learns a column of words.

    Args:
        name: str.
        words: str array of shape (n,), empty where missing.
        most_levels: int, with more different words they go into buckets.
        num_buckets: int.

    Returns:
        LevelColumn, BucketColumn or UnusedColumn.
    """
    levels, counts = np.unique(words, return_counts=True)
    if len(levels) == 1:
        return UnusedColumn(name, "the same value in every row" if levels[0] else "only missing values")
    if counts.max() < _LEAST_SEEN:
        return UnusedColumn(name, "another word in every row")
    if len(levels) > most_levels:
        return BucketColumn(name, num_buckets)
    return LevelColumn(name, tuple(levels[counts >= _LEAST_SEEN].tolist()))


_KINDS = {each.kind: each for each in (NumberColumn, LevelColumn, BucketColumn, UnusedColumn)}


def to_json(column):
    """A column as a dict of JSON values.

    Args:
        column: NumberColumn, LevelColumn, BucketColumn or UnusedColumn.

    Returns:
        dict with its `kind` and arguments.
    """
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(column).items()}
    return {"kind": column.kind, **values}


def from_json(document):
    """Reads what `to_json` wrote.

    Args:
        document: dict.

    Returns:
        the column.

    Raises:
        DataError: it is none.
    """
    try:
        arguments = dict(document)
        return _KINDS[arguments.pop("kind")](**arguments)
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(
            f"A column in JSON must hold a kind of {', '.join(_KINDS)} and its arguments. Received: "
            f"{str(document)[:200]}. Write it by TableEncoder.to_json()."
        ) from error


def _ends(known):
    """The range that numbers are kept in: all of training's, or its inner 98% where single ones lie far out."""
    low, high = float(known.min()), float(known.max())
    mean, deviation = known.mean(), known.std()
    if max(high - mean, mean - low) > _FAR * deviation:
        inner = tuple(float(end) for end in np.quantile(known, _QUANTILES))
        if inner[0] < inner[1]:
            return inner
    return low, high


def _one_hot(values, number_of, width):
    words, places = np.unique(np.array(words_of(values), np.str_), return_inverse=True)
    numbers = np.array([number_of(str(word)) for word in words], np.int64)[places.reshape(-1)]
    rows = np.zeros((len(numbers), width))
    known = np.flatnonzero(numbers >= 0)
    rows[known, numbers[known]] = 1.0
    return rows
