"""Weight clustering: every kernel holds a few values only, so that a file of them compresses well.

Han, Mao and Dally, "Deep Compression", 2016, arXiv:1510.00149: k-means over each kernel, then training of the shared
values with the assignment fixed. Zeros of a pruned kernel stay zeros, and zero is one of its values.
"""

from __future__ import annotations

import numpy as np

from hwkeras.compress.legacy import PruneRegistry
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.preservation import Preservation
from hwkeras.compress.pruning import prunable_weights
from hwkeras.compress.structure import KeptWeight
from hwkeras.compress.structure import kept_after
from hwkeras.errors import CompressionError

_LAYERS = tf_keras.layers
_ROUNDS = 30
_GRID = 512
# Behind one of these the converter multiplies a batch normalization into the kernel -> the kernel's output axis.
_OUTPUT_AXIS = {
    _LAYERS.Conv1D: -1,
    _LAYERS.Conv2D: -1,
    _LAYERS.Conv2DTranspose: -2,
    _LAYERS.Dense: -1,
    _LAYERS.SeparableConv1D: -1,
}


def cluster(model, num_clusters, fine_tuning, kept=()):
    """Fine-tunes a model whose kernels hold few values each.

    Args:
        model: tf_keras functional model; copied, not changed.
        num_clusters: int, the most values of a kernel, zero included.
        fine_tuning: FineTuning.
        kept: iterable of KeptWeight, what pruning left in `model`. Defaults to `()`.

    Returns:
        Tuple `(model, weights, history)`: the clustered tf_keras model, a tuple of KeptWeight for all pruned or
        clustered weights, and the training history.

    Raises:
        CompressionError: nothing can be clustered, or a kernel kept more values than asked.
    """
    clustered = without_scales(model)
    pruned = {(weight.layer, weight.values.shape): weight for weight in kept}
    weights = []
    for layer in clustered.layers:
        for variable in prunable_weights(layer):
            values = variable.numpy()
            before = pruned.get((layer.name, values.shape))
            shares = num_clusters if unclustered_reason(layer, num_clusters) is None else None
            if shares is not None:
                values = shared(values, num_clusters, keeps_zeros=before is not None)
                variable.assign(values)
            if before is not None or shares is not None:
                structure = (before.sparsity, before.pattern) if before is not None else (0.0, None)
                weights.append(KeptWeight(layer.name, values, *structure, shares))
    if not any(weight.clusters for weight in weights):
        raise CompressionError(
            f"Clustering needs a kernel of more than {num_clusters} weights. Received: model {model.name!r} without "
            "one. Leave 'cluster' out of the recipe."
        )
    history = fine_tuning.fit(clustered, _preservations(clustered, weights))
    return clustered, kept_after(weights, clustered, "cluster"), history


def _preservations(model, weights):
    """Callbacks that keep the weights' structure: in a pruned one zeros, in a clustered one clusters, in some both."""
    kinds = {(weight.layer, weight.values.shape): (weight.is_pruned, weight.clusters is not None) for weight in weights}
    variables = {}
    for layer in model.layers:
        for variable in prunable_weights(layer):
            kind = kinds.get((layer.name, tuple(variable.shape)))
            variables.setdefault(kind, []).append(variable)
    variables.pop(None, None)
    return [
        Preservation(kernels, keeps_zeros=keeps_zeros, keeps_clusters=keeps_clusters)
        for (keeps_zeros, keeps_clusters), kernels in variables.items()
    ]


def unclustered_reason(layer, num_clusters):
    """Why a layer's weights are left as they are.

    Args:
        layer: tf_keras layer.
        num_clusters: int, the most values of a kernel.

    Returns:
        str, or None for a layer that is clustered.
    """
    weights = prunable_weights(layer)
    if not weights:
        if isinstance(layer, _LAYERS.DepthwiseConv2D):
            return "a depthwise kernel is small and loses most"
        return "it has no kernel to cluster" if PruneRegistry.supports(layer) else f"no {type(layer).__name__} is"
    if max(int(np.prod(weight.shape)) for weight in weights) <= num_clusters:
        return f"it has no more than {num_clusters} weights"
    return None


