"""What is wanted of a model: metrics with their unit and direction, objectives, limits. Frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
    """

    name: str
    unit: str
    direction: str
    limit_name: str
    is_static: bool = True


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "fraction", "max", "accuracy", is_static=False),
        Metric("latency_ms", "ms", "min", "latency"),
        Metric("size_bytes", "bytes", "min", "size"),
        Metric("peak_ram_bytes", "bytes", "min", "peak_ram"),
        Metric("macs", "count", "min", "macs"),
        Metric("params", "count", "min", "params"),
        Metric("energy_mj", "mJ", "min", "energy"),
    )
}
_BY_LIMIT_NAME = {metric.limit_name: metric for metric in METRICS.values()}


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
            spec: str name of a metric; or `"val_auc:max"` for one of Keras' own; or an `Objective`; or any
                object with `name` and `direction` (a `keras_tuner.Objective`).

        Returns:
            Objective.

        Raises:
            UserError: an unknown name without a direction.
        """
        if isinstance(spec, cls):
            return spec
        if hasattr(spec, "name") and hasattr(spec, "direction"):
            return cls(spec.name, spec.direction)
        name, _, direction = str(spec).partition(":")
        if direction:
            return cls(name, direction)
        if name in METRICS:
            return cls(name, METRICS[name].direction)
        if name in _BY_LIMIT_NAME:
            return cls(_BY_LIMIT_NAME[name].name, _BY_LIMIT_NAME[name].direction)
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

    @classmethod
    def parse(cls, spec):
        """Reads `"latency=5ms"`, `"size=200KiB"`, `"peak_ram=96KiB"`, `"macs=3M"`, `"accuracy=0.9"`.

        Args:
            spec: str, or a `Limit`, which is returned as it is.

        Returns:
            Limit.

        Raises:
            UserError: an unknown name, an unknown unit, no `=`.
        """
        if isinstance(spec, cls):
            return spec
        name, equals, quantity = str(spec).partition("=")
        name = name.strip()
        metric = _BY_LIMIT_NAME.get(name) or METRICS.get(name)
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
        if metrics.get(self.metric) is None:
            return 0.0
        value = float(metrics[self.metric])
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
