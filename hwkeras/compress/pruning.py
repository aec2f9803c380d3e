"""Magnitude pruning with tfmot, on a schedule made for the number of steps there are.

Zhu and Gupta, "To prune, or not to prune", 2017, arXiv:1710.01878.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hwkeras.compress.legacy import PruneRegistry
from hwkeras.compress.legacy import Pruning
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.compress.structure import KeptWeight
from hwkeras.compress.structure import check_kept
from hwkeras.compress.structure import fewest_zeros
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

_LAYERS = tf_keras.layers
# The schedule reaches its end after this share of the steps; the rest lets the remaining weights recover.
_RAMP_SHARE = 0.7
# How often masks are recomputed on the way.
_MASK_UPDATES = 20


def sparsity_of(arrays):
    """The share of zeros over all elements of some arrays; `0.0` for none.

    Args:
        arrays: iterable of numpy arrays.

    Returns:
        float in [0, 1].
    """
    arrays = list(arrays)
    size = sum(array.size for array in arrays)
    return float(sum(array.size - np.count_nonzero(array) for array in arrays) / size) if size else 0.0


def skip_reason(layer, pattern=None):
    """Why a layer is not pruned.

    Args:
        layer: tf_keras layer, built.
        pattern: tuple `(zeros, group)`, or None for pruning by a share. Defaults to `None`.

    Returns:
        str, or None for a layer that is pruned.
    """
    weights = prunable_weights(layer)
    if weights:
        return None if pattern is None else _pattern_skip_reason(layer, weights, pattern)
    if isinstance(layer, _LAYERS.DepthwiseConv2D):
        return "tfmot never prunes a depthwise kernel"
    if PruneRegistry.supports(layer):
        return "it has no kernel to prune"
    return f"tfmot cannot prune {type(layer).__name__}"


def _pattern_skip_reason(layer, weights, pattern):
    """Why no pattern is put into a layer.

    A `.tflite` file stores kernels with the input channels last, and there the groups must run. tfmot arranges the
    groups so for the kernels of convolutions, dense and recurrent layers alone.
    """
    ranks = {len(weight.shape) for weight in weights}
    if not ranks <= {2, 4}:
        return f"tfmot puts patterns into kernels of 2 or 4 axes, not of {max(ranks)}"
    if isinstance(layer, (_LAYERS.Conv2DTranspose, _LAYERS.Embedding)):
        return f"in the file the groups of a {type(layer).__name__} would run across, not along, its neighbors"
    channels = min(weight.shape[-2] for weight in weights)
    if channels < pattern[1]:
        return f"it has {channels} input channels, fewer than a group of {pattern[1]}"
    return None


def prunable_weights(layer):
    """The weights tfmot prunes.

    Args:
        layer: tf_keras layer, built.

    Returns:
        List of variables, empty where nothing is pruned.
    """
    if not layer.weights or not PruneRegistry.supports(layer):
        return []
    return list(PruneRegistry.make_prunable(layer).get_prunable_weights())


def pruning_schedule(sparsity, num_steps):
    """A cubic ramp from 0 to `sparsity` that has arrived when training ends, however short it is.

    tfmot updates masks only every `frequency` steps counted from the first, 100 by default: in a run of 90 steps that
    prunes nothing. Here the frequency divides the length of the ramp, so that the last update is at full sparsity.

    Args:
        sparsity: float in (0, 1).
        num_steps: int, at least 2.

    Returns:
        tfmot PolynomialDecay.

    Raises:
        UserError: fewer than 2 steps.
    """
    if num_steps < 2:
        raise UserError(
            f"Pruning needs at least 2 training steps. Received: {num_steps}. Give more samples or epochs, or a "
            "smaller `batch_size`."
        )
    ramp = min(max(int(num_steps * _RAMP_SHARE), 1), num_steps - 1)
    frequency = max(ramp // _MASK_UPDATES, 1)
    return tfmot.sparsity.keras.PolynomialDecay(0.0, sparsity, 0, ramp - ramp % frequency, frequency=frequency)


def prune(model, recipe, fine_tuning):
    """Fine-tunes a model, in place, while its smallest weights are set to zero.

    By a share, masks follow the schedule. By a pattern tfmot makes them once, in the first step, and the rest of the
    steps lets the remaining weights recover.

    Args:
        model: tf_keras functional model.
        recipe: Recipe with a sparsity or a pattern.
        fine_tuning: FineTuning.

    Returns:
        Tuple `(weights, history)`: a tuple of KeptWeight, and the training history.

    Raises:
        CompressionError: nothing can be pruned, or a weight kept fewer zeros than asked.
        UserError: fewer than 2 steps.
    """
    layers = [layer for layer in model.layers if skip_reason(layer, recipe.pattern) is None]
    if not layers:
        raise CompressionError(
            f"Pruning needs a convolution or dense layer. Received: model {model.name!r} without one that tfmot can "
            f"prune{_why_not(model, recipe.pattern)}. Leave 'prune' out of the recipe."
        )
    history = fine_tuning.fit(model, [Pruner(layers, recipe, fine_tuning.num_steps)])
    weights = tuple(
        KeptWeight(layer.name, weight.numpy(), recipe.sparsity, recipe.pattern)
        for layer in layers
        for weight in prunable_weights(layer)
    )
    check_kept(weights, "prune")
    return weights, history


class Pruner(tf_keras.callbacks.Callback):
    """tfmot's pruning around each training step, without the wrappers it puts around layers.

    Those do their work inside the layer's call, where they miss a layer that is called with `training=False`, as Keras
    3 writes down for recurrent ones, and mistake the second argument of an attention layer for `training`.

    Args:
        layers: list of tf_keras layers with prunable weights.
        recipe: Recipe with a sparsity or a pattern.
        num_steps: int, training steps to come, at least 2.

    Raises:
        UserError: fewer steps.
    """

    def __init__(self, layers, recipe, num_steps):
        super().__init__()
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        weights = {id(weight): weight for layer in layers for weight in prunable_weights(layer)}.values()
        self._prunings = [self._pruning(weight, recipe, num_steps) for weight in weights]
        self._begin = tf.function(self._update, autograph=False)
        self._end = tf.function(self._mask, autograph=False)

    def on_train_begin(self, logs=None):
        """Traces both functions, so that the first step is not slow.

        Args:
            logs: unused. Defaults to `None`.
        """
        self._begin.get_concrete_function()
        self._end.get_concrete_function()

    def on_train_batch_begin(self, batch, logs=None):
        """Updates masks that are due and sets their weights to zero.

        Args:
            batch: unused.
            logs: unused. Defaults to `None`.
        """
        self._begin()

    def on_train_batch_end(self, batch, logs=None):
        """Sets to zero what the step has moved.

        Args:
            batch: unused.
            logs: unused. Defaults to `None`.
        """
        self._end()

    def _pruning(self, weight, recipe, num_steps):
        mask = tf.Variable(tf.ones(weight.shape, weight.dtype), trainable=False)
        threshold = tf.Variable(tf.zeros((), weight.dtype), trainable=False)
        # Of a pattern tfmot asks the schedule nothing, but a run must still have its two steps.
        sparsity = 0.5 if recipe.pattern else _rounded_up(recipe.sparsity, weight)
        schedule = pruning_schedule(sparsity, num_steps)
        return Pruning(lambda: self._step, [(weight, mask, threshold)], schedule, (1, 1), "AVG", recipe.pattern)

    def _update(self):
        with tf.control_dependencies([self._step.assign_add(1)]):
            for pruning in self._prunings:
                with tf.control_dependencies([pruning.conditional_mask_update()]):
                    pruning.weight_mask_op()

    def _mask(self):
        for pruning in self._prunings:
            pruning.weight_mask_op()


def _why_not(model, pattern):
    layers = [layer for layer in model.layers if pattern and prunable_weights(layer)]
    reasons = [f"{layer.name!r}: {skip_reason(layer, pattern)}" for layer in layers]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _rounded_up(sparsity, weight):
    """The sparsity to ask tfmot for, which rounds to the nearest number of zeros: 0.8 of 48 weights are 39, not 38."""
    size = int(np.prod(weight.shape))
    return min((fewest_zeros(size, sparsity) + 0.25) / size, 1.0)
