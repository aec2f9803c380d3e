"""Whether a recipe is worth its training for a network: by what it did to the networks it was tried on."""

from __future__ import annotations

import numpy as np

from hwkeras.objectives import METRICS
from hwkeras.objectives import total_violation
from hwkeras.search import selection

# What a recipe did to one network or two may be an accident of them.
MIN_SEEN = 3


class RecipePromise:
    """Judges recipes for one network after another.

    A recipe promises enough where at least half of what it did to other networks would bring this one onto the front:
    no file of another network on the front, and none of its own that is there without it, as good in every objective.
    As long as it was tried on fewer than `MIN_SEEN` networks, it promises the margin: enough where the network would
    lie on the front if its first objective were better by that.

    Args:
        outcome: `Outcome`, which knows the candidates and the front.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`; those that are known before training must hold.
        margin: float, see `Compression`.
    """

    def __init__(self, outcome, objectives, limits, margin):
        self._outcome = outcome
        self._objectives = tuple(objectives)
        self._limits = [limit for limit in limits if METRICS[limit.metric].is_static]
        self._margin = margin
        metrics = [METRICS.get(objective.metric) for objective in self._objectives]
        self._is_share = np.array([metric is not None and metric.unit == "fraction" for metric in metrics])

    def of(self, recipes, candidates):
        """The recipes that promise enough for a network.

        Args:
            recipes: sequence of str.
            candidates: non-empty list of `Candidate`, what the network was deployed as so far.

        Returns:
            list of str.
        """
        trial_id = candidates[0].trial
        able = [c for c in candidates if not c.is_compressed and c.status == "ok"]
        able = [c for c in able if total_violation(self._limits, c.metrics) == 0]
        if not able:
            return []
        others = selection.losses_of([c for c in self._outcome.front() if c.trial != trial_id], self._objectives)
        own = {c.precision: row for c, row in zip(able, selection.losses_of(able, self._objectives), strict=True)}
        losses, families = np.array(list(own.values())), self._families(trial_id)
        is_near = not _is_beaten(self._with_margin(losses), others).all()
        promising = []
        for recipe in recipes:
            expected = self._expected(recipe, own, families)
            beaten = _is_beaten(expected, np.concatenate([others, losses]))
            if beaten.mean() <= 0.5 if len(expected) >= MIN_SEEN else is_near:
                promising.append(recipe)
        return promising

    def _with_margin(self, losses):
        better = losses.copy()
        better[:, 0] -= self._margin * (1.0 if self._is_share[0] else np.abs(losses[:, 0]))
        return better

    def _families(self, trial_id):
        """The losses of other networks, a dict of precision or recipe to them for each."""
        families = {}
        candidates = [c for c in self._outcome.candidates() if c.trial != trial_id and c.status == "ok"]
        for candidate, losses in zip(candidates, selection.losses_of(candidates, self._objectives), strict=True):
            if np.isfinite(losses).all():
                families.setdefault(candidate.trial, {})[candidate.precision] = losses
        return list(families.values())

    def _expected(self, recipe, own, families):
        """The losses a network would have if the recipe did to it what it did to each of the others."""
        best = np.empty((0, len(self._objectives)))
        for precision, losses in own.items():
            tried = [family for family in families if recipe in family and precision in family]
            if len(tried) > len(best):
                best = np.array([self._changed(losses, family[precision], family[recipe]) for family in tried])
        return best

    def _changed(self, own, before, after):
        """Shares change by a difference, everything else by a factor."""
        factors = np.divide(after, before, out=np.ones_like(after), where=before != 0)
        return np.where(self._is_share, own + (after - before), own * factors)


def _is_beaten(losses, rivals):
    """Whether some rival is as good in every objective, for each of the losses."""
    return (rivals[None] <= losses[:, None]).all(axis=2).any(axis=1)
