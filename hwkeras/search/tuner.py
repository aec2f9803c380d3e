"""`HardwareTuner`: a keras-tuner tuner that lives the trial of a network that will be shipped."""

from __future__ import annotations

import contextlib
import io
import pathlib
import sys

import keras_tuner as kt
import numpy as np

from hwkeras.build import HardwareHyperModel
from hwkeras.build import as_hypermodel
from hwkeras.convert import require_precisions
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.oracles import get as get_oracle
from hwkeras.oracles.fidelity_oracle import agree_on_epochs
from hwkeras.search import pruning
from hwkeras.search import selection
from hwkeras.search.admission import Admission
from hwkeras.search.budget import Budget
from hwkeras.search.compression import Compression
from hwkeras.search.continuation import Continuation
from hwkeras.search.cross_validation import CrossValidation
from hwkeras.search.devices import Devices
from hwkeras.search.economy import Economy
from hwkeras.search.failures import MAX_FAILURES_IN_A_ROW
from hwkeras.search.failures import FatalTrialError
from hwkeras.search.failures import reason_of_failures
from hwkeras.search.finalists import Finalists
from hwkeras.search.goals import check_goals
from hwkeras.search.goals import usual_objectives
from hwkeras.search.journal import Journal
from hwkeras.search.naming import Naming
from hwkeras.search.outcome import Outcome
from hwkeras.search.progress import print_progress
from hwkeras.search.run import Run
from hwkeras.search.satisfiability import satisfiability_of
from hwkeras.search.screening import Screen
from hwkeras.search.settings import settings_of
from hwkeras.search.shipping import Shipping
from hwkeras.search.stages import StageClock
from hwkeras.search.training_data import TrainingData
from hwkeras.search.trial_life import Services
from hwkeras.search.trial_life import TrialLife
from hwkeras.search.weights import Weights


