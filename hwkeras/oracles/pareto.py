"""Pareto tools in numpy; all losses are minimized.

Losses are float arrays of shape (num_points, num_objectives). NaN counts as infinity: a value nobody knows is never
better than one that is known.
"""

from __future__ import annotations

from bisect import bisect_right

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
    are equally good. A measured difference within the noise then neither saves a point nor condemns it. With noise in
    three objectives or more, points may beat each other in a ring, and none be left; `ranks` knows a way out.

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
    _check_intervals(lows, highs)
    return ~_dominations(lows, highs).any(axis=0)


def _check_intervals(lows, highs):
    if lows.shape != highs.shape or (highs < lows).any():
        raise UserError(
            "`highs` must have the shape of `losses` and lie nowhere below them. "
            f"Received: shapes {lows.shape} and {highs.shape}."
        )


def _dominations(lows, highs):
    """Bool array of shape (num_points, num_points): entry (i, j) says that i dominates j, noise or not."""
    is_no_worse = np.ones((len(lows), len(lows)), dtype=bool)
    is_better = ~is_no_worse
    for low, high in zip(lows.T, highs.T, strict=True):
        is_no_worse &= low[:, None] <= high
        is_better |= high[:, None] < low
    return is_no_worse & is_better


def ranks(losses, violations=None, highs=None):
    """Sorts points into fronts by constrained domination.

    1. Points within the limits (violation 0) come before all others.
    2. Among them, rank 0 is the front, rank 1 the front of the rest, and so on.
    3. The others follow by their violation, the smallest first; equal violations are sorted by domination.

    The sorting is the one of NSGA-II (DOI 10.1109/4235.996017).

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized.
        violations: float array of shape (num_points,), how far outside the limits, or None when there are none.
            NaN counts as infinity. Defaults to `None`.
        highs: float array of the shape of `losses`, which then are the lower ends of intervals, see `nondominated`. In
            a ring of points each of which beats the next, those that the fewest others beat make the front. Defaults
            to `None`, losses are exact.

    Returns:
        int array of shape (num_points,), 0 is best.

    Raises:
        UserError: `losses` is not two-dimensional, `violations` has another length, or `highs` has another shape or
            lies below `losses`.
    """
    losses = _as_losses(losses)
    if highs is not None:
        highs = _as_losses(highs)
        _check_intervals(losses, highs)
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
        for front in _fronts(losses[rest]) if highs is None else _interval_fronts(losses[rest], highs[rest]):
            rank[rest[front]] = next_rank
            next_rank += 1
    return rank


def _fronts(losses):
    """Yields the indices of one front after the other."""
    if losses.shape[1] <= 2:
        places = _front_places(losses)
        yield from (np.flatnonzero(places == place) for place in range(places.max(initial=-1) + 1))
        return
    rest = np.arange(len(losses))
    while len(rest):
        front = nondominated(losses[rest])
        yield rest[front]
        rest = rest[~front]


def _front_places(losses):
    """Int array of shape (num_points,), the front each point of one or two losses is on, in one pass.

    In lexicographic order a point is dominated by a front when the last member before it is as good in the second loss,
    and of later fronts that loss is ever higher (Jensen, 2003, DOI 10.1109/TEVC.2003.817234).
    """
    distinct, place = np.unique(losses, axis=0, return_inverse=True)
    lasts, fronts = [], []
    for loss in (distinct[:, 1] if losses.shape[1] == 2 else np.zeros(len(distinct))).tolist():
        front = bisect_right(lasts, loss)
        lasts[front : front + 1] = [loss]
        fronts.append(front)
    return np.array(fronts, dtype=int)[place.reshape(-1)]


def _interval_fronts(lows, highs):
    dominations = _dominations(lows, highs)
    num_better = dominations.sum(axis=0)
    is_left = np.ones(len(lows), dtype=bool)
    while is_left.any():
        # Overlapping is not transitive: with several noisy objectives, points may beat each other in a ring.
        front = np.flatnonzero(is_left & (num_better == num_better[is_left].min()))
        yield front
        is_left[front] = False
        num_better = num_better - dominations[front].sum(axis=0)


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


