"""`HardwareTuner`: a keras-tuner tuner that lives the trial of a network that will be shipped."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import os
import pathlib
import sys

import keras_tuner as kt
import numpy as np

from hwkeras.build import HardwareHyperModel
from hwkeras.build import as_hypermodel
from hwkeras.convert import require_precisions
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import EstimatedMeter
from hwkeras.measure import open_meter
from hwkeras.objectives import Limit
from hwkeras.oracles import get as get_oracle
from hwkeras.search import pruning
from hwkeras.search import selection
from hwkeras.search.admission import Admission
from hwkeras.search.budget import Budget
from hwkeras.search.deployment import Deployer
from hwkeras.search.failures import MAX_FAILURES_IN_A_ROW
from hwkeras.search.failures import FatalTrialError
from hwkeras.search.failures import reason_of_failures
from hwkeras.search.finalists import Finalists
from hwkeras.search.journal import Journal
from hwkeras.search.latencies import Latencies
from hwkeras.search.naming import Naming
from hwkeras.search.outcome import Outcome
from hwkeras.search.progress import print_progress
from hwkeras.search.run import Run
from hwkeras.search.screening import Screen
from hwkeras.search.shipping import Shipping
from hwkeras.search.stages import StageClock
from hwkeras.search.training import Training
from hwkeras.search.training_data import TrainingData

DEFAULT_OBJECTIVES = ("accuracy", "latency_ms", "size_bytes")


class HardwareTuner(kt.Tuner):
    """Searches for the networks worth shipping: every number is taken from the `.tflite` bytes.

    A trial: proposal -> the untrained network converted, analyzed and timed; outside the limits it costs no trial ->
    `fit` -> batch statistics re-estimated on training data -> converted in every precision that can be shipped ->
    accuracy of the bytes on validation data, latency of the bytes on the device -> metrics.

    Args:
        hypermodel: one of `hwkeras.spaces`, any `keras_tuner.HyperModel`, or a function `build(hp)` that returns a
            compiled classifier.
        objectives: sequence of metric names, `Objective`s or `keras_tuner.Objective`s; keras-tuner's own score is the
            first. Defaults to `("accuracy", "latency_ms", "size_bytes")`.
        limits: sequence of `"size=200KiB"`-like strings or `Limit`s. Defaults to `()`.
        device: str, where latency is measured. The name of a hardware profile (`hwkeras boards`) sets its flash and RAM
            as limits, and latencies are estimates. Defaults to `"local"`.
        precision: sequence of `hwkeras.convert.PRECISIONS`. Defaults to `("float32", "int8")`.
        oracle: str, a name of `hwkeras.oracles.names()`, or an oracle that already has its objectives and limits.
            Defaults to `"evolution"`.
        max_trials: int, networks to train. Defaults to `20`.
        max_minutes: float or None, no trial is begun that would likely end after this. Defaults to `None`.
        seed: int or None, of proposals, splits and weights. Defaults to `None`.
        directory: str, of the run; an earlier search in it goes on. Defaults to `"runs/search"`.
        overwrite: bool, whether to throw away an earlier search. Defaults to `False`.
        meter: `Meter`, used instead of opening `device`. Defaults to `None`.
        progress: callable `(event, facts)` told what happens. Defaults to one line per trial on stderr.
        data_facts: dict, what manifests say of the data: `name`, `class_names`, `preprocessing`. Defaults to `None`.

    Raises:
        UserError: an unknown objective, limit, precision, oracle or device.
    """

    def __init__(
        self,
        hypermodel,
        *,
        objectives=DEFAULT_OBJECTIVES,
        limits=(),
        device="local",
        precision=("float32", "int8"),
        oracle="evolution",
        max_trials=20,
        max_minutes=None,
        seed=None,
        directory="runs/search",
        overwrite=False,
        meter=None,
        progress=print_progress,
        data_facts=None,
    ):
        self.precisions = require_precisions([precision] if isinstance(precision, str) else precision)
        self.device = device
        self.meter = meter if meter is not None else open_meter(device)
        self.seed = seed if seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self.progress = progress
        self._data_facts = {"name": "", "class_names": [], "preprocessing": {}} | (data_facts or {})
        self.pruned = None
        self._budget = Budget(max_minutes)
        self._clock = StageClock()
        if isinstance(oracle, str):
            limits = [*map(Limit.parse, limits), *_limits_of_device(self.meter)]
            failures = {"max_consecutive_failed_trials": MAX_FAILURES_IN_A_ROW}
            oracle = get_oracle(oracle)(objectives, limits, max_trials=max_trials, seed=self.seed, **failures)
        self.objectives, self.limits = list(oracle.objectives), list(oracle.limits)
        oracle.verbose = 0  # keras-tuner's own table prints on stdout
        directory = pathlib.Path(directory)
        self._init_keras_tuner(oracle, as_hypermodel(hypermodel), directory, overwrite)
        self.run = Run(directory)
        self._journal = Journal(directory / "journal.jsonl")
        self._outcome = Outcome(self.run, self._journal, oracle, self.limits)
        self._naming = Naming(self.hypermodel)
        self._admission = Admission(self._journal, self._naming, self._tell)
        self._latencies = Latencies(self.meter, self.limits, directory / "predictor.json")
        self._shipping = Shipping(self.run, self._naming, oracle, self.load_model)
        self._screen = Screen(
            self.hypermodel,
            self.precisions,
            self.limits,
            self._latencies,
            self._clock,
            least=pruning.least_metrics(self.hypermodel, self.precisions),
            on_result=self._admission.on_screened,
            on_failure=self._admission.on_unbuildable,
        )
        oracle.cost_model = self._screen
        oracle.identity = self._naming.identity

    def _init_keras_tuner(self, oracle, hypermodel, directory, overwrite):
        names = {"directory": str(directory.parent), "project_name": directory.name}
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints that it reloads; `search` tells that
                super().__init__(oracle, hypermodel, overwrite=overwrite, **names)
        except UserError:
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()  # keras-tuner makes it before it looks at the model
            raise

    def _populate_initial_space(self):
        # Our spaces know all their hyperparameters; the default builds a network for every conditional scope.
        # A subclass that adds hyperparameters of its own in `build` is discovered like anybody's.
        if type(self.hypermodel).build is not HardwareHyperModel.build:
            return super()._populate_initial_space()
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.pruned = pruning.prune(self.hypermodel, hp, self.limits, self.precisions, seed=self.seed)
        self.oracle.update_space(self.pruned.hyperparameters)

    def search(self, *fit_args, **fit_kwargs):
        """Searches; goes on where an earlier search in this directory stopped.

        Args:
            *fit_args: as for `model.fit`: x, y.
            **fit_kwargs: as for `model.fit`: `epochs`, `batch_size`, `callbacks`, `validation_data`, ... Without
                validation data a fifth of the training data is split off, the same for the same seed.

        Raises:
            UserError: the data cannot be used, or the directory belongs to another data set.
            InfeasibleError: no network of the space lies within the limits.
            DeviceError: the device does not answer.
        """
        data = TrainingData.from_fit_arguments(fit_args, fit_kwargs, self.seed)
        self.run.open(self._settings(data))
        self.run.save_check_samples(data.x_valid, data.y_valid)
        self._training = Training(self.hypermodel, data, self._clock, self.seed)
        self._deployer = Deployer(self._latencies, data, self._clock)
        self.save()  # keras-tuner's marker of a project to go on with is else first written when a trial ends
        if self.pruned is not None and self.pruned.removed:
            self._tell("pruned", message=self.pruned.summary())
        if self.oracle.trials:
            self._tell("resumed", num_done=len(self.oracle.end_order))
        self._budget.start()
        self.oracle.out_of_budget = lambda: self._budget.is_spent(len(self.oracle.trials))
        try:
            with contextlib.redirect_stdout(sys.stderr):
                super().search(*data.fit_args, **data.fit_kwargs)
                self._measure_finalists()
        except FatalTrialError as error:
            raise error.__cause__ from None
        except RuntimeError as error:
            raise reason_of_failures(self.oracle, self._journal) or error from error
        finally:
            self.run.save_results(self.results())
        reason = self.oracle.stop_reason
        if reason is not None and reason.error is not None:
            raise reason.error
        self._tell("finished", message=reason.message if reason else "")

    def _measure_finalists(self):
        finalists = Finalists(self.run, self._journal, self._latencies, self.objectives, self.limits)
        with self._clock.stage("measure"):
            again = finalists.measure_again(self.candidates())
        if again:
            self._tell("remeasured", candidates=again)

    def pre_create_trial(self):
        """Starts the clock of the proposal; keras-tuner calls it."""
        self._proposal = contextlib.ExitStack()
        self._proposal.enter_context(self._clock.stage("propose"))

    def on_trial_begin(self, trial):
        """Stops the clock of the proposal; keras-tuner calls it."""
        self._proposal.close()
        self._budget.trial_begins()
        self._tell("trial_started", trial=trial.trial_id, architecture=self._naming.summary(trial.hyperparameters))

    def run_trial(self, trial, *fit_args, **fit_kwargs):
        """Trains one network and deploys it in every precision that can be shipped; keras-tuner calls it.

        Returns:
            dict of metric name to float: those of the best precision, and each precision's own under
            `<precision>_<metric>`.
        """
        try:
            return self._live(trial)
        except (UserError, DeviceError) as error:
            raise FatalTrialError(str(error)) from error

    def on_trial_end(self, trial):
        """Records what the trial came to; keras-tuner calls it."""
        super().on_trial_end(trial)
        self._budget.trial_ends()
        self.run.save_results(self.results())
        if trial.status == "COMPLETED":
            self._tell("trial_finished", trial=trial.trial_id, candidates=self._outcome.candidates_of(trial.trial_id))
            return
        self._journal.write("failed", trial=trial.trial_id, message=trial.message)
        last_line = (trial.message or "unknown error").strip().splitlines()[-1]
        self._tell("trial_failed", trial=trial.trial_id, message=last_line)

    @property
    def stage_seconds(self):
        """dict of stage name to seconds spent in it since this tuner was made; `fit` is the training."""
        return dict(self._clock.seconds)

    def candidates(self):
        """All deployed candidates of completed trials.

        Returns:
            list of Candidate, in the order of their trials.
        """
        return self._outcome.candidates()

    def front(self):
        """The candidates within the limits that no other one beats in every objective.

        Returns:
            list of Candidate, best first objective first.
        """
        return self._outcome.front()

    def best(self, **limits):
        """The candidate to ship.

        Args:
            **limits: such as `latency="2ms"`: the best first objective within them. Without any, those of the search
                hold; where it has none, the knee of the front.

        Returns:
            Candidate.

        Raises:
            InfeasibleError: none lies within the limits; the message names the nearest.
        """
        return self._outcome.best(selection.limits_from(limits))

    def results(self):
        """The result document of this search, as in `results.json` and `hwkeras search --json`.

        Returns:
            dict, JSON-able.
        """
        return self._outcome.document(self._clock.seconds)

    def load_model(self, trial):
        """Builds the network of a trial with the weights that were deployed.

        Args:
            trial: keras_tuner Trial.

        Returns:
            keras.Model.
        """
        model = self.hypermodel.build(trial.hyperparameters)
        if not model.built:
            model.build((None, *self.run.check_samples()[0].shape[1:]))
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)  # its state is in the file too
        model.load_weights(self._weights_file(trial))
        return model

    def export(self, directory, candidate=None, overwrite=False):
        """Writes a bundle: the file, the Keras model, a C array, and a manifest with every number.

        Args:
            directory: str or PathLike of the new bundle.
            candidate: Candidate. Defaults to `None`, `best()`.
            overwrite: bool, whether an earlier bundle there is replaced. Defaults to `False`.

        Returns:
            pathlib.Path of the bundle.

        Raises:
            InfeasibleError: there is nothing to export.
            UserError: the directory is in use.
        """
        return self._shipping.ship(directory, candidate or self.best(), overwrite)

    def profile(self, candidate=None):
        """Where the time of a candidate's file goes on the device.

        Args:
            candidate: `Candidate`. Defaults to `None`, `best()`.

        Returns:
            Profile, by operator and by layer of the architecture.

        Raises:
            DeviceError: the device gives no such figures.
        """
        return self._shipping.profile(candidate or self.best(), self.meter)

    def export_front(self):
        """Writes a bundle for every member of the front, in `front/` of the run's directory, in place of earlier ones.

        Returns:
            dict, the result document; `file` of every front member, and of `best`, is that of its bundle.
        """
        document = self.results()
        self._shipping.ship_front(document, self.front())
        self.run.save_results(document)
        return document

    def _live(self, trial):
        precisions = self._admission.precisions(trial.hyperparameters, self._screen)
        model, metrics = self._training.train(trial)
        directory = self._trial_directory(trial)
        with self._clock.stage("save"):
            unfinished = directory / "unfinished.weights.h5"
            model.save_weights(unfinished)
            os.replace(unfinished, self._weights_file(trial))
        who = {
            "trial": trial.trial_id,
            "architecture": self._naming.summary(trial.hyperparameters),
            "architecture_hash": self._naming.identity(trial.hyperparameters),
        }
        candidates = self._deployer.deploy(model, precisions, directory, who)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        candidates = [dataclasses.replace(c, metrics=finite | c.metrics) for c in candidates]
        self._journal.write("candidates", trial=trial.trial_id, candidates=[c.to_json() for c in candidates])
        return self._trial_metrics(candidates)

    def _trial_metrics(self, candidates):
        metrics = dict(selection.leader_of(candidates, self.objectives, self.limits).metrics)
        for candidate in candidates:
            own = {name: value for name, value in candidate.metrics.items() if not name.startswith("val_")}
            metrics |= {f"{candidate.precision}_{name}": value for name, value in own.items()}
        missing = [objective.metric for objective in self.objectives if objective.metric not in metrics]
        if missing:
            said = "; ".join(f"{candidate.precision}: {candidate.status}" for candidate in candidates)
            raise kt.errors.FailedTrialError(f"No precision gave {', '.join(missing)} ({said}).")
        return metrics

    def _settings(self, data):
        return {
            "data_fingerprint": data.fingerprint,
            "data": self._data_facts,
            "objectives": [objective.metric for objective in self.objectives],
            "limits": [str(limit) for limit in self.limits],
            "precisions": list(self.precisions),
            "device": self.device,
            "meter": self.meter.describe(),
            "space": type(self.hypermodel).__name__,
            "oracle": type(self.oracle).__name__,
            "seed": self.seed,
            "epochs": data.fit_kwargs.get("epochs", 1),
            "pruned": self.pruned.summary() if self.pruned else (self.run.settings() or {}).get("pruned", ""),
        }

    def _trial_directory(self, trial):
        return pathlib.Path(self.get_trial_dir(trial.trial_id))

    def _weights_file(self, trial):
        return self._trial_directory(trial) / "deployed.weights.h5"

    def _tell(self, event, **facts):
        if self.progress is not None:
            counts = {"num_trials": len(self.oracle.trials), "rejected": self.oracle.num_rejected}
            self.progress(event, facts | counts | {"max_trials": self.oracle.max_trials})


def _limits_of_device(meter):
    """What a device without a body sets as limits: its flash and its RAM are all that is known of it."""
    return meter.limits() if isinstance(meter, EstimatedMeter) else ()
