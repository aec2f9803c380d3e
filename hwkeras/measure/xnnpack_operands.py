"""The conditions of XNNPACK on the operands of one operator.

Each function returns the reason for which XNNPACK leaves the operator to the interpreter, or an empty text.
"""

from __future__ import annotations

import math

FLOATS = frozenset({"FLOAT32", "FLOAT16"})
UP_TO_128 = math.nextafter(128.0, math.inf)
BYTES = frozenset({"INT8", "UINT8"})
_SMALL_INTS = frozenset({"INT8", "INT4", "INT2"})
_BLOCK_MULTIPLE = 32
_FUSED = {4: "TANH", 5: "SIGN_BIT"}  # of the schema's ActivationFunctionType, those that are not taken


def refuse_activation(tensor, what):
    """The reason for which a tensor is no activation for XNNPACK: float, or 8 bits with one scale."""
    if tensor.dtype in FLOATS:
        return ""
    if tensor.dtype not in BYTES:
        return f"{tensor.dtype.lower()} {what}; it takes float32, int8 and uint8"
    return "" if _has_one_scale(tensor) else f"{tensor.dtype.lower()} {what} without exactly one scale"


def _has_one_scale(tensor):
    affine = tensor.affine
    if affine is None or len(affine.scales) != 1 or affine.axis:
        return False
    return tensor.dtype == "INT8" or len(affine.zero_points) == 1


def refuse_unless_float(tensor, what):
    return "" if tensor.dtype in FLOATS else f"{tensor.dtype.lower()} {what}; it takes float32 only"


def refuse_rank(tensor, low, high, what):
    if low <= len(tensor.shape) <= high:
        return ""
    return (
        f"{what} of {len(tensor.shape)} dimensions; it takes {low} to {high}"
        if low < high
        else (f"{what} of {len(tensor.shape)} dimensions; it takes {low}")
    )


def refuse_fused(operator):
    name = _FUSED.get(operator.options.get("activation", 0))
    return f"fused activation {name}" if name else ""


def refuse_computed(nodes, operator, at, what):
    return "" if nodes.is_static(operator, at) else f"{what} computed at run time; it takes constants"


def refuse_integers(nodes, operator, at, what, dtypes=("INT32",)):
    """The reason for which an input is no constant of integers that may be read."""
    tensor = nodes.input(operator, at)
    if tensor.dtype not in dtypes:
        return f"{what} of type {tensor.dtype.lower()}"
    return "" if tensor.data_bytes else f"{what} computed at run time; it takes constants"


def refuse_scales(tensors, output, low, high, what):
    """The reason for which the product of the scales of 8-bit inputs over that of the output is out of range."""
    if output.dtype not in BYTES or {tensor.dtype for tensor in tensors} != {output.dtype}:
        return ""
    ratio = 1.0
    for tensor in tensors:
        ratio *= tensor.affine.scales[0]
    ratio = ratio / output.affine.scales[0] if output.affine.scales[0] else float("inf")
    return "" if low <= ratio < high else f"{what} to output scale {ratio:.3g} outside [{low:.3g}, {high:.3g})"


def refuse_filter(tensor, axis):
    """The reason for which a tensor is no filter of a convolution: float, or int8 with scales along one axis."""
    if tensor.dtype in FLOATS:
        return ""
    if tensor.dtype == "UINT8":
        return "" if _has_one_scale(tensor) else "uint8 weights without exactly one scale"
    if tensor.dtype != "INT8":
        return f"{tensor.dtype.lower()} weights; it takes float32, float16, int8 and uint8"
    if tensor.affine is None or not tensor.affine.scales:
        return "int8 weights without scales"
    if len(tensor.affine.scales) > 1 and tensor.affine.axis != axis:
        return f"int8 weights with scales along axis {tensor.affine.axis}; it takes axis {axis}"
    if len(tensor.affine.scales) > 1 and tensor.affine.zero_points and tensor.affine.zero_points[0]:
        return "int8 weights with a zero point"
    return ""


def refuse_bias(nodes, operator, at):
    tensor = nodes.input(operator, at)
    if tensor is None:
        return ""
    if tensor.dtype not in FLOATS and tensor.dtype != "INT32":
        return f"{tensor.dtype.lower()} bias; it takes float32 and int32"
    if tensor.dtype == "INT32" and (tensor.affine is None or tensor.affine.axis):
        return "int32 bias without scales along axis 0"
    return refuse_computed(nodes, operator, at, "bias")


def refuse_types(nodes, source, weights, output, may_be_dynamic):
    if source.dtype != output.dtype:
        return f"{source.dtype.lower()} input and {output.dtype.lower()} output; it takes one type"
    if weights.dtype in FLOATS and source.dtype in FLOATS:
        return ""
    if source.dtype == weights.dtype or (may_be_dynamic and source.dtype == "FLOAT32" and weights.dtype == "INT8"):
        return ""
    return f"{source.dtype.lower()} activations with {weights.dtype.lower()} weights"


def refuse_dense_filter(weights):
    """As `refuse_filter`, for fully connected layers, which also take int4 and int2."""
    if weights.dtype not in _SMALL_INTS or weights.affine is None:
        return refuse_filter(weights, 0)
    if weights.affine.block_size:
        return "" if weights.affine.block_size % _BLOCK_MULTIPLE == 0 else "blocks of no multiple of 32"
    if len(weights.affine.scales) > 1 and weights.affine.axis:
        return f"weights with scales along axis {weights.affine.axis}; it takes axis 0"
    multiple = {"INT4": 2, "INT2": 4}.get(weights.dtype, 1)
    if weights.shape[-1] % multiple:
        return f"{weights.dtype.lower()} weights with {weights.shape[-1]} input channels, no multiple of {multiple}"
    if weights.dtype == "INT2" and len(weights.affine.scales) != weights.shape[0]:
        return "int2 weights without a scale for each channel"
    return ""
