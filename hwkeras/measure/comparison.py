"""Which of two models is faster, from one job that visited both in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.measure.statistics import visit_levels
from tflite_bench.gating import Reference

FASTER = "faster"
SLOWER = "slower"
NOT_DISTINGUISHABLE = "not distinguishable"
# Two networks closer than this share are the same for all that a device can tell: the placing of the same bytes in
# memory moves a latency as much.
_LEAST_DIFFERENCE = 0.01
# Chance of an interval that misses a true ratio of 1.
_ALPHA = 0.01
_MOST_EXACT = 60
# The least number of pairs of which an interval with that chance exists: 2 / 2**8 < 0.01.
_LEAST_PAIRS = 8


@dataclass(frozen=True)
class Comparison:
    """How the latency of one model relates to that of another.

    Args:
        verdict: str, `"faster"`, `"slower"` or `"not distinguishable"`: the first, seen from the second.
        ratio: float, latency of the first over that of the second.
        low: float, lower end of the 99% interval of `ratio`.
        high: float, upper end.
    """

    verdict: str
    ratio: float
    low: float
    high: float


def compare(a, b):
    """Compares two measurements of one job.

    The job visits both models in each of its laps, so the k-th visits of the two are neighbors in time, and what was
    slow then was slow for both. The ratio is the Hodges-Lehmann estimate of the paired log-ratios (the median of their
    pairwise means) and the interval is the exact one of Wilcoxon's signed-rank test (Hollander, Wolfe and Chicken 2013,
    section 3.2, doi:10.1002/9781119196037): no normal distribution is asked for, and no single visit decides. The
    verdict is `"not distinguishable"` where the interval holds 1, or where the ratio is within 1% of it. Where there
    are fewer than 8 pairs (other programs' rounds, measurements of two jobs, estimates), the intervals
    `[low_ms, high_ms]` of the two are compared instead.

    12 pairs, the least that a job with the usual options gives, tell models apart that differ by 5%. Closer ones need
    more rounds: measure the two together again with `rounds=12`.

    Args:
        a: Measurement.
        b: Measurement.

    Returns:
        Comparison.

    Raises:
        UserError: one of them has no latency.
    """
    for measurement in (a, b):
        if not measurement.ok:
            raise UserError(
                f"Both measurements must have a latency. Received: status={measurement.status!r} "
                f"({measurement.message}). Measure the model again."
            )
    ratios = _paired_log_ratios(a, b)
    if len(ratios) < _LEAST_PAIRS:
        return _of_intervals(a, b)
    means = sorted((ratios[i] + ratios[j]) / 2 for i in range(len(ratios)) for j in range(i, len(ratios)))
    cut = _signed_rank_cut(len(ratios))
    return _verdict(math.exp(_middle(means)), math.exp(means[cut]), math.exp(means[-1 - cut]))


def _paired_log_ratios(a, b):
    """Of visits that both had accepted, in the same lap of the same round of the same job."""
    canary, before = a.environment.get("canary"), a.environment.get("before")
    if before is None or canary != b.environment.get("canary") or before != b.environment.get("before"):
        return []
    reference = Reference.of(canary)
    pairs = [
        pair
        for of_a, of_b in zip(visit_levels(a.rounds, reference), visit_levels(b.rounds, reference), strict=False)
        for pair in zip(of_a, of_b, strict=False)
    ]
    return [math.log(one / other) for one, other in pairs if not math.isnan(one) and not math.isnan(other)]


def _of_intervals(a, b):
    low_a, high_a = _interval(a)
    low_b, high_b = _interval(b)
    return _verdict(a.latency_ms / b.latency_ms, low_a / high_b, high_a / low_b if low_b else math.inf)


def _interval(measurement):
    if measurement.low_ms is None or measurement.high_ms is None:
        return measurement.latency_ms, measurement.latency_ms
    return measurement.low_ms, measurement.high_ms


def _verdict(ratio, low, high):
    is_close = abs(math.log(ratio)) < math.log1p(_LEAST_DIFFERENCE)
    if is_close or low <= 1.0 <= high:
        return Comparison(NOT_DISTINGUISHABLE, ratio, low, high)
    return Comparison(FASTER if ratio < 1.0 else SLOWER, ratio, low, high)


def _middle(values):
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _signed_rank_cut(num_pairs):
    """How many of the least pairwise means lie outside the interval: the largest rank sum of a chance below alpha / 2.

    Args:
        num_pairs: int, at least 8.

    Returns:
        int.
    """
    if num_pairs > _MOST_EXACT:
        mean = num_pairs * (num_pairs + 1) / 4
        deviation = math.sqrt(mean * (2 * num_pairs + 1) / 6)
        return int(mean - 2.5758 * deviation) - 1
    counts = [1]
    for rank in range(1, num_pairs + 1):
        counts = [
            (counts[total] if total < len(counts) else 0) + (counts[total - rank] if total >= rank else 0)
            for total in range(len(counts) + rank)
        ]
    chance, total = counts[0], 0
    while chance <= _ALPHA / 2 * 2**num_pairs:
        total += 1
        chance += counts[total]
    return total - 1
