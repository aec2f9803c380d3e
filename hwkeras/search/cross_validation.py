"""Few samples: a network is judged on all of them, by networks that were each trained without a part."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.convert import convert_all
from hwkeras.convert import predict
from hwkeras.convert import take_samples
from hwkeras.convert.quality import judge
from hwkeras.errors import UserError
from hwkeras.oracles.fidelity_oracle import FidelityOracle
from hwkeras.search.deployment import NUM_CALIBRATION_SAMPLES
from hwkeras.search.training import Training


class CrossValidation:
    """Judges the files of networks of one architecture, each on the fold that it was not trained on.

    The answers to all folds are judged together, so that every sample counts once. The file that ships is of one more
    network, which is trained on all samples; what is told of its accuracy is what these files came to (Stone, 1974, DOI
    10.1111/j.2517-6161.1974.tb00994.x).

    Args:
        services: `Services`.
        data: `TrainingData` with folds.
        seed: int, of the trainings.
        on_lost: callable, see `Training`.
        qualities: sequence of names of `convert.quality.QUALITIES`.
    """

    def __init__(self, services, data, seed, on_lost, qualities):
        its = services
        self._clock, self._qualities = its.clock, qualities
        self._folds = [
            (fold, Training(its.hypermodel, fold, its.clock, seed, its.weights, on_lost)) for fold in data.folds()
        ]

    @staticmethod
    def check(oracle, economy, compression):
        """Looks for what does not go together.

        Args:
            oracle: `HardwareOracle`.
            economy: `Economy`.
            compression: `Compression`.

        Raises:
            UserError: trainings that go on with the weights of another one, end early, or are compressed: those would
                have seen the samples they are judged on.
        """
        asked = {
            "stop_hopeless": economy.stop_hopeless,
            "inherit_weights": economy.inherit_weights,
            f"recipes={list(compression.recipes)}": bool(compression.recipes),
            f"oracle={type(oracle).__name__}": isinstance(oracle, FidelityOracle),
        }
        found = [name for name, is_asked in asked.items() if is_asked]
        if found:
            raise UserError(
                "With `validation_folds` every network is trained from the start, to its end, and ships as it is. "
                f"Received: {found[0]}. Leave one out."
            )

    def judge(self, trial, precisions):
        """Trains and converts a network for each fold.

        Args:
            trial: keras_tuner Trial.
            precisions: sequence of str.

        Returns:
            pair of a dict of precision to a dict of metric name to float, Keras' own `val_*` as means over the folds;
            and int, the epochs that were trained.

        Raises:
            ConversionError: a network does not convert.
        """
        answers, of_keras, num_epochs = {precision: [] for precision in precisions}, [], 0
        for fold, training in self._folds:
            model, metrics, num_trained = training.train(trial)
            num_epochs += num_trained
            of_keras.append(metrics)
            with self._clock.stage("convert"):
                calibration = take_samples(fold.x, NUM_CALIBRATION_SAMPLES) if "int8" in precisions else None
                converted = convert_all(model, precisions, calibration)
            with self._clock.stage("evaluate"):
                for precision in precisions:
                    answers[precision].append(predict(converted[precision].flatbuffer, fold.x_valid))
        y = np.concatenate([fold.y_valid for fold, _ in self._folds])
        means = {name: float(np.mean([metrics[name] for metrics in of_keras])) for name in of_keras[0]}
        judged = {
            precision: means | judge(np.concatenate(parts), y, self._qualities) for precision, parts in answers.items()
        }
        finite = {p: {name: v for name, v in told.items() if math.isfinite(v)} for p, told in judged.items()}
        return finite, num_epochs
