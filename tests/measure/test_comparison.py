"""Which of two models is faster: pairs with known answers, intervals of two jobs, laws."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.measure import comparison
from hwkeras.measure.comparison import FASTER
from hwkeras.measure.comparison import NOT_DISTINGUISHABLE
from hwkeras.measure.comparison import SLOWER
from hwkeras.measure.comparison import compare
from hwkeras.measure.measurement import Measurement
from tflite_bench.gating import GATE

CANARY = {"best_ms": 1.0, "reference_ms": 1.0}
JOB = {"canary": CANARY, "before": {"loadavg": [0.1, 0.2, 0.3]}}
LATER_JOB = {"canary": CANARY, "before": {"loadavg": [0.4, 0.2, 0.3]}}
PAIRS = comparison._LEAST_PAIRS
CLOSE = comparison._LEAST_DIFFERENCE
OPPOSITE = {FASTER: SLOWER, SLOWER: FASTER, NOT_DISTINGUISHABLE: NOT_DISTINGUISHABLE}


def measured(levels, environment=JOB, canaries=None, **changes):
    """Of one level a visit, four visits a round; `canaries` are the canary's times in the visits."""
    canaries = canaries or [1.0] * len(levels)
    turns = zip(levels, canaries, strict=True)
    visits = [{"at_s": 0.0, "guard": None, "turns": [[level, canary_ms]]} for level, canary_ms in turns]
    rounds = [one_round(visits[at : at + 4]) for at in range(0, len(visits), 4)]
    measurement = Measurement.of_rounds("ab", {"rounds": rounds}, environment, 1, environment.get("canary"))
    return dataclasses.replace(measurement, **changes)


def one_round(visits):
    times = [least for visit in visits for least, _ in visit["turns"]]
    canary_ms = visits[0]["turns"][0][1]
    return {
        "min_ms": min(times),
        "median_ms": max(times),
        "p90_ms": max(times),
        "canary_ms": canary_ms,
        "bursts": visits,
    }


def failed():
    return Measurement.failed("ab", "timeout", "too late", JOB, 1)


def of_interval(latency_ms, low_ms, high_ms):
    return measured([latency_ms], {}, low_ms=low_ms, high_ms=high_ms)


def test_twice_as_slow():
    drift = [1.0, 1.5, 0.7] * 4
    slow, fast = measured([2 * level for level in drift]), measured(drift)
    assert compare(slow, fast) == comparison.Comparison(SLOWER, *[pytest.approx(2.0)] * 3)
    assert compare(fast, slow) == comparison.Comparison(FASTER, *[pytest.approx(0.5)] * 3)


def test_the_same_rounds():
    measurement = measured([1.0, 1.1, 0.9] * 4)
    assert compare(measurement, measurement) == comparison.Comparison(NOT_DISTINGUISHABLE, 1.0, 1.0, 1.0)


def test_ratio_and_interval_by_hand():
    levels = [math.exp(number / 10) for number in range(1, PAIRS + 1)]
    result = compare(measured(levels), measured([1.0] * PAIRS))
    assert comparison._signed_rank_cut(PAIRS) == 0
    assert result.ratio == pytest.approx(math.exp((PAIRS + 1) / 20))
    assert (result.low, result.high) == pytest.approx((math.exp(0.1), math.exp(PAIRS / 10)))
    assert result.verdict == SLOWER


def test_a_sure_but_tiny_difference_does_not_count():
    levels = [1.0, 1.1, 0.9] * 4
    within = compare(measured([level * (1 + 0.9 * CLOSE) for level in levels]), measured(levels))
    assert within.verdict == NOT_DISTINGUISHABLE
    assert within.low > 1.0
    beyond = compare(measured([level * (1 + 1.1 * CLOSE) for level in levels]), measured(levels))
    assert beyond.verdict == SLOWER


def test_an_interval_that_holds_one():
    levels = [0.5, 1.5, 1.6, 0.6, 1.7, 1.8, 0.7, 1.9, 2.0, 2.1, 2.2, 0.8]
    result = compare(measured(levels), measured([1.0] * len(levels)))
    assert result.low < 1.0 < result.high
    assert result.verdict == NOT_DISTINGUISHABLE