def shared(values, count, *, keeps_zeros):
    """A weight with each element replaced by the value its cluster shares.

    Args:
        values: float array.
        count: int, the most values.
        keeps_zeros: bool, whether zeros stay zeros, and no other element becomes one.

    Returns:
        Float32 array of the same shape.
    """
    alive = values != 0 if keeps_zeros else np.ones(values.shape, bool)
    result = np.zeros(values.shape, "float32")
    if alive.any():
        inner = values[alive]
        centers = k_means(inner, count - (not alive.all()))
        result[alive] = centers[_nearest(centers, inner)]
    return result


def k_means(values, count):
    """The centers of one-dimensional clusters: the best ones on a grid of 512 steps, then moved to their means.

    On a line clusters are runs, so that the best can be had by dynamic programming (Wang and Song, "Ckmeans.1d.dp",
    2011, 10.32614/RJ-2011-015). Lloyd's algorithm alone stays with the clusters it happens to begin with.

    Args:
        values: float array of one axis, not empty.
        count: int, at least 1.

    Returns:
        Float32 array of at most `count` increasing values.
    """
    different = np.unique(values.astype("float32"))
    if different.size <= count:
        return different
    centers = _best_segments(values.astype("float64"), count)
    for _ in range(_ROUNDS):
        nearest = _nearest(centers, values)
        sums, sizes = np.bincount(nearest, values, len(centers)), np.bincount(nearest, minlength=len(centers))
        moved = np.where(sizes > 0, sums / np.maximum(sizes, 1), centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return np.unique(centers.astype("float32"))


def _best_segments(values, count):
    """The means of the `count` runs of neighboring grid cells with the least squared distances from their means."""
    edges = np.linspace(values.min(), values.max(), _GRID + 1)
    cells = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, _GRID - 1)
    # Sums before each cell: of the elements, their values and squares. Cells without elements are left out.
    powers = np.stack([np.bincount(cells, values**power, _GRID) for power in range(3)])
    powers = powers[:, powers[0] > 0]
    sums = np.pad(np.cumsum(powers, axis=1), [(0, 0), (1, 0)])
    num, total, squares = sums[:, None, :] - sums[:, :, None]
    cost = np.where(num > 0, squares - total**2 / np.maximum(num, 1), np.inf)
    best, starts = cost[0], []
    for _ in range(min(count, powers.shape[1]) - 1):
        paths = best[:, None] + cost
        starts.append(paths.argmin(axis=0))
        best = paths.min(axis=0)
    end, means = powers.shape[1], []
    for start in [*reversed(starts), None]:
        begin = 0 if start is None else start[end]
        means.append(total[begin, end] / num[begin, end])
        end = begin
    return np.array(means[::-1])


def without_scales(model):
    """A copy whose batch normalizations behind a kernel scale by 1: what they scaled by is in the kernel.

    The converter multiplies each output channel of the kernel by its scale. Clusters made before that would be
    multiplied too: 16 values in 32 channels become 512. The normalizations are frozen, so that the scales stay 1.

    Args:
        model: tf_keras functional model.

    Returns:
        tf_keras model equal in outputs.
    """
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        producer = _folding_producer(layer, copy.outputs)
        if producer is not None:
            _move_scale(layer, producer)
    return copy


def _folding_producer(layer, outputs):
    """The layer into whose kernel the converter folds a batch normalization, or None."""
    if not isinstance(layer, _LAYERS.BatchNormalization) or len(layer.inbound_nodes) != 1:
        return None
    producer = layer.input._keras_history.layer
    is_linear = getattr(producer, "activation", None) is tf_keras.activations.linear
    is_alone = len(producer.outbound_nodes) == 1 and len(producer.inbound_nodes) == 1
    is_alone = is_alone and not any(output is layer.input for output in outputs)
    return producer if type(producer) in _OUTPUT_AXIS and is_linear and is_alone else None


def _move_scale(normalization, producer):
    scale = 1.0 / np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)
    if normalization.gamma is not None:
        scale = scale * normalization.gamma.numpy()
        normalization.gamma.assign(np.ones_like(scale))
    kernel = prunable_weights(producer)[-1]
    axis = _OUTPUT_AXIS[type(producer)]
    kernel.assign(kernel.numpy() * np.expand_dims(scale, tuple(range(1, -axis))))
    if producer.bias is not None:
        producer.bias.assign(producer.bias.numpy() * scale)
    normalization.moving_mean.assign(normalization.moving_mean.numpy() * scale)
    normalization.moving_variance.assign(np.full_like(scale, 1.0 - normalization.epsilon))
    normalization.trainable = False


def _nearest(centers, values):
    return np.searchsorted((centers[1:] + centers[:-1]) / 2, values)
