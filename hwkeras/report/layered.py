"""Where the boxes of a graph go that runs from top to bottom: rows by longest path, few crossings, straight lines.

The steps of Sugiyama, Tagawa and Toda (1981, DOI 10.1109/TSMC.1981.4308636): rows, an order within each row by the
barycenter of the neighbors, columns as near to the neighbors as the order allows.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from dataclasses import dataclass

from hwkeras.report.labels import Box

# Pixels between two boxes of a row, beside a line that passes, and between two rows.
_BOX_GAP, _BEND_WIDTH, _ROW_GAP = 18.0, 10.0, 30.0
# The last sweeps over the columns look at both neighbors, above and below, the others at one side alone.
_ORDER_SWEEPS, _COLUMN_SWEEPS, _LAST_SWEEPS = 12, 28, 12
# A line that passes through rows pulls this much more than a box: it is to be straight.
_BEND_WEIGHT = 3.0


@dataclass(frozen=True)
class Layout:
    """The places of boxes and lines, in pixels, y downwards, from (0, 0).

    Args:
        boxes: dict of name to `Box`.
        lines: dict of (source, target) to a tuple of points (x, y), none higher than the one before: pairs of points,
            between which the line is upright; from one pair to the next it crosses the gap between two rows.
        width: float.
        height: float.
    """

    boxes: dict
    lines: dict
    width: float
    height: float


def lay_out(sizes, edges):
    """Finds places for boxes so that every edge runs downwards and no two boxes overlap.

    Args:
        sizes: dict of name to (width, height) in pixels; a name comes after all that lead to it.
        edges: sequence of (source, target) names.

    Returns:
        Layout.
    """
    graph = _Graph(sizes, dict.fromkeys(edges))
    rows = _uncrossed(graph)
    centers = _columns(graph, rows)
    left = min(centers[node] - graph.width(node) / 2 for row in rows for node in row)
    centers = {node: center - left for node, center in centers.items()}
    bands = _bands(graph, rows)
    boxes = {name: _box(centers[name], bands[graph.ranks[name]], size) for name, size in sizes.items()}
    lines = {edge: _line(graph, edge, boxes, centers, bands) for edge in graph.edges}
    width = max(centers[node] + graph.width(node) / 2 for row in rows for node in row)
    return Layout(boxes, lines, width, bands[-1][1])


class _Graph:
    """The names in rows; where an edge skips rows, its source has a bend in each, which its other edges share."""

    def __init__(self, sizes, edges):
        self.sizes = sizes
        self.edges = tuple(edges)
        self.ranks = self._longest_paths()
        self.rows = [[] for _ in range(1 + max(self.ranks.values()))]
        for name, rank in self.ranks.items():
            self.rows[rank].append(name)
        self.above, self.below = defaultdict(list), defaultdict(list)
        for source, target in self.edges:
            path = [source, *self.bends(source, target), target]
            for upper, lower in zip(path, path[1:], strict=False):
                if lower not in self.below[upper]:
                    self.below[upper].append(lower)
                    self.above[lower].append(upper)
                if isinstance(lower, tuple) and lower not in self.rows[lower[1]]:
                    self.rows[lower[1]].append(lower)

    def _longest_paths(self):
        sources = defaultdict(list)
        for source, target in self.edges:
            sources[target].append(source)
        ranks = {}
        for name in self.sizes:
            ranks[name] = 1 + max((ranks[source] for source in sources[name]), default=-1)
        return ranks

    def bends(self, source, target):
        """Nodes (source, rank), one for each row between."""
        return [(source, rank) for rank in range(self.ranks[source] + 1, self.ranks[target])]

    def width(self, node):
        return _BEND_WIDTH if isinstance(node, tuple) else self.sizes[node][0]


def _uncrossed(graph):
    """The rows in the order with the fewest crossings that was met."""
    rows = [list(row) for row in graph.rows]
    best, fewest = rows, _crossings(graph, rows)
    for sweep in range(_ORDER_SWEEPS):
        if fewest == 0:
            break
        rows = [list(row) for row in rows]
        is_down = sweep % 2 == 0
        places = range(1, len(rows)) if is_down else range(len(rows) - 2, -1, -1)
        for place in places:
            fixed = {node: column for column, node in enumerate(rows[place - 1 if is_down else place + 1])}
            _sort_by_barycenter(rows[place], graph.above if is_down else graph.below, fixed)
        number = _crossings(graph, rows)
        if number < fewest:
            best, fewest = rows, number
    return best


def _sort_by_barycenter(row, neighbors, fixed):
    own = {node: column for column, node in enumerate(row)}
    row.sort(key=lambda node: _mean([fixed[other] for other in neighbors[node]], own[node]))


def _mean(values, otherwise):
    return sum(values) / len(values) if values else otherwise


def _crossings(graph, rows):
    total = 0
    for upper, lower in zip(rows, rows[1:], strict=False):
        columns, seen = {node: column for column, node in enumerate(lower)}, []
        for node in upper:
            ends = sorted(columns[other] for other in graph.below[node])
            total += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return total


def _columns(graph, rows):
    """The center of every node: near its neighbors, apart from those beside it."""
    centers = {}
    for row in rows:
        centers |= dict(zip(row, _apart(graph, row, [0.0] * len(row)), strict=True))
    for sweep in range(_COLUMN_SWEEPS):
        is_last = sweep >= _COLUMN_SWEEPS - _LAST_SWEEPS
        for row in rows if sweep % 2 == 0 else reversed(rows):
            sides = (graph.above, graph.below) if is_last else ((graph.above, graph.below)[sweep % 2],)
            wanted = [_mean([centers[other] for side in sides for other in side[node]], centers[node]) for node in row]
            centers |= dict(zip(row, _apart(graph, row, wanted), strict=True))
    return centers


def _apart(graph, row, wanted):
    """The centers nearest to those wanted, in squares, that keep the order and the gaps of a row.

    Less the least that each lies behind the first, centers must only not decrease: an isotonic regression.
    """
    offsets, at = [], 0.0
    for place, node in enumerate(row):
        if place:
            at += (graph.width(row[place - 1]) + graph.width(node)) / 2 + _BOX_GAP
        offsets.append(at)
    pools = []  # (mean, weight, number of nodes)
    for node, center, offset in zip(row, wanted, offsets, strict=True):
        pools.append((center - offset, _BEND_WEIGHT if isinstance(node, tuple) else 1.0, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, weight, count), (other, further, more) = pools[-2:]
            total = weight + further
            pools[-2:] = [((one * weight + other * further) / total, total, count + more)]
    shifts = [mean for mean, _, count in pools for _ in range(count)]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]


def _bands(graph, rows):
    """The upper and the lower edge of every row."""
    bands, top = [], 0.0
    for row in rows:
        height = max(graph.sizes[node][1] for node in row if not isinstance(node, tuple))
        bands.append((top, top + height))
        top += height + _ROW_GAP
    return bands


def _box(center, band, size):
    middle = sum(band) / 2
    return Box(center - size[0] / 2, middle - size[1] / 2, center + size[0] / 2, middle + size[1] / 2)


def _line(graph, edge, boxes, centers, bands):
    source, target = edge
    points = [(centers[source], boxes[source].bottom), (centers[source], bands[graph.ranks[source]][1])]
    for bend in graph.bends(source, target):
        points += [(centers[bend], edge_of_row) for edge_of_row in bands[bend[1]]]
    return (*points, (centers[target], bands[graph.ranks[target]][0]), (centers[target], boxes[target].top))
