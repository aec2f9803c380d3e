"""How much a search has found after each trial, as one number that can be compared within a run."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.objectives import METRICS
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto

# Where no limit says what is bad, bad is so many times what the first trial cost.
_ROOM = 2.0


class HypervolumeLog:
    """The hypervolume after each trial, between 0 and 1, of the candidates that can be shipped.

    Each objective is scaled so that 0 is the best there can be and 1 is the reference, the value that is worth nothing:

    1. a share, such as accuracy: the best is 1, the reference 0;
    2. what is better smaller: the best is 0, the reference twice the largest value in the first completed trial;
    3. another one that is better larger: as far above, and below, the first trial as its largest value is from zero;
    4. but where a limit is on the objective, the reference is the limit.

    With accuracy alone the hypervolume is so the best accuracy. The reference is written to the journal when the first
    trial completes, and stays as it is: a search that goes on, even with other limits, is measured by the same yard.
    Other objectives get a reference of their own.

    Args:
        journal: `Journal`, which keeps the reference as the event `"hypervolume_reference"`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`; candidates outside them count nothing.
    """

    def __init__(self, journal, objectives, limits):
        self._journal = journal
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self._scale = None

    def reference(self, trials=()):
        """What is worth nothing, and what is best, in the units of each objective.

        Args:
            trials: sequence of lists of `Candidate`, by completed trial; the first with a usable candidate sets the
                reference where none was written. Defaults to `()`.

        Returns:
            dict with `objectives` (list of str), `best` and `reference` (lists of float); None before there is one.
        """
        if self._scale is None:
            self._scale = self._known() or self._first(trials)
        return self._scale

    def fix(self, candidates):
        """Writes the reference, if none is written and the candidates of the trial that completed can set it.

        Args:
            candidates: list of `Candidate`, of one trial.
        """
        if self._known() is None and self._first([candidates]) is not None:
            self._scale = self._first([candidates])
            self._journal.write("hypervolume_reference", **self._scale)

    def over_trials(self, trials):
        """The hypervolume after each trial; it never falls.

        Args:
            trials: sequence of lists of `Candidate`, one list for each completed trial in their order.

        Returns:
            list of float in [0, 1], of the same length.
        """
        scale = self.reference(trials)
        if scale is None:
            return [0.0] * len(trials)
        front = np.empty((0, len(self._objectives)))
        volume, volumes = 0.0, []
        for candidates in trials:
            points = self._points(candidates, scale)
            beaten = (front[None] <= points[:, None]).all(axis=2).any(axis=1)
            if not beaten.all():
                front = np.vstack([front, points[~beaten]])
                front = front[pareto.nondominated(front)]
                volume = max(volume, pareto.hypervolume(front, np.ones(front.shape[1])))
            volumes.append(min(1.0, volume))
        return volumes

    def _points(self, candidates, scale):
        rows = [
            self._values(c) for c in candidates if c.status == "ok" and not total_violation(self._limits, c.metrics)
        ]
        values = np.array(rows, dtype=float).reshape(-1, len(self._objectives))
        best, worst = np.array(scale["best"]), np.array(scale["reference"])
        # Beside a reference of next to nothing a value is infinitely far out, and does not count.
        with np.errstate(over="ignore"):
            points = np.maximum((values - best) / (worst - best), 0.0)
        return points[np.isfinite(points).all(axis=1)]

    def _values(self, candidate):
        return [candidate.metrics.get(objective.metric, math.nan) for objective in self._objectives]

    def _known(self):
        names = [objective.metric for objective in self._objectives]
        for event in self._journal.read("hypervolume_reference"):
            if event["objectives"] == names:
                return {key: event[key] for key in ("objectives", "best", "reference")}
        return None

    def _first(self, trials):
        for candidates in trials:
            values = np.array([self._values(c) for c in candidates if c.status == "ok"], dtype=float)
            if len(values) and np.isfinite(values).all():
                ends = [self._ends(*pair) for pair in zip(self._objectives, values.T, strict=True)]
                best, worst = zip(*ends, strict=True)
                names = [objective.metric for objective in self._objectives]
                return {"objectives": names, "best": list(best), "reference": list(worst)}
        return None

    def _ends(self, objective, values):
        """The best value and the reference of one objective."""
        bounds = [limit.bound for limit in self._limits if limit.metric == objective.metric]
        size = float(np.abs(values).max()) or 1.0
        if objective.direction == "min":
            return 0.0, min(bounds, default=_ROOM * size)
        is_share = objective.metric in METRICS or (values.min() >= 0 and values.max() <= 1)
        best, worst = (1.0, 0.0) if is_share else (float(values.max()) + size, float(values.min()) - size)
        # A limit at the best there can be would leave nothing between.
        return best, max([bound for bound in bounds if bound < best], default=worst)
