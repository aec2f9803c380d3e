import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.units import format_quantity
from hwkeras.units import parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("5ms", "ms", 5.0),
        ("5 ms", "ms", 5.0),
        ("250us", "ms", 0.25),
        ("1.5s", "ms", 1500.0),
        ("256KiB", "bytes", 262144.0),
        ("1MB", "bytes", 1e6),
        ("60000B", "bytes", 60000.0),
        ("3M", "count", 3e6),
        ("3e6", "count", 3e6),
        ("0.9", "fraction", 0.9),
        ("90%", "fraction", 0.9),
        ("2mJ", "mJ", 2.0),
    ],
)
def test_parse(text, unit, value):
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("fast", "ms", r"A quantity is a number with a unit .* Received: 'fast'"),
        ("5", "ms", r"takes one of the units 'ns', .* Received: '5' with no unit"),
        ("5parsec", "ms", r"Received: '5parsec' with unknown unit 'parsec'"),
        ("5ms", "bytes", r"unknown unit 'ms'"),
        ("-5ms", "ms", r"must be positive and finite\. Received: '-5ms'"),
        ("0ms", "ms", r"must be positive and finite"),
        ("1e999s", "ms", r"must be positive and finite"),
    ],
)
def test_parse_says_what_is_wrong(text, unit, said):
    with pytest.raises(UserError, match=said):
        parse_quantity(text, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.18345, "ms", "0.1835 ms"),
        (61440.0, "bytes", "60 KiB"),
        (12, "bytes", "12 B"),
        (2656768, "count", "2.657 M"),
        (0.9123, "fraction", "0.9123"),
        (None, "ms", "-"),
        (math.nan, "ms", "-"),
        (1.5, "mJ", "1.5 mJ"),
    ],
)
def test_format(value, unit, text):
    assert format_quantity(value, unit) == text


@given(st.floats(1e-3, 1e9), st.sampled_from(["ms", "bytes", "count", "mJ"]))
def test_what_is_printed_is_read_back(value, unit):
    assert parse_quantity(format_quantity(value, unit).replace(" ", ""), unit) == pytest.approx(value, rel=1e-3)
