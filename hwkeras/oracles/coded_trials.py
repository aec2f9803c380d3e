"""The trials of an oracle as codes, and which candidates are still to be had."""

from __future__ import annotations

import numpy as np

from hwkeras.oracles.encoding import Encoding


class CodedTrials:
    """What an oracle has tried, encoded once.

    Args:
        oracle: `hwkeras.oracles.HardwareOracle`; its space and its trials are read when they are asked for.
    """

    def __init__(self, oracle):
        self._oracle = oracle
        self._encoding = None
        self._space_size = None
        self._codes = {}
        self._proposed = set()
        self._state = None

    @property
    def encoding(self):
        """The `Encoding` of the space as it is now; another object where the space has grown."""
        size = len(self._oracle.hyperparameters.space)
        if self._space_size != size:
            # NOTE: a hypermodel may declare more hyperparameters while it builds; they are only ever added.
            self._encoding, self._space_size, self._codes = Encoding(self._oracle.hyperparameters), size, {}
        return self._encoding

    @property
    def state(self):
        """tuple, another one as soon as a trial begins or ends."""
        return len(self._oracle.trials), len(self._oracle.end_order)

    def of(self, observations):
        """The codes of some observations.

        Args:
            observations: sequence of `Observation`, at least one.

        Returns:
            int array of shape (num_observations, num_genes).
        """
        return np.stack([self._of_trial(each.trial_id) for each in observations])

    def tried(self):
        """The codes of all trials, whatever became of them.

        Returns:
            int array of shape (num_trials, num_genes).
        """
        rows = [self._of_trial(trial_id) for trial_id in list(self._oracle.trials)]
        return np.array(rows, dtype=np.int16).reshape(len(rows), self.encoding.num_genes)

    def untried(self, pool):
        """Those that were neither tried nor proposed for the trial in hand, each once.

        Args:
            pool: int array of shape (num_candidates, num_genes).

        Returns:
            int array of the same width, in the same order.
        """
        if self._state != self.state:
            # NOTE: a proposal that was turned down is kept for its own trial only, so that a reloaded oracle, which
            # remembers none, does the same.
            self._state, self._proposed = self.state, set()
        known = {row.tobytes() for row in self.tried()} | self._proposed
        kept = []
        for place, key in enumerate(map(np.ndarray.tobytes, pool)):
            if key not in known:
                known.add(key)
                kept.append(place)
        return pool[kept]

    def take(self, chosen):
        """Takes a candidate off what is to be had, and decodes it.

        Args:
            chosen: int array of shape (num_genes,).

        Returns:
            dict of hyperparameter name to value.
        """
        self._proposed.add(chosen.tobytes())
        return self.encoding.decode(chosen)

    def _of_trial(self, trial_id):
        encoding = self.encoding
        if trial_id not in self._codes:
            self._codes[trial_id] = encoding.encode([self._oracle.trials[trial_id].hyperparameters.values])[0]
        return self._codes[trial_id]
