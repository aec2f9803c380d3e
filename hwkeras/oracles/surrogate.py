"""What the trials so far say about every candidate: one Gaussian process a metric that must be known."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from hwkeras.oracles.gaussian_process import GaussianProcess
from hwkeras.oracles.response import response_of

# Of more observations the best and the latest are taken, as many of each.
_MOST_OBSERVATIONS = 256
# Weights are searched for anew after so many further observations, and later after this share of them.
_REFIT_AFTER, _REFIT_SHARE = 4, 0.125
_STEPS = 20


class MetricModel:
    """A metric as a function of the candidate.

    Args:
        encoding: `Encoding`.
        objective: `hwkeras.objectives.Objective`, the metric and its direction.
        codes: int array of shape (num_observations, num_genes), in the order they were observed.
        losses: float array of shape (num_observations,); what is not finite is left out.
        weights_of: callable from a number of observations and a callable that fits to hyperparameters, which keeps them
            from call to call; see `Surrogate`.
    """

    def __init__(self, encoding, objective, codes, losses, weights_of):
        known = np.isfinite(losses)
        codes, losses = codes[known], losses[known]
        self.response = response_of(objective, losses)
        self._encoding = encoding
        self._process = GaussianProcess(encoding.num_choices)
        chosen = _chosen(losses)
        self._process.hyperparameters = weights_of(
            objective.metric, len(losses), lambda number: self._fitted(objective, codes[:number], losses[:number])
        )
        targets = self.response.targets(losses[chosen])
        self._process.fit(codes[chosen], encoding.positions(codes[chosen]), targets, steps=0)

    @property
    def skill(self):
        """float, at most 1; 0 and less is no better than chance (`GaussianProcess.skill`)."""
        return self._process.skill()

    def predict(self, codes):
        """Predicts the targets of the response.

        Args:
            codes: int array of shape (num_candidates, num_genes).

        Returns:
            pair of float arrays of shape (num_candidates,), means and standard deviations.
        """
        return self._process.predict(codes, self._encoding.positions(codes))

    def expected_losses(self, codes):
        """The losses in the middle of what is predicted.

        Args:
            codes: int array of shape (num_candidates, num_genes).

        Returns:
            float array of shape (num_candidates,).
        """
        return self.response.losses(self.predict(codes)[0])

    def chance_below(self, codes, bound):
        """How likely the loss is at most a bound.

        Args:
            codes: int array of shape (num_candidates, num_genes).
            bound: float, a loss.

        Returns:
            float array of shape (num_candidates,), 0 to 1.
        """
        means, deviations = self.predict(codes)
        return ndtr((means - self.response.targets(bound)) / deviations)

    def _fitted(self, objective, codes, losses):
        """The hyperparameters that suit some first observations; depends on nothing else."""
        chosen = _chosen(losses)
        targets = response_of(objective, losses).targets(losses[chosen])
        process = GaussianProcess(self._encoding.num_choices)
        process.fit(codes[chosen], self._encoding.positions(codes[chosen]), targets, steps=_STEPS)
        return process.hyperparameters


class FittedWeights:
    """The hyperparameters of each metric's process, searched for at set numbers of observations.

    Whatever is kept here follows from the observations alone: an oracle that was reloaded finds the same.
    """

    def __init__(self):
        self._found = {}

    def __call__(self, metric, num_observations, fit):
        """Finds what suits the observations up to the last set number.

        Args:
            metric: str.
            num_observations: int.
            fit: callable from a number of observations to hyperparameters.

        Returns:
            float array.
        """
        number = _checkpoint(num_observations)
        if (metric, number) not in self._found:
            self._found = {key: found for key, found in self._found.items() if key[0] != metric}
            self._found[metric, number] = fit(number)
        return self._found[metric, number]


def _checkpoint(number):
    """The last number of observations, up to this one, at which weights are searched for."""
    last, following = min(number, _REFIT_AFTER), _REFIT_AFTER
    while following <= number:
        last, following = following, following + max(_REFIT_AFTER, math.ceil(_REFIT_SHARE * following))
    return last


def _chosen(losses):
    """The positions of the observations that are taken, in their order."""
    number = len(losses)
    if number <= _MOST_OBSERVATIONS:
        return np.arange(number)
    half = _MOST_OBSERVATIONS // 2
    best = np.argsort(losses[: number - half], kind="stable")[: _MOST_OBSERVATIONS - half]
    return np.concatenate([np.sort(best), np.arange(number - half, number)])
