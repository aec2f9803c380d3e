"""Cheap objectives first: trains only what may move the front, knowing size and memory and latency beforehand."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.objectives import METRICS
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.coded_trials import CodedTrials
from hwkeras.oracles.improvement import Cells
from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel

# Candidates of a proposal: mutations of the elite, crossovers of it, and random ones.
_NUM_MUTANTS, _NUM_CROSSED, _NUM_RANDOM = 600, 150, 250
# Where no cost model surveys the space, each of the first trials is the farthest from the others of so many.
_NUM_APART = 64
# For how many of them the cost model is asked, where it does not say.
_NUM_COSTED = 32
# The elite: the front, and this share of all by rank.
_ELITE_SHARE, _LEAST_ELITE = 0.2, 5
# The reference lies this share of the range beyond the worst that counts.
_MARGIN = 0.02
# Above this share of the cheap values seen, one counts nothing: an outlier would stretch the volume.
_CEILING = 0.99
_LEAST_FOR_SKILL = 10


class ParetoOracle(HardwareOracle):
    """Expected improvement of the constrained hypervolume where only the dear objectives are unknown.

    1. The first `num_initial` candidates are random ones, each as far as possible from those before.
    2. Then a Gaussian process over the architecture models the first objective that the cost model does not know
       (`surrogate`). Candidates are made by evolution: mutations and crossovers of the front, and random ones. Of those
       that promise most, the cost model is asked for the rest; what they are then expected to add to the hypervolume
       within the limits is known in closed form (`improvement`), and the best is proposed. With one objective that is
       its expected improvement (Jones et al., 1998, DOI 10.1023/A:1008306431147); for several see Emmerich et al.,
       2006, DOI 10.1109/TEVC.2005.859463.
    3. Where the process predicts the trials so far no better than chance, a mutation of the front is proposed.

    A limit on a metric that is only known after training, such as `accuracy=0.9`, is met with the chance that the
    process gives it. Any further objective the cost model does not know is taken at its predicted value.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        num_initial: int, 2 or more, or None for a fifth of `max_trials`, between 4 and 8. Defaults to `None`.
        num_costed: int, 1 or more, or None: candidates a proposal for which the cost model is asked; once, at the
            beginning, for twice as many. Defaults to `None`: the attribute `num_affordable` of the cost model, 32 where
            it has none.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a number out of range.
    """

    def __init__(self, objectives, limits=(), num_initial=None, num_costed=None, **arguments):
        super().__init__(objectives, limits, **arguments)
        if num_initial is None:
            num_initial = 8 if self.max_trials is None else min(8, max(4, self.max_trials // 5))
        self.num_initial = check_at_least("num_initial", num_initial, 2)
        self._num_costed = None if num_costed is None else check_at_least("num_costed", num_costed, 1)
        self._coded = CodedTrials(self)
        self._surveyed_encoding = None
        self._survey = None
        self._weights = None
        self._expected_gain = None

    def propose(self, rng):
        """Proposes what is expected to move the front most.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        coded, encoding = self._coded, self._coded.encoding
        observations = [each for each in self.observations() if math.isfinite(each.losses(self.objectives)[0])]
        if len(observations) < self.num_initial:
            return coded.take(self._apart(rng))
        codes = coded.of(observations)
        elite = codes[self._elite(observations)]
        pool = coded.untried(self._pool(elite, rng))
        proposal = _Proposal(self, encoding, observations, codes)
        if not len(pool) or not proposal.is_informed:
            self._expected_gain = None
            return encoding.decode(encoding.mutate(elite[[rng.integers(len(elite))]], rng)[0])
        chosen, self._expected_gain = proposal.best_of(pool)
        return coded.take(chosen)

    @property
    def num_costed(self):
        """int, candidates a proposal for which the cost model is asked."""
        return self._num_costed or getattr(self.cost_model, "num_affordable", _NUM_COSTED)

    def expected_gain(self):
        """What the last proposal is expected to add.

        Returns:
            float, a share of the hypervolume of the trials within the limits (of the first objective's range, where it
            is the only one); None while that is not known.
        """
        return self._expected_gain

    def _apart(self, rng):
        """A candidate that has as little as possible in common with those that were tried."""
        coded, encoding = self._coded, self._coded.encoding
        surveyed, costs = self.surveyed()
        able = [place for place, cost in enumerate(costs) if total_violation(self.limits, cost) <= 0]
        pool = coded.untried(surveyed[able])
        if not len(pool):
            pool = coded.untried(encoding.draw(_NUM_APART, rng))
        if not len(pool):
            return encoding.draw(1, rng)[0]
        tried = coded.tried()
        nearest = np.min(np.count_nonzero(pool[:, None] != tried[None], axis=2), axis=1, initial=encoding.num_genes)
        return pool[rng.choice(np.flatnonzero(nearest == nearest.max()))]

    def _pool(self, elite, rng):
        encoding = self._coded.encoding
        first, second = (elite[rng.integers(len(elite), size=_NUM_CROSSED)] for _ in range(2))
        mutants = encoding.mutate(elite[rng.integers(len(elite), size=_NUM_MUTANTS)], rng)
        crossed = encoding.mutate(encoding.cross(first, second, rng), rng)
        return np.unique(np.concatenate([mutants, crossed, encoding.draw(_NUM_RANDOM, rng)]), axis=0)

    def _elite(self, observations):
        """The front, and the best by rank."""
        rank = pareto.ranks(self.losses(observations), [each.violation for each in observations])
        order = np.argsort(rank, kind="stable")
        number = max(_LEAST_ELITE, round(_ELITE_SHARE * len(order)), np.count_nonzero(rank == 0))
        return order[:number]

    def surveyed(self):
        """Random candidates and what the cost model knows of them; asked once.

        Returns:
            pair of an int array of shape (num_candidates, num_genes) and a list of dict of metric name to float.
        """
        encoding = self._coded.encoding
        if self._surveyed_encoding is not encoding:
            rows, costs = [], []
            if self.cost_model is not None:
                for row in encoding.draw(2 * self.num_costed, np.random.default_rng([self.seed, 0])):
                    cost = self.cost(encoding.decode(row))
                    if cost:
                        rows.append(row)
                        costs.append(cost)
            self._survey = (np.array(rows, dtype=np.int16).reshape(len(rows), encoding.num_genes), costs)
            self._surveyed_encoding, self._weights = encoding, FittedWeights()
        return self._survey

    def model(self, objective, codes, losses):
        """A model of a metric; see `MetricModel`.

        Returns:
            MetricModel.
        """
        return MetricModel(self._coded.encoding, objective, codes, losses, self._weights)


