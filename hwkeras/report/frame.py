"""The plotting area: values to pixels, the grid, and the limits drawn across it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from hwkeras.objectives import METRICS
from hwkeras.report.axis import Axis

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 78, 736, 58, 398


@dataclass(frozen=True)
class Frame:
    """The plotting area of one picture.

    Args:
        x_axis: `Axis` to the right.
        y_axis: `Axis` upwards.
    """

    x_axis: Axis
    y_axis: Axis

    def at(self, x, y):
        """Returns the pixels (from left, from top) of a pair of values."""
        return self.column(x), self.row(y)

    def column(self, x):
        """Returns pixels from the left."""
        return LEFT + self.x_axis.position(x) * (RIGHT - LEFT)

    def row(self, y):
        """Returns pixels from the top."""
        return BOTTOM - self.y_axis.position(y) * (BOTTOM - TOP)


def draw_grid(frame):
    """Draws grid lines at the ticks, the two axes and their titles.

    Args:
        frame: `Frame`.

    Returns:
        str of SVG elements.
    """
    parts = []
    for value, label in frame.x_axis.ticks:
        at = frame.column(value)
        parts.append(f'<line class="hwk-grid" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{BOTTOM}"/>')
        parts.append(f'<text class="hwk-tick" x="{at:.1f}" y="{BOTTOM + 19}" text-anchor="middle">{label}</text>')
    for value, label in frame.y_axis.ticks:
        at = frame.row(value)
        parts.append(f'<line class="hwk-grid" x1="{LEFT}" y1="{at:.1f}" x2="{RIGHT}" y2="{at:.1f}"/>')
        parts.append(f'<text class="hwk-tick" x="{LEFT - 9}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    parts.append(f'<path class="hwk-axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none"/>')
    return "\n".join([*parts, _x_title(frame.x_axis), _y_title(frame.y_axis)])


def _x_title(axis):
    title = escape(axis.title) + (", logarithmic" if axis.is_log else "")
    return f'<text x="{(LEFT + RIGHT) / 2:.1f}" y="{HEIGHT - 16}" text-anchor="middle">{title}</text>'


def _y_title(axis):
    middle = (TOP + BOTTOM) / 2
    title = escape(axis.title)
    return f'<text transform="translate(20 {middle:.1f}) rotate(-90)" text-anchor="middle">{title}</text>'


def draw_limit_x(frame, limit):
    """Draws a limit on the metric to the right: a dashed upright line, what lies beyond it tinted.

    Args:
        frame: `Frame`. Where the limit lies beyond its axis, an arrow at the edge tells so.
        limit: `Limit`.

    Returns:
        str of SVG elements.
    """
    if not frame.x_axis.holds(limit.bound):
        is_right = limit.bound > frame.x_axis.high
        at, anchor = (RIGHT - 2, "end") if is_right else (LEFT + 2, "start")
        text = f"limit {limit} \N{RIGHTWARDS ARROW}" if is_right else f"\N{LEFTWARDS ARROW} limit {limit}"
        return f'<text class="hwk-bound" x="{at}" y="{TOP - 7}" text-anchor="{anchor}">{text}</text>'
    at = frame.column(limit.bound)
    start, end = (at, RIGHT) if METRICS[limit.metric].direction == "min" else (LEFT, at)
    anchor = "end" if at > (LEFT + RIGHT) / 2 else "start"
    return (
        f'<rect class="hwk-outside" x="{start:.1f}" y="{TOP}" width="{end - start:.1f}" height="{BOTTOM - TOP}"/>'
        f'<line class="hwk-limit" x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{BOTTOM}"/>'
        f'<text class="hwk-bound" x="{at:.1f}" y="{TOP - 7}" text-anchor="{anchor}">limit {limit}</text>'
    )


def draw_limit_y(frame, limit):
    """Draws a limit on the metric upwards: a dashed level line, what lies beyond it tinted.

    Args:
        frame: `Frame`. Where the limit lies beyond its axis, an arrow at the edge tells so.
        limit: `Limit`.

    Returns:
        str of SVG elements.
    """
    if not frame.y_axis.holds(limit.bound):
        is_above = limit.bound > frame.y_axis.high
        arrow, at = ("\N{UPWARDS ARROW}", TOP + 15) if is_above else ("\N{DOWNWARDS ARROW}", BOTTOM - 9)
        return f'<text class="hwk-bound" x="{RIGHT - 6}" y="{at}" text-anchor="end">{arrow} limit {limit}</text>'
    at = frame.row(limit.bound)
    start, end = (at, BOTTOM) if METRICS[limit.metric].direction == "max" else (TOP, at)
    # Beside the best values, which lie to the left, the text would cover marks.
    text_at = at + 15 if at < TOP + 20 else at - 6
    return (
        f'<rect class="hwk-outside" x="{LEFT}" y="{start:.1f}" width="{RIGHT - LEFT}" height="{end - start:.1f}"/>'
        f'<line class="hwk-limit" x1="{LEFT}" y1="{at:.1f}" x2="{RIGHT}" y2="{at:.1f}"/>'
        f'<text class="hwk-bound" x="{RIGHT - 6}" y="{text_at:.1f}" text-anchor="end">limit {limit}</text>'
    )
