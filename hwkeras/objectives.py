"""What is wanted of a model: metrics with their unit and direction, objectives, limits. Frozen values.

A search may ask for several devices at once. What is measured on a device other than the first carries its name:
`latency_ms@pi4`, or in a limit `latency@pi4=8ms`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import replace

from hwkeras.errors import UserError
from hwkeras.units import format_quantity
from hwkeras.units import parse_quantity


@dataclass(frozen=True)
class Metric:
    """A quantity every part of hwkeras knows by the same name.

    Args:
        name: str, the key in logs, trial metrics and JSON; holds its unit.
        unit: str, canonical unit (see `units.parse_quantity`).
        direction: `"min"` or `"max"`, which way is better.
        limit_name: str, how a limit on it is written (`latency=5ms`).
        is_static: bool, whether it is known before training. Defaults to `True`.
        is_per_device: bool, whether it differs between devices; else it is read off the file. Defaults to `False`.
    """

    name: str
    unit: str
    direction: str
    limit_name: str
    is_static: bool = True
    is_per_device: bool = False


class _Metrics(dict):
    """Metrics by name; a name may end in `@` and a device. Iterating gives those without a device."""

    def __missing__(self, name):
        base, device = split_device(name)
        if not device or base not in self.keys() or not self[base].is_static:
            raise KeyError(name)
        return replace(self[base], name=name, limit_name=on_device(self[base].limit_name, device))

    def __contains__(self, name):
        return self.get(name) is not None

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default


def split_device(name):
    """Takes the device off a name.

    Args:
        name: str, such as `"latency_ms"` or `"latency_ms@pi4"`.

    Returns:
        tuple of the name without a device, and the device or None.
    """
    base, at, device = str(name).partition("@")
    return base, device if at else None


def on_device(name, device):
    """The name of a metric on a device.

    Args:
        name: str.
        device: str, or None for the first device of a search.

    Returns:
        str: `"latency_ms@pi4"`, or the name as it is.
    """
    return name if device is None else f"{name}@{device}"


METRICS = _Metrics(
    (metric.name, metric)
    for metric in (
        Metric("accuracy", "fraction", "max", "accuracy", is_static=False),
        # Of the deployed file as well, where they are asked for; the last two for numbers instead of classes.
        Metric("f1", "fraction", "max", "f1", is_static=False),
        Metric("auc", "fraction", "max", "auc", is_static=False),
        # How sure the answers are of the truth: tells files apart where few samples give them all one accuracy.
        Metric("log_loss", "value", "min", "log_loss", is_static=False),
        # Intersection over union of each class, the mean of them: of answers for every pixel.
        Metric("mean_iou", "fraction", "max", "mean_iou", is_static=False),
        Metric("mae", "value", "min", "mae", is_static=False),
        Metric("rmse", "value", "min", "rmse", is_static=False),
        Metric("latency_ms", "ms", "min", "latency", is_per_device=True),
        Metric("size_bytes", "bytes", "min", "size"),
        # What a download of the file takes; zeros and shared values make it less, which training brings about.
        Metric("gzip_bytes", "bytes", "min", "gzip", is_static=False),
        Metric("peak_ram_bytes", "bytes", "min", "peak_ram"),
        Metric("macs", "count", "min", "macs"),
        Metric("params", "count", "min", "params"),
        Metric("energy_mj", "mJ", "min", "energy", is_per_device=True),
        Metric("p90_ms", "ms", "min", "p90", is_per_device=True),
    )
)
_BY_LIMIT_NAME = {metric.limit_name: metric for metric in METRICS.values()}


def _find(name):
    """The metric of a name as a metric or as a limit, with or without a device; None for another word."""
    base, device = split_device(name)
    metric = _BY_LIMIT_NAME.get(base)
    return METRICS.get(on_device(metric.name, device) if metric is not None else name)


@dataclass(frozen=True)
class Objective:
    """A metric to optimize.

    Args:
        metric: str, a name of `METRICS`, or one of Keras' own such as `val_loss`.
        direction: `"min"` or `"max"`.

    Raises:
        UserError: the direction is neither, or contradicts what the metric means.
    """

    metric: str
    direction: str

    def __post_init__(self):
        if self.direction not in ("min", "max"):
            raise UserError(f"`direction` must be 'min' or 'max'. Received: direction={self.direction!r}.")
        known = METRICS.get(self.metric)
        if known and known.direction != self.direction:
            raise UserError(
                f"`{self.metric}` is better {known.direction}. Received: direction={self.direction!r}. "
                f"Pass {self.metric!r} alone; its direction is known."
            )

    @classmethod
    def parse(cls, spec):
        """Reads an objective from its name.

        Args:
            spec: str name of a metric, on a device if it says so (`"latency_ms"`, `"latency@pi4"`); or `"val_auc:max"`
                for one of Keras' own; or an `Objective`; or any object with `name` and `direction` (a
                `keras_tuner.Objective`).

        Returns:
            Objective.

        Raises:
            UserError: an unknown name without a direction.
        """
        if isinstance(spec, cls):
            return spec
        if hasattr(spec, "name") and hasattr(spec, "direction"):
            return cls(spec.name, spec.direction)
        metric = _find(str(spec))
        if metric is not None:
            return cls(metric.name, metric.direction)
        name, _, direction = str(spec).partition(":")
        if direction:
            return cls(name, direction)
        if name.startswith("val_") and name.endswith(("accuracy", "loss")):
            return cls(name, "min" if name.endswith("loss") else "max")
        raise UserError(
            f"An objective is one of {', '.join(METRICS)}, or a Keras metric with its direction such as "
            f"'val_auc:max'. Received: {spec!r}."
        )

    def loss(self, value):
        """The value turned so that less is better; NaN becomes infinity.

        Args:
            value: float.

        Returns:
            float.
        """
        value = float(value)
        if math.isnan(value):
            return math.inf
        return value if self.direction == "min" else -value


@dataclass(frozen=True)
class Limit:
    """A bound every shipped model must keep: at most, or at least for metrics that are better larger.

    Args:
        metric: str, a name of `METRICS`.
        bound: float, in the metric's canonical unit.

    Raises:
        UserError: an unknown metric, or a bound that is not positive and finite.
    """

    metric: str
    bound: float

    def __post_init__(self):
        if self.metric not in METRICS:
            raise UserError(f"A limit is on one of {', '.join(METRICS)}. Received: metric={self.metric!r}.")
        if not math.isfinite(self.bound) or self.bound <= 0:
            raise UserError(f"`bound` must be positive and finite. Received: bound={self.bound!r}.")

    @property
    def device(self):
        """str, the device it is on; None for the first of a search, and for what is read off the file."""
        return split_device(self.metric)[1]

    @classmethod
    def parse(cls, spec):
        """Reads `"latency=5ms"`, `"size=200KiB"`, `"peak_ram=96KiB"`, `"macs=3M"`, `"accuracy=0.9"`, `"p90@pi4=8ms"`.

        Args:
            spec: str, or a `Limit`, which is returned as it is.

        Returns:
            Limit.

        Raises:
            UserError: an unknown name, an unknown unit, no `=`.
        """
        if isinstance(spec, cls):
            return spec
        name, equals, quantity = str(spec).rpartition("=")  # the address of a device may hold another one
        metric = _find(name.strip())
        if not equals or metric is None:
            raise UserError(
                f"A limit is written NAME=QUANTITY with NAME one of {', '.join(_BY_LIMIT_NAME)}, such as "
                f"latency=5ms or size=200KiB. Received: {spec!r}."
            )
        return cls(metric.name, parse_quantity(quantity, metric.unit))

    def __str__(self):
        metric = METRICS[self.metric]
        return f"{metric.limit_name}={format_quantity(self.bound, metric.unit).replace(' ', '')}"

    def violation(self, metrics):
        """How far outside the limit, as a share of the bound.

        Args:
            metrics: dict of metric name to float.

        Returns:
            float: 0.0 inside, and where the metric is not (yet) known; positive outside; infinity for NaN.
        """
        value = metrics.get(self.metric)
        if value is None and not METRICS[self.metric].is_per_device:
            value = metrics.get(split_device(self.metric)[0])  # a file is as large on every device
        if value is None:
            return 0.0
        value = float(value)
        if math.isnan(value):
            return math.inf
        excess = value - self.bound if METRICS[self.metric].direction == "min" else self.bound - value
        return max(0.0, excess / self.bound)


def total_violation(limits, metrics):
    """Sum of the violations of all limits; 0.0 exactly when every known metric lies within them.

    Args:
        limits: sequence of `Limit`.
        metrics: dict of metric name to float.

    Returns:
        float.
    """
    return sum(limit.violation(metrics) for limit in limits)
