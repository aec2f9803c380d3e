"""Greedy local search: change one gene at a time, keep the first change that helps, begin anew where none does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.objectives import total_violation
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.observation import Observation
from hwkeras.oracles.space_copy import space_with

# Genes with more options than this have no list of neighbors: a few moves of them are drawn.
_FEW_OPTIONS = 16
# Standard deviations of those moves, as shares of the range.
_STEPS = (0.05, 0.1, 0.2, 0.4)
# Share of the plain sum beside the largest loss of a scalarization: it tells points apart that share their largest.
_SUM_SHARE = 0.05


@dataclass
class Climb:
    """One climb of a local search.

    Args:
        number: int, 0 for the first.
        starts: list of `Observation`, the candidates drawn so far to start from. Defaults to an empty list.
        incumbent: `Observation`, where the climb stands, or None while starts are drawn. Defaults to `None`.
        num_failures: int, trials in a row that were no better than the incumbent. Defaults to `0`.
    """

    number: int
    starts: list = field(default_factory=list)
    incumbent: Observation | None = None
    num_failures: int = 0


class GreedyOracle(HardwareOracle):
    """First-improvement local search with restarts.

    1. A climb starts from the best of `num_starts` random candidates.
    2. The neighbors of the incumbent, one gene changed, are tried in random order; the first that is better is the
       new incumbent. Neighbors that were tried, or that the cost model puts outside the limits, cost no trial. When
       all are used up, two genes are changed at once: where a limit binds, one has to shrink for another to grow.
    3. After `patience` trials in a row without an improvement a new climb begins.
    4. "Better" is constrained: less outside the limits first, then the objective. For several objectives each climb
       has weights of its own, equal ones first, then drawn at random, and the largest weighted loss decides (the
       Chebyshev scalarization; losses are scaled to the range seen so far). Such a climb starts from the best trial
       under its weights, and no trial is spent on starts.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        patience: int, 1 or more, trials in vain that end a climb. Defaults to `20`.
        num_starts: int, 1 or more, random candidates the first climb, and every climb on one objective, begins
            with. Defaults to `5`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: `patience` or `num_starts` out of range.
    """

    def __init__(self, objectives, limits=(), patience=20, num_starts=5, **arguments):
        super().__init__(objectives, limits, **arguments)
        self.patience = check_at_least("patience", patience, 1)
        self.num_starts = check_at_least("num_starts", num_starts, 1)
        self._forget_climbs()

    def propose(self, rng):
        """Draws a start, or a neighbor of the incumbent that is worth a trial.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        incumbent = self.climb().incumbent
        if incumbent is not None:
            for edits in self.moves(incumbent.values, rng):
                values = sampling.activate(self.hyperparameters, {**incumbent.values, **edits}, rng)
                if self.is_worth_a_trial(values):
                    return values
        return self.start(rng)

    def start(self, rng):
        """A candidate to start a climb from.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        return sampling.sample(self.hyperparameters, rng)

    def moves(self, values, rng):
        """The moves from some values: one gene changed, in random order; then `max_draws` times two genes.

        Args:
            values: mapping of hyperparameter name to value, active ones.
            rng: np.random.Generator.

        Yields:
            dict of hyperparameter name to its new value.
        """
        single = single_edits(self.hyperparameters, values, rng)
        order = rng.permutation(len(single))
        yield from (dict([single[index]]) for index in order)
        yield from pairs(single, rng, self.max_draws)

    def climb(self):
        """Where the search stands, by all completed trials.

        Returns:
            Climb.
        """
        observations = self.observations()
        if len(self._replayed) > len(observations):
            self._forget_climbs()
        for observation in observations[len(self._replayed) :]:
            self._replay(observation)
        return self._climb

    def is_worth_a_trial(self, values):
        """Whether a candidate is new, and within the limits as far as is known before training.

        Args:
            values: dict of hyperparameter name to value, active ones.

        Returns:
            bool.
        """
        if self._name_of(values) in self._all_tried():
            return False
        cost = self.cost(values)
        return cost is not None and total_violation(self.limits, cost) <= 0

    def scores(self, number):
        """How good the completed trials are for a climb, seen with its weights.

        Args:
            number: int, the climb's.

        Returns:
            float array of shape (num_observations, 2): the violation and the scalar loss, both minimized; compare
            them in this order.
        """
        self.climb()
        losses = np.array(self._replayed_losses).reshape(len(self._replayed), len(self.objectives))
        violations = [observation.violation for observation in self._replayed]
        return np.stack([violations, self._scalar(losses, number)], axis=1)

    def set_state(self, state):
        """Takes over a state of `get_state`; the climbs are replayed from the trials.

        Args:
            state: dict.
        """
        super().set_state(state)
        self._forget_climbs()

    def _forget_climbs(self):
        self._climb = Climb(0)
        self._replayed, self._replayed_losses = [], []
        self._trial_names, self._tried_names = {}, set()

    def _replay(self, observation):
        """One step of the replay: it depends on the observations up to this one, and on the seed."""
        self._replayed.append(observation)
        self._replayed_losses.append(self.losses([observation])[0])
        # The run may have declared more hyperparameters since the trial began.
        self._trial_names.pop(observation.trial_id, None)
        climb = self._climb
        if climb.incumbent is None:
            climb.starts.append(observation)
            if len(climb.starts) >= self.num_starts:
                climb.incumbent = self._best(climb.starts)
        elif self._best([climb.incumbent, observation]) is observation:
            climb.incumbent, climb.num_failures = observation, 0
        else:
            climb.num_failures += 1
            if climb.num_failures >= self.patience:
                self._climb = Climb(climb.number + 1)
                if len(self.objectives) > 1:
                    self._climb.incumbent = self._best(self._replayed)

    def _best(self, observations):
        """The best under the weights of the climb; the first of equals."""
        scalars = self._scalar(self.losses(observations), self._climb.number)
        keys = [(observation.violation, scalar) for observation, scalar in zip(observations, scalars, strict=True)]
        return observations[min(range(len(keys)), key=keys.__getitem__)]

    def _scalar(self, losses, number):
        """Float array of shape (num_points,): one loss for each point."""
        if losses.shape[1] == 1:
            return losses[:, 0]
        known = np.array(self._replayed_losses).reshape(-1, losses.shape[1])
        known = known[np.isfinite(known).all(axis=1)]
        if not len(known):
            return losses.sum(axis=1)
        low = known.min(axis=0)
        spread = known.max(axis=0) - low
        weighted = self._weights(number) * (losses - low) / np.where(spread > 0, spread, 1.0)
        return weighted.max(axis=1) + _SUM_SHARE * weighted.sum(axis=1)

    def _weights(self, number):
        if number == 0:
            return np.full(len(self.objectives), 1.0 / len(self.objectives))
        return np.random.default_rng([self.seed, number]).dirichlet(np.ones(len(self.objectives)))

    def _all_tried(self):
        """Names of all candidates that cost a trial, those that run or failed included; a set."""
        if len(self._trial_names) != len(self.trials):
            for trial_id in self.trials.keys() - self._trial_names.keys():
                self._trial_names[trial_id] = self._name_of(self.trials[trial_id].hyperparameters.values)
            self._tried_names = set(self._trial_names.values())
        return self._tried_names

    def _name_of(self, values):
        if self.identity is None:
            return frozenset(values.items())
        return self.identity(space_with(self.hyperparameters, values))


def single_edits(space, values, rng):
    """The changes of one active hyperparameter.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: mapping of hyperparameter name to value, active ones.
        rng: np.random.Generator, for the moves of numbers with many options.

    Returns:
        list of (name, other value): all other values, or four moves of growing size where there are more than 16.
    """
    edits = []
    for gene in sampling.live(space, values):
        if sampling.num_options(gene) <= _FEW_OPTIONS or not hasattr(gene, "min_value"):
            others = sampling.options(gene)
        else:
            position = gene.value_to_prob(values[gene.name])
            moved = [float(np.clip(position + rng.normal(0.0, step), 0.0, 1.0 - 1e-9)) for step in _STEPS]
            others = list(dict.fromkeys(map(gene.prob_to_value, moved)))
        edits += [(gene.name, other) for other in others if other != values[gene.name]]
    return edits


def pairs(edits, rng, num_pairs):
    """Draws pairs of changes of two different hyperparameters.

    Args:
        edits: list of (name, other value).
        rng: np.random.Generator.
        num_pairs: int, how many to draw; fewer are returned when both changes are of one hyperparameter.

    Returns:
        list of dict of hyperparameter name to its new value, without repeats.
    """
    if len(edits) < 2:
        return []
    drawn = rng.integers(len(edits), size=(num_pairs, 2))
    distinct = dict.fromkeys(tuple(sorted(pair)) for pair in drawn.tolist())
    found = [dict([edits[one], edits[other]]) for one, other in distinct]
    return list(itertools.filterfalse(lambda pair: len(pair) < 2, found))
