"""Batch-normalization statistics computed anew from training data, for any Keras 3 model.

After a few hundred steps the moving averages of batch normalization have not arrived where the weights are: a network
that learned well then scores like chance. The statistics of the final weights need one pass over some training data, no
labels and nothing from the model's author ("precise BN", Wu & Johnson, arXiv:2105.07576).
"""

from __future__ import annotations

import contextlib
import itertools

import keras
import numpy as np
import tensorflow as tf

from hwkeras.data.stored import is_stored
from hwkeras.errors import UserError


def reestimate_batch_statistics(model, x, *, batch_size=128, max_samples=2048, seed=0):
    """Replaces the moving mean and variance of every trainable BatchNormalization by those of training data.

    All other layers work as in inference. Batches smaller than the first are left out. Frozen layers
    (`trainable=False`) keep their statistics, as do layers whose statistics would not be finite.

    Args:
        model: keras.Model, any: functional, subclassed, nested.
        x: array of shape (num_samples, ...) or `data.StoredArray`, a list or dict of them; or a tf.data.Dataset, keras
            PyDataset or other iterable of batches `x`, `(x, y)` or `(x, y, sample_weight)`.
        batch_size: int, for arrays. Defaults to `128`.
        max_samples: int, samples to be used at most; of arrays they are drawn at random. Defaults to `2048`.
        seed: int, of that draw. Defaults to `0`.

    Returns:
        int, the number of layers whose statistics were replaced.

    Raises:
        UserError: no samples, or a size below 1.
    """
    for name, size in (("batch_size", batch_size), ("max_samples", max_samples)):
        if size < 1:
            raise UserError(f"`{name}` must be 1 or more. Received: {name}={size!r}.")
    batches = _batches(x, batch_size, max_samples, np.random.default_rng(seed))
    first = next(batches, None)
    if first is None or _num_samples(first) == 0:
        raise UserError("`x` must hold at least one sample. Received: none. Pass the training inputs.")
    if not model.built:
        model(first, training=False)
    accounts = [_Account(layer) for layer in _trainable_batch_norms(model)]
    if accounts:
        _run(model, first, batches, accounts)
    return sum(account.settle() for account in accounts)


class _Account:
    """Adds up the statistics of the batches that pass one layer.

    Args:
        layer: keras BatchNormalization.
    """

    def __init__(self, layer):
        self._layer = layer
        # Moving statistics, and with `renorm` their deviations.
        self._saved = [(variable, variable.numpy().copy()) for variable in layer.non_trainable_variables]
        shape = layer.moving_mean.shape
        # In float64: the variance is a difference of two sums. On the device, as a layer may be called within a loop.
        self._sums = {name: tf.Variable(np.zeros(shape)) for name in ("mean", "second_moment")}
        self._num_calls = tf.Variable(0.0, dtype="float64")

    @contextlib.contextmanager
    def opened(self):
        """Within, each call of the layer normalizes by its batch and adds the batch's statistics."""
        layer, call, momentum = self._layer, self._layer.call, self._layer.momentum
        own_call = layer.__dict__.get("call")

        def recording_call(*args, **kwargs):
            outputs = call(*args, **{**kwargs, "training": True})
            self._add()
            return outputs

        # With momentum 0 the moving statistics are those of the last batch.
        layer.momentum = 0.0
        layer.call = recording_call
        try:
            yield
        finally:
            layer.momentum = momentum
            if own_call is None:
                del layer.call
            else:
                layer.call = own_call
            for variable, value in self._saved:
                variable.assign(value)

    def _add(self):
        mean = tf.cast(self._layer.moving_mean.value, "float64")
        variance = tf.cast(self._layer.moving_variance.value, "float64")
        self._sums["mean"].assign_add(mean)
        self._sums["second_moment"].assign_add(variance + mean * mean)
        self._num_calls.assign_add(1.0)

    def settle(self):
        """Assigns the total mean and variance.

        Returns:
            bool, whether it did: the layer was called, and the statistics are finite.
        """
        num_calls = float(self._num_calls.numpy())
        if not num_calls:
            return False
        mean = self._sums["mean"].numpy() / num_calls
        # The law of total variance: the mean of the batches' variances and the variance of their means.
        variance = self._sums["second_moment"].numpy() / num_calls - mean * mean
        if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
            return False
        self._layer.moving_mean.assign(mean)
        self._layer.moving_variance.assign(np.maximum(variance, 0.0))
        return True


def _run(model, first, batches, accounts):
    def forward(batch):
        model(batch, training=False)

    step = forward if getattr(model, "run_eagerly", False) else tf.function(forward, autograph=False)
    num_samples = _num_samples(first)
    with contextlib.ExitStack() as stack:
        for account in accounts:
            stack.enter_context(account.opened())
        step(_tensors(first))
        for batch in batches:
            if _num_samples(batch) == num_samples:
                step(_tensors(batch))


def _trainable_batch_norms(model):
    # Keras' public `layers` stops at layers that hold layers; `_flatten_layers` is what its own `trainable` walks.
    layers = model._flatten_layers(include_self=False, recursive=True)
    unique = {id(layer): layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    return [layer for layer in unique.values() if layer.built and layer.trainable]


def _batches(x, batch_size, max_samples, rng):
    if isinstance(x, keras.utils.PyDataset):
        # A PyDataset without a length is infinite.
        indices = itertools.count() if x.num_batches is None else range(x.num_batches)
        source = (x[index] for index in indices)
    elif hasattr(x, "shape") or isinstance(x, (list, tuple, dict)):
        yield from _array_batches(x, batch_size, max_samples, rng)
        return
    else:
        source = x
    num_seen = 0
    for data in source:
        if num_seen >= max_samples:
            return
        batch = keras.utils.unpack_x_y_sample_weight(data)[0]
        num_seen += _num_samples(batch)
        yield batch


def _array_batches(x, batch_size, max_samples, rng):
    num_samples = _num_samples(x)
    # In random order: the batches of data sorted by class would each be of one class.
    chosen = rng.permutation(num_samples)[:max_samples]
    for start in range(0, len(chosen), batch_size):
        indices = np.sort(chosen[start : start + batch_size])
        yield keras.tree.map_structure(lambda array, indices=indices: _taken(array, indices), x)


def _taken(array, indices):
    # What stays in files is not read as a whole to take some of it.
    return array[indices] if is_stored(array) else np.asarray(array)[indices]


def _num_samples(batch):
    leaves = keras.tree.flatten(batch)
    return int(leaves[0].shape[0]) if leaves else 0


def _tensors(batch):
    return keras.tree.map_structure(tf.convert_to_tensor, batch)
