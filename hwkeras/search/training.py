"""The dear half of a trial: `fit`, and what makes its figures true."""

from __future__ import annotations

import copy
import os

import keras

from hwkeras.build import reestimate_batch_statistics


class Training:
    """Trains the network of a trial with the user's `model.fit` arguments.

    Args:
        hypermodel: keras_tuner.HyperModel; its own `fit` is called.
        data: `TrainingData`.
        clock: `StageClock`.
        seed: int; trial `n` starts from seed + n, so a trial that is run again after a kill is the same.
    """

    def __init__(self, hypermodel, data, clock, seed):
        self._hypermodel = hypermodel
        self._data = data
        self._clock = clock
        self._seed = seed

    def train(self, trial):
        """Builds, fits, and re-estimates batch statistics on training data.

        Args:
            trial: keras_tuner Trial.

        Returns:
            keras.Model, trained; dict of metric name to float: `val_*` after re-estimation, and what a `fit` of the
            user's own hypermodel returned.
        """
        hp = trial.hyperparameters
        with self._clock.stage("build"):
            keras.backend.clear_session()
            keras.utils.set_random_seed((self._seed + int(trial.trial_id)) % 2**32)
            model = self._hypermodel.build(hp)
        with self._clock.stage("fit"):
            fitted = self._hypermodel.fit(hp, model, *self._data.fit_args, **self._fit_kwargs(trial.trial_id))
        with self._clock.stage("evaluate"):
            reestimate_batch_statistics(model, self._data.x)
            metrics = _reported(fitted) | self._evaluate(model)
        return model, metrics

    def _fit_kwargs(self, trial_id):
        kwargs = {"verbose": 0} | self._data.fit_kwargs
        # One copy for each trial, as keras-tuner does: callbacks keep state.
        kwargs["callbacks"] = copy.deepcopy(list(kwargs.get("callbacks") or []))
        for callback in kwargs["callbacks"]:
            if isinstance(callback, keras.callbacks.TensorBoard):
                callback.log_dir = os.path.join(str(callback.log_dir), trial_id)
        return kwargs

    def _evaluate(self, model):
        if not model.compiled:
            return {}
        valid = self._data.fit_kwargs["validation_data"]
        x, y = valid if isinstance(valid, (tuple, list)) else (valid, None)
        scores = model.evaluate(x, y, verbose=0, return_dict=True)
        return {f"val_{name}": float(value) for name, value in scores.items()}


def _reported(fitted):
    """A History's values are those before re-estimation: they are taken anew. A user's own result is kept."""
    if isinstance(fitted, dict):
        return {name: float(value) for name, value in fitted.items()}
    return {}
