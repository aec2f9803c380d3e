"""Networks that are trained on from trial to trial: only the last of them counts, and only its weights are kept."""

from __future__ import annotations

from keras_tuner.engine.trial import TrialStatus

from hwkeras.oracles.fidelity import PARENT
from hwkeras.oracles.fidelity import Fidelity

_ENDED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


class Continuation:
    """Keeps the journal of a run true where a trial continues another one.

    Args:
        journal: `Journal`.
        outcome: `Outcome` of that journal.
        weights: `Weights` of that run.
        oracle: `HardwareOracle`, which knows the trials.
    """

    def __init__(self, journal, outcome, weights, oracle):
        self._journal = journal
        self._outcome = outcome
        self._weights = weights
        self._oracle = oracle

    def retire(self, *trials):
        """Takes back the candidates of the trials that completed trials continue: the longest training counts.

        Their weights are removed once those of the longer training are on the disk: nothing is deployed from them any
        more, and who continues or inherits takes the longer training. A trial that is still to be continued by another
        running one keeps its weights.

        Args:
            *trials: keras_tuner Trial; those that did not complete, or continue none, change nothing.
        """
        for trial in trials:
            fidelity = Fidelity.of(trial.hyperparameters.values)
            parent = fidelity.parent if fidelity is not None and trial.status == "COMPLETED" else None
            if parent is None:
                continue
            if self._outcome.candidates_of(parent):
                self._journal.write("candidates", trial=parent, candidates=[])
            if self._weights.file(trial.trial_id).exists() and not self._is_needed(parent):
                self._weights.remove(parent)

    def _is_needed(self, trial_id):
        """Whether a trial that has not ended continues this one."""
        going_on = (trial for trial in self._oracle.trials.values() if trial.status not in _ENDED)
        return any(trial.hyperparameters.values.get(PARENT) == trial_id for trial in going_on)

    def on_lost_weights(self, trial_id, message):
        """Takes note of a network that had to be trained from the start.

        Args:
            trial_id: str.
            message: str, why.
        """
        self._journal.write("restarted", trial=trial_id, message=message)
