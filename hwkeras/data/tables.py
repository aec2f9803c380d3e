"""Tables of numbers and words to float32 arrays of shape (n, features), as the training rows suggest."""

from __future__ import annotations

import numpy as np

from hwkeras.data.table import Table
from hwkeras.data.table_encoder import TableEncoder
from hwkeras.errors import DataError


class Tables:
    """How tables are read: see `TableEncoder`, which is fitted on the training part alone and goes into the manifest.

    Notes for a person are in the facts too: columns that are left out, and rows held back that are equal to one that is
    trained on, for which a network may know the answer by heart.

    Args:
        notes: sequence of str, notes that go before. Defaults to `()`.
    """

    noun = "row"

    def __init__(self, notes=()):
        self._notes = list(notes)

    def require(self, x, name):
        """Checks the form of a table.

        Args:
            x: Table; or array of numbers of shape (n, columns), NaN where one is missing, whose columns become `x0`,
                `x1`, ...
            name: str, what messages call it.

        Returns:
            Table.

        Raises:
            DataError: empty, of another rank, not numbers, or infinite.
        """
        if isinstance(x, Table):
            return x
        x = np.asarray(x)
        if x.dtype.kind not in "biuf" or x.ndim != 2:
            raise DataError(
                f"`{name}` must hold numbers of shape (n, columns). Received: dtype {x.dtype}, shape {x.shape}. "
                "Columns of words are read from a CSV or Parquet file."
            )
        if x.size == 0:
            raise DataError(f"`{name}` must hold at least one row and one column. Received: shape {x.shape}.")
        return Table.of({f"x{number}": column for number, column in enumerate(x.T)})

    def fit(self, raw, x, train):
        """Learns what to do to all rows.

        Args:
            raw: the table as it came.
            x: Table, the same checked.
            train: int array, places of the rows that candidates train on.

        Returns:
            tuple of a `TableEncoder`, and a dict of what it does.
        """
        encoder = TableEncoder.fit(x[train])
        left_out = [f"Column {name!r} is left out: {reason}." for name, reason in encoder.unused.items()]
        held = np.setdiff1d(np.arange(len(x)), train)
        notes = [*self._notes, *left_out, *note_of_equal_rows(x[train].keys(), x[held].keys(), "validation")]
        return encoder, {"encoder": encoder.to_json(), "features": list(encoder.feature_names), "notes": notes}


def note_of_equal_rows(trained, held, part):
    """What to say of rows that are trained on and judged by as well.

    Args:
        trained: list of hashable values, one a training row.
        held: list of the same, of the rows held back.
        part: str, what those are called.

    Returns:
        list of str, empty where there are none.
    """
    known = set(trained)
    number = sum(key in known for key in held)
    if not number:
        return []
    return [
        f"{number} of {len(held)} {part} rows are equal to a training row (the target aside): what they say of new "
        "rows is too good."
    ]
