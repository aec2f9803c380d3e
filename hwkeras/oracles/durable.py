"""A keras-tuner oracle that an exception does not lock, a kill does not spoil, and many trials do not slow down."""

from __future__ import annotations

import logging
import threading
import warnings

import keras_tuner as kt
from keras_tuner.engine.metrics_tracking import infer_metric_direction
from keras_tuner.engine.trial import TrialStatus

from hwkeras.oracles import recovery

_LOGGER = logging.getLogger(__name__)
# `oracle.json` is written anew when a third as many trial files were written since as there are trials: all the
# writing of n trials then costs a constant times n.
_WRITES_PER_TRIAL = 3


class DurableOracle(kt.Oracle):
    """`keras_tuner.Oracle` with its lock released on every exception, whole files, and a reload that goes on exactly.

    The files of the trials hold the truth. Each is written whole or not at all, and carries the number of the writing
    and what else the oracle knew then (`get_progress`): the newest one says how far the oracle was. `oracle.json`,
    which grows with the trials, is written anew only every so often and when the oracle stops.

    Args:
        **arguments: of `keras_tuner.Oracle`. `max_consecutive_failed_trials` defaults to `None`: failed trials never
            end a search by themselves.

    Attributes:
        repairs: tuple of str, what the last `reload` had to repair.
    """

    def __init__(self, **arguments):
        super().__init__(**{"max_consecutive_failed_trials": None, **arguments})
        self.repairs = ()
        self._num_failed_in_a_row = 0
        self._num_written = 0
        self._num_unsaved = 0
        self._num_saved_hyperparameters = None
        self._directions = {}
        # keras-tuner's own lock lets all threads of one name in at once.
        self._own_lock = threading.RLock()

    def create_trial(self, tuner_id):
        """See `keras_tuner.Oracle.create_trial`. A stopped oracle is saved too."""
        return self._guarded(self._create_trial, tuner_id)

    def update_trial(self, trial_id, metrics, step=0):
        """See `keras_tuner.Oracle.update_trial`."""
        return self._guarded(self._update_trial, trial_id, metrics, step)

    def end_trial(self, trial):
        """See `keras_tuner.Oracle.end_trial`.

        Raises:
            RuntimeError: this trial failed and was the last of `max_consecutive_failed_trials` in a row.
        """
        return self._guarded(self._end_trial, trial)

    def get_progress(self):
        """What must be known exactly after a kill and is not told by the trials: written with each of them.

        Returns:
            dict, JSON-able and small: keys of `get_state`.
        """
        return {"seed": self.seed, "seed_state": self._seed_state, "num_failed_in_a_row": self._num_failed_in_a_row}

    def get_trial_state(self, trial):
        """What `trial.json` holds; a subclass may add to it.

        Args:
            trial: `keras_tuner.engine.trial.Trial`.

        Returns:
            dict, JSON-able.
        """
        run_times = self._run_times.get(trial.trial_id, 0)
        progress = self.get_progress()
        return {**trial.get_state(), "run_times": run_times, "num_written": self._num_written, "oracle": progress}

    def get_state(self):
        """Returns:
        dict, JSON-able, all that a reloaded oracle needs besides the trials.
        """
        counts = {"num_written": self._num_written, "num_failed_in_a_row": self._num_failed_in_a_row}
        return {**super().get_state(), **counts}

    def set_state(self, state):
        """Takes over a state of `get_state`.

        Args:
            state: dict.
        """
        super().set_state(state)
        self._num_written = state.get("num_written", 0)
        self._num_failed_in_a_row = state.get("num_failed_in_a_row", 0)

    def save(self):
        """Writes `oracle.json` when it is due; what is newer is in the files of the trials, and `reload` finds it."""
        self._guarded(self._save_when_due)

    def reload(self):
        """Reads the project back, after repairing what a full disk or a lost file left behind (see `repairs`)."""
        self._guarded(self._reload)
        for message in self.repairs:
            _LOGGER.warning("%s: %s", self._project_dir, message)

    def counts_as_failure(self, trial):
        """Whether a failed trial counts for `max_consecutive_failed_trials`.

        Args:
            trial: `keras_tuner.engine.trial.Trial` of the status `FAILED`.

        Returns:
            bool.
        """
        return True

    # What runs while the lock is held.

    def _create_trial(self, tuner_id):
        is_known = tuner_id in self.ongoing_trials
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self._write_state()
        elif not is_known and trial.metrics.metrics:
            # A retry: what the run that failed reported is not this one's, before and after a kill.
            trial.metrics = type(trial.metrics)()
        return trial

    def _update_trial(self, trial_id, metrics, step):
        if self.objective.name in metrics:  # Else keras-tuner refuses them.
            self._register(self.trials[trial_id].metrics, metrics)
        with warnings.catch_warnings():
            # keras-tuner looks for the best value so far even where all are NaN; the trial fails by its score.
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            return super().update_trial(trial_id, metrics, step)

    def _register(self, tracker, metrics):
        """Registers metrics as keras-tuner would, which takes a millisecond to look up the direction of each."""
        for name in metrics:
            if name not in self._directions:
                is_objective = name == self.objective.name
                self._directions[name] = self.objective.direction if is_objective else infer_metric_direction(name)
            if not tracker.exists(name):
                tracker.register(name, self._directions[name] or "min")

    def _end_trial(self, trial):
        super().end_trial(trial)
        failed = self.trials[trial.trial_id]
        bound = self.max_consecutive_failed_trials
        if bound is not None and failed.status == TrialStatus.FAILED and self._num_failed_in_a_row >= bound:
            raise RuntimeError(
                f"A search ends after `max_consecutive_failed_trials` failed trials in a row. Received: "
                f"{self._num_failed_in_a_row} with max_consecutive_failed_trials={bound}. The last one said: "
                f"{failed.message or 'nothing'} Repair what fails, or pass None to go on whatever fails."
            )

    def _check_consecutive_failures(self):
        # A private method of the host, overridden because it reads all trials each time one ends, and raises before
        # the last of them is saved.
        trial = self.trials[self.end_order[-1]]
        if trial.status != TrialStatus.FAILED:
            self._num_failed_in_a_row = 0
        elif self.max_consecutive_failed_trials is None or self.counts_as_failure(trial):
            self._num_failed_in_a_row += 1

    def _save_trial(self, trial):
        # A private method of the host, overridden because it writes in place: a kill there would lose a result that
        # took an hour to train.
        self._num_written += 1
        self._num_unsaved += 1
        path = f"{self._project_dir}/trial_{trial.trial_id}/trial.json"
        recovery.write_state(path, self.get_trial_state(trial))

    def _save_when_due(self):
        has_grown = self._num_saved_hyperparameters != len(self.hyperparameters.space)
        if has_grown or 0 < len(self.trials) <= _WRITES_PER_TRIAL * self._num_unsaved:
            self._write_state()

    def _write_state(self):
        recovery.write_state(self._get_oracle_fname(), self.get_state())
        self._num_unsaved = 0
        self._num_saved_hyperparameters = len(self.hyperparameters.space)

    def _reload(self):
        found = recovery.recover(self._project_dir, self.get_state())
        self.repairs = found.repairs
        self.trials = found.trials
        for trial in self.trials.values():
            if trial.status == TrialStatus.RUNNING:
                trial.metrics = type(trial.metrics)()
        candidates = {i: t.hyperparameters.values for i, t in self.trials.items() if not recovery.is_lost(t)}
        hashes = {trial_id: self._compute_values_hash(values) for trial_id, values in candidates.items()}
        self.set_state({**found.state, "id_to_hash": hashes, "tried_so_far": list(hashes.values())})
        self._num_saved_hyperparameters = len(self.hyperparameters.space) if found.has_state else None
        self._num_unsaved = found.num_unsaved
        for trial_id in found.spaces:
            self._grow_space(self.trials[trial_id].hyperparameters)
        if self.repairs:
            self._write_state()

    def _grow_space(self, hyperparameters):
        if self.allow_new_entries and self.tune_new_entries:
            self.update_space(hyperparameters)

    @kt.synchronized
    def _caught(self, call, *args):
        # The outermost holder of keras-tuner's lock must return: its wrapper does not release it on an exception.
        try:
            return call(*args), None
        except BaseException as error:
            return None, error

    def _guarded(self, call, *args):
        with self._own_lock:
            answer, error = self._caught(call, *args)
        if error is not None:
            raise error
        return answer
