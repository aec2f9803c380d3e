"""What the raw rounds of a model say: its latency, how sure that is, and whether the device or the model is to blame.

Pure functions of what `tflite_bench` answers; which turns count and what they are worth is told in its `gating`.

Why the headline is a median of levels and not the least time of all. The least time is the luck of one moment: on a
virtual machine whose host raised its clock by up to 30% for a few milliseconds now and then, with both cores busy, the
minima of five processes differed by 24% (median over 104 files; 90th percentile 30%), and their medians by 4% (9%). The
median over turns of the least time in a turn of half a millisecond, in units of the canary that runs before and after
it, differed by 0.8% (1.7%), and ordered 40 random networks the same way (`tests/benchmarks/bench_repeatability.py`).
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from tflite_bench.gating import GATE
from tflite_bench.gating import Reference
from tflite_bench.gating import accepted_rounds
from tflite_bench.gating import burst_levels
from tflite_bench.gating import headline_ms
from tflite_bench.gating import round_level
from tflite_bench.gating import spread_of_best
from tflite_bench.gating import turn_levels

# Two best rounds that differ by more than this share leave the latency in doubt.
NOISY_ABOVE = 0.05
# The canary slows by more than this share between the first and the last third of so many rounds: the device throttles.
_SLOWING = 0.1
_SLOWING_ROUNDS = 6
# The canaries of a steady device lie within this share of each other.
_STEADY = 0.05
# Half the width of the interval, in standard errors of the median; and the least of it, as a share.
_WIDTH = 2.5
_LEAST_WIDTH = 0.004
# 1.4826 makes the median absolute deviation a standard deviation, 1.2533 its error that of a median.
_MAD_TO_ERROR = 1.4826 * 1.2533


@dataclass(frozen=True)
class Summary:
    """The figures of a model.

    Args:
        latency_ms: float, the headline: median over the accepted turns of the least time, at the device's usual speed.
        sustained_ms: float, median over the rounds of their medians, as they came; at least `latency_ms`.
        p90_ms: float, median over the rounds of their 90th percentiles, as they came; at least `latency_ms`.
        spread: float, share by which the two best accepted rounds differ; None for fewer than two.
        low_ms: float, lower end of the interval of `latency_ms`.
        high_ms: float, upper end.
        status: str, `"ok"`, `"noisy"`, `"throttled"` or `"unstable"`.
        message: str, the reason of another status than `"ok"`.
    """

    latency_ms: float
    sustained_ms: float
    p90_ms: float
    spread: float | None
    low_ms: float
    high_ms: float
    status: str
    message: str


def summarize(rounds, canary=None):
    """Summarizes the rounds of one model.

    The interval `[low_ms, high_ms]` is the headline plus and minus 2.5 standard errors. A standard error is that of the
    median of the visits' levels (from their median absolute deviation: a visit is a draw of the place in memory and of
    the moment, the turns within it are not independent). In jobs that held the same file twice, the intervals of the
    two overlapped in at least 97 of 100.

    Args:
        rounds: sequence of dict, at least one, as `tflite_bench` answers.
        canary: dict with `reference_ms` (or `best_ms`), the canary of the job. Defaults to `None`, none.

    Returns:
        Summary.
    """
    reference = Reference.of(canary)
    accepted = accepted_rounds(rounds, reference)
    latency_ms = headline_ms(rounds, reference)
    spread = spread_of_best([round_level(entry, reference) for entry in accepted])
    half = _half_width(accepted or rounds, reference, bool(accepted)) * latency_ms
    status, message = _judge(rounds, reference, len(accepted), spread)
    return Summary(
        latency_ms=latency_ms,
        sustained_ms=max(latency_ms, statistics.median(entry["median_ms"] for entry in rounds)),
        p90_ms=max(latency_ms, statistics.median(entry["p90_ms"] for entry in rounds)),
        spread=None if math.isinf(spread) else spread,
        low_ms=max(latency_ms - half, 0.0),
        high_ms=latency_ms + half,
        status=status,
        message=message,
    )


def visit_levels(rounds, reference, gated=True):
    """The level of each visit, the median of its turns.

    Args:
        rounds: sequence of dict.
        reference: Reference.
        gated: bool, False to accept all turns. Defaults to `True`.

    Returns:
        list of list of float: by round, by visit; NaN for a visit without an accepted turn.
    """
    return [_visits_of(entry, reference, gated) for entry in rounds]


def _visits_of(entry, reference, gated):
    if not entry.get("bursts"):
        return turn_levels(entry, reference, gated) or [math.nan]
    levels = [burst_levels(burst, reference, gated) for burst in entry["bursts"]]
    return [statistics.median(each) if each else math.nan for each in levels]


def _half_width(rounds, reference, gated):
    """Half the width of the interval as a share of the headline."""
    levels = [level for entry in visit_levels(rounds, reference, gated) for level in entry]
    levels = [level for level in levels if not math.isnan(level)]
    if len(levels) < 2:
        return NOISY_ABOVE
    center = statistics.median(levels)
    deviation = statistics.median(abs(level - center) for level in levels) / center
    return max(_WIDTH * _MAD_TO_ERROR * deviation / math.sqrt(len(levels)), _LEAST_WIDTH)


def _judge(rounds, reference, num_accepted, spread):
    """The status, and the reason of one that is not `"ok"`."""
    slowing = _slowing(rounds)
    if slowing > _SLOWING:
        return "throttled", (
            f"The canary became slower by {slowing:.0%} while {len(rounds)} rounds were measured, and the model with "
            "it. Cool the device, or use sustained_ms."
        )
    if not num_accepted:
        return "throttled", _too_slow(rounds, reference)
    if spread <= NOISY_ABOVE:
        return "ok", ""
    if math.isinf(spread):
        return "noisy", _unconfirmed(len(rounds))
    said = f"The two best of {len(rounds)} rounds differ by {spread:.1%}, more than {NOISY_ABOVE:.0%}"
    if _is_steady(rounds, reference):
        return "unstable", f"{said}, while the canary was steady: it is the model. Raise `rounds` and `max_rounds`."
    return "noisy", f"{said}. Quiet the device or raise `max_rounds`."


def _too_slow(rounds, reference):
    slow = statistics.median(entry["canary_ms"] for entry in rounds) / reference.canary_ms - 1.0
    way_out = "Cool or quiet the device; the latency is what it would be at the known speed."
    if slow > GATE:
        return f"The canary took {slow:.0%} longer than this device is known for, more than {GATE:.0%}. {way_out}"
    return f"Most of each round was measured while a neighbor slowed the core for 8-bit or for all work. {way_out}"


def _unconfirmed(num_rounds):
    if num_rounds == 1:
        return "1 round cannot be confirmed by another. Allow more time."
    return f"Only 1 of {num_rounds} rounds was at the usual speed of the device. Quiet it or raise `max_rounds`."


def _slowing(rounds):
    """Share by which canary and model slowed from the first third of the rounds to the last; the lesser share."""
    timed = [entry for entry in rounds if entry.get("canary_ms")]
    if len(timed) < _SLOWING_ROUNDS:
        return 0.0
    third = len(timed) // 3
    parts = (timed[:third], timed[third:-third], timed[-third:])
    first, middle, last = (statistics.median(entry["canary_ms"] for entry in part) for part in parts)
    if not first < middle < last:
        # NOTE: heat slows from third to third, a neighbor comes and goes.
        return 0.0
    model_first, model_last = (statistics.median(entry["median_ms"] for entry in parts[at]) for at in (0, -1))
    return min(last / first, model_last / model_first) - 1.0


def _is_steady(rounds, reference):
    canaries = [entry.get("canary_ms") for entry in accepted_rounds(rounds, reference)]
    canaries = [canary_ms for canary_ms in canaries if canary_ms]
    return len(canaries) >= 2 and max(canaries) <= min(canaries) * (1.0 + _STEADY)
