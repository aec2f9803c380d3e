"""What becomes of columns, and that JSON keeps all of it."""

import json
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.data import Table
from hwkeras.data import TableEncoder
from hwkeras.errors import DataError

WORDS = st.one_of(st.none(), st.text("abcdeüß -?", max_size=3))
NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6))


@st.composite
def tables(draw):
    number = draw(st.integers(1, 40))
    kinds = draw(st.lists(st.sampled_from((WORDS, NUMBERS)), min_size=1, max_size=4))
    lists = [draw(st.lists(kind, min_size=number, max_size=number)) for kind in kinds]
    return {f"c{place}": values for place, values in enumerate(lists)}


def fitted(columns, **options):
    table = Table.of(columns)
    return table, TableEncoder.fit(table, **options)


@given(tables(), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_json_keeps_the_encoder_and_every_vector(columns, most_levels):
    try:
        table, encoder = fitted(columns, most_levels=most_levels, num_buckets=8)
    except DataError as error:
        assert str(error).startswith("One column at least must tell rows apart. Received: c0 (")
        return
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder and again.feature_names == encoder.feature_names
    vectors = encoder(table)
    assert vectors.dtype == np.float32 and vectors.shape == (len(table), len(encoder.feature_names))
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(again(table), vectors)
    # Raw rows, as a device reads them.
    np.testing.assert_array_equal(again(columns), vectors)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    np.testing.assert_array_equal(again(rows), vectors)


def test_numbers_are_standardized_and_missing_ones_marked():
    _, encoder = fitted({"a": [1, 2, 3, None, 10], "b": [5, 6, 7, 8, 9]})
    assert encoder.feature_names == ("a", "a is missing", "b")
    filled = np.array([1, 2, 3, 2.5, 10])  # the median
    wanted = (filled - filled.mean()) / filled.std()
    np.testing.assert_allclose(encoder({"a": [1, 2, 3, "NA", 10], "b": [5] * 5})[:, 0], wanted, rtol=1e-6)
    vectors = encoder([{"a": "", "b": None}, {"a": "-1e9", "b": 1e9}, {"a": "inf", "b": 7}])
    assert vectors[0].tolist() == pytest.approx([wanted[3], 1, 0])
    # Beyond what training saw is as far as training saw: int8 has no steps left out there.
    assert vectors[1].tolist() == pytest.approx([wanted[0], 0, 2**0.5])
    assert vectors[2].tolist() == pytest.approx([wanted[4], 0, 0])


def test_far_numbers_are_kept_within_the_inner_range():
    numbers = np.r_[np.linspace(-1, 1, 999), 1e6]
    _, encoder = fitted({"a": numbers, "b": np.r_[np.zeros(999), 1e6], "c": np.linspace(-1, 1, 1000)})
    wide, mostly_zero, plain = encoder.columns
    assert (wide.low, wide.high) == pytest.approx((-0.98, 0.98), abs=0.01)
    # Where the inner range is a point, the single number is all the column has.
    assert (mostly_zero.low, mostly_zero.high) == (0, 1e6)
    assert (plain.low, plain.high) == (-1, 1)
    vectors = encoder({"a": numbers, "b": np.zeros(1000), "c": np.zeros(1000)})
    assert np.abs(vectors[:, 0]).max() < 2
    np.testing.assert_allclose(vectors[:, 0].std(), 1, rtol=1e-5)


def test_words_one_hot_and_the_other_level():
    _, encoder = fitted({"color": ["red", "red", "blue", "blue", "once", "", " NA "]})
    assert encoder.feature_names == ("color=", "color=blue", "color=red")
    vectors = encoder({"color": ["red", "blue ", None, "once", "never seen", "Red"]})
    assert vectors.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_many_words_are_hashed():
    words = [f"city{number}" for number in range(40)] * 2
    _, encoder = fitted({"city": words})
    assert len(encoder.feature_names) == 64
    for word in ("city3", "a town never seen", "Köln"):
        (vector,) = encoder({"city": [word]})
        assert vector.sum() == 1 and vector[zlib.crc32(word.encode()) % 64] == 1
    _, encoder = fitted({"city": words}, most_levels=40)
    assert encoder.feature_names[0] == "city=city0" and len(encoder.feature_names) == 40


def test_columns_that_say_nothing_are_left_out_and_told():
    _, encoder = fitted(
        {
            "constant": [7, 7, 7],
            "word": ["x", "x", "x"],
            "nothing": [None, "", "?"],
            "id": ["k1", "k2", "k3"],
            "known or not": [5, None, 5],
            "a": [1, 2, 3],
        }
    )
    assert encoder.feature_names == ("known or not is missing", "a")
    same = "the same value in every row"
    reasons = {"constant": same, "word": same, "nothing": "only missing values", "id": "another word in every row"}
    assert encoder.unused == reasons
    assert encoder([{"known or not": "", "a": 2}]).tolist() == [[1, 0]]
    with pytest.raises(
        DataError, match=r"One column at least must tell rows apart. Received: a \(the same value in ev"
    ):
        fitted({"a": [1, 1]})


def test_rows_that_do_not_fit():
    _, encoder = fitted({"a": [1, 2], "b": [3, 4]})
    with pytest.raises(DataError, match=r"Column 'a' holds numbers. Received: 'ten' in row 1 \(from 0\)."):
        encoder({"a": [10, "ten"], "b": [1, 2]})
    with pytest.raises(DataError, match="Every row must hold column 'b'. Received: a, c."):
        encoder([{"a": 1, "c": 2}])
    with pytest.raises(DataError, match="Every row must hold column 'b'. Received: a."):
        encoder({"a": [1]})
    with pytest.raises(DataError, match="Columns of a table must be equally long. Received: lengths {'a': 2, 'b': 1}."):
        encoder({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize("document", [None, {}, {"format": 9, "columns": []}, {"format": 1}])
def test_json_that_is_no_encoder(document):
    said = re.escape(f"An encoder in JSON must hold format=1 and columns. Received: {document}. Write it by")
    with pytest.raises(DataError, match=said):
        TableEncoder.from_json(document)


@pytest.mark.parametrize("column", [{}, {"kind": "date", "name": "a"}, {"kind": "levels", "name": "a"}, None, 3])
def test_json_that_is_no_column(column):
    with pytest.raises(DataError, match="A column in JSON must hold a kind of number, levels, buckets, unused and its"):
        TableEncoder.from_json({"format": 1, "columns": [column]})
