"""Hyperband: successive halving that starts now with many candidates and few epochs, now with few and many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field

from keras_tuner.engine.trial import TrialStatus

from hwkeras.oracles.fidelity import Fidelity
from hwkeras.oracles.fidelity_oracle import FidelityOracle

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


@dataclass
class Bracket:
    """One tournament of successive halving.

    Args:
        number: int, from 0.
        first_level: int, where on the ladder its candidates begin.
        num_candidates: int, how many begin.
        rounds: list of list of trial ids, one a level, in the order they began.
    """

    number: int
    first_level: int
    num_candidates: int
    rounds: list = field(default_factory=list)


def bracket_size(num_rounds, num_levels, reduction):
    """How many candidates begin a bracket: so many that every bracket trains about as many epochs.

    Args:
        num_rounds: int, levels the bracket climbs.
        num_levels: int, of the whole ladder.
        reduction: int.

    Returns:
        int.
    """
    return -(-num_levels * reduction ** (num_rounds - 1) // num_rounds)


def num_runs(num_candidates, num_rounds, reduction):
    """How many trials a bracket takes, continued ones counted too.

    Args:
        num_candidates: int, how many begin.
        num_rounds: int, levels the bracket climbs.
        reduction: int.

    Returns:
        int.
    """
    return sum(max(1, num_candidates // reduction**number) for number in range(num_rounds))


class HyperbandOracle(FidelityOracle):
    """Hyperband (Li et al., 2018, arXiv:1603.06560) around any other oracle.

    1. A bracket begins with some candidates at one level of the ladder; when all have ended, the best `1 / reduction`
       of them are trained on to the next level, and so on to `max_epochs`.
    2. The first bracket begins at the lowest level with the most candidates, the next one level higher with fewer, the
       last with a few that are trained to the end at once; then the sweep begins anew.
    3. A bracket is begun only if all of it fits into the trials left; where it does not, one is begun at a higher
       level. So a search never ends with candidates trained a little and nothing trained to the end.

    For the arguments see `FidelityOracle`.
    """

    def next_fidelity(self, is_exhausted):
        """What the oldest open bracket needs, else the first candidate of a new one.

        Args:
            is_exhausted: bool, whether the inner oracle has no new candidate any more.

        Returns:
            Fidelity, or None when running trials must end first, or nothing is left.
        """
        fidelities = self.fidelities()
        brackets = self._brackets(fidelities)
        for bracket in brackets:
            fidelity = self._continued(bracket, fidelities, is_exhausted)
            if fidelity is not None:
                return fidelity
        return None if is_exhausted else self._opened(brackets)

    def _brackets(self, fidelities):
        """The brackets so far, as the values of the trials tell of them."""
        num_levels = len(self.levels)
        brackets = {}
        for trial_id, fidelity in fidelities.items():
            level = min(fidelity.level, num_levels - 1)
            if fidelity.bracket not in brackets:
                size = bracket_size(num_levels - level, num_levels, self.reduction)
                rounds = [[] for _ in range(num_levels - level)]
                brackets[fidelity.bracket] = Bracket(fidelity.bracket, level, size, rounds)
            bracket = brackets[fidelity.bracket]
            bracket.rounds[max(0, level - bracket.first_level)].append(trial_id)
        return list(brackets.values())

    def _continued(self, bracket, fidelities, is_exhausted):
        """What a bracket needs next; None when it waits or is over."""
        size = bracket.num_candidates
        if len(bracket.rounds[0]) < size:
            if not is_exhausted:
                return Fidelity(self.levels[bracket.first_level], bracket.first_level, bracket.number)
            size = len(bracket.rounds[0])
        for past, present in zip(bracket.rounds, bracket.rounds[1:], strict=False):
            if self._is_running(past):
                return None
            size = max(1, size // self.reduction)
            deserving = self.deserving(past)[:size]
            promoted = {fidelities[trial_id].parent for trial_id in present}
            for trial_id in deserving:
                if trial_id not in promoted:
                    return self.promotion(trial_id, fidelities)
        return None

    def _opened(self, brackets):
        """The first candidate of the next bracket, or None where no trial is left for one."""
        num_levels = len(self.levels)
        left = self._left(brackets)
        for num_rounds in range(num_levels - len(brackets) % num_levels, 0, -1):
            # Whatever ends a bracket of one round early, each of its candidates was trained to the end.
            size = bracket_size(num_rounds, num_levels, self.reduction) if num_rounds > 1 else 1
            if num_runs(size, num_rounds, self.reduction) <= left:
                level = num_levels - num_rounds
                number = 1 + max((bracket.number for bracket in brackets), default=-1)
                return Fidelity(self.levels[level], level, number)
        return None

    def _left(self, brackets):
        """Trials left for new brackets, infinity for no end: those that open ones will need are set aside."""
        if self.max_trials is None:
            return math.inf
        return self.max_trials - len(self.trials) - sum(self._needed(bracket) for bracket in brackets)

    def _needed(self, bracket):
        if not any(self._is_running(trial_ids) for trial_ids in bracket.rounds):
            return 0  # it is over, whatever was planned: trials that failed have made it smaller
        planned = num_runs(bracket.num_candidates, len(bracket.rounds), self.reduction)
        return max(0, planned - sum(map(len, bracket.rounds)))

    def _is_running(self, trial_ids):
        return any(self.trials[trial_id].status not in _ENDED for trial_id in trial_ids)
