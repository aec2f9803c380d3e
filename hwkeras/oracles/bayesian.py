"""Bayesian optimization that takes every objective for dear: the textbook method, which `pareto` must beat."""

from __future__ import annotations

from collections import deque

import numpy as np

from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.coded_trials import CodedTrials
from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel

_NUM_MUTANTS, _NUM_RANDOM = 150, 150
# Of ParEGO's scalarization: the weight of the sum beside that of the worst objective.
_AUGMENTATION = 0.05
_LEAST_LOSS = 1e-3
_LEAST_ELITE = 5
# Candidates a proposal whose costs are asked for, at most.
_NUM_ASKED = 50
_LOSS = Objective("loss", "min")


class BayesianOracle(HardwareOracle):
    """A Gaussian process and expected improvement (Jones et al., 1998, DOI 10.1023/A:1008306431147).

    Several objectives are joined anew for each proposal, with random weights, to one: the augmented Chebyshev sum of
    ParEGO (Knowles, 2006, DOI 10.1109/TEVC.2005.851274). How alike two candidates are is learned now and then, from the
    sum with equal weights. Trials outside the limits count as badly as the worst within.
    Nothing that is known before training is used but to pass over what lies outside the limits; `pareto` uses it.

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
        self._fitted = FittedWeights()
        self._ranked, self._ranked_at = None, None

    def propose(self, rng):
        """Proposes what is expected to improve most on the best trial, in the direction drawn for this proposal.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        coded = self._coded
        if self._ranked_at != coded.state:
            self._ranked, self._ranked_at = deque(self._rank(rng)), coded.state
        if not self._ranked:
            return coded.encoding.decode(coded.encoding.draw(1, rng)[0])
        return coded.take(self._next_within())

    def _rank(self, rng):
        """Candidates for the trial in hand, the most promising first; none while there is too little to go by."""
        coded, encoding = self._coded, self._coded.encoding
        known = self.observations()
        losses = self.losses(known)
        able = np.isfinite(losses).all(axis=1)
        if np.count_nonzero(able) < self.num_initial:
            return encoding.draw(0, rng)
        observations = [each for each, is_able in zip(known, able, strict=True) if is_able]
        codes, losses = coded.of(observations), losses[able]
        outside = np.array([each.violation > 0 for each in observations])
        joined = _joined(losses, outside, rng.dirichlet(np.ones(len(self.objectives))))
        elite = codes[np.argsort(joined, kind="stable")[: max(_LEAST_ELITE, len(codes) // 5)]]
        mutants = encoding.mutate(elite[rng.integers(len(elite), size=_NUM_MUTANTS)], rng)
        pool = coded.untried(np.concatenate([mutants, encoding.draw(_NUM_RANDOM, rng)]))
        if not len(pool):
            return pool
        model = MetricModel(encoding, self._modeled(), codes, joined, self._weights_of(losses, outside, codes))
        gains = model.response.expected_improvement(*model.predict(pool), joined.min())
        return pool[np.argsort(-gains, kind="stable")]

    def _next_within(self):
        """Takes the next candidate that the screen would not turn down off the ranked ones; the last asked for else.

        What lies outside is never trained, so the process would go on to hope for it, proposal after proposal.
        """
        for _ in range(min(_NUM_ASKED, len(self._ranked))):
            row = self._ranked.popleft()
            cost = self.cost(self._coded.encoding.decode(row)) if self.limits else {}
            if cost is not None and total_violation(self.limits, cost) <= 0:
                break
        return row

    def _modeled(self):
        """What the joined losses are of: the objective where there is one, whose scale is known."""
        return self.objectives[0] if len(self.objectives) == 1 else _LOSS

    def _weights_of(self, losses, outside, codes):
        """The weights of the process, as `MetricModel` asks for them: those that suit the sum with equal weights."""
        equal = np.full(len(self.objectives), 1.0 / len(self.objectives))

        def fit(number):
            joined = _joined(losses[:number], outside[:number], equal)
            encoding, objective = self._coded.encoding, self._modeled()
            return MetricModel(encoding, objective, codes[:number], joined, FittedWeights()).hyperparameters

        # NOTE: `fit` and not the one that is given, which knows only the sum of this proposal: what is kept must follow
        # from the observations alone.
        return lambda metric, number, _: self._fitted(metric, number, fit)


def _joined(losses, outside, weights):
    """One loss for each trial; above 0 for a sum, so that it is modeled by its logarithm."""
    if losses.shape[1] == 1:
        joined = losses[:, 0]
    else:
        low, high = losses.min(axis=0), losses.max(axis=0)
        scaled = (losses - low) / np.where(high > low, high - low, 1.0) * weights
        joined = scaled.max(axis=1) + _AUGMENTATION * scaled.sum(axis=1) + _LEAST_LOSS
    return np.where(outside, joined.max(), joined)
