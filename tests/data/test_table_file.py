"""CSV and Parquet files to columns, and the text of every refusal."""

import builtins

import numpy as np
import pytest

from hwkeras.data import Table
from hwkeras.data.table_file import read_columns
from hwkeras.errors import DataError
from hwkeras.errors import UserError


def write(tmp_path, text, name="table.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_names_numbers_words_and_what_is_missing(tmp_path):
    text = '\ufeffage, city ,note\n31,Ulm,"a, b"\n\n,?,x\r\n4.5e1, Bonn ,\n'
    columns = read_columns(write(tmp_path, text))
    assert columns == {"age": ["31", "", "4.5e1"], "city": ["Ulm", "?", "Bonn "], "note": ["a, b", "x", ""]}
    table = Table.of(columns)
    assert table.names == ("age", "city", "note") and table.shape == (3, 3)
    np.testing.assert_array_equal(table.columns["age"], [31, np.nan, 45])
    assert table.columns["city"].tolist() == ["Ulm", "", "Bonn"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    text = f"a{delimiter}b{delimiter}c\n1{delimiter}2{delimiter}3\n"
    assert read_columns(write(tmp_path, text)) == {"a": ["1"], "b": ["2"], "c": ["3"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The first line of a table must name its columns. Received: .*table.csv, which begins empty"),
        ("5.1,red\n4.9,blue\n", "must name its columns. Received: .*table.csv, where it holds the number '5.1'. Put a"),
        ("a,,b\n1,2,3\n", r"Every column must have a name. Received: .*, column 2 without. Name it, or leave"),
        ("a,b,a\n1,2,3\n", "Column names must differ. Received: .*table.csv with 'a' 2 times. Rename one."),
        ("a,b\n1,2\n1,2,3\n", "a value for each of the 2 columns. Received: .*table.csv, line 3 with 3. Put values"),
        ("a,b\n1,2\n\n1\n", "a value for each of the 2 columns. Received: .*table.csv, line 4 with 1."),
        ("a,b\n\n", "A table must hold rows under its header. Received: .*table.csv with the header alone."),
        ("a,b\n1," + "x" * 200000, r"A table must be readable CSV. Received: .*table.csv, line 2 \(field larger"),
    ],
)
def test_tables_that_are_none(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as caught:
        read_columns(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_another_encoding(tmp_path):
    with pytest.raises(DataError, match="A table must be UTF-8 text. Received: .*, whose byte 7 is not. Save it as"):
        read_columns(write(tmp_path, "city\nM\u00fcnchen\n".replace("M", "MM"), encoding="latin-1"))


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="A table must be readable. Received: .*"):
        read_columns(tmp_path)


def test_a_table_of_columns():
    with pytest.raises(
        DataError, match=r"A table must hold a row and a column at least. Received: columns \['a'\], no"
    ):
        Table.of({"a": []})
    with pytest.raises(DataError, match="Columns of a table must be equally long. Received: lengths {'a': 2, 'b': 1}"):
        Table.of({"a": [1, 2], "b": ["x"]})
    with pytest.raises(
        DataError, match="Numbers of column 'a' must be finite.* Received: inf in row 1 .from 0.. Leave"
    ):
        Table.of({"a": ["1", "inf"]})
    with pytest.raises(DataError, match="at most 1e.100 in size. Received: -1e.200 in row 0"):
        Table.of({"a": np.array([-1e200, 1.0])})


def test_rows_are_told_apart_with_what_is_missing():
    table = Table.of({"a": [1, None, None, 1], "b": ["x", "", "?", "y"]})
    keys = table.keys()
    assert keys[1] == keys[2] and len(set(keys)) == 3
    assert table[np.array([1, 3])].keys() == [keys[1], keys[3]]


def test_whole_numbers_are_written_alike():
    table = Table.of({"a": [3, 3.0, np.int64(3), "3", b"3", "x"]})
    assert table.columns["a"].tolist() == ["3"] * 5 + ["x"]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError("No module named 'pyarrow'")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        UserError, match=r"by pyarrow, which is not installed. Received: .*a.parquet. Run `pip install p"
    ):
        read_columns(write(tmp_path, "", "a.parquet"))


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet is read where pyarrow is installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    columns = {
        "age": [31, None, 45],
        "city": ["Ulm", None, "Bonn"],
        "old": [True, False, None],
        "__index_level_0__": [0, 1, 2],
    }
    parquet.write_table(pyarrow.table(columns), path)
    table = Table.of(read_columns(path))
    assert table.names == ("age", "city", "old")
    np.testing.assert_array_equal(table.columns["age"], [31, np.nan, 45])
    assert table.columns["old"].tolist() == ["True", "False", ""]
    parquet.write_table(pyarrow.table({"a": [[1], [2]]}), path)
    with pytest.raises(DataError, match="Columns must hold numbers or words. Received: .*, where 'a' holds lists."):
        read_columns(path)
    parquet.write_table(pyarrow.table({"a": pyarrow.array([], "int64")}), path)
    with pytest.raises(DataError, match="A table must hold rows under its header. Received: .*a.parquet without."):
        read_columns(path)
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match="A table must be readable Parquet. Received: .*a.parquet"):
        read_columns(path)
