"""The time a search may take."""

from __future__ import annotations

import statistics
import time

# Somebody waits to be told that a limit cannot be met. Draws are guided towards the limits meanwhile; what they learned
# is kept, and the same search started again looks on from there.
FIRST_CANDIDATE_SECONDS = 40


class Budget:
    """Says when no further trial should begin.

    Args:
        max_minutes: float or None, no trial is begun that would likely end after this. Defaults to `None`, no end.
        first_candidate_seconds: float, how long the first network within the limits is looked for. Defaults to
            `FIRST_CANDIDATE_SECONDS`.
        clock: callable returning seconds. Defaults to `time.perf_counter`.
    """

    def __init__(self, max_minutes=None, first_candidate_seconds=None, clock=time.perf_counter):
        self._max_seconds = None if max_minutes is None else max_minutes * 60
        self._first_candidate_seconds = (
            FIRST_CANDIDATE_SECONDS if first_candidate_seconds is None else first_candidate_seconds
        )
        self._clock = clock
        self._trial_seconds = []
        self._started = self._trial_started = clock()

    def start(self):
        """The search begins now."""
        self._started = self._clock()

    def trial_begins(self):
        """A trial begins now."""
        self._trial_started = self._clock()

    def trial_ends(self):
        """The trial ends now; how long it took is what the next one will likely take."""
        self._trial_seconds.append(self._clock() - self._trial_started)

    def is_spent(self, num_trials):
        """Whether no further trial should begin.

        Args:
            num_trials: int, trials of this search so far.

        Returns:
            bool.
        """
        spent = self._clock() - self._started
        if num_trials == 0 and spent > self._first_candidate_seconds:
            return True
        likely = statistics.mean(self._trial_seconds) if self._trial_seconds else 0.0
        return self._max_seconds is not None and spent + likely > self._max_seconds