def test_no_single_visit_decides():
    levels = [1.0] * 12
    result = compare(measured([*levels[:-1], 100.0]), measured(levels))
    assert (result.verdict, result.ratio) == (NOT_DISTINGUISHABLE, 1.0)


def test_the_least_number_of_pairs():
    drift = [1.0 + number / 4 for number in range(PAIRS)]
    for num_pairs, verdict in ((PAIRS, SLOWER), (PAIRS - 1, NOT_DISTINGUISHABLE)):
        slow = measured([1.05 * level for level in drift[:num_pairs]], low_ms=0.5, high_ms=5.0)
        fast = measured(drift[:num_pairs], low_ms=0.5, high_ms=5.0)
        assert compare(slow, fast).verdict == verdict


def test_slow_visits_are_no_pairs():
    canaries = [1.0] * (PAIRS - 1) + [1.0 + 2 * GATE]
    slow, fast = measured([1.1] * PAIRS), measured([1.0] * PAIRS, canaries=canaries)
    wide = {"low_ms": 0.5, "high_ms": 5.0}
    assert compare(slow, fast).verdict == SLOWER
    assert compare(dataclasses.replace(slow, **wide), dataclasses.replace(fast, **wide)).verdict == NOT_DISTINGUISHABLE


def test_models_with_unlike_numbers_of_rounds():
    result = compare(measured([1.1] * 16), measured([1.0] * 12))
    assert (result.verdict, result.ratio) == (SLOWER, pytest.approx(1.1))


def test_two_jobs_are_compared_by_their_intervals():
    drift = [1.0, 1.5, 0.7] * 4
    wide = {"low_ms": 0.5, "high_ms": 2.0}
    slow, fast = [2 * level for level in drift], drift
    for environment in (LATER_JOB, {**JOB, "canary": {**CANARY, "best_ms": 0.9}}):
        result = compare(measured(slow, **wide), measured(fast, environment, **wide))
        assert result == comparison.Comparison(NOT_DISTINGUISHABLE, pytest.approx(2.0), 0.25, 4.0)
    narrow = {"low_ms": 1.99, "high_ms": 2.01}
    result = compare(measured([2.0] * 12, **narrow), measured([1.0] * 12, LATER_JOB, low_ms=0.8, high_ms=1.25))
    assert result == comparison.Comparison(SLOWER, 2.0, 1.99 / 1.25, 2.01 / 0.8)


def test_rounds_that_tell_no_job_are_no_pairs():
    slow = measured([1.05, 2.1] * 6, {}, low_ms=0.5, high_ms=5.0)
    fast = measured([1.0, 2.0] * 6, {}, low_ms=0.5, high_ms=5.0)
    assert compare(slow, fast).verdict == NOT_DISTINGUISHABLE


def test_intervals_that_overlap_or_not():
    assert compare(of_interval(1.0, 0.9, 1.1), of_interval(1.15, 1.05, 1.25)).verdict == NOT_DISTINGUISHABLE
    assert compare(of_interval(1.0, 0.9, 1.1), of_interval(1.25, 1.15, 1.35)).verdict == FASTER
    assert compare(of_interval(1.25, 1.15, 1.35), of_interval(1.0, 0.9, 1.1)).verdict == SLOWER


def test_unknown_intervals_are_points():
    result = compare(of_interval(2.0, None, None), of_interval(1.0, None, None))
    assert result == comparison.Comparison(SLOWER, 2.0, 2.0, 2.0)


def test_an_interval_that_starts_at_nothing_is_no_point():
    vague, clear = of_interval(1.0, 0.0, 2.5), of_interval(1.2, 1.19, 1.21)
    assert compare(vague, clear) == comparison.Comparison(NOT_DISTINGUISHABLE, 1.0 / 1.2, 0.0, 2.5 / 1.19)
    assert compare(clear, vague) == comparison.Comparison(NOT_DISTINGUISHABLE, 1.2, 1.19 / 2.5, math.inf)


@pytest.mark.parametrize("swap", [False, True])
def test_a_failure_is_not_compared(swap):
    pair = (failed(), measured([1.0] * 12))
    law = (
        r"^Both measurements must have a latency\. Received: status='timeout' \(too late\)\. Measure the model again\.$"
    )
    with pytest.raises(UserError, match=law):
        compare(*(reversed(pair) if swap else pair))


