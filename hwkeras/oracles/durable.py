"""A keras-tuner oracle that an exception does not lock and a kill does not spoil."""

from __future__ import annotations

import logging
import warnings

import keras_tuner as kt
from keras_tuner.engine.trial import TrialStatus

from hwkeras.oracles import recovery

_LOGGER = logging.getLogger(__name__)


class DurableOracle(kt.Oracle):
    """`keras_tuner.Oracle` with its lock released on every exception, whole files, and a reload that repairs.

    Args:
        **arguments: of `keras_tuner.Oracle`.

    Attributes:
        repairs: tuple of str, what the last `reload` had to repair.
    """

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.repairs = ()

    def create_trial(self, tuner_id):
        """See `keras_tuner.Oracle.create_trial`. A stopped oracle is saved too."""
        return self._guarded(self._create_trial, tuner_id)

    def update_trial(self, trial_id, metrics, step=0):
        """See `keras_tuner.Oracle.update_trial`."""
        return self._guarded(self._update_trial, trial_id, metrics, step)

    def end_trial(self, trial):
        """See `keras_tuner.Oracle.end_trial`."""
        return self._guarded(self._end_trial, trial)

    def get_trial_state(self, trial):
        """What `trial.json` holds; a subclass may add to it.

        Args:
            trial: `keras_tuner.engine.trial.Trial`.

        Returns:
            dict, JSON-able.
        """
        return trial.get_state()

    def save(self):
        """Writes `oracle.json`; a kill in between leaves the one before."""
        recovery.write_state(self._get_oracle_fname(), self.get_state())

    def reload(self):
        """Reads the project back, after repairing what a kill or a full disk left behind (see `repairs`)."""
        self.repairs = recovery.repair(self._project_dir, self.get_state())
        for message in self.repairs:
            _LOGGER.warning("%s: %s", self._project_dir, message)
        super().reload()

    # What runs while the lock is held.

    def _create_trial(self, tuner_id):
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.save()
        return trial

    def _update_trial(self, trial_id, metrics, step):
        with warnings.catch_warnings():
            # keras-tuner looks for the best value so far even where all are NaN; the trial fails by its score.
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            return super().update_trial(trial_id, metrics, step)

    def _end_trial(self, trial):
        return super().end_trial(trial)

    def _save_trial(self, trial):
        # A private method of the host, overridden because it writes in place: a kill there would lose a result that
        # took an hour to train.
        recovery.write_state(f"{self._get_trial_dir(trial.trial_id)}/trial.json", self.get_trial_state(trial))

    @kt.synchronized
    def _caught(self, call, *args):
        # The outermost holder of keras-tuner's lock must return: its wrapper does not release it on an exception.
        try:
            return call(*args), None
        except BaseException as error:
            return None, error

    def _guarded(self, call, *args):
        answer, error = self._caught(call, *args)
        if error is not None:
            raise error
        return answer
