"""The dear half of a trial: `fit`, and what makes its figures true."""

from __future__ import annotations

import copy
import os

import keras

from hwkeras.build import reestimate_batch_statistics
from hwkeras.build.training_graphs import let_graphs_go
from hwkeras.data.stored import errors_of
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.search.weights import UNUSABLE_WEIGHTS


class Training:
    """Trains the network of a trial with the user's `model.fit` arguments.

    A trial that continues another one (`hwkeras.oracles.fidelity`) trains the epochs that are missing, from the weights
    and the optimizer's state of that one.

    Args:
        hypermodel: keras_tuner.HyperModel; its own `fit` is called.
        data: `TrainingData`.
        clock: `StageClock`.
        seed: int; trial `n` starts from seed + n, so a trial that is run again after a kill is the same.
        weights: `Weights`, where those of each trial are kept, and those of trials to continue are found.
        on_lost: callable `(trial_id, message)`, told when the weights to begin with cannot be used and the network is
            trained from the start instead.
        inheritance: `Inheritance`, or None where new networks begin with weights of their own. Defaults to `None`.
    """

    def __init__(self, hypermodel, data, clock, seed, weights, on_lost, inheritance=None):
        self._hypermodel = hypermodel
        self._data = data
        self._clock = clock
        self._seed = seed
        self._weights = weights
        self._on_lost = on_lost
        self._inheritance = inheritance

    def train(self, trial, watch=None):
        """Builds, fits, re-estimates batch statistics on training data, and keeps the weights.

        Args:
            trial: keras_tuner Trial.
            watch: keras Callback of this trial alone, which may stop it. Defaults to `None`.

        Returns:
            keras.Model, trained; dict of metric name to float: `val_*` after re-estimation, and what a `fit` of the
            user's own hypermodel returned; int, the epochs that were trained.
        """
        hp = trial.hyperparameters
        with self._clock.stage("build"):
            model, initial_epoch = self._begun(trial)
            let_graphs_go(model, *self._data.one_sample())
        args, kwargs = self._fit_arguments(trial, initial_epoch)
        kwargs["callbacks"] += [] if watch is None else [watch]
        with self._clock.stage("fit"), errors_of(self._data.fit_args[0]):
            fitted = self._hypermodel.fit(hp, model, *args, **kwargs)
        with self._clock.stage("evaluate"):
            reestimate_batch_statistics(model, self._data.x)
            metrics = _reported(fitted) | self._evaluate(model)
        with self._clock.stage("save"):
            self._weights.save(model, trial.trial_id)
        return model, metrics, _num_epochs(fitted, kwargs)

    def _begun(self, trial):
        """The network as its training begins, and after how many epochs it does."""
        fidelity = Fidelity.of(trial.hyperparameters.values)
        model = self._built(trial)
        if self._inheritance is not None:
            self._inheritance.note(trial.trial_id, self._weights.built(model))
        if fidelity is None or fidelity.parent is None:
            return self._inheriting(trial, model), 0
        try:
            return self._weights.load(model, fidelity.parent), fidelity.initial_epoch
        except UNUSABLE_WEIGHTS as error:
            self._on_lost(trial.trial_id, f"The weights of trial {fidelity.parent} cannot be continued: {error}")
            return self._built(trial), 0  # some of the weights may have been loaded

    def _inheriting(self, trial, model):
        """A new network, with the weights of another one where one is near enough."""
        parent = None if self._inheritance is None else self._inheritance.parent_of(trial.trial_id, model)
        if parent is not None:
            try:
                self._inheritance.bequeath(trial.trial_id, model, parent)
            except UNUSABLE_WEIGHTS as error:
                self._on_lost(trial.trial_id, f"The weights of trial {parent} cannot be inherited: {error}")
        return model

    def _seed_of(self, trial):
        return (self._seed + int(trial.trial_id)) % 2**32

    def _built(self, trial):
        keras.backend.clear_session()
        keras.utils.set_random_seed(self._seed_of(trial))
        return self._hypermodel.build(trial.hyperparameters)

    def _fit_arguments(self, trial, initial_epoch):
        args, kwargs = self._data.for_training(self._seed_of(trial), initial_epoch)
        kwargs = {"verbose": 0} | kwargs
        fidelity = Fidelity.of(trial.hyperparameters.values)
        if fidelity is not None:
            kwargs |= {"epochs": fidelity.epochs, "initial_epoch": initial_epoch}
        # One copy for each trial, as keras-tuner does: callbacks keep state.
        kwargs["callbacks"] = copy.deepcopy(list(kwargs.get("callbacks") or []))
        for callback in kwargs["callbacks"]:
            if isinstance(callback, keras.callbacks.TensorBoard):
                callback.log_dir = os.path.join(str(callback.log_dir), trial.trial_id)
        return args, kwargs

    def _evaluate(self, model):
        if not model.compiled:
            return {}
        x, y, *_ = self._data.fit_kwargs["validation_data"]
        scores = model.evaluate(x, y, verbose=0, return_dict=True)
        return {f"val_{name}": float(value) for name, value in scores.items()}


def _reported(fitted):
    """A History's values are those before re-estimation: they are taken anew. A user's own result is kept."""
    if isinstance(fitted, dict):
        return {name: float(value) for name, value in fitted.items()}
    return {}


def _num_epochs(fitted, kwargs):
    """Epochs that were trained: fewer than asked for where a callback stopped the training."""
    if isinstance(fitted, keras.callbacks.History):
        return len(fitted.epoch)
    return max(0, kwargs.get("epochs", 1) - kwargs.get("initial_epoch", 0))
