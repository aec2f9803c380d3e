"""Keeps the best weights of a fine-tuning, those it began with among them."""

from __future__ import annotations

from hwkeras.compress.legacy import tf_keras


class BestWeights(tf_keras.callbacks.Callback):
    """Puts back, in the end, the weights that did best on validation data; of equal ones the later.

    A model that has learned its training data by heart only gets worse while it is adapted to 8 bits.

    Args:
        validation_data: tuple `(x, y)`, or `(x, y, sample_weight)`, as `evaluate` takes them.
        batch_size: int, of the evaluation before the first epoch.

    Attributes:
        epoch: int, after which the weights are as they are now; 0 for those before the first.
    """

    def __init__(self, validation_data, batch_size):
        super().__init__()
        self._validation_data, self._batch_size = validation_data, batch_size
        self._best = self._weights = None
        self.epoch = 0

    def on_train_begin(self, logs=None):
        """Scores what the training begins with; tf_keras calls it.

        Args:
            logs: not used.
        """
        validated = {"batch_size": self._batch_size, "verbose": 0, "return_dict": True}
        found = self.model.evaluate(*self._validation_data, **validated)
        self._compare(0, {f"val_{name}": value for name, value in found.items()})

    def on_epoch_end(self, epoch, logs=None):
        """Compares what the training has come to; tf_keras calls it.

        Args:
            epoch: int, from 0.
            logs: dict of metrics; without those of validation in an epoch that was not validated.
        """
        self._compare(epoch + 1, logs or {})

    def on_train_end(self, logs=None):
        """Puts the best weights back; tf_keras calls it.

        Args:
            logs: not used.
        """
        self.model.set_weights(self._weights)

    def _compare(self, epoch, metrics):
        if "val_loss" not in metrics:
            return
        score = metrics["val_accuracy"] if "val_accuracy" in metrics else -metrics["val_loss"]
        if self._best is None or score >= self._best:
            self._best, self._weights, self.epoch = score, self.model.get_weights(), epoch
