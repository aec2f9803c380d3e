"""Tables of files: CSV and Parquet to named columns of raw values."""

from __future__ import annotations

import csv
import io
import pathlib

from hwkeras.data.table import numbers_of
from hwkeras.errors import DataError
from hwkeras.errors import UserError

_DELIMITERS = (",", ";", "\t", "|")
_PARQUET = (".parquet", ".pq")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", *_PARQUET)
# Under this name pandas keeps the numbers of the rows in a Parquet file.
_PANDAS_INDEX = "__index_level_0__"


def read_columns(path):
    """Reads a table.

    CSV is UTF-8 text whose first line names the columns; the delimiter is that of comma, semicolon, tab and bar which
    the first line holds most of. Empty lines are passed over.

    Args:
        path: str or path of a `.csv` (or `.tsv`, `.txt`) file, or of a `.parquet` file.

    Returns:
        dict of column name to list of raw values, in the order of the file.

    Raises:
        DataError: a file that cannot be read, no header, a column without a name or with that of another, rows of
            another length than the header, or no rows.
        UserError: a Parquet file, and pyarrow is not installed.
    """
    path = pathlib.Path(path)
    return _read_parquet(path) if path.suffix.lower() in _PARQUET else _read_csv(path)


def _read_csv(path):
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise DataError(
            f"A table must be UTF-8 text. Received: {path}, whose byte {error.start} is not. Save it as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(f"A table must be readable. Received: {path} ({error.strerror}).") from error
    first_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        names = _require_names(next(reader, []), path)
        rows = list(_rows(reader, names, path))
    except csv.Error as error:
        raise DataError(f"A table must be readable CSV. Received: {path}, line {reader.line_num} ({error}).") from error
    if not rows:
        raise DataError(f"A table must hold rows under its header. Received: {path} with the header alone.")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _rows(reader, names, path):
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise DataError(
                f"Every row must have a value for each of the {len(names)} columns. Received: {path}, line "
                f"{reader.line_num} with {len(row)}. Put values that hold the delimiter in double quotes."
            )
        yield row


def _require_names(header, path):
    names = [name.strip() for name in header]
    if not any(names):
        raise DataError(f"The first line of a table must name its columns. Received: {path}, which begins empty.")
    numbers = [name for name in names if name and numbers_of([name]) is not None]
    if numbers:
        raise DataError(
            f"The first line of a table must name its columns. Received: {path}, where it holds the number "
            f"{numbers[0]!r}. Put a line of names first; rename a column that is called by a number."
        )
    return _require_unique(names, path)


def _require_unique(names, path):
    if "" in names:
        raise DataError(
            f"Every column must have a name. Received: {path}, column {names.index('') + 1} without. Name it, or leave "
            "it out (pandas: to_csv(index=False))."
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise DataError(
            f"Column names must differ. Received: {path} with {twice[0]!r} {names.count(twice[0])} times. Rename one."
        )
    return names


def _read_parquet(path):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            f"Parquet files are read by pyarrow, which is not installed. Received: {path}. Run `pip install pyarrow`, "
            "or save the table as CSV."
        ) from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"A table must be readable Parquet. Received: {path} ({reason}).") from error
    nested = [field.name for field in table.schema if pyarrow.types.is_nested(field.type)]
    if nested:
        raise DataError(f"Columns must hold numbers or words. Received: {path}, where {nested[0]!r} holds lists.")
    names = _require_unique(list(table.column_names), path)
    columns = {name: column.to_pylist() for name, column in zip(names, table.columns, strict=True)}
    columns.pop(_PANDAS_INDEX, None)
    if not columns or not table.num_rows:
        raise DataError(f"A table must hold rows under its header. Received: {path} without.")
    return columns
