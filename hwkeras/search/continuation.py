"""Networks that are trained on from trial to trial: only the last of them counts."""

from __future__ import annotations

from hwkeras.oracles.fidelity import Fidelity


class Continuation:
    """Keeps the journal of a run true where a trial continues another one.

    Args:
        journal: `Journal`.
        outcome: `Outcome` of that journal.
    """

    def __init__(self, journal, outcome):
        self._journal = journal
        self._outcome = outcome

    def retire(self, *trials):
        """Takes back the candidates of the trials that completed trials continue: the longest training counts.

        Args:
            *trials: keras_tuner Trial; those that did not complete, or continue none, change nothing.
        """
        for trial in trials:
            fidelity = Fidelity.of(trial.hyperparameters.values)
            parent = fidelity.parent if fidelity is not None and trial.status == "COMPLETED" else None
            if parent is not None and self._outcome.candidates_of(parent):
                self._journal.write("candidates", trial=parent, candidates=[])

    def on_lost_weights(self, trial_id, message):
        """Takes note of a network that had to be trained from the start.

        Args:
            trial_id: str.
            message: str, why.
        """
        self._journal.write("restarted", trial=trial_id, message=message)
