"""Axes: round ticks inside the range, a logarithmic scale over 10x."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.report.axis import fit_axis

positive = st.floats(1e-4, 1e9)


@given(st.lists(positive, min_size=1, max_size=20), st.sampled_from(["latency_ms", "size_bytes", "macs", "val_x"]))
def test_all_values_and_ticks_are_on_the_axis(values, metric):
    axis = fit_axis(metric, values)
    assert all(0.0 <= axis.position(value) <= 1.0 and axis.holds(value) for value in values)
    assert axis.is_log == (10 * min(values) < max(values) < 1e12 * min(values))
    positions = [axis.position(value) for value, _ in axis.ticks]
    assert all(-1e-6 <= position <= 1 + 1e-6 for position in positions)
    assert positions == sorted(set(positions))
    assert 2 <= len(axis.ticks) <= 14
    assert len({label for _, label in axis.ticks}) == len(axis.ticks), axis.ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_negative_values_are_linear(low, span):
    axis = fit_axis("val_x", [low, low + span])
    assert low > 0 or not axis.is_log
    assert axis.position(low) < axis.position(low + span)


@pytest.mark.parametrize(
    ("metric", "values", "title", "labels"),
    [
        ("latency_ms", [1.0, 6.0], "Latency (ms)", ["1", "2", "3", "4", "5", "6"]),
        ("latency_ms", [0.02, 2.0], "Latency (ms)", ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        ("latency_ms", [0.01, 100.0], "Latency (ms)", ["0.01", "0.1", "1", "10", "100"]),
        ("size_bytes", [10 * 1024, 60 * 1024], "Size (KiB)", ["10", "20", "30", "40", "50", "60"]),
        ("macs", [1e6, 6e6], "MACs (M)", ["1", "2", "3", "4", "5", "6"]),
        ("params", [100, 600], "Parameters", ["100", "200", "300", "400", "500", "600"]),
        ("val_x", [0.1, 0.6], "val_x", ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]),
    ],
)
def test_ticks_are_round_in_the_unit_of_the_title(metric, values, title, labels):
    axis = fit_axis(metric, values)
    assert axis.title == title
    assert [label for _, label in axis.ticks] == labels


def test_ticks_stand_where_they_say():
    axis = fit_axis("size_bytes", [10 * 1024, 60 * 1024])
    assert dict((label, value) for value, label in axis.ticks)["30"] == pytest.approx(30 * 1024)


@pytest.mark.parametrize("values", [[], [0.0], [0.7], [0.7, 0.7], [-3.0]])
def test_one_value_or_none_still_makes_an_axis(values):
    axis = fit_axis("accuracy", values, allow_log=False)
    assert axis.low < axis.high and len(axis.ticks) >= 2
    assert all(0.2 < axis.position(value) < 0.8 for value in values)


def test_a_logarithm_can_be_forbidden():
    assert not fit_axis("accuracy", [0.01, 1.0], allow_log=False).is_log
    assert math.isclose(fit_axis("latency_ms", [0.1, 10.0]).position(1.0), 0.5)
