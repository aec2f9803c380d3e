"""Search by rules of thumb: grow everything together, then trade what helps least for what helps most."""

from __future__ import annotations

import math

import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.greedy import GreedyOracle
from hwkeras.oracles.greedy import pairs
from hwkeras.oracles.greedy import single_edits

# Numbers with more options than this are seen as so many steps.
_NUM_STEPS = 8
# What one trial says of a value counts half: the ridge that holds effects back until several trials agree.
_RIDGE = 1.0
# Random candidates of which a new climb takes the most promising.
_NUM_CANDIDATES = 16


class RuleOracle(GreedyOracle):
    """What an engineer would do by hand, without luck.

    1. Occam's way: begin with the smallest candidate and grow all ordered hyperparameters together, as compound
       scaling does (EfficientNet, Tan and Le, 2019, DOI 10.48550/arXiv.1905.11946), in `num_levels` steps; stop when
       a limit binds, or, with one objective, when growing no longer helps. Unordered ones keep their defaults.
       "Small" is what the cost model says: an ordered hyperparameter whose largest value costs less than its
       smallest, such as a stride, grows downward. Without a cost model numbers grow upward.
    2. Trade: change one or two hyperparameters of the best so far. What each value is worth is learned from all
       trials (the effects of a ridge regression on the order of the trials); of the changes that were not tried and
       keep the limits the most promising is next, be it to grow what helps most, to shrink what helps least, or
       both at once. A value that was never tried is worth 0, so values that did harm are left for it.
    3. After `patience` trials in vain begin anew, from the most promising of some random candidates; with several
       objectives from the best trial under new weights, see `GreedyOracle`.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        patience: int, 1 or more, trials in vain that end a climb. Defaults to `6`.
        num_levels: int, 1 or more, steps from the smallest candidate to the largest. Defaults to `5`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: `patience` or `num_levels` out of range.
    """

    def __init__(self, objectives, limits=(), patience=6, num_levels=5, **arguments):
        super().__init__(objectives, limits, patience=patience, num_starts=1, **arguments)
        self.num_levels = check_at_least("num_levels", num_levels, 1)

    def propose(self, rng):
        """Grows while that helps; then trades.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        grown = self.grow(rng)
        return super().propose(rng) if grown is None else grown

    def grow(self, rng):
        """The next candidate of the growth.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value, or None when the growth has come to its end.
        """
        self.climb()
        tried = self._all_tried()
        best = (math.inf, math.inf)
        for values, name in self._levels(rng):
            if name not in tried:
                return values if self.is_worth_a_trial(values) else None
            if len(self.objectives) == 1 and name in self._places:
                observation = self._replayed[self._places[name]]
                key = (observation.violation, self._replayed_losses[self._places[name]][0])
                if key >= best:
                    return None
                best = key
        return None

    def start(self, rng):
        """The most promising of some random candidates.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        drawn = [sampling.sample(self.hyperparameters, rng) for _ in range(_NUM_CANDIDATES)]
        worth = self.worth()
        drawn.sort(key=lambda values: -sum(worth.get(item, 0.0) for item in self._items(values.items())))
        return next(filter(self.is_worth_a_trial, drawn), drawn[0])

    def moves(self, values, rng):
        """The changes of one hyperparameter and some of two, the most promising first, chance among equals.

        Args:
            values: mapping of hyperparameter name to value, active ones.
            rng: np.random.Generator.

        Returns:
            list of dict of hyperparameter name to its new value.
        """
        single = single_edits(self.hyperparameters, values, rng)
        worth = self.worth()
        now = {item[0]: worth.get(item, 0.0) for item in self._items(values.items())}
        items = self._items(single)
        gains = {edit: worth.get(item, 0.0) - now[edit[0]] for edit, item in zip(single, items, strict=True)}
        moves = [dict([edit]) for edit in single] + pairs(single, rng, self.max_draws)
        promises = np.array([sum(gains[edit] for edit in move.items()) for move in moves])
        shuffled = rng.permutation(len(moves))
        return [moves[index] for index in shuffled[np.argsort(-promises[shuffled], kind="stable")]]

    def worth(self):
        """What each value helped in the trials so far, under the weights of the climb.

        Returns:
            dict of (hyperparameter name, value or step) to float, positive where it helped; empty before the second
            trial.
        """
        number = self.climb().number
        key = (len(self._replayed), number)
        if self._worth_key != key:
            is_enough = len(self._replayed) > 1
            self._worth_key, self._worth = key, self._effects(self.scores(number)) if is_enough else {}
        return self._worth

    def _effects(self, scores):
        # The order of the trials, not their values: one diverged training must not drown what the others say.
        order = np.unique(scores, axis=0, return_inverse=True)[1].reshape(-1).astype(float)
        target = 0.5 - (order + 0.5) / (order.max() + 1.0)
        columns, lengths = np.concatenate(self._rows), [len(columns) for columns in self._rows]
        sums = np.bincount(columns, weights=np.repeat(target, lengths), minlength=len(self._columns))
        effects = self._inverse[: len(sums), : len(sums)] @ sums
        return dict(zip(self._columns, effects.tolist(), strict=True))

    def _take_in(self, columns):
        """Brings the inverse of the normal equations up to date with one more trial (Sherman and Morrison, 1950)."""
        number = len(self._columns)
        if number > len(self._inverse):
            grown = np.eye(2 * number) / _RIDGE
            grown[: len(self._inverse), : len(self._inverse)] = self._inverse
            self._inverse = grown
        known = self._inverse[:number, :number]
        reached = known[:, columns].sum(axis=1)
        known -= np.outer(reached, reached) / (1.0 + reached[columns].sum())

    def _replay(self, observation):
        super()._replay(observation)
        self._places[self._name_of(observation.values)] = len(self._replayed) - 1
        items = self._items(observation.values.items())
        self._rows.append([self._columns.setdefault(item, len(self._columns)) for item in items])
        self._take_in(self._rows[-1])

    def _items(self, pairs_of_name_and_value):
        """(name, value) as they are; for numbers with many options (name, step)."""
        genes = self._genes()
        return [(name, _step(genes[name], value)) for name, value in pairs_of_name_and_value]

    def _genes(self):
        """The hyperparameters by their names; looked up again when a run declared more of them."""
        if self._num_genes != len(self.hyperparameters.space):
            self._num_genes = len(self.hyperparameters.space)
            self._gene_of = {gene.name: gene for gene in self.hyperparameters.space}
            self._known_levels = None
        return self._gene_of

    def _levels(self, rng):
        """(values, name) of the candidates of the growth, the smallest first, without repeats; found once."""
        self._genes()
        if self._known_levels is None:
            ladders = self._ladders(rng)
            heights = [level / self.num_levels for level in range(self.num_levels + 1)]
            levels = [self._on_rung(ladders, height, rng) for height in heights]
            self._known_levels = list({self._name_of(values): values for values in levels}.items())
        return [(values, name) for name, values in self._known_levels]

    def _on_rung(self, ladders, height, rng):
        values = {gene.name: gene.default for gene in self.hyperparameters.space}
        values.update({name: ladder[round(height * (len(ladder) - 1))] for name, ladder in ladders.items()})
        return sampling.activate(self.hyperparameters, values, rng)

    def _ladders(self, rng):
        """The values of each ordered hyperparameter, the smallest candidate's first."""
        ladders = {gene.name: _ladder(gene) for gene in self._genes().values() if _is_ordered(gene)}
        smallest = self._on_rung(ladders, 0.0, rng)
        for name in [name for name in ladders if name in smallest]:
            other = sampling.activate(self.hyperparameters, {**smallest, name: ladders[name][-1]}, rng)
            if self._costs_less(other, smallest):
                ladders[name] = ladders[name][::-1]
        return ladders

    def _costs_less(self, values, others):
        cost, other_cost = self.cost(values), self.cost(others)
        if not cost or not other_cost:
            return False
        metrics = [each.metric for each in (*self.limits, *self.objectives)] + sorted(cost)
        metric = next((metric for metric in metrics if metric in cost and metric in other_cost), None)
        return metric is not None and cost[metric] < other_cost[metric]

    def _forget_climbs(self):
        super()._forget_climbs()
        self._rows, self._columns, self._places = [], {}, {}
        self._inverse = np.zeros((0, 0))
        self._worth_key, self._worth = None, {}
        self._num_genes, self._gene_of, self._known_levels = 0, {}, None


def _is_ordered(gene):
    if isinstance(gene, kinds.Choice):
        return bool(gene.ordered) and sampling.num_options(gene) > 1
    return hasattr(gene, "min_value") and sampling.num_options(gene) > 1


def _ladder(gene):
    """The values of an ordered hyperparameter, or eight of them from end to end, the smallest first."""
    if sampling.num_options(gene) <= _NUM_STEPS:
        return sorted(sampling.options(gene))
    positions = np.linspace(0.0, 1.0 - 1e-9, _NUM_STEPS)
    return sorted(set(map(gene.prob_to_value, positions.tolist())))


def _step(gene, value):
    if isinstance(gene, kinds.Choice) or sampling.num_options(gene) <= _NUM_STEPS:
        return value
    return min(_NUM_STEPS - 1, int(_NUM_STEPS * gene.value_to_prob(value)))
