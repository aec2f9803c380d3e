"""The laws of a short training: how fast to learn at each step, how long batch normalization remembers."""

from __future__ import annotations

import math

import keras

# Measured on Fashion-MNIST, 3 epochs, Adam: 4e-3 at batch 64 and 3e-3 at batch 32 did best.
_PEAK_RATE = 4e-3
_PEAK_BATCH_SIZE = 64
_WARM_UP_SHARE = 0.1
_MOST_WARM_UP_STEPS = 100
_LEAST_MOMENTUM = 0.8
_MOST_MOMENTUM = 0.99
# The moving averages' horizon is at most this share of the training.
_HORIZON_SHARE = 0.1


def peak_learning_rate(batch_size):
    """The highest learning rate of Adam: 4e-3 at batch size 64, growing with the fourth root of the batch size.

    Args:
        batch_size: int, 1 or more.

    Returns:
        float.
    """
    return _PEAK_RATE * (batch_size / _PEAK_BATCH_SIZE) ** 0.25


def num_warm_up_steps(num_steps):
    """Steps in which the rate rises: a tenth of all, at most 100.

    Args:
        num_steps: int, of the whole training.

    Returns:
        int.
    """
    return min(_MOST_WARM_UP_STEPS, int(num_steps * _WARM_UP_SHARE))


def cosine_learning_rate(step, num_steps, peak):
    """The learning rate of one step: a linear rise to the peak, then half a cosine to zero (arXiv:1608.03983).

    Args:
        step: int, from 0.
        num_steps: int, of the whole training.
        peak: float, the rate at the end of the rise.

    Returns:
        float in (0, peak] for steps of the training, 0.0 after it.
    """
    rise = num_warm_up_steps(num_steps)
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    share = min(1.0, (step - rise) / max(1, num_steps - rise))
    return peak * 0.5 * (1.0 + math.cos(math.pi * share))


def batch_norm_momentum(num_steps):
    """The momentum whose horizon, 1 / (1 - momentum) steps, is a tenth of the training; within [0.8, 0.99].

    Args:
        num_steps: int, of the whole training.

    Returns:
        float.
    """
    horizon = max(1.0, num_steps * _HORIZON_SHARE)
    return min(_MOST_MOMENTUM, max(_LEAST_MOMENTUM, 1.0 - 1.0 / horizon))


class CosineRate(keras.callbacks.Callback):
    """Sets the optimizer's learning rate before each batch, until somebody else sets it: then it never does again.

    Args:
        steps_per_epoch: int.
        num_epochs: int, epochs of this training.
        peak: float, highest rate.
    """

    def __init__(self, steps_per_epoch, num_epochs, peak):
        super().__init__()
        self._steps_per_epoch = steps_per_epoch
        self._num_steps = steps_per_epoch * num_epochs
        self._peak = peak
        self._num_epochs_done = 0
        self._rate = None

    def on_train_begin(self, logs=None):
        self._rate = self._current()

    def on_train_batch_begin(self, batch, logs=None):
        if self._rate is None or self._current() != self._rate:
            self._rate = None
            return
        step = self._num_epochs_done * self._steps_per_epoch + batch
        self.model.optimizer.learning_rate = cosine_learning_rate(step, self._num_steps, self._peak)
        self._rate = self._current()

    def on_epoch_end(self, epoch, logs=None):
        self._num_epochs_done += 1

    def _current(self):
        return float(self.model.optimizer.learning_rate.numpy())
