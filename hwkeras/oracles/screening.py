"""Candidates turned down before training: how many, how near the best of them came, which limit binds."""

from __future__ import annotations

import math

from hwkeras.objectives import METRICS
from hwkeras.objectives import total_violation
from hwkeras.units import format_quantity

# How many of the nearest candidates are kept as parents of guided draws.
_NUM_NEAREST = 16


class Screening:
    """Judges candidates by what is known before training, and remembers the nearest misses.

    Args:
        limits: sequence of `hwkeras.objectives.Limit`.

    Attributes:
        num_rejected: int, draws turned down, those that cannot be built included.
        num_unbuildable: int, draws that cannot be built.
        nearest: dict of metric name to the value nearest to (or deepest within) the limit on it.
        near_misses: list of dict with `values`, `metrics` and `violation`, the least violation first.
    """

    def __init__(self, limits):
        self.limits = tuple(limits)
        self.num_rejected = 0
        self.num_unbuildable = 0
        self.nearest = {}
        self.near_misses = []

    @property
    def least_violation(self):
        """float, the violation of the nearest miss; infinity when there is none."""
        return self.near_misses[0]["violation"] if self.near_misses else math.inf

    def accepts(self, values, cost, is_remembered=True):
        """Judges a candidate, and takes note of it when it is turned down.

        Args:
            values: dict of hyperparameter name to value.
            cost: dict of metric name to float, or None for a candidate that cannot be built.
            is_remembered: bool, whether it may become one of the near misses. Defaults to `True`.

        Returns:
            bool, whether it lies within the limits as far as is known.
        """
        if cost is None:
            self.num_rejected += 1
            self.num_unbuildable += 1
            return False
        self._note_nearest(cost)
        violation = total_violation(self.limits, cost)
        if violation <= 0:
            return True
        self.num_rejected += 1
        if is_remembered and math.isfinite(violation):
            self._note_miss(values, cost, violation)
        return False

    def explain(self, num_draws):
        """Says which limit binds, and the nearest value seen.

        Args:
            num_draws: int, how many candidates were drawn in vain.

        Returns:
            str, with the way out.
        """
        if not self.near_misses:
            return (
                f"No candidate can be measured in {num_draws} draws: the cost model gave no usable metrics for any of "
                "them. Widen the space, or check that its models can be built and converted."
            )
        alone = [limit for limit in self.limits if self._violation_at_best(limit) > 0]
        if alone:
            binds = " and ".join(f"{limit} binds; {self._nearest_text(limit)}" for limit in alone)
        else:
            metrics = self.near_misses[0]["metrics"]
            known = [limit for limit in self.limits if limit.metric in metrics]
            near = ", ".join(_quantity(limit, metrics[limit.metric]) for limit in known)
            binds = f"{' and '.join(map(str, known))} bind together; the nearest candidate has {near}"
        return f"No candidate lies within the limits in {num_draws} draws: {binds}. Raise the limit or widen the space."

    def get_counts(self):
        """Returns:
        dict, JSON-able and small: the state without the near misses.
        """
        return {
            "num_rejected": self.num_rejected,
            "num_unbuildable": self.num_unbuildable,
            "nearest": dict(self.nearest),
        }

    def get_state(self):
        """Returns:
        dict, JSON-able.
        """
        return {**self.get_counts(), "near_misses": list(self.near_misses)}

    def set_state(self, state):
        """Takes over a state of `get_state`; the near misses are judged again, by the limits of today.

        Args:
            state: dict.
        """
        self.num_rejected = state["num_rejected"]
        self.num_unbuildable = state["num_unbuildable"]
        self.nearest = dict(state["nearest"])
        self.near_misses = []
        for miss in state["near_misses"]:
            violation = total_violation(self.limits, miss["metrics"])
            if 0 < violation < math.inf:
                self._note_miss(miss["values"], miss["metrics"], violation)

    def _note_nearest(self, cost):
        for limit in self.limits:
            value = cost.get(limit.metric)
            if value is None or not math.isfinite(value):
                continue
            better = min if METRICS[limit.metric].direction == "min" else max
            self.nearest[limit.metric] = better(float(value), self.nearest.get(limit.metric, float(value)))

    def _note_miss(self, values, cost, violation):
        if any(miss["values"] == values for miss in self.near_misses):
            return
        metrics = {name: float(value) for name, value in cost.items() if value is not None and math.isfinite(value)}
        self.near_misses.append({"values": dict(values), "metrics": metrics, "violation": float(violation)})
        # The sort is stable: of equal misses the first one seen stays first, before and after a reload.
        self.near_misses.sort(key=lambda miss: miss["violation"])
        del self.near_misses[_NUM_NEAREST:]

    def _violation_at_best(self, limit):
        return limit.violation({limit.metric: self.nearest.get(limit.metric)})

    def _nearest_text(self, limit):
        metric = METRICS[limit.metric]
        end = "smallest" if metric.direction == "min" else "largest"
        return f"the {end} {metric.limit_name} seen is {format_quantity(self.nearest[limit.metric], metric.unit)}"


def _quantity(limit, value):
    metric = METRICS[limit.metric]
    return f"{metric.limit_name} {format_quantity(value, metric.unit)}"
