"""The canary: which of its times counts, and when two are the same."""

import pytest

from hwkeras.measure.canary import is_same_speed
from hwkeras.measure.canary import usual_canary_ms

ROUNDS = [{"canary_ms": 3.0}, {"canary_ms": None}, {}, {"canary_ms": 1.0}, {"canary_ms": 2.0}]


@pytest.mark.parametrize(
    ("environment", "canary_ms"),
    [
        ({"canary": {"best_ms": 7.0, "typical_ms": 8.0, "reference_ms": 9.0}}, 9.0),
        ({"canary": {"best_ms": 7.0, "typical_ms": 8.0, "reference_ms": None}}, 8.0),
        ({"canary": {"best_ms": 7.0}}, 7.0),
        ({"canary": None}, 2.0),
        ({}, 2.0),
    ],
)
def test_the_usual_speed_comes_first(environment, canary_ms):
    assert usual_canary_ms(environment, ROUNDS) == canary_ms


def test_nothing_is_told():
    assert usual_canary_ms({}) is None
    assert usual_canary_ms({"canary": {}}, ROUNDS[1:3]) is None


@pytest.mark.parametrize(
    ("one_ms", "other_ms", "same"),
    [(1.0, 1.0, True), (1.029, 1.0, True), (1.04, 1.0, False), (0.96, 1.0, False), (None, 1.0, None), (1.0, 0.0, None)],
)
def test_within_three_percent(one_ms, other_ms, same):
    assert is_same_speed(one_ms, other_ms) is same
