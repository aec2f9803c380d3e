"""What the cost model knows of a few random candidates: asked once, before anything is trained."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hwkeras.objectives import total_violation


class Survey:
    """Some random candidates and their costs.

    Args:
        codes: int array of shape (num_candidates, num_genes).
        costs: list of dict of metric name to float, one a candidate.
        limits: sequence of `hwkeras.objectives.Limit`.
    """

    def __init__(self, codes, costs, limits):
        self.codes, self.costs = codes, costs
        self._limits = limits
        self._losses = {}

    @cached_property
    def able(self):
        """int array, the places of those within the limits."""
        within = [place for place, cost in enumerate(self.costs) if total_violation(self._limits, cost) <= 0]
        return np.array(within, dtype=int)

    @cached_property
    def known(self):
        """frozenset of str, the metrics that the cost model knows of all within the limits; of all where none is.

        What lies outside may have been turned down before all of it was known.
        """
        costs = [self.costs[place] for place in self.able] or self.costs
        names = [{name for name, value in cost.items() if value is not None and math.isfinite(value)} for cost in costs]
        return frozenset.intersection(*map(frozenset, names)) if names else frozenset()

    def usual(self, name):
        """The median of a cost.

        Args:
            name: str, of a metric.

        Returns:
            float, in the metric's unit, of those whose cost is known; NaN where none is.
        """
        values = [cost[name] for cost in self.costs if cost.get(name) is not None]
        return float(np.median(values)) if values else math.nan

    def losses(self, objective):
        """A metric of all of them, turned so that less is better.

        Args:
            objective: `hwkeras.objectives.Objective`.

        Returns:
            float array of shape (num_candidates,), not finite where it is unknown; not to be written to.
        """
        key = (objective.metric, objective.direction)
        if key not in self._losses:
            values = [cost.get(objective.metric) for cost in self.costs]
            losses = [objective.loss(math.nan if value is None else value) for value in values]
            self._losses[key] = np.array(losses, dtype=float)
        return self._losses[key]
