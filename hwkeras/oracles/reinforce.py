"""Policy gradient: a distribution over candidates is trained until it draws good ones."""

from __future__ import annotations

import itertools
import math
import operator
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle

REWARDS = ("constrained", "mnasnet")

# Numbers with more values than this are cut into bins of equal probability, and drawn uniformly within one.
_MAX_OPTIONS = 16
_NUM_BINS = 8
# How often the policy draws again when it has drawn what was tried before, each time a little more evenly.
_MAX_REDRAWS = 16
# Ranks of fewer trials say too little to learn from.
_MIN_TRIALS = 5
# Trials of other policies, such as the guided draws of the base, count at most this many times.
_MAX_RATIO = 2.0
# Share of the equal weighting in each preference, so that no objective is ever free.
_EVEN_SHARE = 0.1
_LAST_PROB = math.nextafter(1.0, 0.0)


class ReinforceOracle(HardwareOracle):
    """A policy over the choices, trained by REINFORCE (Zoph and Le, 2017, arXiv:1611.01578) on 20 to 200 trials.

    1. The policy holds a softmax for each hyperparameter, and for each set of conditions under which it is active:
       a candidate is drawn from the root down, and what is inactive is neither drawn nor trained.
    2. After each completed trial the policy climbs `num_steps` times along the gradient of the mean over the last
       `batch_size` trials of ratio * advantage * log(probability), plus `entropy` times its mean entropy.
    3. Advantage: a reward counts by its rank among all trials so far, less the mean of recent ranks (the moving
       baseline, weights falling by `baseline_decay` a trial), divided by the standard deviation of ranks. An
       accuracy of 10% therefore cannot drown the difference between 93% and 94%.
    4. Ratio: the trials of a batch were drawn by earlier policies, and some by the guided mutations of the base.
       Each is weighted by its probability now over that when it ended, 2.0 at most; so what the policy has become
       unlikely to draw stops pushing it, and nothing pushes it without end.
    5. Reward `"constrained"`: the objective, and any trial outside the limits is worse than all within, by its
       violation. Reward `"mnasnet"`: objective * product of (metric / bound) ** `exponent` over the limits on
       metrics that are better small (Tan et al., 2019, arXiv:1807.11626); draws outside of limits known before
       training are turned down all the same, so it prefers candidates deep within.
    6. Several objectives: one policy for each of some weightings of the objectives, all trained on all trials. The
       reward is the augmented Chebyshev scalarization of the ranks: -(max of weight * rank + 0.05 * sum of weight *
       rank), as in ParEGO (Knowles, 2006, DOI 10.1109/TEVC.2005.851274), which also reaches concave parts of a
       front. Each draw comes from one of the policies by chance; the ratio is to the mean of them.

    The policy follows from the completed trials in the order they ended; nothing else is stored.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        reward: `"constrained"` or `"mnasnet"`. Defaults to `"constrained"`.
        exponent: float, 0 or less, of `"mnasnet"`. Defaults to `-0.07`.
        learning_rate: float, more than 0, in logits. Defaults to `0.3`.
        entropy: float, 0 or more, the weight of the entropy (in nats). Defaults to `0.2`.
        batch_size: int, 1 or more. Defaults to `32`.
        num_steps: int, 1 or more. Defaults to `4`.
        baseline_decay: float in (0, 1]; 1 is the mean of all trials. Defaults to `0.95`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a number out of range; an unknown reward; `"mnasnet"` with several objectives, with one that is
            better small, or without a limit on a metric that is better small.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        reward="constrained",
        exponent=-0.07,
        learning_rate=0.3,
        entropy=0.2,
        batch_size=32,
        num_steps=4,
        baseline_decay=0.95,
        **arguments,
    ):
        super().__init__(objectives, limits, **arguments)
        self.reward = reward
        self.exponent = _check("exponent", exponent, -math.inf < exponent <= 0, "finite, 0 or less", -0.07)
        self.learning_rate = _check(
            "learning_rate", learning_rate, 0 < learning_rate < math.inf, "finite, more than 0", 0.3
        )
        self.entropy = _check("entropy", entropy, 0 <= entropy < math.inf, "finite, 0 or more", 0.2)
        self.batch_size = check_at_least("batch_size", batch_size, 1)
        self.num_steps = check_at_least("num_steps", num_steps, 1)
        self.baseline_decay = _check("baseline_decay", baseline_decay, 0 < baseline_decay <= 1, "in (0, 1]", 0.95)
        self._check_reward()
        self._weights = _weightings(len(self.objectives))
        self._table = _Table(())
        self._policy = _Policy()

    def propose(self, rng):
        """Draws a candidate from the policy.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        policy = self._replayed(self.observations())
        logits = policy.logits[rng.integers(len(policy.logits))]
        for redraw in range(_MAX_REDRAWS):
            probabilities = _softmax(logits / (1.0 + redraw / 4.0), self._table.is_option)
            values = self._draw(probabilities, rng)
            if _as_key(values) not in policy.tried:
                break
        return values

    def probabilities(self):
        """What the policy would choose, averaged over the weightings of the objectives.

        Returns:
            list of float arrays, one for each entry of `hyperparameters.space`: the probability of each of its
            options (of 8 equal bins, for a number of many values), given that it is active.
        """
        policy = self._replayed(self.observations())
        mean = _softmax(policy.logits, self._table.is_option).mean(axis=0)
        return [row[: len(options)] for row, options in zip(mean, self._table.options, strict=True)]

    def _check_reward(self):
        if self.reward not in REWARDS:
            raise UserError(f"`reward` must be one of {', '.join(REWARDS)}. Received: reward={self.reward!r}.")
        if self.reward == "mnasnet" and (len(self.objectives) > 1 or self.objectives[0].direction != "max"):
            raise UserError(
                "The reward 'mnasnet' is for one objective that is better large. Received: objectives="
                f"{[objective.metric for objective in self.objectives]}. Pass 'accuracy' alone, or "
                "reward='constrained'."
            )
        if self.reward == "mnasnet" and not self._cost_limits():
            raise UserError(
                "The reward 'mnasnet' needs a limit on a metric that is better small. Received: limits="
                f"{[str(limit) for limit in self.limits]}. Pass limits=['latency=5ms'], or reward='constrained'."
            )

    def _cost_limits(self):
        return [limit for limit in self.limits if METRICS[limit.metric].direction == "min"]

    def _draw(self, probabilities, rng):
        values = {}
        for row, gene in enumerate(self.hyperparameters.space):
            if gene.name not in values and all(condition.is_active(values) for condition in gene.conditions):
                choice = int(rng.choice(probabilities.shape[1], p=probabilities[row]))
                values[gene.name] = self._table.value(row, gene, choice, rng)
        return values

    # The training, replayed from the completed trials.

    def _replayed(self, observations):
        """The policy after some observations; goes on from the last call where these are the same and more."""
        space = self.hyperparameters
        if not self._table.is_of(space):
            self._table = _Table(space.space)
            self._policy = _Policy()
        policy = self._policy
        if not len(policy.logits) or policy.seen != observations[: len(policy.seen)]:
            policy = self._policy = _Policy(np.zeros((len(self._weights), *self._table.is_option.shape)))
        for observation in observations[len(policy.seen) :]:
            self._observe(policy, observation)
        return policy

    def _observe(self, policy, observation):
        choices = self._table.choices(self.hyperparameters, observation.values)
        policy.seen.append(observation)
        policy.tried.add(_as_key(observation.values))
        policy.choices.append(choices)
        policy.log_behaviors.append(self._log_behavior(policy.logits, choices))
        is_soft = self.reward == "mnasnet"
        policy.losses.append([self._mnasnet_loss(observation)] if is_soft else self.losses([observation])[0])
        policy.violations.append(0.0 if is_soft else observation.violation)
        if len(policy.seen) >= _MIN_TRIALS:
            self._learn(policy)

    def _mnasnet_loss(self, observation):
        quality = observation.metrics.get(self.objectives[0].metric, math.nan)
        for limit in self._cost_limits():
            cost = observation.metrics.get(limit.metric, math.nan)
            quality *= (cost / limit.bound) ** self.exponent if cost > 0 else 1.0
        return math.inf if math.isnan(quality) else -quality

    def _log_behavior(self, logits, choices):
        """Log of the probability of some choices under the mean of the policies."""
        log_policies = self._log_probability(_softmax(logits, self._table.is_option), choices[None])[:, 0]
        return float(np.logaddexp.reduce(log_policies) - math.log(len(log_policies)))

    def _log_probability(self, probabilities, choices):
        """Shape (num_policies, num_trials); inactive rows count nothing."""
        rows = np.arange(choices.shape[1])
        chosen = np.where(choices >= 0, probabilities[:, rows, np.maximum(choices, 0)], 1.0)
        return np.log(np.maximum(chosen, 1e-12)).sum(axis=2)

    def _learn(self, policy):
        advantages = self._advantages(policy)[:, -self.batch_size :]
        choices = np.array(policy.choices[-self.batch_size :])
        log_behaviors = np.array(policy.log_behaviors[-self.batch_size :])
        is_active = choices >= 0
        # One-hot of the choices, of shape (num_trials, num_rows, num_options).
        chosen = (np.arange(self._table.is_option.shape[1]) == choices[..., None]).astype(float)
        for _ in range(self.num_steps):
            probabilities = _softmax(policy.logits, self._table.is_option)
            ratio = np.exp(self._log_probability(probabilities, choices) - log_behaviors)
            weights = np.minimum(ratio, _MAX_RATIO) * advantages
            # d log p(choice) / d logits = one-hot - p, for the rows that are active.
            push = np.einsum("kn,nrm->krm", weights, chosen)
            push -= np.einsum("kn,nr->kr", weights, is_active.astype(float))[..., None] * probabilities
            gradient = push / len(choices) + self.entropy * _entropy_gradient(probabilities)
            policy.logits = policy.logits + self.learning_rate * gradient

    def _advantages(self, policy):
        """Shape (num_policies, num_trials): how much better than of late, in standard deviations."""
        rewards = _rewards(np.array(policy.losses), np.array(policy.violations), self._weights)
        ranks = np.array([_ranks(row) for row in rewards])
        decay = self.baseline_decay ** np.arange(ranks.shape[1])[::-1]
        baseline = ranks @ decay / decay.sum()
        spread = ranks.std(axis=1)
        return (ranks - baseline[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]


@dataclass
class _Policy:
    """Logits of shape (num_policies, num_rows, num_options), and the trials they were trained on."""

    logits: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    seen: list = field(default_factory=list)
    tried: set = field(default_factory=set)
    choices: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    log_behaviors: list = field(default_factory=list)


class _Table:
    """The options of each row of a space; numbers of many values are cut into bins.

    Args:
        genes: sequence of `keras_tuner.engine.hyperparameters.HyperParameter`.
    """

    def __init__(self, genes):
        self._genes = tuple(genes)
        self.options = [_options(gene) for gene in self._genes]
        width = max(map(len, self.options), default=1)
        self.is_option = np.array([[place < len(row) for place in range(width)] for row in self.options], dtype=bool)
        self.is_option = self.is_option.reshape(len(self.options), width)
        self._rows = {id(gene): row for row, gene in enumerate(self._genes)}

    def is_of(self, space):
        """Returns:
        bool, whether the space has just these hyperparameters.
        """
        genes = space.space
        return len(genes) == len(self._genes) and all(map(operator.is_, genes, self._genes))

    def value(self, row, gene, choice, rng):
        """Returns:
        the value of a choice; of a bin, any one within.
        """
        option = self.options[row][choice]
        if not isinstance(option, _Bin):
            return option
        return gene.prob_to_value(min((option.index + float(rng.random())) / _NUM_BINS, _LAST_PROB))

    def choices(self, space, values):
        """Returns:
        int array of shape (num_rows,), the choice of each active row, -1 for the others.
        """
        choices = np.full(len(self._genes), -1)
        for gene in sampling.live(space, values):
            # A space may have grown since: an old trial lacks the new rows.
            if gene.name in values:
                row = self._rows[id(gene)]
                choices[row] = _choice(self.options[row], gene, values[gene.name])
        return choices


@dataclass(frozen=True)
class _Bin:
    index: int


def _options(gene):
    is_number = isinstance(gene, (kinds.Int, kinds.Float))
    if isinstance(gene, kinds.Fixed):
        return [gene.value]
    if is_number and sampling.num_options(gene) > _MAX_OPTIONS:
        return [_Bin(index) for index in range(_NUM_BINS)]
    # A number that can take one value only is not drawn: keras-tuner does not say how it would be listed.
    return sampling.options(gene) if sampling.num_options(gene) > 1 else [gene.prob_to_value(0.5)]


def _choice(options, gene, value):
    if isinstance(options[0], _Bin):
        return min(max(int(gene.value_to_prob(value) * _NUM_BINS), 0), _NUM_BINS - 1)
    return options.index(value) if value in options else -1


def _as_key(values):
    return tuple(sorted(values.items()))


def _softmax(logits, is_option):
    """Probabilities over the last axis; 0 where there is no option."""
    logits = np.where(is_option, logits, -np.inf)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _entropy_gradient(probabilities):
    """Of the entropy of each row by its logits: -p * (log p + entropy)."""
    logs = np.log(np.maximum(probabilities, 1e-12))
    entropy = -(probabilities * logs).sum(axis=-1, keepdims=True)
    return -probabilities * (logs + entropy)


def _ranks(values):
    """Ranks in [0, 1], equal values share their mean rank; 0 for the least."""
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = ends - (counts + 1) / 2.0
    return middle[place.reshape(-1)] / max(1, len(values) - 1)


def _rewards(losses, violations, weights):
    """Shape (num_policies, num_trials): scalarized losses turned so that more is better, limits first."""
    ranks = np.column_stack([_ranks(column) for column in losses.T])
    weighted = weights[:, None, :] * ranks
    rewards = -(weighted.max(axis=2) + 0.05 * weighted.sum(axis=2))
    # A scalarization is never below -1.05. A trial that lacks an objective is worse, one outside the limits worst.
    rewards = np.where(np.isfinite(losses).all(axis=1), rewards, -1.5)
    return np.where(violations > 0, -2.0 - violations, rewards)


def _weightings(num_objectives):
    """Even lattice on the simplex, drawn a little to its center; shape (num_policies, num_objectives)."""
    divisions = {1: 1, 2: 4}.get(num_objectives, 2)
    counts = itertools.product(range(divisions + 1), repeat=num_objectives)
    lattice = np.array([each for each in counts if sum(each) == divisions]) / divisions
    return (1.0 - _EVEN_SHARE) * lattice + _EVEN_SHARE / num_objectives


def _check(name, value, is_valid, law, example):
    if not is_valid:
        raise UserError(f"`{name}` must be {law}. Received: {name}={value!r}. The default is {example}.")
    return value
