"""The learning rate of a fine-tuning: it falls to nothing in the end, so that the weights come to rest."""

from __future__ import annotations

import math

from hwkeras.compress.legacy import tf_keras

# Pruning has arrived by then, and what remains recovers at the full rate first.
_HELD_SHARE = 0.7


class FallingRate(tf_keras.callbacks.Callback):
    """Sets the rate before each batch, until somebody else sets it: held at first, then falling along a cosine.

    A constant rate leaves the weights wherever the last batches pushed them; a quantization-aware training of a few
    epochs so ended below the post-training quantization it was to improve on. One that falls from the beginning leaves
    nothing to recover with from what a pruning takes late.

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
        held = self._num_steps * _HELD_SHARE
        share = max(0.0, self._step - held) / (self._num_steps - held)
        rate = self._peak * 0.5 * (1.0 + math.cos(math.pi * share))
        tf_keras.backend.set_value(self.model.optimizer.learning_rate, rate)
        self._rate = self._current()
        self._step += 1

    def _current(self):
        return float(tf_keras.backend.get_value(self.model.optimizer.learning_rate))
