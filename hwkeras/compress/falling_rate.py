"""The learning rate of a fine-tuning: it falls to nothing, so that the weights come to rest."""

from __future__ import annotations

from hwkeras.build.schedule import cosine_learning_rate
from hwkeras.compress.legacy import tf_keras


class FallingRate(tf_keras.callbacks.Callback):
    """Sets the rate before each batch, along a cosine after a short rise, until somebody else sets it.

    A constant rate leaves the weights wherever the last batches pushed them; a quantization-aware training of a few
    epochs so ended below the post-training quantization it was to improve on.

    Args:
        peak: float, highest rate.
        num_steps: int, of the whole training.
    """

    def __init__(self, peak, num_steps):
        super().__init__()
        self._peak = peak
        self._num_steps = num_steps
        self._step = 0
        self._rate = None

    def on_train_begin(self, logs=None):
        """Begins to watch the rate; tf_keras calls it."""
        self._rate = self._current()

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the rate; tf_keras calls it."""
        if self._rate is None or self._current() != self._rate:
            self._rate = None
            return
        rate = cosine_learning_rate(self._step, self._num_steps, self._peak)
        tf_keras.backend.set_value(self.model.optimizer.learning_rate, rate)
        self._rate = self._current()
        self._step += 1

    def _current(self):
        return float(tf_keras.backend.get_value(self.model.optimizer.learning_rate))
