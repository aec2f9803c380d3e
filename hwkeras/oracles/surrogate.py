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
        weights_of: callable from a name, a number of observations and a callable that fits to hyperparameters, which
            keeps them from call to call; see `FittedWeights`.
        features: float array of shape (num_observations, num_features), what else is known of each candidate; compared
            as its positions are. Defaults to `None`, nothing.
        others: sequence of pairs of codes and losses as above, what other sources observed of the metric; see
            `GaussianProcess.fit`. Not together with `features`. Defaults to `()`.
    """

    def __init__(self, encoding, objective, codes, losses, weights_of, features=None, others=()):
        known = np.isfinite(losses)
        codes, losses = codes[known], losses[known]
        features = None if features is None else features[known]
        self.response = response_of(objective, losses)
        self._encoding, self._objective, self._others = encoding, objective, others
        self._process = GaussianProcess(encoding.num_choices)
        self._process.hyperparameters = weights_of(
            objective.metric if features is None else f"{objective.metric} by {features.shape[1]} costs",
            len(losses),
            lambda number: self._fitted(codes[:number], losses[:number], features),
        )
        self._fit(self._process, codes, losses, features, steps=0)

    @property
    def hyperparameters(self):
        """float array of logarithms, the weights of the process (`GaussianProcess.hyperparameters`)."""
        return self._process.hyperparameters

    @property
    def skill(self):
        """float, at most 1; 0 and less is no better than chance (`GaussianProcess.skill`)."""
        return self._process.skill()

    def predict(self, codes, features=None):
        """Predicts the targets of the response.

        Args:
            codes: int array of shape (num_candidates, num_genes).
            features: float array of shape (num_candidates, num_features), where the model was made with some. Defaults
                to `None`.

        Returns:
            pair of float arrays of shape (num_candidates,), means and standard deviations.
        """
        return self._process.predict(codes, self._positions(codes, features))

    def standing(self, codes):
        """How far above or below the observations a candidate is expected to be.

        Args:
            codes: int array of shape (num_candidates, num_genes).

        Returns:
            float array of shape (num_candidates,), in standard deviations of what was observed; more is better.
        """
        return self._process.standardized(self._process.predict_mean(codes, self._positions(codes, None)))

    def expected_losses(self, codes):
        """The losses in the middle of what is predicted.

        Args:
            codes: int array of shape (num_candidates, num_genes).

        Returns:
            float array of shape (num_candidates,).
        """
        return self.response.losses(self._process.predict_mean(codes, self._positions(codes, None)))

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

    def _fitted(self, codes, losses, features):
        """The hyperparameters that suit some first observations; depends on nothing else."""
        process = GaussianProcess(self._encoding.num_choices)
        return self._fit(process, codes, losses, features, steps=_STEPS).hyperparameters

    def _fit(self, process, codes, losses, features, steps):
        chosen = _chosen(losses)
        features = None if features is None else features[chosen]
        known = [(codes[chosen], losses[chosen]), *self._others]
        targets = [response_of(self._objective, each).targets(each) for _, each in known]
        targets[0] = response_of(self._objective, losses).targets(losses[chosen])
        sources = np.repeat(np.arange(len(known)), [len(each) for _, each in known])
        codes = np.concatenate([each for each, _ in known])
        return process.fit(codes, self._positions(codes, features), np.concatenate(targets), steps, sources)

    def _positions(self, codes, features):
        positions = self._encoding.positions(codes)
        return positions if features is None else np.concatenate([positions, features], axis=1)


class FittedWeights:
    """The hyperparameters of each metric's process, searched for at set numbers of observations.

    Whatever is kept here follows from the observations alone: an oracle that was reloaded finds the same.
    """

    def __init__(self):
        self._found = {}

    def __call__(self, metric, num_observations, fit):
        """Finds what suits the observations up to the last set number.

        Args:
            metric: str, or another name for what is modeled.
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
