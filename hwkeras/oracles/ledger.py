"""What was tried and what came of it, kept up to date trial by trial: nothing here reads all trials again."""

from __future__ import annotations

import bisect
import collections
import itertools
import threading
from collections.abc import Sequence

from keras_tuner.engine.trial import TrialStatus

from hwkeras.oracles.observation import Observation
from hwkeras.oracles.recovery import is_lost


class Tried:
    """The candidates that have a trial, in the order of its number. An empty trial that replaces a lost one has none.

    Args:
        key_of: callable from a dict of values to str; candidates of one key are the same architecture.
    """

    def __init__(self, key_of):
        self._key_of = key_of
        self._num_followed = 0
        self._trials = []
        self._keys = {}
        self._counts = collections.Counter()
        self._changed = set()

    def __len__(self):
        return len(self._trials)

    def __contains__(self, key):
        return self._counts[key] > 0 if key in self._counts else False

    def values(self, index):
        """Returns:
        dict of name to value, of the candidate at a place.
        """
        return self._trials[index].hyperparameters.values

    def mark_changed(self, trial_id):
        """Says that the values of a trial may have changed: its run may have declared more of them."""
        self._changed.add(trial_id)

    def follow(self, start_order, trials):
        """Takes in what was started or changed since the last call.

        Args:
            start_order: list of str, all trial ids in the order they started.
            trials: dict of trial id to `keras_tuner.engine.trial.Trial`.
        """
        while self._num_followed < len(start_order):
            trial = trials[start_order[self._num_followed]]
            if not is_lost(trial):
                self._count(trial)
                self._trials.append(trial)
            self._num_followed += 1
        while self._changed:
            trial_id = next(iter(self._changed))
            self._count(trials[trial_id])
            self._changed.discard(trial_id)

    def _count(self, trial):
        key = self._key_of(trial.hyperparameters.values)
        before = self._keys.get(trial.trial_id)
        if key == before:
            return
        if before is not None:
            self._counts[before] -= 1
        self._keys[trial.trial_id] = key
        self._counts[key] += 1


class Observations(Sequence):
    """A read-only view of a list as it is now: what is appended to the list later is not seen.

    Slices are lists; equal to any sequence of equal members in the same order.

    Args:
        members: list, only ever appended to.
    """

    def __init__(self, members):
        self._members = members
        self._num = len(members)

    def __len__(self):
        return self._num

    def __iter__(self):
        return itertools.islice(self._members, self._num)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self._members[place] for place in range(*index.indices(self._num))]
        return self._members[range(self._num)[index]]

    def __eq__(self, other):
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None

    def __add__(self, other):
        return [*self, *other]

    def __radd__(self, other):
        return [*other, *self]

    def __repr__(self):
        return repr(list(self))


class Results:
    """The completed trials: in the order they ended, and from the best to the worst.

    Args:
        objectives: sequence of `hwkeras.objectives.Objective`.
        limits: sequence of `hwkeras.objectives.Limit`.
    """

    def __init__(self, objectives, limits):
        self._objectives = objectives
        self._limits = limits
        self._num_followed = 0
        self._observations = []
        self._ranking = []
        # Read from any thread, also while another one waits long for its proposal.
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._observations)

    def follow(self, end_order, trials):
        """Takes in what ended since the last call.

        Args:
            end_order: list of str, all ids of ended trials, in that order.
            trials: dict of trial id to `keras_tuner.engine.trial.Trial`.

        Returns:
            Results, itself.
        """
        with self._lock:
            while self._num_followed < len(end_order):
                trial = trials[end_order[self._num_followed]]
                if trial.status == TrialStatus.COMPLETED:
                    self._add(Observation.from_trial(trial, self._objectives, self._limits))
                self._num_followed += 1
        return self

    def observations(self):
        """Returns:
        Observations, in the order they ended.
        """
        return Observations(self._observations)

    def best(self, num_trials):
        """Returns:
        list of str, the ids of the best trials: those within the limits first, then by the first objective.
        """
        return [place[-1] for place in self._ranking[:num_trials]]

    def _add(self, observation):
        self._observations.append(observation)
        loss = observation.losses(self._objectives[:1])[0]
        trial_id = observation.trial_id
        place = (observation.violation > 0, loss, observation.violation, int(trial_id), trial_id)
        bisect.insort(self._ranking, place)
