"""Rows of a table to vectors of numbers, by what the training rows showed; as JSON a device can do the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwkeras.data.table import Table
from hwkeras.data.table_columns import NumberColumn
from hwkeras.data.table_columns import UnusedColumn
from hwkeras.data.table_columns import fit_words
from hwkeras.data.table_columns import from_json
from hwkeras.data.table_columns import to_json
from hwkeras.errors import DataError

_FORMAT = 1
MOST_LEVELS = 32
NUM_BUCKETS = 64


@dataclass(frozen=True)
class TableEncoder:
    """Makes one float32 vector of each row of a table.

    The vector is the input of a network as it is. In int8 a tensor has one scale for all of its values, so columns of
    different size cannot be normalized inside the file: the large ones would leave no steps for the small. It is done
    here, before, by whoever runs the file. For the same reason numbers are kept within the range of the training rows,
    and within its inner 98% where single ones lie more than 8 deviations out.

    - Numbers: less their mean, over their deviation. One that is missing counts as the median; where training missed
      any, a further feature is 1 for those.
    - Words, up to 32 different ones: a feature for each that training saw twice or more. Every other word is the
      "other" level, all zeros: words seen once, and those never seen.
    - More different words: hashed into 64 features.
    - Columns that say nothing (one value, only missing ones, another word in every row) are left out.

    Args:
        columns: tuple of `table_columns.NumberColumn`, `LevelColumn`, `BucketColumn` and `UnusedColumn`.

    Example:
        ```python
        from hwkeras.data import Table
        from hwkeras.data import TableEncoder

        rows = Table.of({"age": [31, 45, None, 52], "city": ["Ulm", "Bonn", "Ulm", "Bonn"]})
        encoder = TableEncoder.fit(rows)
        vectors = encoder([{"age": "40", "city": "Ulm"}, {"age": "", "city": "a town never seen"}])
        ```
    """

    columns: tuple

    def __post_init__(self):
        object.__setattr__(self, "columns", tuple(self.columns))

    @classmethod
    def fit(cls, table, *, most_levels=MOST_LEVELS, num_buckets=NUM_BUCKETS):
        """Learns from the training rows alone.

        Args:
            table: Table.
            most_levels: int, a column of more different words is hashed. Defaults to `32`.
            num_buckets: int, features of a hashed column. Defaults to `64`.

        Returns:
            TableEncoder.

        Raises:
            DataError: no column says anything.
        """
        columns = tuple(
            NumberColumn.fit(name, column)
            if column.dtype.kind == "f"
            else fit_words(name, column, most_levels, num_buckets)
            for name, column in table.columns.items()
        )
        encoder = cls(columns)
        if not encoder.feature_names:
            reasons = ", ".join(f"{column.name} ({column.reason})" for column in columns)
            raise DataError(f"One column at least must tell rows apart. Received: {reasons}.")
        return encoder

    @property
    def feature_names(self):
        """What each place of the vector stands for, tuple of str."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def unused(self):
        """dict of name to reason, the columns that are left out."""
        return {column.name: column.reason for column in self.columns if isinstance(column, UnusedColumn)}

    def __call__(self, rows):
        """Makes the vectors of rows.

        Args:
            rows: Table; or dict of column name to a sequence of raw values; or list of dicts of column name to raw
                value, such as `csv.DictReader` yields. Columns that are left out need not be there, others may be.

        Returns:
            float32 array of shape (n, len(feature_names)).

        Raises:
            DataError: a column is not there, or a word in a column of numbers.
        """
        used = [column for column in self.columns if column.features]
        columns = rows.columns if isinstance(rows, Table) else rows
        parts = [column.encode(_values(columns, column.name)) for column in used]
        if len({len(part) for part in parts}) > 1:
            lengths = {column.name: len(part) for column, part in zip(used, parts, strict=True)}
            raise DataError(f"Columns of a table must be equally long. Received: lengths {lengths}.")
        return np.concatenate(parts, axis=1).astype(np.float32)

    def to_json(self):
        """The encoder as a dict of JSON values.

        Returns:
            dict with `format` and `columns`.
        """
        return {"format": _FORMAT, "columns": [to_json(column) for column in self.columns]}

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote, such as `preprocessing["encoder"]` of a bundle's manifest.

        Args:
            document: dict.

        Returns:
            TableEncoder, equal to the one written.

        Raises:
            DataError: another format, or columns that are none.
        """
        if not isinstance(document, Mapping) or document.get("format") != _FORMAT or "columns" not in document:
            raise DataError(
                f"An encoder in JSON must hold format={_FORMAT} and columns. Received: {str(document)[:200]}. "
                "Write it by TableEncoder.to_json()."
            )
        return cls(tuple(map(from_json, document["columns"])))


def _values(columns, name):
    try:
        if isinstance(columns, Mapping):
            return columns[name]
        return [row[name] for row in columns]
    except KeyError:
        held = columns if isinstance(columns, Mapping) else next((row for row in columns if name not in row), {})
        raise DataError(f"Every row must hold column {name!r}. Received: {', '.join(map(str, held))}.") from None
