"""One axis of a picture: its range, whether it is logarithmic, and its ticks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.objectives import METRICS
from hwkeras.report.results import metric_title

# A range wider than this is drawn on a logarithmic scale; but not where the least value is as good as zero.
_LOG_RATIO, _MAX_LOG_RATIO = 10.0, 1e12
_PADDING = 0.06
_NUM_INTERVALS = 6
# Units an axis can be labeled in, as the tables print them, largest first: name and factor to the canonical unit.
_SCALES = {
    "ms": (("ms", 1.0),),
    "bytes": (("MiB", 2.0**20), ("KiB", 2.0**10), ("bytes", 1.0)),
    "count": (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0)),
    "mJ": (("mJ", 1.0),),
}


@dataclass(frozen=True)
class Axis:
    """A scale from values to the interval [0, 1].

    Args:
        low: float, the value at 0.
        high: float, the value at 1; larger than `low`.
        is_log: bool, whether equal ratios are equally far apart.
        ticks: tuple of (value, label), all within [low, high].
        title: str, the metric's name with its unit.
    """

    low: float
    high: float
    is_log: bool
    ticks: tuple[tuple[float, str], ...]
    title: str

    def position(self, value):
        """Returns where a value lies: 0.0 at `low`, 1.0 at `high`."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def holds(self, value):
        """Returns whether a value lies on the axis."""
        return self.low <= value <= self.high


def fit_axis(metric, values, *, allow_log=True):
    """Chooses an axis that shows all values with some room around them.

    Args:
        metric: str, metric name.
        values: sequence of finite floats; may be empty.
        allow_log: bool, whether a range over 10x may be drawn on a logarithmic scale. Defaults to `True`.

    Returns:
        Axis.
    """
    values = list(values) or [0.0, 1.0]
    is_log = allow_log and min(values) > 0 and _LOG_RATIO * min(values) < max(values) < _MAX_LOG_RATIO * min(values)
    low, high = _padded_log(values) if is_log else _padded(values)
    unit, factor = _scale(metric, max(values))
    steps = _log_ticks(low / factor, high / factor) if is_log else _linear_ticks(low / factor, high / factor)
    ticks = tuple((step * factor, _label(step)) for step in steps)
    title = f"{metric_title(metric)} ({unit})" if unit else metric_title(metric)
    return Axis(low, high, is_log, ticks, title)


def _padded(values):
    low, high = min(values), max(values)
    if high - low <= 1e-9 * abs(high):
        # One value alone, or many equal ones, would make an axis without length.
        margin = 0.1 * abs(high) or 1.0
        return low - margin, high + margin
    margin = _PADDING * (high - low)
    # Quantities that are never negative do not start left of 0.
    return (low - margin if low < 0 else max(0.0, low - margin)), high + margin


def _padded_log(values):
    ratio = (max(values) / min(values)) ** _PADDING
    return min(values) / ratio, max(values) * ratio


def _scale(metric, largest):
    scales = _SCALES.get(METRICS[metric].unit, ()) if metric in METRICS else ()
    return next((scale for scale in scales if largest >= scale[1]), scales[-1] if scales else ("", 1.0))


def _linear_ticks(low, high):
    rough = (high - low) / _NUM_INTERVALS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _log_ticks(low, high):
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # Over three decades there is room for the powers of ten alone.
    digits = (1, 2, 5) if high / low < 1e3 else (1,)
    ticks = [digit * 10.0**decade for decade in decades for digit in digits]
    return [tick for tick in ticks if low <= tick <= high]


def _label(value):
    # Ten digits wash out the noise of sums such as 0.1 + 0.2.
    value = float(f"{value:.10g}")
    return f"{value:.10f}".rstrip("0").rstrip(".") or "0" if 1e-6 < abs(value) < 1e9 else f"{value:g}"
