"""What raw rounds say: rounds made by hand with known answers, then laws."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.measure import statistics as figures
from hwkeras.measure.statistics import NOISY_ABOVE
from hwkeras.measure.statistics import summarize
from hwkeras.measure.statistics import visit_levels
from tflite_bench.gating import GATE
from tflite_bench.gating import GUARD_GATE
from tflite_bench.gating import Reference

CANARY = {"best_ms": 1.0, "reference_ms": 1.0, "guard_reference": 2.0}
REFERENCE = Reference.of(CANARY)
TOO_SLOW = 1.0 + 2 * GATE
GUARD_TOO_SLOW = 2.0 * (1.0 + 2 * GUARD_GATE)
MANY = figures._SLOWING_ROUNDS
WAY_OUT = "Cool or quiet the device; the latency is what it would be at the known speed."


def one_round(*visits, canary_ms=1.0, guard=2.0, stretch=1.0):
    """Of visits given by the least times of their turns; medians and percentiles are `stretch` times the least."""
    times = [least for visit in visits for least in visit]
    turns = [[[least, canary_ms] for least in visit] for visit in visits]
    return {
        "num_invokes": len(times),
        "min_ms": min(times),
        "p10_ms": min(times),
        "median_ms": stretch * statistics.median(times),
        "mean_ms": stretch * statistics.mean(times),
        "p90_ms": stretch * max(times),
        "canary_ms": canary_ms,
        "at_s": 0.0,
        "bursts": [{"at_s": 0.0, "guard": guard, "turns": each} for each in turns],
    }


def flat(level_ms, canary_ms=1.0, guard=2.0):
    return one_round([level_ms] * 2, [level_ms] * 2, canary_ms=canary_ms, guard=guard)


def foreign(min_ms, canary_ms=None):
    """A round of another program: no visits."""
    return {"min_ms": min_ms, "median_ms": min_ms * 2, "p90_ms": min_ms * 3, "canary_ms": canary_ms}


def test_figures_of_rounds():
    rounds = [
        one_round([1.0, 1.0, 1.2], [1.01, 1.0, 1.0], stretch=2.0),
        one_round([1.0, 1.02], [1.0, 1.0], stretch=1.5),
        one_round([4.0, 4.0], [5.0, 6.0]),
    ]
    summary = summarize(rounds, CANARY)
    assert (summary.latency_ms, summary.status, summary.message) == (1.005, "ok", "")
    assert summary.sustained_ms == 2.0
    assert summary.p90_ms == pytest.approx(2.4)
    assert summary.spread == 0.0
    assert summary.low_ms < 1.005 < summary.high_ms


def test_the_interval_of_equal_visits_has_its_least_width():
    summary = summarize([flat(2.0), flat(2.0), flat(2.0)], CANARY)
    assert summary.low_ms == pytest.approx(2.0 * (1.0 - figures._LEAST_WIDTH))
    assert summary.high_ms == pytest.approx(2.0 * (1.0 + figures._LEAST_WIDTH))


def test_the_interval_by_hand():
    visits = [0.8, 0.9, 1.0, 1.1, 1.2]
    summary = summarize([one_round(*[[level] for level in visits])] * 5, CANARY)
    half = figures._WIDTH * figures._MAD_TO_ERROR * 0.1 / 25**0.5
    assert (summary.low_ms, summary.latency_ms, summary.high_ms) == pytest.approx((1.0 - half, 1.0, 1.0 + half))


def test_the_interval_never_ends_below_nothing():
    summary = summarize([one_round([1.0], [9.0])], CANARY)
    assert (summary.low_ms, summary.latency_ms) == (0.0, 5.0)
    assert summary.high_ms > 10.0


def test_a_single_visit_has_the_interval_of_doubt():
    summary = summarize([one_round([1.0, 1.0, 1.0])], CANARY)
    assert (summary.low_ms, summary.high_ms) == pytest.approx((1.0 - NOISY_ABOVE, 1.0 + NOISY_ABOVE))


def test_turns_are_worth_their_time_in_canaries():
    rounds = [flat(1.1, canary_ms=1.1), flat(0.5, canary_ms=0.5), flat(1.0)]
    summary = summarize(rounds, CANARY)
    assert summary.latency_ms == pytest.approx(1.0)
    assert summary.status == "ok"
    assert summarize(rounds).latency_ms == pytest.approx(1.0)
    assert summarize(rounds, {"best_ms": 2.0, "reference_ms": None}).latency_ms == pytest.approx(2.0)


def test_slow_rounds_do_not_count():
    rounds = [flat(1.0), flat(1.0), flat(3.0, canary_ms=TOO_SLOW), flat(3.0, guard=GUARD_TOO_SLOW)]
    summary = summarize(rounds, CANARY)
    assert (summary.latency_ms, summary.spread, summary.status) == (1.0, 0.0, "ok")
    assert summary.sustained_ms == 2.0


def test_rounds_of_another_program():
    summary = summarize([foreign(1.0), foreign(1.0), foreign(1.25)])
    assert (summary.latency_ms, summary.sustained_ms, summary.p90_ms, summary.status) == (1.0, 2.0, 3.0, "ok")


def test_sustained_times_are_never_below_the_headline():
    rounds = [flat(0.9, canary_ms=0.5)] * 3
    summary = summarize(rounds, CANARY)
    assert summary.sustained_ms == summary.p90_ms == summary.latency_ms == pytest.approx(1.8)


def test_two_best_rounds_up_to_the_limit_apart_are_ok():
    apart = 1.0 + 0.99 * NOISY_ABOVE
    summary = summarize([flat(1.0), flat(apart), flat(3.0)], CANARY)
    assert (summary.status, summary.message) == ("ok", "")
    assert summary.spread == pytest.approx(apart - 1.0)


def test_two_best_rounds_apart_under_a_steady_canary_are_unstable():
    apart = 1.0 + 1.2 * NOISY_ABOVE
    summary = summarize([flat(1.0), flat(apart), flat(3.0)], CANARY)
    assert summary.status == "unstable"
    assert summary.message == (
        f"The two best of 3 rounds differ by {apart - 1:.1%}, more than {NOISY_ABOVE:.0%}, while the canary was "
        "steady: it is the model. Raise `rounds` and `max_rounds`."
    )


@pytest.mark.parametrize("with_canary", [True, False])
def test_two_best_rounds_apart_are_noisy(with_canary):
    apart = 1.0 + 1.2 * NOISY_ABOVE
    if with_canary:
        restless = 1.0 + 2 * figures._STEADY
        summary = summarize([flat(1.0), flat(apart * restless, canary_ms=restless), flat(3.0)], CANARY)
    else:
        summary = summarize([foreign(1.0), foreign(apart), foreign(3.0)])
    assert summary.status == "noisy"
    assert summary.message == (
        f"The two best of 3 rounds differ by {apart - 1:.1%}, more than {NOISY_ABOVE:.0%}. Quiet the device or raise "
        "`max_rounds`."
    )


def test_one_round_is_noisy():
    summary = summarize([flat(1.0)], CANARY)
    assert (summary.status, summary.spread) == ("noisy", None)
    assert summary.message == "1 round cannot be confirmed by another. Allow more time."


def test_one_accepted_round_is_noisy():
    summary = summarize([flat(1.0), flat(3.0, canary_ms=TOO_SLOW), flat(2.0, guard=GUARD_TOO_SLOW)], CANARY)
    assert (summary.status, summary.spread, summary.latency_ms) == ("noisy", None, 1.0)
    assert summary.message == (
        "Only 1 of 3 rounds was at the usual speed of the device. Quiet it or raise `max_rounds`."
    )


def test_a_device_slower_than_known_is_throttled():
    summary = summarize([flat(2.0 * TOO_SLOW, canary_ms=TOO_SLOW)] * 3, CANARY)
    assert (summary.status, summary.spread) == ("throttled", None)
    assert summary.latency_ms == pytest.approx(2.0)
    assert summary.message == (
        f"The canary took {TOO_SLOW - 1:.0%} longer than this device is known for, more than {GATE:.0%}. {WAY_OUT}"
    )
    assert summary.low_ms < summary.latency_ms < summary.high_ms


def test_a_neighbor_in_every_round_is_throttled():
    summary = summarize([flat(2.0, guard=GUARD_TOO_SLOW)] * 3, CANARY)
    assert summary.status == "throttled"
    assert summary.message == (
        f"Most of each round was measured while a neighbor slowed the core for 8-bit or for all work. {WAY_OUT}"
    )


def slowing(factors):
    return [flat(factor, canary_ms=factor) for factor in factors]


def test_a_device_that_slows_down_is_throttled():
    step = 2 * figures._SLOWING
    third = MANY // 3
    rounds = slowing([0.8] * third + [0.8 * (1 + step / 2)] * third + [0.8 * (1 + step)] * third)
    summary = summarize(rounds, CANARY)
    assert summary.status == "throttled"
    assert summary.latency_ms == pytest.approx(1.0)
    assert summary.message == (
        f"The canary became slower by {step:.0%} while {len(rounds)} rounds were measured, and the model with it. "
        "Cool the device, or use sustained_ms."
    )


@pytest.mark.parametrize(
    "shape",
    [(0.8, 1.2, 0.9), (1.0, 0.8, 1.2), (1.2, 1.0, 0.8), (0.8, 0.8, 1.2)],
    ids=["comes and goes", "dips", "quickens", "jumps"],
)
def test_other_changes_of_speed_are_not_throttling(shape):
    rounds = slowing([factor for factor in shape for _ in range(MANY // 3)])
    assert summarize(rounds, CANARY).status == "ok"


def test_a_model_that_does_not_slow_with_the_canary_is_not_throttled():
    third = MANY // 3
    canaries = [0.8] * third + [0.9] * third + [1.1] * third
    rounds = [flat(1.0, canary_ms=canary_ms) for canary_ms in canaries]
    assert summarize(rounds, CANARY).status != "throttled"


def test_few_rounds_tell_no_throttling():
    rounds = slowing([0.8 + 0.4 * number / MANY for number in range(MANY - 1)])
    assert summarize(rounds, CANARY).status == "ok"


def test_levels_of_visits():
    slow = one_round([3.0], [4.0], canary_ms=TOO_SLOW)
    rounds = [one_round([1.0, 1.2, 1.1], [2.0]), slow, foreign(5.0)]
    assert visit_levels([rounds[0]], REFERENCE) == [[1.1, 2.0]]
    assert visit_levels([foreign(5.0)], REFERENCE) == [[5.0]]
    assert str(visit_levels([slow, foreign(5.0, TOO_SLOW)], REFERENCE)) == "[[nan, nan], [nan]]"
    assert visit_levels([slow], REFERENCE, gated=False) == [pytest.approx([3.0 / TOO_SLOW, 4.0 / TOO_SLOW])]


TIMES = st.floats(0.01, 100)
VISITS = st.lists(TIMES, min_size=1, max_size=4)
SPEEDS = st.floats(0.5, 1.0 + 2 * GATE)
ROUNDS = st.lists(
    st.builds(
        lambda visits, canary_ms, guard: one_round(*visits, canary_ms=canary_ms, guard=guard),
        st.lists(VISITS, min_size=1, max_size=4),
        SPEEDS,
        st.none() | st.floats(1.5, GUARD_TOO_SLOW),
    ),
    min_size=1,
    max_size=9,
)


@given(ROUNDS, st.booleans())
def test_order_of_the_figures(rounds, with_canary):
    summary = summarize(rounds, CANARY if with_canary else None)
    assert 0 <= summary.low_ms <= summary.latency_ms <= summary.high_ms
    assert summary.low_ms < summary.high_ms
    assert summary.sustained_ms >= summary.latency_ms
    assert summary.p90_ms >= summary.latency_ms
    assert summary.spread is None or summary.spread >= 0
    assert (summary.status == "ok") == (summary.message == "")


@given(ROUNDS, st.booleans(), st.integers(-8, 8))
def test_times_in_another_unit_give_figures_in_that_unit(rounds, with_canary, exponent):
    canary = CANARY if with_canary else None
    factor = 2.0**exponent
    before, after = summarize(rounds, canary), summarize([_scaled(entry, factor) for entry in rounds], canary)
    for name in ("latency_ms", "sustained_ms", "p90_ms", "low_ms", "high_ms"):
        assert getattr(after, name) == factor * getattr(before, name)
    assert (after.status, after.message, after.spread) == (before.status, before.message, before.spread)


def _scaled(entry, factor):
    times = {name: factor * entry[name] for name in ("min_ms", "p10_ms", "median_ms", "mean_ms", "p90_ms")}
    bursts = [
        {**burst, "turns": [[factor * least, canary_ms] for least, canary_ms in burst["turns"]]}
        for burst in entry["bursts"]
    ]
    return {**entry, **times, "bursts": bursts}


@given(st.lists(TIMES, min_size=2, max_size=6), st.data())
def test_the_clock_of_the_core_does_not_matter(levels, data):
    clocks = data.draw(st.lists(st.floats(0.5, 1.0 + 0.9 * GATE), min_size=len(levels), max_size=len(levels)))
    rounds = [flat(level * clock, canary_ms=clock) for level, clock in zip(levels, clocks, strict=True)]
    summary, at_rest = summarize(rounds, CANARY), summarize([flat(level) for level in levels], CANARY)
    assert summary.latency_ms == pytest.approx(at_rest.latency_ms)
    assert summary.spread == pytest.approx(at_rest.spread, abs=1e-9)


@given(ROUNDS, st.randoms(use_true_random=False))
def test_the_headline_does_not_depend_on_the_order_of_rounds(rounds, random):
    shuffled = random.sample(rounds, len(rounds))
    before, after = summarize(rounds, CANARY), summarize(shuffled, CANARY)
    assert (after.latency_ms, after.low_ms, after.high_ms) == (before.latency_ms, before.low_ms, before.high_ms)
