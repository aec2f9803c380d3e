"""The proof of sparsity: every pruned weight found again in the final file, with its zeros."""

import numpy as np

from hwkeras.compress.pruning import fewest_zeros
from hwkeras.errors import CompressionError


def find_pruned(pruned_weights, tensors, sparsity):
    """Finds each pruned weight in a file by its size and the places of its zeros.

    Folding a batch normalization scales a kernel and quantization rounds it; both leave zeros where they were.

    Args:
        pruned_weights: iterable of PrunedWeight.
        tensors: iterable of ConstantTensor, the weights of the file.
        sparsity: float, asked for.

    Returns:
        Dict of layer name to list of numpy arrays, the tensors of the file that hold the layer's weights.

    Raises:
        CompressionError: a weight that is not in the file with the sparsity asked for (named, with figures).
    """
    free = list(tensors)
    found = {}
    # The sparsest pattern first: a weight with few zeros could also pass for one that has them and more.
    for pruned in sorted(pruned_weights, key=lambda one: np.count_nonzero(one.weight)):
        match = next((tensor for tensor in free if _holds_zeros(tensor.values, pruned.weight)), None)
        if match is None or _num_zeros(match.values) < fewest_zeros(pruned.weight.size, sparsity):
            raise _lost(pruned, free, sparsity)
        # Equal weights may share one buffer, but each has a tensor of its own.
        free = [tensor for tensor in free if tensor is not match]
        found.setdefault(pruned.layer, []).append(match.values)
    return found


def _holds_zeros(values, weight):
    return values.size == weight.size and any(not values.ravel()[layout == 0].any() for layout in _layouts(weight))


def _layouts(weight):
    """A weight flattened in the orders TFLite stores one: as it is, or with the output axis first."""
    orders = [weight]
    if weight.ndim > 1:
        # The output axis is the last, of a transposed convolution the one before.
        orders += [np.moveaxis(weight, -1, 0), np.moveaxis(weight, -2, 0)]
    return [order.ravel() for order in orders]


def _num_zeros(values):
    return values.size - np.count_nonzero(values)


def _lost(pruned, tensors, sparsity):
    size = pruned.weight.size
    nearest = max((_num_zeros(tensor.values) / size for tensor in tensors if tensor.values.size == size), default=0.0)
    return CompressionError(
        f"The final file must hold the asked sparsity in every pruned weight. Received: layer {pruned.layer!r}, "
        f"{sparsity:g} asked, {nearest:.3f} at most in a tensor of its {size} elements. "
        "Use a recipe that keeps zeros, such as 'prune=0.5+int8_qat' or 'prune=0.5+int8'."
    )
