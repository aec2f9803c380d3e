"""The picture of a search: every candidate as a mark, the front as a staircase; one SVG, drawn by a pure function."""

from __future__ import annotations

import dataclasses
import math
from html import escape

from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.report.axis import fit_axis
from hwkeras.report.frame import BOTTOM
from hwkeras.report.frame import HEIGHT
from hwkeras.report.frame import LEFT
from hwkeras.report.frame import RIGHT
from hwkeras.report.frame import TOP
from hwkeras.report.frame import WIDTH
from hwkeras.report.frame import Frame
from hwkeras.report.frame import draw_grid
from hwkeras.report.frame import draw_limit_x
from hwkeras.report.frame import draw_limit_y
from hwkeras.report.labels import Box
from hwkeras.report.labels import place_labels
from hwkeras.report.marks import draw_legend
from hwkeras.report.marks import draw_mark
from hwkeras.report.marks import draw_ring
from hwkeras.report.marks import read_points
from hwkeras.report.results import identity
from hwkeras.report.results import metric_title

# A limit farther from the values than this many times their span is told at the edge, not drawn to scale.
_FAR = 1.0
_HIGHER_IS_BETTER = ("accuracy", "auc", "precision", "recall")

# Colors of Okabe and Ito (jfly.uni-koeln.de/color), darker on white and lighter on black where text needs it.
_STYLE = """
.hwk{--ink:#1f2933;--soft:#616e7c;--grid:#e4e7eb;--paper:#ffffff;--bound:#b3261e;
--float32:#0072b2;--float16:#009e73;--dynamic:#b87900;--int8:#d55e00;--other:#7b4b94;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
@media (prefers-color-scheme:dark){.hwk{--ink:#e4e7eb;--soft:#9aa5b1;--grid:#2a3440;--paper:#161b22;
--bound:#ff8a80;--float32:#56b4e9;--float16:#3ccf9e;--dynamic:#f0c244;--int8:#ff9248;--other:#cc9ce0}}
.hwk text{fill:var(--ink);font-size:13px}.hwk .hwk-tick{fill:var(--soft);font-size:12px}
.hwk .hwk-grid{stroke:var(--grid);stroke-width:1}.hwk .hwk-axis{stroke:var(--soft);stroke-width:1.2}
.hwk .hwk-front{fill:none;stroke:var(--ink);stroke-width:1.8;stroke-linejoin:round;opacity:.75}
.hwk .hwk-limit{stroke:var(--bound);stroke-width:1.4;stroke-dasharray:6 4}
.hwk .hwk-outside{fill:var(--bound);opacity:.06}
.hwk .hwk-bound,.hwk .hwk-label{font-size:12px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}
.hwk .hwk-bound{fill:var(--bound)}.hwk .hwk-label{font-weight:600}
.hwk .float32{--mark:var(--float32)}.hwk .float16{--mark:var(--float16)}.hwk .dynamic{--mark:var(--dynamic)}
.hwk .int8{--mark:var(--int8)}.hwk .other{--mark:var(--other)}.hwk .key{--mark:var(--soft)}
.hwk .hwk-mark{fill:var(--mark)}.hwk .hwk-dot{opacity:.5}
.hwk .hwk-hollow .hwk-mark{fill:none;stroke:var(--mark);stroke-width:1.3;opacity:.7}
.hwk .hwk-member path{stroke:var(--paper);stroke-width:1.5}
.hwk .hwk-ring{fill:none;stroke:var(--ink);stroke-width:1.6}
""".strip()


