"""The rounds: every model is visited in each, in a random order."""

from __future__ import annotations

import gc

import numpy as np

# The fewest timed invokes of a visit.
MIN_INVOKES = 10


def run_rounds(invokes, job, rng, clock_ns, sleep, deadline_ns):
    """Visits all models round after round, until the two best rounds of each agree or the budget ends.

    Args:
        invokes: sequence of callables without arguments, one a model.
        job: Job.
        rng: np.random.Generator, of the order.
        clock_ns: callable that returns nanoseconds as int.
        sleep: callable that takes seconds.
        deadline_ns: int, reading of `clock_ns` after which no further visit begins, once every model has had one.

    Returns:
        list of list of dict: the rounds of each model.

    Raises:
        InvokeError: an invoke failed; says which model's.
    """
    rounds = [[] for _ in invokes]
    for number in range(job.max_rounds if invokes else 0):
        if number >= job.rounds and all(agree(entries, job.agree_within) for entries in rounds):
            break
        if number:
            sleep(job.gap_ms / 1e3)
        for index in rng.permutation(len(invokes)):
            if number and clock_ns() >= deadline_ns:
                return rounds
            try:
                rounds[index].append(summarize(visit(invokes[index], job, clock_ns, deadline_ns)))
            # NOTE: whatever a runtime raises here is the result of this model; the caller goes on without it.
            except Exception as error:
                raise InvokeError(int(index), error) from error
    return rounds


class InvokeError(RuntimeError):
    """A model that loads and then fails to run.

    Args:
        index: int, which of the models.
        cause: Exception.
    """

    def __init__(self, index, cause):
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.index = index


def visit(invoke, job, clock_ns, deadline_ns):
    """Warms one model up and times a burst of invokes, each alone.

    Args:
        invoke: callable without arguments.
        job: Job.
        clock_ns: callable that returns nanoseconds as int.
        deadline_ns: int; a burst that is not done by then ends after the invoke that runs.

    Returns:
        list of int, nanoseconds of each invoke; at least one.
    """
    for _ in range(job.warmup):
        invoke()
    times_ns = []
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        end_ns = clock_ns() + int(job.burst_ms * 1e6)
        while True:
            begin_ns = clock_ns()
            invoke()
            now_ns = clock_ns()
            times_ns.append(now_ns - begin_ns)
            if (len(times_ns) >= MIN_INVOKES and now_ns >= end_ns) or now_ns >= deadline_ns:
                return times_ns
    finally:
        if is_collecting:
            gc.enable()


def summarize(times_ns):
    """What is kept of a round.

    Args:
        times_ns: list of int.

    Returns:
        dict: `num_invokes`, `min_ms`, `p10_ms`, `median_ms`, `mean_ms`, `p90_ms`.
    """
    times_ms = np.asarray(times_ns, np.float64) / 1e6
    p10, median, p90 = np.percentile(times_ms, [10, 50, 90])
    return {
        "num_invokes": len(times_ns),
        "min_ms": float(times_ms.min()),
        "p10_ms": float(p10),
        "median_ms": float(median),
        "mean_ms": float(times_ms.mean()),
        "p90_ms": float(p90),
    }


def agree(rounds, agree_within):
    """Whether the minima of the two best rounds are close.

    Args:
        rounds: list of dict with `min_ms`.
        agree_within: float, share of the best.

    Returns:
        bool.
    """
    minima = sorted(entry["min_ms"] for entry in rounds)
    return len(minima) >= 2 and minima[1] <= minima[0] * (1.0 + agree_within)
