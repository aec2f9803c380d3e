"""One visit to one model: a burst of timed invokes, in turn with the canary's."""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass
from dataclasses import field

import numpy as np

# The model's turn: longer than its caches take to fill, shorter than most changes of the core's speed; long enough for
# three invokes, one of which shall be without an interruption, up to a bound. On a device where the canary is slow, its
# few invokes shall still be the smaller part.
_TURN_MS = 0.5
_TURN_INVOKES = 3
_LONGEST_TURN_MS = 5.0
_TURN_CANARIES = 6
# Up to this time a turn begins with an invoke that is not timed, which brings the caches back from the canary.
_LEAD_IN_BELOW_MS = 0.5
# The fewest turns of a visit.
_NUM_TURNS = 3


@dataclass
class Visit:
    """What was timed.

    Args:
        at_s: float, when it began, in seconds after the job did.
        times_ms: list of float, each timed invoke of the model.
        turns: list of `[least_ms, canary_ms]`: the least of the model's invokes in a turn, and the mean of the canary's
            leasts before and after it (None without a canary).
        guard: float, the guard in canaries, the lesser of before and after. Defaults to `None`, without one.
    """

    at_s: float
    times_ms: list = field(default_factory=list)
    turns: list = field(default_factory=list)
    guard: float | None = None

    @property
    def canary_ms(self):
        """Median of the canary over the turns; None without one."""
        values = [canary_ms for _, canary_ms in self.turns if canary_ms is not None]
        return statistics.median(values) if values else None


def run_visit(invoke, canaries, burst_ms, warmup, clock_ns, begin_ns, deadline_ns):
    """Warms a model up and times a burst of invokes, each alone.

    Args:
        invoke: callable without arguments.
        canaries: Canaries.
        burst_ms: float, time of the model's turns together, of which there are at least three.
        warmup: int, most invokes that are not timed.
        clock_ns: callable that returns nanoseconds as int.
        begin_ns: int, reading of `clock_ns` when the job began.
        deadline_ns: int; a burst that is not done by then ends after the invoke that runs.

    Returns:
        Visit, with at least one turn.
    """
    burst = _Burst(invoke, canaries, clock_ns, deadline_ns)
    visit = Visit((clock_ns() - begin_ns) / 1e9)
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        burst.run(visit, burst_ms, burst.warm(warmup, burst_ms))
    finally:
        if is_collecting:
            gc.enable()
    return visit


class _Burst:
    def __init__(self, invoke, canaries, clock_ns, deadline_ns):
        self._invoke = invoke
        self._canaries = canaries
        self._clock_ns = clock_ns
        self._deadline_ns = deadline_ns

    def warm(self, warmup, burst_ms):
        """Runs what is not counted; returns ms of its fastest invoke, 0 for none."""
        times_ns, end_ns = [], min(self._clock_ns() + int(burst_ms * 1e6), self._deadline_ns)
        while len(times_ns) < warmup:
            begin_ns = self._clock_ns()
            self._invoke()
            now_ns = self._clock_ns()
            times_ns.append(now_ns - begin_ns)
            if now_ns >= end_ns:
                break
        return min(times_ns, default=0) / 1e6

    def run(self, visit, burst_ms, latency_ms):
        """Takes turns; how many does not depend on what interrupts them."""
        before_ms = self._canaries.canary_ms()
        guards = [self._canaries.guard(before_ms)]
        turn_ms = max(_TURN_MS, _TURN_CANARIES * (before_ms or 0.0))
        burst_ms, turn_ms = _stretched(burst_ms, turn_ms, latency_ms)
        for _ in range(max(round(burst_ms / turn_ms), _NUM_TURNS)):
            if latency_ms <= _LEAD_IN_BELOW_MS and not self._is_late():
                self._invoke()
            times_ms = self._turn(turn_ms)
            after_ms = self._canaries.canary_ms()
            canary_ms = None if after_ms is None else (before_ms + after_ms) / 2
            visit.times_ms += times_ms
            visit.turns.append([min(times_ms), canary_ms])
            before_ms = after_ms
            if self._is_late():
                break
        guards.append(self._canaries.guard(before_ms))
        # NOTE: a phase that counts lasts longer than a visit; what shows on one side only is a moment's interruption.
        visit.guard = None if None in guards else min(guards)

    def _turn(self, turn_ms):
        clock_ns, invoke, times_ms = self._clock_ns, self._invoke, []
        end_ns = clock_ns() + int(turn_ms * 1e6)
        while True:
            begin_ns = clock_ns()
            invoke()
            now_ns = clock_ns()
            times_ms.append((now_ns - begin_ns) / 1e6)
            if now_ns >= end_ns or now_ns >= self._deadline_ns:
                return times_ms

    def _is_late(self):
        return self._clock_ns() >= self._deadline_ns


def _stretched(burst_ms, turn_ms, latency_ms):
    """For a model too slow for a turn: a turn of three invokes, up to a bound, and twice the time."""
    of_model_ms = min(_TURN_INVOKES * latency_ms, _LONGEST_TURN_MS)
    return (burst_ms, turn_ms) if of_model_ms <= turn_ms else (2 * burst_ms, of_model_ms)


def summarize(visits):
    """What is kept of a round.

    Args:
        visits: sequence of Visit; at least one.

    Returns:
        dict: `num_invokes`, `min_ms`, `p10_ms`, `median_ms`, `mean_ms`, `p90_ms` of all timed invokes together;
        `canary_ms`, median over the visits (None without a canary); `at_s` of the first visit; `bursts`, a dict a visit
        of `at_s`, `guard` and `turns`.
    """
    times_ms = np.concatenate([visit.times_ms for visit in visits])
    p10, median, p90 = np.percentile(times_ms, [10, 50, 90])
    canary = [visit.canary_ms for visit in visits if visit.canary_ms is not None]
    return {
        "num_invokes": len(times_ms),
        "min_ms": float(times_ms.min()),
        "p10_ms": float(p10),
        "median_ms": float(median),
        "mean_ms": float(times_ms.mean()),
        "p90_ms": float(p90),
        "canary_ms": statistics.median(canary) if canary else None,
        "at_s": visits[0].at_s,
        "bursts": [_burst_json(visit) for visit in visits],
    }


def _burst_json(visit):
    """Whole nanoseconds: the clock has no more, and the answer is shorter."""
    return {
        "at_s": round(visit.at_s, 3),
        "guard": None if visit.guard is None else round(visit.guard, 4),
        "turns": [[round(least, 6), None if canary is None else round(canary, 6)] for least, canary in visit.turns],
    }
