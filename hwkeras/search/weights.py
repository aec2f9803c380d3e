"""The trained weights of a run's trials: kept whole, loaded to deploy or to train on."""

from __future__ import annotations

import os

_FILE = "deployed.weights.h5"
# What Keras says of a file of weights that is lost, cut short, or of another network.
UNUSABLE_WEIGHTS = (OSError, ValueError, KeyError)


class Weights:
    """Saves and loads the weights that were deployed, the state of the optimizer with them.

    Args:
        run: `Run`.
    """

    def __init__(self, run):
        self._run = run

    def file(self, trial_id):
        """The file of a trial.

        Args:
            trial_id: str.

        Returns:
            pathlib.Path, whether it exists or not.
        """
        return self._run.directory / f"trial_{trial_id}" / _FILE

    def save(self, model, trial_id):
        """Keeps the weights of a trained model; a kill in between leaves those before.

        Args:
            model: keras.Model.
            trial_id: str.
        """
        file = self.file(trial_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name("unfinished.weights.h5")
        model.save_weights(unfinished)
        os.replace(unfinished, file)

    def remove(self, trial_id):
        """Removes the weights of a trial that nothing needs any more; nothing happens where there are none.

        Args:
            trial_id: str.
        """
        self.file(trial_id).unlink(missing_ok=True)

    def built(self, model):
        """Builds a model that was made without the shape of its inputs.

        Args:
            model: keras.Model.

        Returns:
            keras.Model, the same object; not built where the run keeps no samples that tell the shape.
        """
        samples = None if model.built else self._run.check_samples()[0]
        if samples is not None:
            model.build((None, *samples.shape[1:]))
        return model

    def load(self, model, trial_id):
        """Gives a model the weights of a trial, and its optimizer the state it had.

        Args:
            model: keras.Model of the same architecture; built when it is not.
            trial_id: str.

        Returns:
            keras.Model, the same object.

        Raises:
            OSError: there is no such file, or it cannot be read.
            ValueError: it holds the weights of another network.
        """
        self.built(model)
        if model.optimizer is not None:
            model.optimizer.build(model.trainable_variables)  # its state is in the file too
        model.load_weights(self.file(trial_id))
        return model