@pytest.mark.parametrize("num_pairs", range(PAIRS, 13))
def test_the_cut_is_the_largest_of_its_chance(num_pairs):
    sums = [sum(ranks) for ranks in _subsets(range(1, num_pairs + 1))]
    chances = [sum(each <= total for each in sums) / 2**num_pairs for total in range(12)]
    cut = comparison._signed_rank_cut(num_pairs)
    assert chances[cut] <= comparison._ALPHA / 2 < chances[cut + 1]


def _subsets(values):
    return itertools.chain.from_iterable(itertools.combinations(values, size) for size in range(len(values) + 1))


def test_fewer_pairs_have_no_interval_of_that_chance():
    assert 2 / 2**PAIRS < comparison._ALPHA <= 2 / 2 ** (PAIRS - 1)


def test_the_cut_of_many_pairs_goes_on_where_the_exact_one_ends(monkeypatch):
    most = comparison._MOST_EXACT
    approximate = comparison._signed_rank_cut(most + 1)
    monkeypatch.setattr(comparison, "_MOST_EXACT", most + 1)
    assert approximate == pytest.approx(comparison._signed_rank_cut(most + 1), abs=0.02 * approximate)


def test_many_pairs():
    count = comparison._MOST_EXACT + 4
    result = compare(measured([1.1, 2.2] * (count // 2)), measured([1.0, 2.0] * (count // 2)))
    assert (result.verdict, result.ratio) == (SLOWER, pytest.approx(1.1))


def test_the_interval_misses_the_truth_as_rarely_as_it_says():
    draw = np.random.default_rng(0)
    noise = np.exp(0.1 * draw.standard_t(2, size=(400, 2, 12)))
    results = [compare(measured(list(a)), measured(list(b))) for a, b in noise]
    missed = sum(not result.low <= 1.0 <= result.high for result in results)
    assert missed <= 400 * comparison._ALPHA * 2.5


LEVELS = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=20)


@given(LEVELS, st.booleans())
def test_seen_from_the_other(pairs, one_job):
    a = measured([one for one, _ in pairs])
    b = measured([other for _, other in pairs], JOB if one_job else LATER_JOB)
    result, reverse = compare(a, b), compare(b, a)
    assert reverse.ratio == pytest.approx(1 / result.ratio)
    assert reverse.low == pytest.approx(1 / result.high if result.high < math.inf else 0.0)
    assert reverse.high == pytest.approx(1 / result.low if result.low else math.inf)
    limits = (result.low, result.high, result.ratio / (1 + CLOSE), result.ratio * (1 + CLOSE))
    assume(all(abs(limit - 1.0) > 1e-9 for limit in limits))
    assert reverse.verdict == OPPOSITE[result.verdict]


@given(LEVELS, st.booleans())
def test_the_interval_holds_the_ratio(pairs, one_job):
    a = measured([one for one, _ in pairs])
    b = measured([other for _, other in pairs], JOB if one_job else LATER_JOB)
    result = compare(a, b)
    assert 0 <= result.low <= result.ratio <= result.high


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_a_model_is_not_distinguishable_from_itself(levels):
    assert compare(measured(levels), measured(levels)).verdict == NOT_DISTINGUISHABLE
    assert compare(measured(levels), measured(levels, LATER_JOB)).verdict == NOT_DISTINGUISHABLE


@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(-0.01, 0.01)), min_size=12, max_size=20))
def test_five_percent_are_seen_through_a_drift_that_both_share(visits):
    fast = measured([drift for drift, _ in visits])
    slow = measured([1.05 * drift * (1 + noise) for drift, noise in visits])
    result = compare(slow, fast)
    assert result.verdict == SLOWER
    assert result.ratio == pytest.approx(1.05, rel=0.011)


@given(LEVELS, st.integers(-8, 8))
def test_times_in_another_unit_compare_the_same(pairs, exponent):
    factor = 2.0**exponent
    a, b = measured([one for one, _ in pairs]), measured([other for _, other in pairs])
    scaled = [measured([factor * pair[at] for pair in pairs]) for at in (0, 1)]
    assert compare(*scaled) == compare(a, b)
