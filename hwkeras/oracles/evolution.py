"""Regularized evolution: mutate the best of a sample of the youngest trials; the old ones die."""

from __future__ import annotations

import numpy as np

from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle


class EvolutionOracle(HardwareOracle):
    """Aging evolution (Real et al., 2019, DOI 10.1609/aaai.v33i01.33014780), sized for 12 to 200 trials.

    1. The first `num_random` candidates are drawn at random.
    2. Then a sample of the last `population_size` completed trials is drawn, its best member is the parent, and a
       mutation of it the next candidate. Being young, not being good, keeps a trial in the population.
    3. "Best" is constrained: within the limits before outside of them, then the plain value for one objective, or the
       Pareto rank and then the crowding distance for several; with three or more, the first alone every other time.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        population_size: int, 2 or more. Defaults to `20`.
        sample_size: int, 1 or more; 1 is a random parent. Defaults to `10`.
        num_random: int, 1 or more, or None for a quarter of `max_trials`, between 3 and 10. Defaults to `None`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a size out of range.
    """

    def __init__(self, objectives, limits=(), population_size=20, sample_size=10, num_random=None, **arguments):
        super().__init__(objectives, limits, **arguments)
        if num_random is None:
            num_random = 10 if self.max_trials is None else min(10, max(3, self.max_trials // 4))
        self.population_size = check_at_least("population_size", population_size, 2)
        self.sample_size = check_at_least("sample_size", sample_size, 1)
        self.num_random = check_at_least("num_random", num_random, 1)
        self._ordered = None

    def propose(self, rng):
        """Draws at random until there are parents, then mutates one.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        observations = self.observations()
        if len(observations) < self.num_random:
            return sampling.sample(self.hyperparameters, rng)
        population = observations[-self.population_size :]
        contestants = rng.choice(len(population), size=min(self.sample_size, len(population)), replace=False)
        # With three objectives most of a small population is on its front, and rank selects little: every other time
        # the first objective does.
        first_alone = len(self.objectives) > 2 and len(observations) % 2 == 0
        if self._ordered is None or self._ordered[:2] != (population, first_alone):
            # Most draws of a long search repeat what was tried; the population is the same in all of them.
            self._ordered = (population, first_alone, self._order(population, first_alone))
        order = self._ordered[2]
        parent = population[min(contestants, key=order.__getitem__)]
        return sampling.mutate(self.hyperparameters, parent.values, rng)

    def _order(self, population, first_alone):
        """Place of each member, 0 for the best; by the first objective alone, or by all."""
        losses = self.losses(population)
        losses = losses[:, :1] if first_alone else losses
        places = pareto.crowded_places(losses, [observation.violation for observation in population])
        # Of equal members the youngest comes first.
        age = -np.arange(len(population))
        return np.argsort(np.lexsort((age, places)))
