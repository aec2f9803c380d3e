"""Bayesian optimization that takes every objective for dear: the textbook method, which `pareto` must beat."""

from __future__ import annotations

import numpy as np

from hwkeras.objectives import Objective
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.coded_trials import CodedTrials
from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel

_NUM_MUTANTS, _NUM_RANDOM = 500, 500
# Of ParEGO's scalarization: the weight of the sum beside that of the worst objective.
_AUGMENTATION = 0.05
_LEAST_LOSS = 1e-3
_LEAST_ELITE = 5


class BayesianOracle(HardwareOracle):
    """A Gaussian process and expected improvement (Jones et al., 1998, DOI 10.1023/A:1008306431147).

    Several objectives are joined anew for each proposal, with random weights, to one: the augmented Chebyshev sum of
    ParEGO (Knowles, 2006, DOI 10.1109/TEVC.2005.851274). Trials outside the limits count as badly as the worst within.
    Nothing that is known before training is used but to turn candidates down; `pareto` uses it.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        num_initial: int, 2 or more, random trials before the first that is modeled. Defaults to `8`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a number out of range.
    """

    def __init__(self, objectives, limits=(), num_initial=8, **arguments):
        super().__init__(objectives, limits, **arguments)
        self.num_initial = check_at_least("num_initial", num_initial, 2)
        self._coded = CodedTrials(self)

    def propose(self, rng):
        """Proposes what is expected to improve most on the best trial, in the direction drawn for this proposal.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        coded, encoding = self._coded, self._coded.encoding
        observations = [each for each in self.observations() if np.isfinite(each.losses(self.objectives)).all()]
        if len(observations) < self.num_initial:
            return encoding.decode(encoding.draw(1, rng)[0])
        codes, losses = coded.of(observations), self._scalarized(observations, rng)
        elite = codes[np.argsort(losses, kind="stable")[: max(_LEAST_ELITE, len(codes) // 5)]]
        mutants = encoding.mutate(elite[rng.integers(len(elite), size=_NUM_MUTANTS)], rng)
        pool = coded.untried(np.unique(np.concatenate([mutants, encoding.draw(_NUM_RANDOM, rng)]), axis=0))
        if not len(pool):
            return encoding.decode(encoding.draw(1, rng)[0])
        # NOTE: the sum of another proposal has other weights, so nothing is kept from one to the next.
        model = MetricModel(encoding, Objective("loss", "min"), codes, losses, FittedWeights())
        gains = model.response.expected_improvement(*model.predict(pool), losses.min())
        return coded.take(pool[int(np.argmax(gains))])

    def _scalarized(self, observations, rng):
        """One loss for each trial; above 0 for a sum, so that it is modeled by its logarithm."""
        losses = self.losses(observations)
        outside = np.array([each.violation > 0 for each in observations])
        if losses.shape[1] == 1:
            joined = losses[:, 0]
        else:
            low, high = losses.min(axis=0), losses.max(axis=0)
            scaled = (losses - low) / np.where(high > low, high - low, 1.0) * rng.dirichlet(np.ones(losses.shape[1]))
            joined = scaled.max(axis=1) + _AUGMENTATION * scaled.sum(axis=1) + _LEAST_LOSS
        return np.where(outside, joined.max(), joined)
