"""NSGA-II: generations that sort themselves by front and crowding, for several objectives at once."""

from __future__ import annotations

import numpy as np

from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.arguments import check_chance
from hwkeras.oracles.base import HardwareOracle

# How often a child that was tried before is mutated once more, before it is handed over as it is.
_MAX_REDRAWS = 8


class Nsga2Oracle(HardwareOracle):
    """NSGA-II (Deb et al., 2002, DOI 10.1109/4235.996017), sized for 20 to 200 trials.

    1. The first two generations are drawn at random: parents and their children of the first round.
    2. Every `population_size` trials that end are a generation of children. Of parents and children together the best
       survive as the next parents: by front under constrained domination, then by crowding.
    3. A child has two parents, each the better of two drawn at random (binary tournament). With the chance
       `crossover_chance` it takes each value from one of them and one value mutates on average; else it is the first
       parent with one value mutated.
    4. Equal points share one crowding distance; of survivors that are equal in both the younger stay, and in a
       tournament chance decides.

    A child that was tried before is mutated until it is new. With one objective the fronts are the plain order.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        population_size: int, 2 or more, or None for a twelfth of `max_trials`, between 4 and 16. Defaults to `None`.
        crossover_chance: float, 0.0 to 1.0. Defaults to `0.7`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a size or a chance out of range.
    """

    def __init__(self, objectives, limits=(), population_size=None, crossover_chance=0.7, **arguments):
        super().__init__(objectives, limits, **arguments)
        if population_size is None:
            population_size = 16 if self.max_trials is None else min(16, max(4, self.max_trials // 12))
        self.population_size = check_at_least("population_size", population_size, 2)
        self.crossover_chance = check_chance("crossover_chance", crossover_chance)
        self._forget_generations()

    def propose(self, rng):
        """Draws at random until there are parents, then makes a child of two of them.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        parents = self.parents()
        if not parents:
            return sampling.sample(self.hyperparameters, rng)
        first, second = self._tournament(parents, rng), self._tournament(parents, rng)
        if rng.random() < self.crossover_chance:
            child = sampling.crossover(self.hyperparameters, first.values, second.values, rng)
            child = mutate_one_on_average(self.hyperparameters, child, rng)
        else:
            child = sampling.mutate(self.hyperparameters, first.values, rng)
        return mutate_until_new(self, child, rng)

    def parents(self):
        """The parents of the generation that is running.

        Returns:
            list of `Observation`, the best first; empty before two generations have ended, `population_size` of them
            afterwards.
        """
        observations = self.observations()
        if self._num_sorted > len(observations):
            self._forget_generations()
        while len(observations) >= self._end_of_generation():
            end = self._end_of_generation()
            # Of equals the one that comes first stays, and the last to end is the youngest.
            everyone = observations[self._num_sorted : end][::-1] + self._parents
            places = pareto.crowded_places(self.losses(everyone), [each.violation for each in everyone])
            self._parents = [everyone[index] for index in np.argsort(places, kind="stable")[: self.population_size]]
            self._places = pareto.crowded_places(self.losses(self._parents), [each.violation for each in self._parents])
            self._num_sorted = end
        return self._parents

    def set_state(self, state):
        """Takes over a state of `get_state`; the generations are replayed from the trials.

        Args:
            state: dict.
        """
        super().set_state(state)
        self._forget_generations()

    def _forget_generations(self):
        self._num_sorted, self._parents, self._places = 0, [], []

    def _end_of_generation(self):
        """int, the number of trials at which the generation that is running ends."""
        return self._num_sorted + self.population_size if self._num_sorted else 2 * self.population_size

    def _tournament(self, parents, rng):
        """The better of two parents; of equals the first one drawn, which is chance."""
        one, other = rng.choice(len(parents), size=2, replace=False)
        return parents[one] if self._places[one] <= self._places[other] else parents[other]


def mutate_one_on_average(space, values, rng):
    """Mutates each active value with the same chance, so that one changes on average.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: dict of name to value, active ones only.
        rng: np.random.Generator.

    Returns:
        dict of name to value.
    """
    num_genes = len(values)
    num_mutations = int(rng.binomial(num_genes, 1.0 / num_genes)) if num_genes else 0
    return sampling.mutate(space, values, rng, num_mutations) if num_mutations else values


def mutate_until_new(oracle, values, rng):
    """Mutates a candidate that was tried before, a few times at most.

    Args:
        oracle: `HardwareOracle`.
        values: dict of name to value, active ones only.
        rng: np.random.Generator.

    Returns:
        dict of name to value; as they are when they are new.
    """
    for _ in range(_MAX_REDRAWS):
        if all(trial.hyperparameters.values != values for trial in oracle.trials.values()):
            break
        values = sampling.mutate(oracle.hyperparameters, values, rng)
    return values
