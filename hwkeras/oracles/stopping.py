"""Why an oracle stopped proposing. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StopReason:
    """Why an oracle stopped before `max_trials`.

    An oracle never raises where keras-tuner holds its lock; it stops and leaves this behind.

    Args:
        kind: `"exhausted"` when no new candidate is left or found, `"infeasible"` when none ever lay within the
            limits, `"budget"` when `out_of_budget` said so, `"converged"` when a tuner saw that too little more is to
            be expected, `"error"` when the cost model or the algorithm raised.
        message: str, for a person.
        error: what to raise, or None: the `hwkeras.errors.InfeasibleError` of `"infeasible"`, the exception of
            `"error"`. Defaults to `None`.
    """

    kind: str
    message: str
    error: Exception | None = None
