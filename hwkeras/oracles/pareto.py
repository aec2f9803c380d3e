"""Pareto tools in numpy; all losses are minimized.

Losses are float arrays of shape (num_points, num_objectives). NaN counts as infinity: a value nobody knows is never
better than one that is known.
"""

from __future__ import annotations

import numpy as np

from hwkeras.errors import UserError


def _as_losses(losses):
    losses = np.asarray(losses, dtype=float)
    if losses.ndim == 1 and not len(losses):
        losses = losses.reshape(0, 1)
    if losses.ndim != 2 or (len(losses) and not losses.shape[1]):
        raise UserError(
            f"`losses` must have shape (num_points, num_objectives). Received: shape={losses.shape}. "
            "For one objective pass losses.reshape(-1, 1)."
        )
    return np.where(np.isnan(losses), np.inf, losses)


def nondominated(losses, highs=None):
    """Which points no other point dominates.

    A point dominates another when it is at least as good in every objective and better in one. Equal points do
    not dominate each other.

    With `highs`, each loss is only known to lie in an interval, and intervals that overlap cannot be told apart: they
    are equally good. A measured difference within the noise then neither saves a point nor condemns it.

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized; with `highs` the lower ends.
        highs: float array of the same shape, the upper ends of the intervals. Defaults to `None`, losses are exact.

    Returns:
        bool array of shape (num_points,).

    Raises:
        UserError: `losses` is not two-dimensional, or `highs` has another shape or lies below `losses`.
    """
    losses = _as_losses(losses)
    if highs is not None:
        return _nondominated_intervals(losses, _as_losses(highs))
    if not len(losses):
        return np.zeros(0, dtype=bool)
    distinct, place = np.unique(losses, axis=0, return_inverse=True)
    # Rows of `distinct` are in lexicographic order: an earlier member of the front dominates a row, or nothing does.
    front = np.zeros(len(distinct), dtype=bool)
    if distinct.shape[1] <= 2:
        last = distinct[:, -1]
        front[0] = True
        front[1:] = last[1:] < np.minimum.accumulate(last)[:-1]
    else:
        for index, row in enumerate(distinct):
            front[index] = not np.all(distinct[:index][front[:index]] <= row, axis=1).any()
    return front[place.reshape(-1)]


def _nondominated_intervals(lows, highs):
    if lows.shape != highs.shape or (highs < lows).any():
        raise UserError(
            "`highs` must have the shape of `losses` and lie nowhere below them. "
            f"Received: shapes {lows.shape} and {highs.shape}."
        )
    front = np.ones(len(lows), dtype=bool)
    for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
        is_no_worse = (lows <= high).all(axis=1)
        is_better = (highs < low).any(axis=1)
        front[index] = not (is_no_worse & is_better).any()
    return front


def ranks(losses, violations=None):
    """Sorts points into fronts by constrained domination.

    1. Points within the limits (violation 0) come before all others.
    2. Among them, rank 0 is the front, rank 1 the front of the rest, and so on.
    3. The others follow by their violation, the smallest first; equal violations are sorted by domination.

    The sorting is the one of NSGA-II (DOI 10.1109/4235.996017).

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized.
        violations: float array of shape (num_points,), how far outside the limits, or None when there are none.
            NaN counts as infinity. Defaults to `None`.

    Returns:
        int array of shape (num_points,), 0 is best.

    Raises:
        UserError: `losses` is not two-dimensional, or `violations` has another length.
    """
    losses = _as_losses(losses)
    if violations is None:
        violations = np.zeros(len(losses))
    violations = np.asarray(violations, dtype=float).reshape(-1)
    if len(violations) != len(losses):
        raise UserError(
            f"`violations` must have one entry a point. Received: {len(violations)} entries for {len(losses)} points."
        )
    violations = np.where(np.isnan(violations), np.inf, np.maximum(violations, 0.0))
    rank = np.zeros(len(losses), dtype=int)
    next_rank = 0
    for violation in np.unique(violations):
        rest = np.flatnonzero(violations == violation)
        while len(rest):
            front = nondominated(losses[rest])
            rank[rest[front]] = next_rank
            rest = rest[~front]
            next_rank += 1
    return rank