class _Proposal:
    """One choice among many candidates."""

    def __init__(self, oracle, encoding, observations, codes):
        self._oracle, self._encoding = oracle, encoding
        self._observations, self._codes = observations, codes
        self._surveyed_codes, self._surveyed = oracle.surveyed()
        self._known = _common_metrics(self._surveyed)
        objectives = oracle.objectives
        unknown = [place for place, objective in enumerate(objectives) if objective.metric not in self._known]
        self._dear = unknown[0] if unknown else 0
        self._objective = objectives[self._dear]
        self._others = [objective for place, objective in enumerate(objectives) if place != self._dear]
        self._models = {}
        self._losses = oracle.losses(observations)
        self._within = np.array([each.violation <= 0 for each in observations])
        self._cells = self._cells_of_front()

    @property
    def is_informed(self):
        """Whether the model of the dear objective knows more than chance."""
        return len(self._observations) < _LEAST_FOR_SKILL or self._model(self._objective).skill > 0.0

    def best_of(self, pool):
        """The candidate that is expected to add most.

        Args:
            pool: int array of shape (num_candidates, num_genes), at least one.

        Returns:
            pair of an int array of shape (num_genes,) and the share that it is expected to add, None where unknown.
        """
        promised = self._acquire(pool, None)
        # NOTE: the sort is stable, so equal ones stay in the order of the pool, which follows from the generator.
        best = np.argsort(-promised, kind="stable")[: self._oracle.num_costed]
        pool, gains = pool[best], promised[best]
        if self._known:
            costs = [self._oracle.cost(self._encoding.decode(row)) for row in pool]
            able = [place for place, cost in enumerate(costs) if self._is_able(cost)]
            if not able:
                return pool[0], None
            pool, gains = pool[able], self._acquire(pool[able], [costs[place] for place in able])
        return pool[int(np.argmax(gains))], self._share(gains.max())

    def _is_able(self, cost):
        limits = [limit for limit in self._oracle.limits if limit.metric in self._known]
        return bool(cost) and self._known <= set(cost) and total_violation(limits, cost) <= 0

    def _acquire(self, pool, costs):
        """What each candidate is expected to add; by the costs, or by what the models say of them."""
        dear = self._model(self._objective)
        means, deviations = dear.predict(pool)
        if self._others:
            cheap = np.stack([self._values(objective, pool, costs) for objective in self._others], axis=1)
            gains = self._cells.expected_improvement(dear.response, means, deviations, cheap)
        else:
            gains = dear.response.expected_improvement(means, deviations, self._best)
        if not self._within.any():
            gains = np.ones(len(pool))  # nothing is feasible yet: only the chance counts
        for limit in self._oracle.limits:
            if costs is None or limit.metric not in self._known:
                gains = gains * self._chance(limit, pool)
        return gains

    def _values(self, objective, pool, costs):
        """The losses of an objective: what the cost model says, else what is predicted."""
        if costs is not None and objective.metric in self._known:
            return np.array([objective.loss(cost[objective.metric]) for cost in costs], dtype=float)
        return self._model(objective).expected_losses(pool)

    def _chance(self, limit, pool):
        """The chance that a limit is kept."""
        objective = Objective(limit.metric, METRICS[limit.metric].direction)
        seen = np.array([each.metrics.get(limit.metric, math.nan) for each in self._observations], dtype=float)
        if not np.isfinite(seen).any():
            return np.ones(len(pool))
        return self._model(objective).chance_below(pool, objective.loss(limit.bound))

    def _model(self, objective):
        """The model of a metric, from the trials and, where the cost model knows it, from the survey."""
        metric = objective.metric
        if metric not in self._models:
            losses = [objective.loss(each.metrics.get(metric, math.nan)) for each in self._observations]
            codes = self._codes
            if metric in self._known:
                losses = [*(objective.loss(cost[metric]) for cost in self._surveyed), *losses]
                codes = np.concatenate([self._surveyed_codes, codes])
            self._models[metric] = self._oracle.model(objective, codes, np.array(losses, dtype=float))
        return self._models[metric]

    def _cells_of_front(self):
        """The cells of the front by the other objectives; without others, `_best` is all there is."""
        dear = self._losses[:, self._dear]
        others = np.delete(self._losses, self._dear, axis=1)
        finite = np.isfinite(self._losses).all(axis=1)
        within = self._within & finite
        low, high = dear[finite].min(initial=np.inf), dear[finite].max(initial=-np.inf)
        worst = high + _MARGIN * max(high - low, 1e-9) if finite.any() else 0.0
        self._best = float(dear[within].min()) if within.any() else worst
        self._range = max(worst - self._best, 1e-12)
        if not self._others:
            return None
        reference = np.array([self._ceiling(place, others[finite][:, place]) for place in range(others.shape[1])])
        self._volume = pareto.hypervolume(np.column_stack([dear, others])[within], np.concatenate([[worst], reference]))
        return Cells(dear[within], others[within], worst, reference)

    def _ceiling(self, place, seen):
        """The loss of another objective beyond which nothing counts."""
        objective = self._others[place]
        surveyed = [
            objective.loss(cost[objective.metric]) for cost in self._surveyed if objective.metric in self._known
        ]
        top = max([*seen, np.quantile(surveyed, _CEILING) if surveyed else -math.inf], default=0.0)
        bottom = min([*seen, *surveyed], default=0.0)
        return top + _MARGIN * max(top - bottom, 1e-9)

    def _share(self, gain):
        if not self._within.any():
            return None
        whole = self._volume if self._others else self._range
        return float(gain / whole) if whole > 0 else None


def _common_metrics(costs):
    """The metrics that the cost model knows of every candidate."""
    known = set(costs[0]) if costs else set()
    for cost in costs:
        known &= {name for name, value in cost.items() if value is not None and math.isfinite(value)}
    return known
