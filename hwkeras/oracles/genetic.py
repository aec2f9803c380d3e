"""A genetic algorithm: tournaments, crossover of whole blocks, mutation, and the best stay."""

from __future__ import annotations

import re

import numpy as np

from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.arguments import check_chance
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.nsga2 import mutate_one_on_average
from hwkeras.oracles.nsga2 import mutate_until_new

# `stage1/width` belongs to `stage1`, and `conv_0_filters` to `conv_0`.
_SCOPE = re.compile(r"(?P<path>.+)[/.][^/.]+|(?P<counted>.*?\d+)_\D.*")


class GeneticOracle(HardwareOracle):
    """A steady-state genetic algorithm with elitism, sized for 20 to 200 trials.

    Tournaments are those of Goldberg and Deb (1991, DOI 10.1016/B978-0-08-050684-5.50008-2).

    1. The first `num_random` candidates are drawn at random.
    2. Each trial that ends joins the population; when that is full, its worst member leaves. The best always stay.
    3. A child has two parents, each the best of a tournament. With the chance `crossover_chance` it takes whole
       blocks of hyperparameters from one or the other, and one value mutates on average; else it is the first parent
       with one value mutated. What worked together stays together: see `blocks`.
    4. With the chance `random_share` a candidate is drawn at random instead, so that a population that has become
       one family still meets others.
    5. "Best" is constrained: within the limits before outside of them, then the plain value for one objective, or
       the Pareto rank and then the crowding distance for several.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        population_size: int, 2 or more, or None for a tenth of `max_trials`, between 4 and 20. Defaults to `None`.
        tournament_size: int, 1 or more; 1 is a random parent. Defaults to `4`.
        num_random: int, 2 or more, or None for a quarter of `max_trials`, between 3 and 10. Defaults to `None`.
        crossover_chance: float, 0.0 to 1.0. Defaults to `0.6`.
        random_share: float, 0.0 to 1.0. Defaults to `0.1`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a size or a chance out of range.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        population_size=None,
        tournament_size=4,
        num_random=None,
        crossover_chance=0.6,
        random_share=0.1,
        **arguments,
    ):
        super().__init__(objectives, limits, **arguments)
        if population_size is None:
            population_size = 20 if self.max_trials is None else min(20, max(4, self.max_trials // 10))
        if num_random is None:
            num_random = 10 if self.max_trials is None else min(10, max(3, self.max_trials // 4))
        self.population_size = check_at_least("population_size", population_size, 2)
        self.tournament_size = check_at_least("tournament_size", tournament_size, 1)
        self.num_random = check_at_least("num_random", num_random, 2)
        self.crossover_chance = check_chance("crossover_chance", crossover_chance)
        self.random_share = check_chance("random_share", random_share)
        self._forget_population()

    def propose(self, rng):
        """Draws at random until there are parents, then makes a child of two of them.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        population = self.population()
        if self._num_joined < self.num_random or rng.random() < self.random_share:
            return sampling.sample(self.hyperparameters, rng)
        first, second = self._tournament(population, rng), self._tournament(population, rng)
        if rng.random() < self.crossover_chance:
            child = cross_blocks(self.hyperparameters, first.values, second.values, rng)
            child = mutate_one_on_average(self.hyperparameters, child, rng)
        else:
            child = sampling.mutate(self.hyperparameters, first.values, rng)
        return mutate_until_new(self, child, rng)

    def population(self):
        """Those that are alive, by all completed trials.

        Returns:
            list of `Observation`, the oldest first.
        """
        observations = self.observations()
        if self._num_joined > len(observations):
            self._forget_population()
        for observation in observations[self._num_joined :]:
            self._join(observation)
        return self._population

    def set_state(self, state):
        """Takes over a state of `get_state`; the population is replayed from the trials.

        Args:
            state: dict.
        """
        super().set_state(state)
        self._forget_population()

    def _forget_population(self):
        self._num_joined, self._population, self._places = 0, [], []

    def _join(self, observation):
        self._num_joined += 1
        self._population.append(observation)
        places = self._sorted_places()
        if len(self._population) > self.population_size:
            # Of equally bad ones the first of the list, the oldest, leaves.
            del self._population[int(np.argmax(places))]
            places = self._sorted_places()
        self._places = places

    def _sorted_places(self):
        return pareto.crowded_places(self.losses(self._population), [each.violation for each in self._population])

    def _tournament(self, population, rng):
        """The best of a few; of equals the first one drawn, which is chance."""
        size = min(self.tournament_size, len(population))
        drawn = rng.choice(len(population), size=size, replace=False)
        return population[min(drawn, key=self._places.__getitem__)]


def blocks(space):
    """Which hyperparameters belong together.

    1. Those of one scope in their names: `stage1/width` and `stage1/depth` (keras-tuner's own `name_scope` writes such
       names), `conv_0_filters` and `conv_0_kernel`.
    2. Without a scope in the name, a conditional one belongs to the block of the one it depends on.
    3. Every other one is a block of its own; and so is each one when all would be a single block.

    Args:
        space: `keras_tuner.HyperParameters`.

    Returns:
        dict of hyperparameter name to the name of its block, in the order of the space.
    """
    found = {}
    for gene in space.space:
        match = _SCOPE.fullmatch(gene.name)
        if match:
            found[gene.name] = match["path"] or match["counted"]
        elif gene.conditions:
            parent = gene.conditions[-1].name
            found[gene.name] = found.get(parent, parent)
        else:
            found[gene.name] = gene.name
    return found if len(set(found.values())) > 1 else {name: name for name in found}


def cross_blocks(space, first, second, rng):
    """Takes each block from one of two parents, each as likely; what the one does not have comes from the other.

    Args:
        space: `keras_tuner.HyperParameters`.
        first: mapping of name to value.
        second: mapping of name to value.
        rng: np.random.Generator.

    Returns:
        dict of name to value, for exactly the active hyperparameters.
    """
    block_of = blocks(space)
    is_from_first = {block: rng.random() < 0.5 for block in dict.fromkeys(block_of.values())}
    child = {}
    for name, block in block_of.items():
        parents = (first, second) if is_from_first[block] else (second, first)
        holder = next((parent for parent in parents if name in parent), None)
        if holder is not None:
            child[name] = holder[name]
    return sampling.activate(space, child, rng)
