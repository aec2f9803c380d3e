"""Which candidates to ship: the front, the best within a limit, the knee."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.errors import InfeasibleError
from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto
from hwkeras.units import format_quantity


def losses_of(candidates, objectives):
    """The objectives of candidates as numbers to minimize.

    Args:
        candidates: sequence of `Candidate`.
        objectives: sequence of `Objective`.

    Returns:
        float array of shape (num_candidates, num_objectives); a metric that is missing is infinity.
    """
    rows = [[o.loss(c.metrics.get(o.metric, math.nan)) for o in objectives] for c in candidates]
    return np.array(rows, dtype=float).reshape(len(rows), len(objectives))


def intervals_of(candidates, objectives):
    """The objectives of candidates as intervals: latency is known to lie in one, everything else is exact.

    Args:
        candidates: sequence of `Candidate`.
        objectives: sequence of `Objective`.

    Returns:
        pair of float arrays of shape (num_candidates, num_objectives), the lower and the upper ends.
    """
    lows = losses_of(candidates, objectives)
    highs = lows.copy()
    for column, objective in enumerate(objectives):
        if objective.metric != "latency_ms":
            continue
        for row, candidate in enumerate(candidates):
            ends = [candidate.measurement.get(name) for name in ("low_ms", "high_ms")]
            known = [objective.loss(end) for end in ends if end is not None]
            lows[row, column] = min([lows[row, column], *known])
            highs[row, column] = max([highs[row, column], *known])
    return lows, highs


def front_of(candidates, objectives, limits=()):
    """Candidates that can be shipped and that no other one beats in every objective.

    Latencies whose intervals overlap cannot be told apart and count as equal: noise puts nothing on the front.

    Args:
        candidates: sequence of `Candidate`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`. Defaults to `()`.

    Returns:
        list of Candidate, best first objective first.
    """
    able = [c for c in candidates if c.status == "ok" and total_violation(limits, c.metrics) == 0]
    finite = np.isfinite(losses_of(able, objectives)).all(axis=1)
    able = [c for c, keep in zip(able, finite, strict=True) if keep]
    if not able:
        return []
    losses = losses_of(able, objectives)
    chosen = np.flatnonzero(pareto.nondominated(*intervals_of(able, objectives)))
    return [able[i] for i in sorted(chosen, key=lambda i: tuple(losses[i]))]


def contested(candidates, objectives, limits=(), at_most=24):
    """Candidates that are on the front, or would be if their latency lay at the better end of its interval.

    Args:
        candidates: sequence of `Candidate`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`. Defaults to `()`.
        at_most: int; the front comes first, then the most accurate. Defaults to `24`.

    Returns:
        list of Candidate, the front first.
    """
    front = front_of(candidates, objectives, limits)
    rest = [c for c in candidates if c not in front and c.status == "ok" and total_violation(limits, c.metrics) == 0]
    if not front or not rest:
        return front[:at_most]
    _, highs = intervals_of(front, objectives)
    lows, _ = intervals_of(rest, objectives)
    # Surely beaten: some member of the front is no worse even if the noise spoke against it, and better in something.
    beaten = [bool(((highs <= low).all(axis=1) & (highs < low).any(axis=1)).any()) for low in lows]
    near = [candidate for candidate, is_beaten in zip(rest, beaten, strict=True) if not is_beaten]
    order = np.argsort(losses_of(near, objectives)[:, 0], kind="stable") if near else []
    return [*front, *(near[index] for index in order)][:at_most]


def best_of(front, objectives, limits=()):
    """The candidate to ship.

    Args:
        front: list of Candidate, as `front_of` gives it.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`; with any, the best first objective within them; without, the knee. Defaults to
            `()`.

    Returns:
        Candidate.

    Raises:
        InfeasibleError: the front is empty, or none of it lies within the limits; names the nearest.
    """
    if not front:
        raise InfeasibleError(
            "No candidate lies within the limits. Received: an empty front. Search longer or raise a limit."
        )
    able = [candidate for candidate in front if total_violation(limits, candidate.metrics) == 0]
    if not able:
        raise InfeasibleError(_nearest(front, limits))
    losses = losses_of(able, objectives)
    is_first_alone = bool(limits) or len(objectives) == 1
    return able[int(np.argmin(losses[:, 0])) if is_first_alone else pareto.knee(_against_costs(losses))]


def leader_of(candidates, objectives, limits):
    """The candidate that speaks for its trial: least outside the limits, then best objectives in their order.

    Args:
        candidates: non-empty sequence of `Candidate`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.

    Returns:
        Candidate.
    """
    losses = losses_of(candidates, objectives)
    order = [(total_violation(limits, c.metrics), *row) for c, row in zip(candidates, losses.tolist(), strict=True)]
    return candidates[order.index(min(order))]


def limits_from(asked):
    """Limits written as keyword arguments: `latency="2ms"`, `size="200KiB"`.

    Args:
        asked: dict of limit name to str.

    Returns:
        list of Limit.
    """
    return [Limit.parse(f"{name}={quantity}") for name, quantity in asked.items()]


def _against_costs(losses):
    """The first objective against the mean of the others: latency and size together weigh as much as accuracy."""
    others = losses[:, 1:]
    spread = np.ptp(others, axis=0)
    return np.stack([losses[:, 0], (others / np.where(spread > 0, spread, 1.0)).mean(axis=1)], axis=1)


def _nearest(front, limits):
    said = []
    for limit in limits:
        metric = METRICS[limit.metric]
        values = [c.metrics[limit.metric] for c in front if limit.metric in c.metrics]
        if values:
            value = min(values) if metric.direction == "min" else max(values)
            said.append(f"{limit} asked, the nearest is {format_quantity(value, metric.unit)}")
    return f"No candidate of the front lies within the limits: {'; '.join(said)}."
