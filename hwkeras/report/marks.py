"""The marks of candidates: shape and color tell the precision, so that it shows in gray and to every eye."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from hwkeras.objectives import total_violation
from hwkeras.report.frame import LEFT
from hwkeras.report.results import metric_text
from hwkeras.report.results import metric_title

_SHAPES = {"float32": "circle", "float16": "square", "dynamic": "triangle", "int8": "diamond"}
_OTHER = "other"
# Corners as multiples of the radius, chosen to give the shapes about one area.
_CORNERS = {
    "square": ((-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)),
    "triangle": ((0, -1.3), (1.17, 0.75), (-1.17, 0.75)),
    "diamond": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
    "cross": (
        *((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4)),
        *((0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
    ),
}
_MEMBER_RADIUS, _DOT_RADIUS, _RING_RADIUS = 6.5, 4.2, 11.5
_LEGEND_ROW, _CHARACTER_WIDTH = 18, 8.2


@dataclass(frozen=True)
class Point:
    """A candidate with both numbers of a picture.

    Args:
        x: float, finite.
        y: float, finite.
        candidate: dict of the result document.
    """

    x: float
    y: float
    candidate: dict

    @property
    def color(self):
        """str: the precision, which is also the class that colors it."""
        precision = self.candidate["precision"]
        return precision if precision in _SHAPES else _OTHER


def read_points(candidates, x, y):
    """Returns a `Point` for every candidate that has both metrics, finite, in the order given."""
    points = []
    for candidate in candidates:
        values = [candidate["metrics"].get(name) for name in (x, y)]
        if all(value is not None and math.isfinite(value) for value in values):
            points.append(Point(*values, candidate))
    return points


def draw_mark(frame, point, metrics, *, is_member, limits=()):
    """Draws one candidate, with a tooltip that tells its numbers.

    Args:
        frame: `Frame`.
        point: `Point`.
        metrics: pair of str, the metrics of the picture.
        is_member: bool, whether it is on the front, and so drawn larger.
        limits: sequence of `Limit`; a candidate that breaks one is drawn hollow. Defaults to `()`.

    Returns:
        str of SVG elements.
    """
    candidate = point.candidate
    broken = [str(limit) for limit in limits if total_violation([limit], candidate["metrics"])]
    kind = "hwk-member" if is_member else "hwk-hollow" if broken else "hwk-dot"
    told = [f"trial {candidate['trial']}, {candidate['precision']}"]
    told += [f"{metric_title(name)} {metric_text(name, candidate['metrics'][name])}" for name in metrics]
    told += [str(candidate.get("architecture", ""))] + [f"outside {limit}" for limit in broken]
    shape = _shape(point.color, *frame.at(point.x, point.y), _MEMBER_RADIUS if is_member else _DOT_RADIUS)
    return (
        f'<g class="{kind}" data-trial="{escape(str(candidate["trial"]))}" data-x="{point.x!r}" data-y="{point.y!r}">'
        f'<path class="hwk-mark {point.color}" d="{shape}"/><title>{escape(chr(10).join(told))}</title></g>'
    )


def draw_ring(frame, point):
    """Draws the ring that marks the best candidate."""
    column, row = frame.at(point.x, point.y)
    return f'<circle class="hwk-ring" cx="{column:.1f}" cy="{row:.1f}" r="{_RING_RADIUS}"/>'


def draw_legend(points, *, has_front, has_best, has_hollow):
    """Draws one row above the plot that names what occurs in it.

    Args:
        points: sequence of `Point`.
        has_front: bool, whether the front's line is drawn.
        has_best: bool, whether a ring is drawn.
        has_hollow: bool, whether a hollow mark is drawn.

    Returns:
        str of SVG elements.
    """
    present = {point.color for point in points}
    entries = [
        (name, lambda at, name=name: f'<path class="hwk-mark {name}" d="{_shape(name, at, _LEGEND_ROW, 5.5)}"/>')
        for name in (*_SHAPES, _OTHER)
        if name in present
    ]
    if has_hollow:
        hollow = '<g class="hwk-hollow"><path class="hwk-mark key" d="{}"/></g>'
        entries.append(("outside a limit", lambda at: hollow.format(_shape("float32", at, _LEGEND_ROW, 4.5))))
    if has_front:
        entries.append(("front", lambda at: f'<path class="hwk-front" d="M{at - 6:.1f} 23V14H{at + 7:.1f}"/>'))
    if has_best:
        entries.append(("best", lambda at: f'<circle class="hwk-ring" cx="{at:.1f}" cy="{_LEGEND_ROW}" r="6.5"/>'))
    parts, at = [], LEFT + 8.0
    for name, draw in entries:
        parts.append(f'{draw(at)}<text x="{at + 12:.1f}" y="{_LEGEND_ROW + 4.5}">{name}</text>')
        at += 38 + _CHARACTER_WIDTH * len(name)
    return "\n".join(parts)


def _shape(precision, column, row, radius):
    kind = _SHAPES.get(precision, "cross")
    if kind == "circle":
        arc = f"a{radius} {radius} 0 1 0"
        return f"M{column - radius:.1f} {row:.1f}{arc} {2 * radius} 0{arc} {-2 * radius} 0Z"
    return "M" + "L".join(f"{column + dx * radius:.1f} {row + dy * radius:.1f}" for dx, dy in _CORNERS[kind]) + "Z"
