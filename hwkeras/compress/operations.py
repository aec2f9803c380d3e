"""Bare operations of Keras 3, such as `x + y`, as the tf_keras layers that tfmot and the converter know."""

from __future__ import annotations

import math

from hwkeras.compress.activations import FUNCTIONS
from hwkeras.compress.keras_operation import KerasOperation
from hwkeras.compress.keras_operation import describe
from hwkeras.compress.keras_operation import describe_arguments
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.translation import Translation
from hwkeras.compress.translation import is_built_in
from hwkeras.compress.translation import no_twin

_LAYERS = tf_keras.layers
_MERGES = {
    "Add": _LAYERS.Add,
    "Maximum": _LAYERS.Maximum,
    "Minimum": _LAYERS.Minimum,
    "Multiply": _LAYERS.Multiply,
    "Subtract": _LAYERS.Subtract,
}
# One number and a tensor -> (scale, offset) of the tensor; by whether the number comes second.
_AFFINE = {
    ("Add", True): lambda number: (1.0, number),
    ("Add", False): lambda number: (1.0, number),
    ("Subtract", True): lambda number: (1.0, -number),
    ("Subtract", False): lambda number: (-1.0, number),
    ("Multiply", True): lambda number: (number, 0.0),
    ("Multiply", False): lambda number: (number, 0.0),
    ("Divide", True): lambda number: (1.0 / number, 0.0) if number else None,
    ("TrueDivide", True): lambda number: (1.0 / number, 0.0) if number else None,
}
# Class -> name of the activation.
_ACTIVATIONS = {
    "Exp": "exponential",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Relu": "relu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
# (class, rank, axes) -> pooling over all positions.
_POOLINGS = {
    ("Mean", 3, (1,)): _LAYERS.GlobalAveragePooling1D,
    ("Mean", 4, (1, 2)): _LAYERS.GlobalAveragePooling2D,
    ("Max", 3, (1,)): _LAYERS.GlobalMaxPooling1D,
    ("Max", 4, (1, 2)): _LAYERS.GlobalMaxPooling2D,
}
_RESHAPES = frozenset({"ExpandDims", "Reshape", "Squeeze"})
_OPERATIONS_OF_KERAS = "keras.src.ops."


def is_operation(operation):
    """Whether `translate_operation` takes something: an operation of Keras' own, or a layer of its own without weights.

    Args:
        operation: an operation of a Keras 3 model.

    Returns:
        bool.
    """
    if type(operation).__module__.startswith(_OPERATIONS_OF_KERAS):
        return True
    return is_built_in(operation) and not operation.variables


def translate_operation(node, tensors, name):
    """Makes the tf_keras layer that computes one call of a bare operation.

    A layer that tfmot knows where there is one; else a `KerasOperation`, which computes it but is not quantized while
    training.

    Args:
        node: keras Node, the call in the Keras 3 graph.
        tensors: list of tf_keras tensors it is called on.
        name: str, the layer's name.

    Returns:
        Translation.

    Raises:
        CompressionError: an argument of the call cannot be written down.
    """
    # Layers would carry masks on, and integers would become floats; operations do neither.
    is_plain = all(getattr(one, "_keras_mask", None) is None and one.dtype.is_floating for one in tensors)
    layer = _known(node, [len(one.shape) for one in tensors], name) if is_plain else None
    layer = layer or _as_it_is(node, name)

    def call(args, kwargs, tensors):
        return layer(tensors if len(tensors) > 1 else tensors[0])

    return Translation((layer,), call, has_weights=False)


def _known(node, ranks, name):
    operation, kind = node.operation, type(node.operation).__name__
    if kind in _ACTIVATIONS:
        return _LAYERS.Activation(FUNCTIONS[_ACTIVATIONS[kind]], name=name)
    if kind == "Relu6":
        return _LAYERS.ReLU(max_value=6.0, name=name)
    if kind == "LeakyRelu":
        return _LAYERS.LeakyReLU(alpha=operation.negative_slope, name=name)
    if kind == "Softmax" and isinstance(operation.axis, int):
        return _LAYERS.Softmax(axis=operation.axis, name=name)
    if kind == "Concatenate" and operation.axis not in (0, -ranks[0]):
        return _LAYERS.Concatenate(axis=operation.axis, name=name)
    if kind in ("Mean", "Max"):
        return _pooling(operation, kind, ranks[0], name)
    if kind == "Transpose" and operation.axes is not None and operation.axes[0] == 0:
        return _LAYERS.Permute(operation.axes[1:], name=name)
    if kind in _RESHAPES:
        return _reshape(node, name)
    return _arithmetic(node, kind, ranks, name)


def _arithmetic(node, kind, ranks, name):
    values = [*node.arguments.args, *node.arguments.kwargs.values()]
    if len(values) != 2 or set(node.arguments.kwargs) - {"x2"}:
        return None
    if len(ranks) == 2:
        # tf_keras aligns shapes of different rank at the batch axis, Keras 3 at the last.
        return _MERGES[kind](name=name) if kind in _MERGES and ranks[0] == ranks[1] else None
    is_second = isinstance(values[1], int | float)
    number = values[1] if is_second else values[0]
    rule = _AFFINE.get((kind, is_second))
    found = rule(number) if rule and isinstance(number, int | float) and math.isfinite(number) else None
    return _LAYERS.Rescaling(*found, name=name) if found else None


def _pooling(operation, kind, rank, name):
    axes = operation.axis if isinstance(operation.axis, list | tuple) else [operation.axis]
    if None in axes or getattr(operation, "initial", None) is not None:
        return None
    pooling = _POOLINGS.get((kind, rank, tuple(sorted(axis % rank for axis in axes))))
    return pooling(keepdims=operation.keepdims, name=name) if pooling else None


def _reshape(node, name):
    """A reshape that leaves the batch axis alone and knows the rest."""
    (given,), (made,) = node.arguments.keras_tensors, node.outputs
    before, after = given.shape[1:], made.shape[1:]
    is_known = None not in (*before, *after) and given.shape[0] == made.shape[0] and len(after) > 0
    return _LAYERS.Reshape(after, name=name) if is_known and math.prod(before) == math.prod(after) else None


def _as_it_is(node, name):
    try:
        arguments = describe_arguments(node.arguments.args, node.arguments.kwargs)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise no_twin(node.operation, f"an argument of its call cannot be written down ({error})") from error
    return KerasOperation(describe(node.operation), arguments, name=name)
