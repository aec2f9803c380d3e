"""What earlier searches say of the candidates of this one, trusted as far as it proves."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel

# A search of fewer trials says nothing.
_LEAST_TRIALS = 6
# Of more searches those of the most trials are listened to, and of all of them to so many trials together.
_MOST_SEARCHES, _MOST_TRIALS = 4, 128
# What a search says counts from this skill on (`GaussianProcess.skill`); by accident few trials reach a little.
_LEAST_SKILL = 0.3


class EarlierSearches:
    """What the trials of earlier searches tell of a metric, on the same data or others.

    Trials on the data of this search are taken together; each other search is a source of its own. A search whose
    trials do not predict each other, by a process of their own, is left out.

    Args:
        encoding: `Encoding` of the space of this search; hyperparameters it does not have are passed over.
        objective: `hwkeras.objectives.Objective`, the metric and its direction.
        trials: sequence of objects with `values` and `metrics`, both mappings, and, where they are known, `source`, the
            search a trial is of, and `same_data`, whether that was on the data of this search.

    Attributes:
        observed: list of pairs of an int array of shape (num_trials, num_genes) and a float array of losses of shape
            (num_trials,), one a source, the best first.
    """

    def __init__(self, encoding, objective, trials):
        self._models = []
        self.observed = []
        searches = {}
        for trial in trials:
            name = "" if getattr(trial, "same_data", False) else f"of {getattr(trial, 'source', '')}"
            searches.setdefault(name, []).append(trial)
        chosen = sorted(searches.values(), key=len, reverse=True)[:_MOST_SEARCHES]
        for members in chosen:
            self._listen(encoding, objective, members, _MOST_TRIALS // len(chosen))

    @property
    def is_informed(self):
        """bool, whether any search has something to say."""
        return bool(self._models)

    @property
    def codes(self):
        """int array of shape (num_trials, num_genes), the candidates of the searches, the best of each first."""
        return np.concatenate([codes for codes, _ in self.observed])

    def standing(self, codes):
        """What they expect of some candidates, each search heard by its skill.

        Args:
            codes: int array of shape (num_candidates, num_genes).

        Returns:
            float array of shape (num_candidates,), in standard deviations of what each search saw; more is better.
        """
        said = np.stack([model.standing(codes) for model in self._models], axis=1)
        return np.average(said, axis=1, weights=[model.skill for model in self._models])

    def _listen(self, encoding, objective, members, most_trials):
        losses = np.array([objective.loss(each.metrics.get(objective.metric, math.nan)) for each in members])
        order = np.argsort(losses, kind="stable")[: np.count_nonzero(np.isfinite(losses))]
        if len(order) < _LEAST_TRIALS or losses[order[0]] == losses[order[-1]]:
            return
        # Of too many evenly from the best to the worst: what is bad must be known, too.
        order = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), most_trials)).astype(int))]
        codes, losses = encoding.encode([members[place].values for place in order]), losses[order]
        model = MetricModel(encoding, objective, codes, losses, FittedWeights())
        if model.skill >= _LEAST_SKILL:
            self._models.append(model)
            self.observed.append((codes, losses))
