"""One choice among many candidates: what each is expected to add to the front, the dear part of it predicted."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.objectives import METRICS
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto
from hwkeras.oracles.improvement import Cells

# The reference lies this share of the range beyond the worst that counts.
_MARGIN = 0.02
# Above this share of the cheap values seen, one counts nothing: an outlier would stretch the volume.
_CEILING = 0.99
_LEAST_FOR_SKILL = 10
# Of the first candidates: a standard deviation of a cost counts as up to so many of the dear objective.
_MOST_WEIGHT = 1.5
_LEAST_CHANCE = 1e-3
# What a trial takes beside its training, as a share of what training a usual network takes.
_FIXED_EFFORT = 0.3
# Scores of untrained networks; all other costs are amounts, which differ by factors.
_PROXY = "zero_cost_"
# How much a network can learn: of the costs, what tells most of its accuracy, whatever it is made of.
_CAPACITY = ("macs", "params")
# Amounts below this share of the usual one, wider than any space of networks, count as this share.
_LEAST_AMOUNT = 1e-4


class Proposal:
    """One choice among many candidates.

    Args:
        oracle: `ParetoOracle`.
        encoding: `Encoding` of its space.
        observations: list of `Observation`, with a finite first objective; may be empty.
        codes: int array of shape (num_observations, num_genes).
        objectives: sequence of `hwkeras.objectives.Objective`, some of the oracle's: what the candidate is for.
            Defaults to `None`, all of them.
    """

    def __init__(self, oracle, encoding, observations, codes, objectives=None):
        self._oracle, self._encoding = oracle, encoding
        self._observations, self._codes = observations, codes
        self._survey = oracle.surveyed()
        self._known = self._survey.known
        self._objectives = list(oracle.objectives if objectives is None else objectives)
        self._objective, self._others = dear_and_others(self._objectives, self._known)
        self._dear = self._objectives.index(self._objective)
        self._models = {}
        self._losses = oracle.losses(observations)[:, [oracle.objectives.index(each) for each in self._objectives]]
        self._within = np.array([each.violation <= 0 for each in observations], dtype=bool)
        self._cells = self._cells_of_front() if observations else None

    @property
    def is_informed(self):
        """Whether the model of the dear objective knows more than chance."""
        return len(self._observations) < _LEAST_FOR_SKILL or self._dear_model(self._features_of_costs()).skill > 0.0

    def best_of(self, pool):
        """The candidate that is expected to add most.

        Args:
            pool: int array of shape (num_candidates, num_genes), at least one.

        Returns:
            pair of an int array of shape (num_genes,) and the share that it is expected to add, None where unknown.
        """
        chosen, gain = self._choose(pool, self._acquire, self._effort)
        return chosen, None if gain is None else self._share(gain)

    def best_by(self, earlier, pool, rng):
        """The candidate that earlier searches expect most of, for its costs.

        Args:
            earlier: `EarlierSearches` that are informed, of the dear objective.
            pool: int array of shape (num_candidates, num_genes), at least one.
            rng: np.random.Generator, which draws how much each cost weighs.

        Returns:
            int array of shape (num_genes,).
        """
        cheap = [objective for objective in self._others if objective.metric in self._known]
        weights = rng.uniform(0.0, _MOST_WEIGHT, size=len(cheap))
        limits = [limit for limit in self._oracle.limits if limit.metric in self._known]

        def promise(pool, costs):
            worth = earlier.standing(pool)
            for objective, weight in zip(cheap, weights, strict=True):
                losses = self._values(objective, pool, costs)
                worth = worth - weight * (losses - losses.mean()) / (losses.std() or 1.0)
            for limit in limits if costs is None else ():
                worth = worth + np.log(np.maximum(self._chance(limit, pool), _LEAST_CHANCE))
            return worth

        return self._choose(pool, promise, lambda pool, costs: 1.0)[0]

    @property
    def lead(self):
        """float, what the best is ahead of the median of those within the limits, as a share of the range.

        One network that learned nothing makes the range wide, and not this.
        """
        return self._lead / self._range

    @property
    def objective(self):
        """`hwkeras.objectives.Objective`, the dear one."""
        return self._objective

    def _choose(self, pool, promise_of, effort_of):
        """The candidate that promises most for its effort, when those that do without their costs were asked for them.

        Args:
            pool: int array of shape (num_candidates, num_genes), at least one.
            promise_of: callable from candidates, and their costs or None, to a float array.
            effort_of: callable as `promise_of`, to what each is divided by.

        Returns:
            pair of an int array of shape (num_genes,), and what it promises; None where none of them is able.
        """
        promised, costs = promise_of(pool, None), None
        # NOTE: the sort is stable, so equal ones stay in the order of the pool, which follows from the generator.
        best = np.argsort(-promised / effort_of(pool, None), kind="stable")[: self._oracle.num_costed]
        pool, promised = pool[best], promised[best]
        if self._known:
            costs = [self._oracle.cost(self._encoding.decode(row)) for row in pool]
            able = [place for place, cost in enumerate(costs) if self._is_able(cost)]
            if not able:
                return pool[0], None
            pool, costs = pool[able], [costs[place] for place in able]
            promised = promise_of(pool, costs)
        place = int(np.argmax(promised / effort_of(pool, costs)))
        return pool[place], promised[place]

    def _is_able(self, cost):
        limits = [limit for limit in self._oracle.limits if limit.metric in self._known]
        return bool(cost) and self._known <= set(cost) and total_violation(limits, cost) <= 0

    def _acquire(self, pool, costs):
        """What each candidate is expected to add; by the costs, or by what the models say of them."""
        dear, means, deviations = self._predict_dear(pool, costs)
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

    def _effort(self, pool, costs):
        """What a trial of each candidate takes, by its MACs over usual ones; where they are unknown, all the same."""
        exponent = self._oracle.effort_exponent
        if not exponent or "macs" not in self._known:
            return 1.0
        macs = self._values(Objective("macs", METRICS["macs"].direction), pool, costs)
        # Predicted ones may lie below 0, and networks without a single multiplication are usual in some spaces.
        return (_FIXED_EFFORT + np.maximum(macs, 0.0) / max(self._survey.usual("macs"), 1.0)) ** exponent

    def _predict_dear(self, pool, costs):
        """The model of the dear objective with what it says: by the costs too, where they are of use."""
        names = self._features_of_costs(with_proxies=costs is not None)
        dear = self._dear_model(names)
        if not names:
            return dear, *dear.predict(pool)
        if costs is not None:
            return dear, *dear.predict(pool, self._features(costs, names))
        amounts = [self._model(Objective(name, METRICS[name].direction)).expected_losses(pool) for name in names]
        return dear, *dear.predict(pool, self._scaled(np.stack(amounts, axis=1), names))

    def _dear_model(self, names):
        """The model of the dear objective, by the costs of these names too."""
        if not names:
            return self._model(self._objective)
        if tuple(names) not in self._models:
            known = [self._oracle.cost(dict(each.values)) for each in self._observations]
            losses, features = self._losses[:, self._dear], self._features(known, names)
            # A trial whose costs are not known, because its network cannot be built any more, is left out.
            losses = np.where(np.isfinite(features).all(axis=1), losses, np.inf)
            self._models[tuple(names)] = self._oracle.model(self._objective, self._codes, losses, features)
        return self._models[tuple(names)]

    def _features_of_costs(self, with_proxies=False):
        """The names of the costs that the dear objective is modeled by; those of proxies cannot be predicted."""
        if self._objective.metric in self._known or self._oracle.heard(self._objective) is not None:
            return []  # What a candidate of an earlier search costs here is not known.
        proxies = {name for name in self._known if name.startswith(_PROXY)}
        amounts = self._known - proxies if self._oracle.learns_from_costs else self._known.intersection(_CAPACITY)
        return sorted(amounts | proxies if with_proxies else amounts)

    def _features(self, costs, names):
        """Float array of shape (num_candidates, num_names), NaN where a cost is not known."""
        rows = np.array([[(cost or {}).get(name, math.nan) for name in names] for cost in costs], dtype=float)
        return self._scaled(rows.reshape(len(costs), len(names)), names)

    def _scaled(self, rows, names):
        """Amounts by their logarithms, proxies as they are.

        A network of no MACs at all must not stand so far from all others that nothing else counts.
        """
        is_amount = np.array([not name.startswith(_PROXY) for name in names])
        least = np.array([max(_LEAST_AMOUNT * self._survey.usual(name), 1e-9) for name in names])
        return np.where(is_amount, np.log(np.maximum(rows, least)), rows)

    def _values(self, objective, pool, costs):
        """The losses of an objective: what the cost model says, else what is predicted."""
        if costs is not None and objective.metric in self._known:
            return np.array([objective.loss(cost[objective.metric]) for cost in costs], dtype=float)
        return self._model(objective).expected_losses(pool)

    def _chance(self, limit, pool):
        """The chance that a limit is kept."""
        objective = Objective(limit.metric, METRICS[limit.metric].direction)
        seen = np.array([each.metrics.get(limit.metric, math.nan) for each in self._observations], dtype=float)
        if not np.isfinite(seen).any() and limit.metric not in self._known:
            return np.ones(len(pool))
        return self._model(objective).chance_below(pool, objective.loss(limit.bound))

    def _model(self, objective):
        """The model of a metric, from the trials and, where the cost model knows it, from the survey."""
        metric = objective.metric
        if metric not in self._models:
            losses = [objective.loss(each.metrics.get(metric, math.nan)) for each in self._observations]
            codes = self._codes
            is_known = metric in self._known
            if is_known:
                losses = [*self._survey.losses(objective), *losses]
                codes = np.concatenate([self._survey.codes, codes])
            self._models[metric] = self._oracle.model(objective, codes, np.array(losses), is_informed=not is_known)
        return self._models[metric]

    def _cells_of_front(self):
        """The cells of the front by the other objectives; without others, `_best` is all there is."""
        dear = self._losses[:, self._dear]
        others = np.delete(self._losses, self._dear, axis=1)
        finite = np.isfinite(self._losses).all(axis=1)
        reached = np.concatenate([self._losses[self._within & finite], self._deployed()])
        low, high = dear[finite].min(initial=np.inf), dear[finite].max(initial=-np.inf)
        worst = high + _MARGIN * max(high - low, 1e-9) if finite.any() else 0.0
        self._best = float(reached[:, self._dear].min()) if len(reached) else worst
        self._range = max(worst - self._best, 1e-12)
        middle = float(np.median(np.unique(reached[:, self._dear]))) if len(reached) else worst
        self._lead = middle - self._best
        if not self._others:
            return None
        reference = np.array([self._ceiling(place, others[finite][:, place]) for place in range(others.shape[1])])
        reached_dear, reached_others = reached[:, self._dear], np.delete(reached, self._dear, axis=1)
        points = np.column_stack([reached_dear, reached_others])
        self._volume = pareto.hypervolume(points, np.concatenate([[worst], reference]))
        return Cells(reached_dear, reached_others, worst, reference)

    def _deployed(self):
        """The losses of all files within the limits that the trials were deployed as, whichever leads its trial."""
        rows = [
            [_loss(objective, metrics) for objective in self._objectives]
            for each in self._observations
            for metrics in each.deployed()
            if total_violation(self._oracle.limits, metrics) <= 0
        ]
        rows = np.array(rows, dtype=float).reshape(len(rows), len(self._objectives))
        return rows[np.isfinite(rows).all(axis=1)]

    def _ceiling(self, place, seen):
        """The loss of another objective beyond which nothing counts; no farther than the limit."""
        objective = self._others[place]
        surveyed = self._survey.losses(objective) if objective.metric in self._known else np.zeros(0)
        surveyed = surveyed[np.isfinite(surveyed)]
        top = max([*seen, np.quantile(surveyed, _CEILING) if len(surveyed) else -math.inf], default=0.0)
        bottom = min([*seen, *surveyed], default=0.0)
        bounds = [objective.loss(limit.bound) for limit in self._oracle.limits if limit.metric == objective.metric]
        top = min([top, *bounds])
        return top + _MARGIN * max(top - bottom, 1e-9)

    def _share(self, gain):
        if not self._within.any():
            return None
        whole = self._volume if self._others else self._range
        return float(gain / whole) if whole > 0 else None


def dear_and_others(objectives, known):
    """Picks the objective that is modeled: the first one that is not known before training, else the first.

    Args:
        objectives: sequence of `hwkeras.objectives.Objective`.
        known: set of names of the metrics that are known before training.

    Returns:
        pair of an Objective and a list of the other ones.
    """
    dear = next((objective for objective in objectives if objective.metric not in known), objectives[0])
    return dear, [objective for objective in objectives if objective is not dear]


def _loss(objective, metrics):
    value = metrics.get(objective.metric)
    return objective.loss(math.nan if value is None else value)
