"""The life of a trial: from a network that was accepted to what the oracle is told of it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import keras_tuner as kt

from hwkeras.convert.quality import qualities_of
from hwkeras.convert.quality import require_targets
from hwkeras.oracles.durable import DurableOracle
from hwkeras.oracles.fidelity import architecture_hyperparameters
from hwkeras.search.admission import Admission
from hwkeras.search.cross_validation import CrossValidation
from hwkeras.search.deployment import Deployer
from hwkeras.search.devices import Elsewhere
from hwkeras.search.hopeless import HopelessTrials
from hwkeras.search.inheritance import Inheritance
from hwkeras.search.journal import Journal
from hwkeras.search.known_costs import KnownCosts
from hwkeras.search.naming import Naming
from hwkeras.search.outcome import Outcome
from hwkeras.search.run import Run
from hwkeras.search.screening import Screen
from hwkeras.search.stages import StageClock
from hwkeras.search.training import Training
from hwkeras.search.trial_compressor import TrialCompressor
from hwkeras.search.weights import Weights


@dataclass(frozen=True)
class Services:
    """What a search has before there are data, and every trial of it needs.

    Args:
        hypermodel: keras_tuner.HyperModel.
        oracle: `HardwareOracle`.
        run: `Run`.
        journal: `Journal` of that run.
        weights: `Weights` of that run.
        naming: `Naming`.
        admission: `Admission`.
        outcome: `Outcome`.
        screen: `Screen`.
        latencies: sequence of `Latencies`, the first device first.
        clock: `StageClock`.
    """

    hypermodel: kt.HyperModel
    oracle: DurableOracle
    run: Run
    journal: Journal
    weights: Weights
    naming: Naming
    admission: Admission
    outcome: Outcome
    screen: Screen
    latencies: tuple
    clock: StageClock


class TrialLife:
    """Trains one network and deploys it in every precision that can be shipped.

    Args:
        services: `Services`.
        training: `Training`.
        deployer: `Deployer`.
        compressor: `TrialCompressor`.
        hopeless: `HopelessTrials`, or None where every trial is trained to its end. Defaults to `None`.
        cross_validation: `CrossValidation`, or None where there are validation data. Defaults to `None`.
    """

    def __init__(self, services, training, deployer, compressor, hopeless=None, cross_validation=None):
        self._services = services
        self._training = training
        self._deployer = deployer
        self.compressor = compressor
        self._hopeless = hopeless
        self._cross_validation = cross_validation

    @classmethod
    def of(cls, services, economy, compression, data, seed, on_lost):
        """Trains on the data of a search, as economically as it is asked to.

        Args:
            services: `Services`.
            economy: `Economy`.
            compression: `Compression`.
            data: `TrainingData`.
            seed: int, of the trainings.
            on_lost: callable `(trial_id, message)`, see `Training`.

        Returns:
            TrialLife.

        Raises:
            DataError: the labels do not suit the objectives.
            UserError: objectives of classes and of numbers; recipes for data that stream.
        """
        its, objectives, limits = services, services.oracle.objectives, services.oracle.limits
        inheritance = Inheritance(its.hypermodel, its.weights, its.journal, its.oracle)
        inheritance = inheritance if economy.inherit_weights else None
        training = Training(its.hypermodel, data, its.clock, seed, its.weights, on_lost, inheritance)
        elsewhere = Elsewhere(its.latencies, objectives, limits, its.clock)
        qualities = qualities_of(objectives, limits)
        require_targets(data.y_valid, qualities)
        deployer = Deployer(its.latencies[0], data, its.clock, elsewhere, qualities)
        costs = KnownCosts(its.hypermodel, its.naming, its.admission, its.journal, its.latencies, objectives, its.clock)
        hopeless = HopelessTrials(its.journal, its.outcome, costs, objectives, limits, data.num_epochs)
        compressor = TrialCompressor(compression, data, deployer, services, seed)
        folds = None
        if data.num_folds is not None:
            folds = CrossValidation(services, data, seed, on_lost, qualities)
        return cls(services, training, deployer, compressor, hopeless if economy.stop_hopeless else None, folds)

    def live(self, trial):
        """Lives the life of a trial.

        Args:
            trial: keras_tuner Trial.

        Returns:
            dict of metric name to float, what the oracle is told.

        Raises:
            keras_tuner.errors.FailedTrialError: the network cannot be shipped.
            ConversionError: it does not convert.
            DeviceError: the device does not answer.
        """
        hp = architecture_hyperparameters(trial.hyperparameters)
        its = self._services
        precisions = its.admission.precisions(hp, its.screen)
        watch = None if self._hopeless is None else self._hopeless.watch(hp, precisions)
        judged, epochs_of_folds = {}, 0
        if self._cross_validation is not None:
            judged, epochs_of_folds = self._cross_validation.judge(trial, precisions)
        # NOTE: after the folds, as it is its weights that are kept.
        model, metrics, num_epochs = self._training.train(trial, watch)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        who = its.naming.of_trial(trial)
        if watch is not None and watch.stopped is not None:
            return self._hopeless.note_stopped(who, hp, precisions, finite, watch.stopped)
        candidates = self._deployer.deploy(model, precisions, its.run.directory / f"trial_{trial.trial_id}", who)
        candidates = [
            dataclasses.replace(c, metrics=finite | c.metrics | judged.get(c.precision, {})) for c in candidates
        ]
        if watch is not None:
            self._hopeless.note_curve(trial.trial_id, watch)
        candidates, more_epochs = self.compressor.add_to(candidates, model, trial)
        return its.outcome.deliver(trial.trial_id, candidates, epochs_of_folds + num_epochs + more_epochs)
