"""Random search: the baseline every other oracle has to beat."""

from __future__ import annotations

from hwkeras.oracles import sampling
from hwkeras.oracles.base import HardwareOracle


class RandomOracle(HardwareOracle):
    """Draws each candidate at random, independently of what was learned.

    Candidates outside the limits are turned down before training, so even random search spends its trials on models
    that can be shipped.
    """

    def propose(self, rng):
        """Draws every active hyperparameter uniformly.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        return sampling.sample(self.hyperparameters, rng)