def crowded_places(losses, violations):
    """Sorts points by front under constrained domination, and within a front by crowding, the loneliest first.

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized.
        violations: sequence of float of shape (num_points,), how far outside the limits.

    Returns:
        int array of shape (num_points,), the place of each, 0 for the best; equals share one.
    """
    rank = ranks(losses, violations)
    crowding = np.zeros(len(rank))
    if np.ndim(losses) == 2 and np.shape(losses)[1] > 1:
        for level in np.unique(rank):
            crowding[rank == level] = crowding_distance(losses[rank == level])
    keys = np.stack([rank.astype(float), -crowding], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def hypervolume(losses, reference):
    """The volume that the points dominate, up to a reference point. Exact.

    Up to four objectives are swept: the work grows with the number of points n on the front as n log n (two), n^2
    (three), n^3 (four), all but one loop of it in numpy; 200 points in four objectives take some ten milliseconds.
    More are cut into slices of four, which is exact too, and slow.

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
    if points.shape[1] <= 4:
        return _swept(points, reference)
    points = points[np.argsort(points[:, -1], kind="stable")]
    levels = np.append(points[:, -1], reference[-1])
    heights = np.diff(levels)
    slices = (_volume(points[: i + 1, :-1], reference[:-1]) * height for i, height in enumerate(heights) if height > 0)
    return sum(slices, 0.0)


def _swept(points, reference):
    """Hypervolume of three or four objectives by a sweep along the first.

    The middle objectives span a grid with a line through every point. `floor` holds for each cell the least last loss
    of the points swept so far that dominate the cell; a point lowers it over the cells behind it, and what it takes
    off counts from the point to the reference along the first objective.
    """
    middle = points[:, 1:-1]
    lines = [np.unique(column) for column in middle.T]
    widths = [np.diff(np.append(line, end)) for line, end in zip(lines, reference[1:-1], strict=True)]
    cells = widths[0] if len(widths) == 1 else np.outer(*widths)
    corners = [np.searchsorted(line, column) for line, column in zip(lines, middle.T, strict=True)]
    floor = np.full(cells.shape, reference[-1])
    volume = 0.0
    for point, *corner in zip(points, *corners, strict=True):  # `np.unique` has sorted them by the first objective
        behind = tuple(slice(start, None) for start in corner)
        lowered = np.maximum(floor[behind] - point[-1], 0.0)
        volume += np.sum(lowered * cells[behind]) * (reference[0] - point[0])
        floor[behind] = np.minimum(floor[behind], point[-1])
    return volume


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


def epsilon_front(losses, epsilons):
    """A front thinned to at most one point a box, so that it stays small and yet close to every point.

    The losses are cut into boxes of `epsilons`, the edges at whole multiples. Boxes that another box dominates are
    left; of each other box, the point nearest to its best corner stays. Every point of the front is then exceeded by
    less than `epsilons` in every objective by one that stays. What stays is on the front itself. It is the archive of
    Laumanns et al. (DOI 10.1162/106365602760234108) with boxes of a fixed size, after all points have come.

    Args:
        losses: float array of shape (num_points, num_objectives), all minimized; points with a loss that is not
            finite are passed over.
        epsilons: positive float, or float array of shape (num_objectives,), the sides of a box: differences smaller
            than that do not matter.

    Returns:
        bool array of shape (num_points,), which points stay; of equal points the first.

    Raises:
        UserError: `losses` is not two-dimensional, or `epsilons` are not positive and finite, one an objective.
    """
    losses = _as_losses(losses)
    epsilons = np.asarray(epsilons, dtype=float)
    if epsilons.shape not in ((), losses.shape[1:]) or not (np.isfinite(epsilons) & (epsilons > 0)).all():
        raise UserError(
            "`epsilons` must be positive and finite, one for all objectives or one for each. Received: "
            f"epsilons={epsilons.tolist()} for {losses.shape[1]} objectives."
        )
    finite = np.flatnonzero(np.isfinite(losses).all(axis=1))
    scaled = losses[finite] / epsilons
    boxes = np.floor(scaled)
    chosen = np.flatnonzero(nondominated(boxes))
    # Sorted by box, then by distance from its corner, then by the losses: the first of each box stays.
    distance = ((scaled - boxes)[chosen] ** 2).sum(axis=1)
    order = np.lexsort((*losses[finite][chosen].T[::-1], distance, *boxes[chosen].T[::-1]))
    _, first = np.unique(boxes[chosen][order], axis=0, return_index=True)
    stays = np.zeros(len(losses), dtype=bool)
    stays[finite[chosen[order[first]]]] = True
    return stays
