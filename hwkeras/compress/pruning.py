"""Magnitude pruning with tfmot, on a schedule made for the number of steps there are.

Zhu and Gupta, "To prune, or not to prune", 2017, arXiv:1710.01878.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.compress.legacy import PruneRegistry
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

# The schedule reaches its end after this share of the steps; the rest lets the remaining weights recover.
_RAMP_SHARE = 0.7
# How often masks are recomputed on the way.
_MASK_UPDATES = 20


@dataclass(frozen=True, eq=False)
class PrunedWeight:
    """A weight after pruning; its zeros must be found again in the file.

    Args:
        layer: str, layer name.
        weight: numpy array.
    """

    layer: str
    weight: np.ndarray


def sparsity_of(arrays):
    """The share of zeros over all elements of some arrays; `0.0` for none.

    Args:
        arrays: iterable of numpy arrays.

    Returns:
        float in [0, 1].
    """
    arrays = list(arrays)
    size = sum(array.size for array in arrays)
    return sum(array.size - np.count_nonzero(array) for array in arrays) / size if size else 0.0


def skip_reason(layer):
    """Why a layer is not pruned.

    Args:
        layer: tf_keras layer.

    Returns:
        str, or None for a layer that is pruned.
    """
    if prunable_weights(layer):
        return None
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return "tfmot never prunes a depthwise kernel"
    if PruneRegistry.supports(layer):
        return "it has no kernel to prune"
    return f"tfmot cannot prune {type(layer).__name__}"


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


def prune(model, sparsity, fine_tuning):
    """Fine-tunes a model while its smallest weights are set to zero; `model`'s layers are used, not copied.

    Args:
        model: tf_keras functional model.
        sparsity: float in (0, 1).
        fine_tuning: FineTuning.

    Returns:
        Tuple `(model, weights, history)`: the pruned tf_keras model without wrappers, a tuple of PrunedWeight, and the
        training history.

    Raises:
        CompressionError: nothing can be pruned, or a weight kept fewer zeros than asked.
    """
    if not any(prunable_weights(layer) for layer in model.layers):
        raise CompressionError(
            f"Pruning needs a convolution or dense layer. Received: model {model.name!r} without one that tfmot can "
            "prune. Leave 'prune' out of the recipe."
        )
    schedule = pruning_schedule(sparsity, fine_tuning.num_steps)
    wrapped = tf_keras.models.clone_model(model, clone_function=lambda layer: _wrapped(layer, schedule))
    history = fine_tuning.fit(wrapped, [tfmot.sparsity.keras.UpdatePruningStep()])
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    # A layer remembers every graph it was called in; a clone knows only its own, and the next step reads that.
    pruned = tf_keras.models.clone_model(stripped)
    pruned.set_weights(stripped.get_weights())
    weights = tuple(
        PrunedWeight(layer.name, weight.numpy()) for layer in pruned.layers for weight in prunable_weights(layer)
    )
    for weight in weights:
        _check(weight, sparsity)
    return pruned, weights, history


def fewest_zeros(size, sparsity):
    """The zeros a weight must hold; tfmot rounds the number it keeps.

    Args:
        size: int, elements of the weight.
        sparsity: float, asked for.

    Returns:
        int.
    """
    return int(np.ceil(size * sparsity - 0.5))


def _wrapped(layer, schedule):
    if not prunable_weights(layer):
        return layer
    return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)


def _check(pruned, sparsity):
    size = pruned.weight.size
    num_zeros = size - np.count_nonzero(pruned.weight)
    if num_zeros < fewest_zeros(size, sparsity):
        raise CompressionError(
            f"Pruning must leave the asked sparsity in every prunable weight. Received: layer {pruned.layer!r} with "
            f"{num_zeros} zeros of {size} where {sparsity:g} was asked. Train for more steps."
        )
