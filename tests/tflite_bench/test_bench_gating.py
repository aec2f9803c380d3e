"""Which visits count: exact on rounds that are written out, and the laws of the arithmetic."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_bench.gating import GATE
from tflite_bench.gating import GUARD_GATE
from tflite_bench.gating import Reference
from tflite_bench.gating import accepted_rounds
from tflite_bench.gating import burst_levels
from tflite_bench.gating import headline_ms
from tflite_bench.gating import is_settled
from tflite_bench.gating import level_ms
from tflite_bench.gating import round_level
from tflite_bench.gating import spread_of_best
from tflite_bench.gating import turn_levels
from tflite_bench.gating import typical

USUAL = Reference(canary_ms=1.0, guard=0.5)
SLOW = 1.0 + 2 * GATE
BUSY = 0.5 * (1.0 + 2 * GUARD_GATE)


def burst(*turns, guard=None):
    return {"at_s": 0.0, "guard": guard, "turns": [list(turn) for turn in turns]}


def entry(*bursts):
    least = min((least for burst in bursts for least, _ in burst["turns"]), default=0.0)
    return {"min_ms": least, "canary_ms": None, "bursts": list(bursts)}


def steady(value):
    return entry(burst((value, 1.0)))


times = st.floats(0.001, 1000.0)
turns = st.tuples(times, st.floats(0.5, 2.0))
rounds = st.lists(
    st.builds(
        lambda all_turns, guards: entry(*(burst(*some, guard=guard) for some, guard in zip(all_turns, guards))),
        st.lists(st.lists(turns, min_size=1, max_size=4), min_size=1, max_size=3),
        st.lists(st.none() | st.floats(0.3, 1.0), min_size=3, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


def scaled(entries, factor):
    """The rounds of a model that is so much slower on the same device."""
    return [
        entry(*({**one, "turns": [[least * factor, canary] for least, canary in one["turns"]]} for one in each["bursts"]))
        for each in entries
    ]


def slowed(entries, factor):
    """The same rounds on a device whose clock is so much slower."""
    return [
        entry(
            *(
                {**one, "turns": [[least * factor, canary * factor] for least, canary in one["turns"]]}
                for one in each["bursts"]
            )
        )
        for each in entries
    ]


def test_a_slow_canary_is_not_accepted():
    assert USUAL.accepts(1.0) and USUAL.accepts(0.5) and USUAL.accepts(1.0 + 0.9 * GATE)
    assert not USUAL.accepts(SLOW)


def test_a_slow_guard_is_not_accepted():
    assert USUAL.accepts(1.0, 0.5) and USUAL.accepts(1.0, 0.5 * (1 + 0.9 * GUARD_GATE))
    assert not USUAL.accepts(1.0, BUSY)
    assert not USUAL.accepts(None, BUSY)


def test_what_is_not_known_is_accepted():
    assert Reference().accepts(1e9, 1e9) and USUAL.accepts(None) and USUAL.accepts(None, None)
    assert Reference(guard=0.5).accepts(1e9) and Reference(canary_ms=1.0).accepts(1.0, 1e9)


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        (None, (None, None)),
        ({}, (None, None)),
        ({"best_ms": 2.0}, (2.0, None)),
        ({"best_ms": 2.0, "reference_ms": 3.0, "guard_reference": 0.5}, (3.0, 0.5)),
        ({"best_ms": 2.0, "reference_ms": None, "guard_reference": None}, (2.0, None)),
    ],
)
def test_the_reference_of_an_answer(canary, expected):
    assert Reference.of(canary) == expected


def test_the_level_is_the_time_at_the_usual_speed():
    assert level_ms(6.0, 2.0, USUAL) == 3.0
    assert level_ms(6.0, None, USUAL) == 6.0
    assert level_ms(6.0, 2.0, Reference()) == 6.0


def test_levels_of_a_burst():
    mixed = burst((4.0, 1.0), (9.0, SLOW), (2.0, 0.5), guard=0.5)
    assert burst_levels(mixed, USUAL) == [4.0, 4.0]
    assert burst_levels(mixed, USUAL, gated=False) == [4.0, 9.0 / SLOW, 4.0]
    assert burst_levels({**mixed, "guard": BUSY}, USUAL) == []
    assert burst_levels({"turns": [[4.0, None]]}, USUAL) == [4.0]


def test_levels_of_a_round():
    both = entry(burst((4.0, 1.0)), burst((5.0, 1.0), guard=BUSY))
    assert turn_levels(both, USUAL) == [4.0]
    assert turn_levels(both, USUAL, gated=False) == [4.0, 5.0]


def test_a_round_of_another_program_is_one_turn():
    foreign = {"min_ms": 3.0, "canary_ms": SLOW}
    assert turn_levels({"min_ms": 3.0}, USUAL) == [3.0] and round_level({"min_ms": 3.0}, USUAL) == 3.0
    assert turn_levels(foreign, USUAL) == [] and turn_levels(foreign, USUAL, gated=False) == [3.0]
    assert round_level(foreign, USUAL) is None


def test_half_of_the_turns_make_a_round():
    half = entry(burst((4.0, 1.0), (9.0, SLOW)))
    less = entry(burst((4.0, 1.0), (9.0, SLOW), (9.0, SLOW)))
    assert round_level(half, USUAL) == 4.0 and round_level(less, USUAL) is None
    assert accepted_rounds([less, half, less], USUAL) == [half]
    assert round_level(entry(burst((1.0, 1.0), (9.0, 1.0), (2.0, 1.0))), USUAL) == 2.0


def test_the_headline_is_of_accepted_rounds():
    slow = entry(burst((9.0, SLOW), (9.0, SLOW)))
    assert headline_ms([steady(4.0), slow, steady(5.0), steady(4.5)], USUAL) == 4.5


def test_the_headline_of_rounds_none_of_which_is_accepted():
    assert headline_ms([entry(burst((2 * SLOW, SLOW)))] * 3, USUAL) == pytest.approx(2.0)


def test_spread_is_of_the_two_best():
    assert spread_of_best([5.0, 1.25, 1.0, 9.0]) == 0.25
    assert spread_of_best([1.0, 1.0]) == 0.0
    assert spread_of_best([1.0]) == spread_of_best([]) == spread_of_best([0.0, 1.0]) == math.inf


def test_settled():
    drifting, agreeing = [steady(8.0), steady(4.0), steady(2.0)], [steady(8.0), steady(4.0), steady(4.02)]
    assert not is_settled(agreeing, USUAL, 4, 0.02)
    assert is_settled(agreeing, USUAL, 3, 0.02) and not is_settled(agreeing, USUAL, 3, 0.001)
    assert not is_settled(drifting, USUAL, 3, 0.02)
    busy = [entry(burst((4.0, SLOW)))] * 5
    assert not is_settled(busy, USUAL, 3, 0.02)


def test_typical_does_not_follow_busy_phases():
    assert typical([1.0] * 6 + [50.0] * 4) == 1.0
    assert typical([3.0]) == 3.0 and typical([None, 3.0, None]) == 3.0
    assert typical([]) is None and typical([None]) is None


@given(st.lists(st.none() | times))
def test_typical_is_one_of_the_lower_half(values):
    seen = [value for value in values if value is not None]
    if seen:
        assert typical(values) in seen
        assert min(seen) <= typical(values) <= statistics.median(seen)


@given(rounds, st.floats(0.01, 100.0))
def test_a_model_that_is_slower_has_the_latency_multiplied(entries, factor):
    assert headline_ms(scaled(entries, factor), USUAL) == pytest.approx(factor * headline_ms(entries, USUAL))


@given(rounds, st.integers(-3, 3))
def test_another_clock_does_not_change_the_latency(entries, exponent):
    # Powers of two scale without rounding, so what lies on the gate stays on its side.
    factor = 2.0**exponent
    elsewhere = Reference(factor * USUAL.canary_ms, USUAL.guard)
    slow = slowed(entries, factor)
    assert len(accepted_rounds(slow, elsewhere)) == len(accepted_rounds(entries, USUAL))
    assert headline_ms(slow, elsewhere) == pytest.approx(factor * headline_ms(entries, USUAL))
    # In units of one reference, a device that is uniformly faster tells the same latency.
    if factor <= 1 and len(accepted_rounds(entries, USUAL)) == len(entries):
        accepted = [turn_levels(each, USUAL) for each in entries]
        if sum(map(len, accepted)) == sum(len(one["turns"]) for each in entries for one in each["bursts"]):
            assert headline_ms(slow, USUAL) == pytest.approx(headline_ms(entries, USUAL))


@given(rounds, st.randoms(use_true_random=False))
def test_the_order_of_rounds_bursts_and_turns_is_free(entries, random):
    mixed = [
        entry(*({**one, "turns": random.sample(one["turns"], len(one["turns"]))} for one in shuffled(each, random)))
        for each in random.sample(entries, len(entries))
    ]
    assert headline_ms(mixed, USUAL) == pytest.approx(headline_ms(entries, USUAL), rel=1e-12)
    assert is_settled(mixed, USUAL, 3, 0.02) == is_settled(entries, USUAL, 3, 0.02)


def shuffled(each, random):
    return random.sample(each["bursts"], len(each["bursts"]))


@given(rounds)
def test_the_headline_lies_among_the_levels(entries):
    levels = [level for each in entries for level in turn_levels(each, USUAL, gated=False)]
    assert min(levels) <= headline_ms(entries, USUAL) <= max(levels)


@given(st.lists(times, max_size=8), st.floats(0.01, 100.0))
def test_the_spread_has_no_unit(levels, factor):
    here, there = spread_of_best(levels), spread_of_best([factor * level for level in levels])
    assert there == pytest.approx(here, rel=1e-6, abs=1e-9)
    assert here == spread_of_best(levels[::-1]) >= 0