class HardwareTuner(kt.Tuner):
    """Searches for the networks worth shipping: every number is taken from the `.tflite` bytes.

    A trial: proposal -> the untrained network converted, analyzed and timed; outside the limits it costs no trial ->
    `fit` -> batch statistics re-estimated on training data -> converted in every precision that can be shipped ->
    accuracy of the bytes on validation data, latency of the bytes on the device -> metrics.

    Args:
        hypermodel: one of `hwkeras.spaces`, any `keras_tuner.HyperModel`, or a function `build(hp)` that returns a
            compiled classifier.
        objectives: sequence of metric names, `Objective`s or `keras_tuner.Objective`s; keras-tuner's own score is the
            first. Defaults to `None`: accuracy, latency and size; of a space that predicts numbers rmse for accuracy.
        limits: sequence of `"size=200KiB"`-like strings or `Limit`s. Defaults to `()`.
        device: str, where latency is measured. The name of a hardware profile (`hwkeras boards`) sets its flash and RAM
            as limits, and latencies are estimates. Or a sequence of them: the first gives `latency_ms`, a further
            one `latency_ms@NAME`, to limit (`"latency@NAME=8ms"`) and to optimize. Defaults to `"local"`.
        precision: sequence of `hwkeras.convert.PRECISIONS`. Defaults to `("float32", "int8")`.
        oracle: str, a name of `hwkeras.oracles.names()`, or an oracle that already has its objectives and limits.
            Defaults to `"pareto"`.
        max_trials: int, networks to train. Defaults to `20`.
        max_minutes: float or None, no trial is begun that would likely end after this. Defaults to `None`.
        max_total_epochs: int or None, epochs to train in all trials together. Defaults to `None`.
        min_gain: float or None, ends the search when less than this share of the hypervolume is expected of one more
            trial, for several on end; for oracles that say what they expect. Defaults to `None`.
        compression: `Compression`, or recipes such as `["int8_qat", "prune=0.5+int8_qat"]`, which the networks near the
            front are compressed by. Defaults to `None`, none.
        economy: `Economy`, how training is saved. Defaults to `None`, every candidate is trained in full.
        satisfiability_seconds: float, spent first on telling what share of the space fits. Defaults to `0`, none.
        seed: int or None, of proposals, splits and weights. Defaults to `None`.
        directory: str, of the run; an earlier search in it goes on. Defaults to `"runs/search"`.
        overwrite: bool, whether to throw away an earlier search. Defaults to `False`.
        meter: `Meter`, used instead of opening `device`; one a device. Defaults to `None`.
        progress: callable `(event, facts)` told what happens. Defaults to one line per trial on stderr.
        data_facts: dict, what manifests say of the data: `name`, `class_names`, `preprocessing`. Defaults to `None`.

    Raises:
        UserError: an unknown objective, limit, precision, oracle or device.
    """

    def __init__(
        self,
        hypermodel,
        *,
        objectives=None,
        limits=(),
        device="local",
        precision=("float32", "int8"),
        oracle="pareto",
        max_trials=20,
        max_minutes=None,
        max_total_epochs=None,
        min_gain=None,
        compression=None,
        economy=None,
        satisfiability_seconds=0,
        seed=None,
        directory="runs/search",
        overwrite=False,
        meter=None,
        progress=print_progress,
        data_facts=None,
    ):
        self.precisions = require_precisions([precision] if isinstance(precision, str) else precision)
        self._devices = Devices(device, meter)
        self.device, self.meter = self._devices.names[0], self._devices.first
        self.seed = seed if seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self.progress = progress
        self._data_facts = {"name": "", "class_names": [], "preprocessing": {}} | (data_facts or {})
        self.pruned, self._clock = None, StageClock()
        self.economy, self.compression = Economy.of(economy), Compression.of(compression)
        self._budget = Budget(max_minutes, max_total_epochs=max_total_epochs, min_gain=min_gain)
        self._satisfiability_seconds = satisfiability_seconds
        if isinstance(oracle, str):
            objectives = self._devices.objectives(objectives or usual_objectives(as_hypermodel(hypermodel)))
            limits = self._devices.limits(limits)
            oracle = get_oracle(oracle)(objectives, limits, max_trials=max_trials, seed=self.seed)
        self.run = Run(pathlib.Path(directory))
        self._journal = Journal(self.run.directory / "journal.jsonl")
        self.economy.check(oracle, self._journal)
        self.objectives, self.limits = list(oracle.objectives), list(oracle.limits)
        check_goals(self.objectives, self.limits)
        oracle.verbose = 0  # keras-tuner's own table prints on stdout
        self._init_keras_tuner(oracle, as_hypermodel(hypermodel), self.run.directory, overwrite)
        self._weights = Weights(self.run)
        self._naming = Naming(self.hypermodel)
        self._admission = Admission(self._journal, self._naming, self._tell)
        self._outcome = Outcome(self.run, self._journal, oracle, self.limits, self._admission)
        self._latencies = self._devices.latencies(self.limits, self.run.directory)
        self._shipping = Shipping(self.run, self._naming, oracle, self.load_model)
        self._continuation = Continuation(self._journal, self._outcome, self._weights, oracle)
        self._screen = oracle.cost_model = self._new_screen()
        oracle.identity = self._naming.candidate

    def _init_keras_tuner(self, oracle, hypermodel, directory, overwrite):
        if oracle.max_consecutive_failed_trials is None:
            oracle.max_consecutive_failed_trials = MAX_FAILURES_IN_A_ROW
        names = {"directory": str(directory.parent), "project_name": directory.name}
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints that it reloads; `search` tells that
                super().__init__(oracle, hypermodel, overwrite=overwrite, **names)
        except UserError:
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()  # keras-tuner makes it before it looks at the model
            raise

    def _new_screen(self):
        return Screen(
            self.economy.screened(self.hypermodel, self.seed),
            self.precisions,
            self.limits,
            self._latencies,
            self._clock,
            least=pruning.least_metrics(self.hypermodel, self.precisions),
            on_result=self._admission.on_screened,
            on_failure=self._admission.on_unbuildable,
            identity=self._naming.identity,
        )

    def _new_life(self, data):
        services = Services(
            self.hypermodel,
            self.oracle,
            self.run,
            self._journal,
            self._weights,
            self._naming,
            self._admission,
            self._outcome,
            self._screen,
            self._latencies,
            self._clock,
        )
        on_lost = self._continuation.on_lost_weights
        return TrialLife.of(services, self.economy, self.compression, data, self.seed, on_lost)

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
            *fit_args: as for `model.fit`: x, y; a `data.StoredArray` or numpy memmap and y; or a tf.data.Dataset, a
                keras PyDataset, or a generator without an end, of batches `(x, y)`, with `steps_per_epoch`.
            **fit_kwargs: as for `model.fit`: `epochs`, `batch_size`, `callbacks`, `validation_data`, ... Without
                validation data a fifth of the training data is split off, the same for the same seed. A `class_weight`
                of `"balanced"` gives each class the same weight in all. `validation_folds=5`, for few samples: each is
                judged by a file that was trained without it, and the file that ships is trained on all. Those of a
                group (`validation_groups`, an array) are in one fold.

        Raises:
            UserError: the data cannot be used, or the directory belongs to another data set.
            InfeasibleError: no network of the space lies within the limits.
            DeviceError: the device does not answer.
        """
        epochs = agree_on_epochs(self.oracle, fit_kwargs.get("epochs"))
        fit_kwargs |= {} if epochs is None else {"epochs": epochs}
        data = TrainingData.from_fit_arguments(fit_args, fit_kwargs, self.seed, self.economy.train_share)
        if data.num_folds is not None:
            CrossValidation.check(self.oracle, self.economy, self.compression)
        ended, compressed = self._journal.read("finished"), self._journal.read("front_compressed")
        self._budget.resume(ended, data.num_epochs, compressed)
        self.run.open(settings_of(self, data, self._devices, self._data_facts))
        self.run.save_check_samples(data.x_valid, data.y_valid)
        self.economy.learn(self.oracle, self._journal, data.fingerprint)
        self._screen.zero_cost = self.economy.zero_cost_scores(data.x, self.seed)
        self._life = self._new_life(data)
        self.save()  # keras-tuner's marker of a project to go on with is else first written when a trial ends
        if self.pruned is not None and self.pruned.removed:
            self._tell("pruned", message=self.pruned.summary())
        if self.economy.train_share < 1:
            self._tell("economy", message=self.economy.summary(data))
        if self.oracle.trials:
            self._tell("resumed", num_done=len(self.oracle.end_order))
        self._continuation.retire(*self.oracle.trials.values())  # a kill may have come before it was done
        self.oracle.out_of_budget = lambda: self._budget.is_spent(len(self.oracle.trials))
        try:
            with contextlib.redirect_stdout(sys.stderr):
                if self._satisfiability_seconds and self.limits and not self.oracle.trials:
                    report = satisfiability_of(self.oracle, self._screen.least, self._satisfiability_seconds)
                    self._tell("satisfiability", message=self._outcome.note_satisfiability(report))
                self._budget.start()
                super().search(*data.fit_args, **data.fit_kwargs)
                self.oracle.stop_reason = self._budget.explain(self.oracle.stop_reason, len(self.oracle.trials))
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
        self._tell("recipes_left", left=self._life.compressor.complete(self.load_model, self._budget))
        finalists = Finalists(self.run, self._journal, self._latencies[0], self.objectives, self.limits)
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
        self._tell("trial_started", trial=trial.trial_id, architecture=self._naming.of_trial(trial)["architecture"])

    def run_trial(self, trial, *fit_args, **fit_kwargs):
        """Trains one network and deploys it in every precision that can be shipped; keras-tuner calls it.

        Returns:
            dict of metric name to float: those of the best precision, and each precision's own under
            `<precision>_<metric>`.
        """
        try:
            return self._life.live(trial)
        except (UserError, DeviceError) as error:
            raise FatalTrialError(str(error)) from error

    def on_trial_end(self, trial):
        """Records what the trial came to; keras-tuner calls it."""
        super().on_trial_end(trial)
        facts = self._outcome.finish(trial) if trial.status == "COMPLETED" else {}
        self._budget.trial_ends(facts.get("epochs", 0), facts.get("expected_gain"))
        self._continuation.retire(trial)
        self.run.save_results(self.results())
        if trial.status == "COMPLETED":
            self._tell("trial_finished", **facts, candidates=self._outcome.candidates_of(trial.trial_id))
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
        return self._weights.load(self.hypermodel.build(trial.hyperparameters), trial.trial_id)

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

    def _tell(self, event, **facts):
        if self.progress is not None:
            counts = {"num_trials": len(self.oracle.trials), "rejected": self._admission.num_rejected}
            self.progress(event, facts | counts | {"max_trials": self.oracle.max_trials})