def front_svg(candidates, front, x="latency_ms", y="accuracy", *, limits=(), best=None):
    """Draws candidates, the front among them, and the limits.

    A candidate without both numbers is left out. The axis of `x` is logarithmic where the values span over 10x.

    Args:
        candidates: sequence of dict with `trial`, `precision`, `metrics`, as in the result document.
        front: sequence of dict, the members of the front; drawn even if they are not among `candidates`.
        x: str, the metric to the right. Defaults to `"latency_ms"`.
        y: str, the metric upwards. Defaults to `"accuracy"`.
        limits: sequence of `Limit` or str such as `"latency=5ms"`. Defaults to `()`.
        best: dict, the candidate to ring. Defaults to `None`.

    Returns:
        str, one `<svg>` element that is valid XML, with its own style for light and dark pages.
    """
    members = {identity(candidate) for candidate in front}
    others = [candidate for candidate in candidates if identity(candidate) not in members]
    dots, line = read_points(others, x, y), read_points(front, x, y)
    limits = [Limit.parse(limit) for limit in limits]
    frame = _frame(dots + line, x, y, limits)
    ringed = [point for point in line if best is not None and identity(point.candidate) == identity(best)]
    is_hollow = any(total_violation(limits, point.candidate["metrics"]) for point in dots)
    parts = [
        draw_grid(frame),
        *(draw_limit_x(frame, limit) for limit in limits if limit.metric == x),
        *(draw_limit_y(frame, limit) for limit in limits if limit.metric == y),
        _staircase(frame, line, x, y),
        *(draw_mark(frame, point, (x, y), is_member=False, limits=limits) for point in dots),
        *(draw_mark(frame, point, (x, y), is_member=True, limits=limits) for point in line),
        *(draw_ring(frame, point) for point in ringed),
        _names(frame, dots + line, _undominated(line, x, y)),
        draw_legend(dots + line, has_front=bool(line), has_best=bool(ringed), has_hollow=is_hollow),
        "" if dots or line else _say_empty(),
    ]
    return _svg(parts, x, y, len(dots) + len(line), len(line))


def _svg(parts, x, y, num_points, num_members):
    told = (
        f"{metric_title(y)} against {metric_title(x)}: {num_points} candidates drawn, {num_members} of them on the "
        "front. The tables below hold the same numbers."
    )
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="hwk" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'aria-label="{escape(told)}">\n<style>{_STYLE}</style>\n{body}\n</svg>'
    )


def _frame(points, x, y, limits):
    x_values, y_values = [point.x for point in points], [point.y for point in points]
    x_axis = fit_axis(x, x_values + _near(limits, x, x_values))
    if x == "latency_ms" and any(_is_estimated(point.candidate) for point in points):
        x_axis = dataclasses.replace(x_axis, title=f"{x_axis.title}, estimated")
    return Frame(x_axis, fit_axis(y, y_values + _near(limits, y, y_values), allow_log=False))


def _is_estimated(candidate):
    return (candidate.get("measurement") or {}).get("source") == "estimated"


def _near(limits, metric, values):
    """The limits as more values the axis must show, unless that would squeeze the values into a corner."""
    if not values:
        return []
    low, high = min(values), max(values)
    span = high - low or 0.2 * abs(high)
    bounds = [limit.bound for limit in limits if limit.metric == metric]
    return [bound for bound in bounds if low - _FAR * span <= bound <= high + _FAR * span]


def _direction(metric):
    if metric in METRICS:
        return METRICS[metric].direction
    return "max" if metric.endswith(_HIGHER_IS_BETTER) else "min"


def _staircase(frame, line, x, y):
    """The edge of what is reached: from each member, as good as it in `y` until the next is better."""
    corners = [frame.at(point.x, point.y) for point in _undominated(line, x, y)]
    if not corners:
        return ""
    start = BOTTOM if _direction(y) == "max" else TOP
    end = RIGHT if _direction(x) == "min" else LEFT
    path = f"M{corners[0][0]:.1f} {start}V{corners[0][1]:.1f}"
    path += "".join(f"H{column:.1f}V{row:.1f}" for column, row in corners[1:])
    return f'<path class="hwk-front" d="{path}H{end}"/>'


def _undominated(line, x, y):
    """With three objectives and more, the members that are also best in these two; best `x` first."""
    toward_x, toward_y = Objective(x, _direction(x)), Objective(y, _direction(y))
    best, steps = math.inf, []
    for point in sorted(line, key=lambda point: (toward_x.loss(point.x), toward_y.loss(point.y))):
        if toward_y.loss(point.y) < best:
            best = toward_y.loss(point.y)
            steps.append(point)
    return steps


def _names(frame, points, steps):
    """The trial of every corner of the staircase that has room for it beside its mark."""
    taken = [Box.around(*frame.at(point.x, point.y), 5.0) for point in points]
    area = Box(LEFT + 2, TOP, RIGHT, BOTTOM - 2)
    names = [str(point.candidate["trial"]) for point in steps]
    spots = place_labels([frame.at(point.x, point.y) for point in steps], names, taken, area)
    return "\n".join(
        f'<text class="hwk-label" x="{spot[0]:.1f}" y="{spot[1]:.1f}">{escape(name)}</text>'
        for name, spot in zip(names, spots, strict=True)
        if spot is not None
    )


def _say_empty():
    x, y = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    return f'<text x="{x}" y="{y}" text-anchor="middle">No candidate has both numbers.</text>'
