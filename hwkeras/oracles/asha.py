"""ASHA: whoever is among the best third of those trained as long is trained on at once; nobody is waited for."""

from __future__ import annotations

from hwkeras.oracles.fidelity import Fidelity
from hwkeras.oracles.fidelity_oracle import FidelityOracle


class AshaOracle(FidelityOracle):
    """Asynchronous successive halving (Li et al., 2018, arXiv:1810.05834) around any other oracle.

    1. Each trial is looked for from the top of the ladder downwards: of the candidates that completed a level, the
       best `1 / reduction` deserve the next one; the first of them that does not have it yet gets it.
    2. Where nobody deserves more, the inner oracle proposes a new candidate for the lowest level.
    3. When no new candidate is left, the best of each level is trained on even where a share of the level is none.

    Good at any time: it never waits for a level to fill, and may be stopped after any trial.
    For the arguments see `FidelityOracle`.
    """

    def next_fidelity(self, is_exhausted):
        """A promotion where one is deserved, else a new candidate.

        Args:
            is_exhausted: bool, whether the inner oracle has no new candidate any more.

        Returns:
            Fidelity, or None when there is nothing to promote and nothing new.
        """
        levels, fidelities = self.levels, self.fidelities()
        promoted = {fidelity.parent for fidelity in fidelities.values()}
        for level in reversed(range(len(levels) - 1)):
            begun = (trial_id for trial_id, fidelity in fidelities.items() if fidelity.level == level)
            completed = [trial_id for trial_id in begun if self.is_completed(trial_id)]
            share = len(completed) // self.reduction
            for trial_id in self.deserving(completed)[: max(share, 1) if is_exhausted else share]:
                if trial_id not in promoted:
                    return self.promotion(trial_id, fidelities)
        return None if is_exhausted else Fidelity(levels[0])
