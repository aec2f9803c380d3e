"""Which Keras layer an operator of a `.tflite` file comes from, by the name of the tensor it writes."""

from __future__ import annotations

import collections
import re

# What TensorFlow and Keras call the operation that gives an operator its name, the last part of a name.
_OPERATIONS = {
    "CONV_2D": ("Conv2D", "convolution"),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2dNative", "DepthwiseConv2D", "depthwise"),
    "TRANSPOSE_CONV": ("Conv2DBackpropInput", "conv2d_transpose", "conv_transpose"),
    "FULLY_CONNECTED": ("MatMul", "BatchMatMulV2", "Tensordot"),
    "ADD": ("AddV2", "Add", "add"),
    "MUL": ("Mul", "mul"),
    "MEAN": ("Mean",),
    "AVERAGE_POOL_2D": ("AvgPool",),
    "MAX_POOL_2D": ("MaxPool",),
    "RESHAPE": ("Reshape",),
    "SOFTMAX": ("Softmax",),
    "CONCATENATION": ("ConcatV2", "concat"),
    "PAD": ("Pad",),
}
# Operators that always come from such an operation: without it, `node_paths` is that of another model.
_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
# Where a dense layer or a convolution adds its bias, which may be all that is left of its names.
_BIAS = ("BiasAdd",)
# Parts of a name behind the layer's own that are no operation.
_INNER = ("ReadVariableOp", "resource", "batchnorm", "FusedBatchNormV3", "BiasAdd", "Tensordot", "Conv2D")


def layer_of(op, tensor, node_paths=None):
    """Finds the layer.

    The converter joins the names of all that it fused into one operator, `act/Relu;conv/BiasAdd;conv/Conv2D1`, with
    those of constants that other layers share, and may append a digit. The layer is that of the operation the operator
    is named for; of several such, the one most names are of, and none where that is not one. Where no name fits the
    operator, it is the layer of the first; none for an operator with weights under `node_paths`, which is then that of
    another model.

    Args:
        op: str, the operator's name in the schema such as `"CONV_2D"`.
        tensor: str, the name of its output; None where unknown.
        node_paths: dict of names in the file to `layer/operation` (`hwkeras.convert.node_paths`). Defaults to `None`:
            the names themselves are such paths, as other converters write them.

    Returns:
        str such as `"dense"` or `"net/dense"`; None where the names do not tell.
    """
    paths = [path for piece in (tensor or "").split(";") if piece for path in _paths(piece, op, node_paths)]
    counts = collections.Counter(_layer(path) for path in paths)
    for names in (_OPERATIONS.get(op, ()), _BIAS):
        named = {_layer(path): None for path in paths if _ends_with(path, names)}
        most = [layer for layer in named if counts[layer] == max(counts[other] for other in named)]
        if named:
            return most[0] if len(most) == 1 else None
    if not paths or (node_paths and op in _WITH_WEIGHTS):
        return None
    return _layer(paths[0]) or None


def without_common_root(layers):
    """Leaves out the name of the model where all layers begin with it.

    Args:
        layers: list of str or None.

    Returns:
        list of str or None.
    """
    roots = {layer.partition("/")[0] if "/" in layer else "" for layer in layers if layer}
    if len(roots) != 1 or "" in roots:
        return list(layers)
    return [layer.partition("/")[2] if layer else None for layer in layers]


def group_layer(layer, names):
    """The layer of an architecture that a Keras layer is part of.

    Args:
        layer: str or None, a Keras layer such as `"stage1_conv"`.
        names: sequence of str, the architecture's layers.

    Returns:
        str, the longest of `names` that is the layer's or begins it before a `_`; `layer` itself where none does.
    """
    fitting = [name for name in names if layer is not None and (layer == name or layer.startswith(f"{name}_"))]
    return max(fitting, key=len, default=layer)


def _paths(piece, op, node_paths):
    """The path of a name: at most one."""
    piece = piece.partition(":")[0]
    if "/" in piece:
        return [piece]
    node_paths = node_paths or {}
    # NOTE: `n12` may also be the node `n1` with a digit of the converter's. What fits the operator is taken; where both
    # do, in different layers, neither is.
    found = [node_paths[name] for name in (piece, piece[:-1]) if name in node_paths]
    fitting = [path for path in found if _ends_with(path, _OPERATIONS.get(op, ()))] or found[:1]
    return fitting[:1] if len({_layer(path) for path in fitting}) == 1 else []


def _ends_with(path, names):
    last = path.rpartition("/")[2]
    return any(re.fullmatch(re.escape(name) + r"(_\d+)?\d*", last) for name in names)


def _layer(path):
    parts = path.split("/")[:-1]
    while len(parts) > 1 and parts[-1] in _INNER:
        parts.pop()
    return "/".join(parts)