def crowding_distance(losses):
    """How alone each point stands among the others; the ends of each objective are infinitely alone.

    Equal points share one distance, so the answer does not depend on the order of the points. The distance is the
    one of NSGA-II (DOI 10.1109/4235.996017).

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized; usually one front.

    Returns:
        float array of shape (num_points,); 0.0 for points with a loss that is not finite.

    Raises:
        UserError: `losses` is not two-dimensional.
    """
    losses = _as_losses(losses)
    distance = np.zeros(len(losses))
    finite = np.isfinite(losses).all(axis=1)
    if not finite.any():
        return distance
    distinct, place = np.unique(losses[finite], axis=0, return_inverse=True)
    alone = np.zeros(len(distinct))
    for column in distinct.T:
        order = np.argsort(column, kind="stable")
        alone[order[[0, -1]]] = np.inf
        spread = column[order[-1]] - column[order[0]]
        if spread > 0:
            alone[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    distance[finite] = alone[place.reshape(-1)]
    return distance


def hypervolume(losses, reference):
    """The volume that the points dominate, up to a reference point. Exact.

    One and two objectives are swept; more are cut into slices along the last objective, which is meant for up to
    four objectives and a few hundred points.

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized.
        reference: float array of shape (num_objectives,), a finite point worse than those that should count;
            points that are not better than it in every objective count nothing.

    Returns:
        float; 0.0 without points, infinity when a counted loss is minus infinity.

    Raises:
        UserError: `reference` is not finite, or its length is not the number of objectives.
    """
    reference = np.asarray(reference, dtype=float).reshape(-1)
    if not np.isfinite(reference).all():
        raise UserError(f"`reference` must be finite. Received: reference={reference.tolist()}.")
    losses = _as_losses(losses)
    if not len(losses):
        return 0.0
    if losses.shape[1] != len(reference):
        raise UserError(
            f"`reference` must have one entry an objective. Received: {len(reference)} entries for "
            f"{losses.shape[1]} objectives."
        )
    counted = losses[(losses < reference).all(axis=1)]
    if np.isneginf(counted).any():
        return float("inf")
    return float(_volume(counted, reference))


def _volume(points, reference):
    """Hypervolume of finite points that are all better than the reference."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return reference[0] - points.min()
    points = np.unique(points[nondominated(points)], axis=0)
    if points.shape[1] == 2:
        # Along the front the first loss rises while the second falls: each point adds a rectangle.
        tops = np.append(reference[1], points[:-1, 1])
        return np.sum((reference[0] - points[:, 0]) * (tops - points[:, 1]))
    points = points[np.argsort(points[:, -1], kind="stable")]
    levels = np.append(points[:, -1], reference[-1])
    heights = np.diff(levels)
    slices = (_volume(points[: i + 1, :-1], reference[:-1]) * height for i, height in enumerate(heights) if height > 0)
    return sum(slices, 0.0)


def knee(losses):
    """The point of the front where giving up a little of one loss stops to pay in the others.

    The front is scaled to 0..1 in each objective; the knee is the member with the smallest sum, which for two
    objectives is the one farthest below the line between the two ends.

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized; points with a loss that is not
            finite are passed over.

    Returns:
        int, an index into `losses`.

    Raises:
        UserError: no point is finite.
    """
    losses = _as_losses(losses)
    finite = np.isfinite(losses).all(axis=1)
    if not finite.any():
        raise UserError(f"`losses` must hold a finite point. Received: {len(losses)} points, none of them finite.")
    members = np.flatnonzero(finite)
    members = members[nondominated(losses[members])]
    front = losses[members]
    low = front.min(axis=0)
    spread = front.max(axis=0) - low
    sums = ((front - low) / np.where(spread > 0, spread, 1.0)).sum(axis=1)
    # Ties go to the lexicographically smallest point, so that the order of the points does not matter.
    order = np.lexsort((*front.T[::-1], np.round(sums, 12)))
    return int(members[order[0]])
