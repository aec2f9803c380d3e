"""What counts and what it is worth: exact figures first, then laws."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_bench import gating
from tflite_bench.gating import Reference

SURE = Reference(0.1, 0.5)


def one_round(*turns, guard=None, canary_ms=None):
    """A round of one visit a turn."""
    bursts = [{"at_s": 0.0, "guard": guard, "turns": [turn]} for turn in turns]
    return {"min_ms": min(least for least, _ in turns), "canary_ms": canary_ms, "bursts": bursts}


def test_a_turn_is_worth_its_time_in_canaries():
    assert gating.level_ms(1.0, 0.05, SURE) == 2.0
    assert gating.level_ms(1.0, None, SURE) == gating.level_ms(1.0, 0.05, Reference()) == 1.0


@pytest.mark.parametrize(
    ("canary_ms", "guard", "accepted"),
    [
        (0.125, None, True),
        (0.126, None, False),
        (0.05, None, True),
        (0.1, 0.62, True),
        (0.1, 0.63, False),
        (None, None, True),
        (None, 9.0, False),
    ],
)
def test_a_slow_canary_or_guard_is_not_accepted(canary_ms, guard, accepted):
    assert SURE.accepts(canary_ms, guard) is accepted
    assert Reference().accepts(canary_ms, guard)


def test_reference_of_an_answer():
    assert Reference.of({"reference_ms": 0.2, "best_ms": 0.1, "guard_reference": 0.6}) == Reference(0.2, 0.6)
    assert Reference.of({"best_ms": 0.1}) == Reference(0.1, None)
    assert Reference.of(None) == Reference(None, None)


def test_a_round_is_the_median_of_its_accepted_turns():
    entry = one_round([1.0, 0.1], [3.0, 0.1], [2.0, 0.1], [9.0, 0.2])
    assert gating.turn_levels(entry, SURE) == pytest.approx([1.0, 3.0, 2.0])
    assert gating.turn_levels(entry, SURE, gated=False) == pytest.approx([1.0, 3.0, 2.0, 4.5])
    assert gating.round_level(entry, SURE) == 2.0


def test_a_round_with_fewer_than_half_of_its_turns_does_not_count():
    slow, fast = [1.0, 0.2], [1.0, 0.1]
    assert gating.round_level(one_round(fast, slow), SURE) == 1.0
    assert gating.round_level(one_round(fast, slow, slow), SURE) is None
    assert gating.round_level(one_round(fast, fast, guard=0.9), SURE) is None
    assert gating.accepted_rounds([one_round(slow), one_round(fast)], SURE) == [one_round(fast)]


def test_rounds_of_another_program_are_worth_their_least():
    entry = {"min_ms": 3.0, "canary_ms": 0.1}
    assert gating.round_level(entry, SURE) == 3.0
    assert gating.round_level({"min_ms": 3.0, "canary_ms": 0.2}, SURE) is None
    assert gating.round_level({"min_ms": 3.0}, SURE) == 3.0


def test_headline_is_the_median_of_all_accepted_turns():
    rounds = [one_round([1.0, 0.1], [2.0, 0.1]), one_round([4.0, 0.1]), one_round([0.1, 0.9])]
    assert gating.headline_ms(rounds, SURE) == 2.0
    assert gating.headline_ms(rounds[2:], SURE) == pytest.approx(0.1 / 9)


def test_two_best_confirm_each_other():
    assert gating.spread_of_best([5.0, 1.0, 1.5]) == 0.5
    assert gating.spread_of_best([1.0, 1.5, 1.5]) == gating.spread_of_best([1.0, 2.0, 3.0, 3.0, 3.0, 3.0]) == 0.0
    assert gating.spread_of_best([1.0, 1.5, 3.0, 3.0]) == 0.5
    assert gating.spread_of_best([1.0]) == gating.spread_of_best([]) == gating.spread_of_best([0.0, 1.0]) == math.inf


def test_settled():
    steady = [one_round([1.0, 0.1])] * 3
    assert gating.is_settled(steady, SURE, 3, 0.02)
    assert not gating.is_settled(steady[:2], SURE, 3, 0.02)
    assert not gating.is_settled([one_round([level, 0.1]) for level in (1.0, 1.03, 1.5)], SURE, 3, 0.02)
    assert not gating.is_settled([one_round([1.0, 0.2])] * 3, SURE, 3, 0.02)


def test_typical():
    assert gating.typical([5.0, None, 1.0, 2.0, 3.0, 4.0]) == 2.0
    assert gating.typical([None]) is None


TURNS = st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.05, 0.2)), min_size=1, max_size=20)


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.05, 0.1)), min_size=1), st.floats(0.1, 1.2))
def test_a_clock_that_slows_all_alike_changes_nothing(turns, slowness):
    entry = one_round(*map(list, turns))
    slower = one_round(*([least * slowness, canary * slowness] for least, canary in turns))
    assert gating.headline_ms([slower], SURE) == pytest.approx(gating.headline_ms([entry], SURE))


@given(TURNS, st.floats(0.1, 10))
def test_a_model_so_many_times_as_slow_has_so_much_the_latency(turns, factor):
    rounds = [one_round(*map(list, turns))]
    slower = [one_round(*([least * factor, canary] for least, canary in turns))]
    assert gating.headline_ms(slower, SURE) == pytest.approx(gating.headline_ms(rounds, SURE) * factor)


@given(TURNS, st.randoms())
def test_the_order_does_not_matter(turns, random):
    rounds = [one_round(list(turn)) for turn in turns]
    shuffled = random.sample(rounds, len(rounds))
    assert gating.headline_ms(shuffled, SURE) == gating.headline_ms(rounds, SURE)
    assert gating.is_settled(shuffled, SURE, 1, 0.02) == gating.is_settled(rounds, SURE, 1, 0.02)


@given(st.lists(st.floats(0.01, 10), min_size=1))
def test_without_a_canary_it_is_the_plain_median(leasts):
    rounds = [one_round(*([least, None] for least in leasts))]
    assert gating.headline_ms(rounds, Reference()) == statistics.median(leasts)
