"""What a search may spend: minutes, epochs, and patience with trials that bring nothing any more."""

from __future__ import annotations

import math
import statistics
import time

from hwkeras.errors import UserError
from hwkeras.oracles.stopping import StopReason

# Somebody waits to be told that a limit cannot be met. Draws are guided towards the limits meanwhile; what they learned
# is kept, and the same search started again looks on from there.
FIRST_CANDIDATE_SECONDS = 40
# One low forecast may be an accident of the model that made it; so many on end are not.
PATIENCE = 5


class Budget:
    """Says when no further trial should begin, and why.

    Args:
        max_minutes: float or None, no trial is begun that would likely end after this. Defaults to `None`, no end.
        first_candidate_seconds: float, how long the first network within the limits is looked for. Defaults to
            `FIRST_CANDIDATE_SECONDS`.
        clock: callable returning seconds. Defaults to `time.perf_counter`.
        max_total_epochs: int or None, epochs trained in all trials together, those of earlier sessions of the run
            included; no trial is begun that would likely exceed it. Defaults to `None`, no end.
        min_gain: float or None, in [0, 1): the search stops when the oracle expects less than this share of the
            hypervolume from one more trial, `PATIENCE` trials on end. Defaults to `None`, never.

    Raises:
        UserError: a number outside its range.
    """

    def __init__(
        self,
        max_minutes=None,
        first_candidate_seconds=None,
        clock=time.perf_counter,
        max_total_epochs=None,
        min_gain=None,
    ):
        if max_total_epochs is not None and max_total_epochs < 1:
            raise UserError(f"`max_total_epochs` must be at least 1. Received: max_total_epochs={max_total_epochs!r}.")
        if min_gain is not None and not 0 <= min_gain < 1:
            raise UserError(
                f"`min_gain` is a share of the hypervolume, in [0, 1). Received: min_gain={min_gain!r}. For 1% pass "
                "min_gain=0.01."
            )
        self._max_seconds = None if max_minutes is None else max_minutes * 60
        self._max_minutes = max_minutes
        self._max_total_epochs = max_total_epochs
        self._min_gain = min_gain
        self._first_candidate_seconds = (
            FIRST_CANDIDATE_SECONDS if first_candidate_seconds is None else first_candidate_seconds
        )
        self._clock = clock
        self._trial_seconds = []
        self._epochs = []
        self._epochs_of_others = 0
        self._gains = []
        self._started = self._trial_started = clock()

    @property
    def num_epochs(self):
        """int, epochs trained so far, those of earlier sessions included."""
        return sum(self._epochs) + self._epochs_of_others

    @property
    def num_epochs_left(self):
        """float, epochs that may still be trained; infinity without a bound."""
        return math.inf if self._max_total_epochs is None else self._max_total_epochs - self.num_epochs

    def start(self):
        """The search begins now."""
        self._started = self._clock()

    def resume(self, ended=(), epochs=1, compressed=()):
        """Takes over what earlier sessions of the run spent, and checks that there is something left to spend.

        Args:
            ended: sequence of dict, what the journal says of trials that ended in earlier sessions: their `epochs` and
                `expected_gain`, where known. Defaults to `()`.
            epochs: int, those a trial trains. Defaults to `1`.
            compressed: sequence of dict, what the journal says of networks compressed after the trials, with their
                `epochs`. Defaults to `()`.

        Raises:
            UserError: not one trial fits the budget.
        """
        if self._max_total_epochs is not None and epochs > self._max_total_epochs:
            raise UserError(
                f"A budget must hold the epochs of one trial. Received: max_total_epochs={self._max_total_epochs}, "
                f"epochs={epochs}. Allow more in total, or train each network less."
            )
        self._epochs = [event["epochs"] for event in ended if event.get("epochs") is not None]
        self._gains = [event.get("expected_gain") for event in ended]
        self._epochs_of_others = sum(event["epochs"] for event in compressed)

    def spend(self, epochs):
        """Counts epochs that were trained outside the trials.

        Args:
            epochs: int.
        """
        self._epochs_of_others += epochs

    def trial_begins(self):
        """A trial begins now."""
        self._trial_started = self._clock()

    def trial_ends(self, epochs=0, expected_gain=None):
        """The trial ends now; what it took is what the next one will likely take.

        Args:
            epochs: int, those it trained. Defaults to `0`.
            expected_gain: float or None, the share of the hypervolume that the oracle expects of one more trial.
                Defaults to `None`, unknown.
        """
        self._trial_seconds.append(self._clock() - self._trial_started)
        self._epochs.append(epochs)
        self._gains.append(expected_gain)

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
        return self.stop_reason(num_trials) is not None

    def stop_reason(self, num_trials):
        """Why no further trial should begin, where it is for what the trials took or are expected to bring.

        Args:
            num_trials: int, trials of this search so far.

        Returns:
            StopReason of the kind `"budget"` or `"converged"`, or None.
        """
        spent = self._clock() - self._started
        likely = statistics.mean(self._trial_seconds) if self._trial_seconds else 0.0
        if self._max_seconds is not None and spent + likely > self._max_seconds:
            return StopReason("budget", f"The budget of {self._max_minutes:g} minutes is spent{_after(num_trials)}")
        likely = math.ceil(statistics.mean(self._epochs)) if self._epochs else 0
        if self._max_total_epochs is not None and self.num_epochs + likely > self._max_total_epochs:
            said = f"The budget of {self._max_total_epochs} epochs is spent, {self.num_epochs} were trained"
            return StopReason("budget", said + _after(num_trials))
        return self._converged(num_trials)

    def explain(self, reason, num_trials):
        """Says more of why a search ended, where it ended for a budget.

        Args:
            reason: StopReason of the oracle, or None.
            num_trials: int, trials of this search so far.

        Returns:
            StopReason or None: the same, or what `stop_reason` says where the oracle knows only that it must stop.
        """
        if reason is None or reason.kind != "budget" or reason.error is not None:
            return reason
        return self.stop_reason(num_trials) or reason

    def _converged(self, num_trials):
        last = self._gains[-PATIENCE:]
        if self._min_gain is None or len(last) < PATIENCE or any(gain is None for gain in last):
            return None
        if not max(last) < self._min_gain:
            return None
        said = f"One more trial is expected to gain {last[-1]:.2%} of the hypervolume, less than {self._min_gain:.2%}"
        return StopReason("converged", said + _after(num_trials))


def _after(num_trials):
    return f". {num_trials} trials were run."
