"""What of a network takes time: amounts of work, by kind of operator and type, each with a usual cost.

A term is an amount that a kernel's time is proportional to. Kernels compute whole tiles, so channels are rounded up to
vector lanes and pixels to rows of a tile: a convolution with 17 channels costs as much as one with 32.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

# Rows and lanes of the tiles that the kernels of XNNPACK work in: vector units, and matrix units (AMX and the like).
_VECTOR_ROWS, _VECTOR_LANES, _WIDE_LANES, _INT8_DEPTH = 7, 16, 32, 8
_MATRIX_ROWS, _MATRIX_LANES, _MATRIX_DEPTH = 16, 64, 64
_LARGE_WINDOW = 9
_MOST_FILTERS = 4096

_FAMILIES = {
    "FLOAT32": "float32", "FLOAT16": "float32", "BFLOAT16": "float32", "FLOAT64": "float32", "INT8": "int8",
    "UINT8": "int8", "INT4": "int8", "UINT4": "int8", "INT16": "int16",
}  # fmt: skip
_ELEMENT_BYTES = {"FLOAT32": 4, "INT32": 4, "FLOAT64": 8, "INT64": 8, "FLOAT16": 2, "BFLOAT16": 2, "INT16": 2}
_KINDS = {
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "dense",
    "AVERAGE_POOL_2D": "average_pool",
    "MAX_POOL_2D": "max_pool",
    **dict.fromkeys(("HARD_SWISH", "LOGISTIC", "TANH", "ELU", "GELU", "EXP", "LOG", "RSQRT", "SQRT"), "curve"),
    **dict.fromkeys(("ADD", "MUL", "SUB", "DIV", "MAXIMUM", "MINIMUM", "NEG", "ABS", "SQUARE"), "elementwise"),
    **dict.fromkeys(("SQUARED_DIFFERENCE", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "PRELU"), "elementwise"),
    **dict.fromkeys(("LEAKY_RELU", "QUANTIZE", "DEQUANTIZE", "CAST"), "elementwise"),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), "reduction"),
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), "reshape"),
    **dict.fromkeys(("CONCATENATION", "PAD", "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "SPLIT"), "copy"),
    **dict.fromkeys(("TRANSPOSE", "PACK", "UNPACK", "GATHER", "TILE", "RESIZE_BILINEAR"), "copy"),
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), "copy"),
    "SOFTMAX": "softmax",
}

# Nanoseconds of one unit of each term on one core of an x86-64 server under XNNPACK, to one digit. Only their ratios
# are used: what is expected of a device of which nothing is known yet. Its own measurements move each of them.
_USUAL_NS = {
    "float32": {
        "convolution_1x1": {
            "calls": 100, "pixels": 0.5, "lanes": 0.02, "work": 0.016, "work_wide": 0.012, "macs": 1e-3, "bytes": 2e-3,
        },
        "convolution_kxk": {
            "calls": 200, "pixels": 0.5, "windows": 0.2, "lanes": 0.02, "work": 0.025, "work_wide": 0.017, "macs": 1e-3,
            "bytes": 2e-3,
        },
        "depthwise": {"calls": 100, "pixels": 5, "lanes": 0.1, "work": 0.01, "work_large": 0.02},
        "dense": {"calls": 200, "bytes": 0.01},
        "average_pool": {"calls": 400, "pixels": 2, "outputs": 0.2, "work": 0.05},
        "max_pool": {"calls": 200, "pixels": 2, "outputs": 0.2, "work": 0.02},
        "curve": {"calls": 100, "elements": 0.04},
        "elementwise": {"calls": 100, "elements": 0.03},
        "reduction": {"calls": 400, "elements": 0.05, "outputs": 0.5},
        "reshape": {"calls": 50},
        "copy": {"calls": 200, "elements": 0.04},
        "softmax": {"calls": 200, "elements": 5},
        "other": {"calls": 500, "elements": 0.5, "macs": 0.05},
    },
    "int8": {
        "convolution_1x1": {
            "calls": 300, "pixels": 8, "lanes": 0.1, "work": 3e-4, "tiles": 5e-4, "tile_lanes": 0.02, "macs": 5e-5,
            "bytes": 1e-3,
        },
        "convolution_kxk": {
            "calls": 200, "pixels": 5, "windows": 0.4, "lanes": 0.03, "work": 2e-4, "tiles": 5e-4, "tile_lanes": 0.1,
            "macs": 5e-5, "bytes": 3e-3,
        },
        "depthwise": {"calls": 100, "pixels": 3, "lanes": 0.08, "work": 0.05, "work_large": 0.05},
        "dense": {"calls": 600, "bytes": 1e-3},
        "average_pool": {"calls": 1000, "pixels": 20, "outputs": 2, "work": 0.1},
        "max_pool": {"calls": 400, "pixels": 2, "outputs": 0.05, "work": 0.02},
        "curve": {"calls": 300, "elements": 2},
        "elementwise": {"calls": 300, "elements": 0.08},
        "reduction": {"calls": 500, "elements": 0.1, "outputs": 0.5},
        "reshape": {"calls": 100},
        "copy": {"calls": 200, "elements": 0.1},
        "softmax": {"calls": 500, "elements": 20},
        "other": {"calls": 1000, "elements": 1, "macs": 0.05},
    },
}  # fmt: skip
_USUAL_NETWORK_NS = 100.0


def cost_terms(analysis):
    """The amounts of work in a network.

    Args:
        analysis: `Analysis`.

    Returns:
        dict of term, `"int8/depthwise/pixels"`, to float; terms that are 0 are left out.
    """
    terms = Counter({"network": 1.0})
    for index, op in enumerate(analysis.ops):
        terms.update(_terms_of(op, analysis.ops, index))
    return {term: float(amount) for term, amount in terms.items() if amount}


def usual_cost_ns(term):
    """What a unit of a term usually costs, relative to the others.

    Args:
        term: str, of `cost_terms`.

    Returns:
        float.
    """
    if term == "network":
        return _USUAL_NETWORK_NS
    family, kind, amount = term.split("/")
    usual = _USUAL_NS["float32" if family == "float32" else "int8"]
    return float(usual[kind][amount])


def group_of(term):
    """What a term belongs to: type and kind of operator, without the amount.

    Args:
        term: str, of `cost_terms`.

    Returns:
        str such as `"int8/depthwise"`, or `"network"`.
    """
    return term.rpartition("/")[0] or term


@dataclass(frozen=True)
class _Window:
    """The extents of a convolution: output pixels, output channels, positions of the kernel, channels under each."""

    pixels: int
    channels: int
    taps: int
    depth: int


def _terms_of(op, ops, index):
    kind = _KINDS.get(op.op, "other")
    if kind == "elementwise" and op.weight_bytes and not op.input_bytes:
        return {}  # A constant that a runtime unpacks once, when it loads the file.
    if kind == "convolution":
        window = _window_of(op)
        kind = "convolution_1x1" if window.taps == 1 and max(op.stride or (1,)) == 1 else "convolution_kxk"
        amounts = _convolution(op, window, _family_of(op))
    elif kind == "depthwise":
        amounts = _depthwise(_window_of(op))
    elif kind == "dense":
        amounts = {"bytes": op.weight_bytes or op.input_bytes}
    elif kind in ("average_pool", "max_pool"):
        amounts = _pool(op, _channels_near(ops, index))
    elif kind == "reshape":
        amounts = {}
    else:
        amounts = {"elements": _elements(op.input_bytes + op.output_bytes, op)}
        if kind == "reduction":
            amounts["outputs"] = _elements(op.output_bytes, op)
        if kind == "other":
            amounts["macs"] = op.macs
    prefix = f"{_family_of(op)}/{kind}"
    return {f"{prefix}/calls": 1, **{f"{prefix}/{name}": amount for name, amount in amounts.items()}}


def _convolution(op, window, family):
    rows = _up(window.pixels, _VECTOR_ROWS)
    lanes = rows * _up(window.channels, _VECTOR_LANES)
    amounts = {"pixels": window.pixels, "lanes": lanes, "macs": op.macs, "bytes": op.weight_bytes}
    if window.taps > 1 or max(op.stride or (1,)) > 1:
        amounts["windows"] = window.pixels * window.taps
    if family == "float32":
        under = window.taps * window.depth
        if window.channels < _WIDE_LANES:
            return {**amounts, "work": lanes * under}
        return {**amounts, "work_wide": rows * _up(window.channels, _WIDE_LANES) * under}
    tiles = _up(window.pixels, _MATRIX_ROWS) * _up(window.channels, _MATRIX_LANES)
    return {
        **amounts,
        "work": lanes * window.taps * _up(window.depth, _INT8_DEPTH),
        "tiles": tiles * window.taps * _up(window.depth, _MATRIX_DEPTH),
        "tile_lanes": tiles,
    }


def _depthwise(window):
    lanes = window.pixels * _up(window.channels, _VECTOR_LANES)
    work = "work_large" if window.taps > _LARGE_WINDOW else "work"
    return {"pixels": window.pixels, "lanes": lanes, work: lanes * window.taps}


def _pool(op, channels):
    outputs = _elements(op.output_bytes, op)
    return {"pixels": outputs / channels, "outputs": outputs, "work": outputs * math.prod(op.kernel or (2, 2))}


def _window_of(op):
    """The extents of a convolution from what is known of it; the number of filters from the bytes of its weights."""
    outputs = max(1, round(_elements(op.output_bytes, op)))
    under = max(1, op.macs // outputs)
    taps = min(math.prod(op.kernel or (1, 1)), under)
    filters = _filters(op, under, outputs)
    depth = 1 if op.op == "DEPTHWISE_CONV_2D" else max(1, under // taps)
    return _Window(max(1, outputs // filters), filters, taps, depth)


def _filters(op, under, outputs):
    """How many filters of `under` weights, each with or without a bias, make the bytes of the weights."""
    for weight_bytes, bias_bytes in ((4, 4), (1, 4), (4, 0), (1, 0), (2, 4), (2, 2), (1, 8), (2, 0)):
        if (weight_bytes == 1) != (_family_of(op) != "float32") and weight_bytes != 2:
            continue
        filters, rest = divmod(op.weight_bytes, under * weight_bytes + bias_bytes)
        if not rest and filters and outputs % filters == 0:
            return filters
    if not op.weight_bytes:
        return _filters_unpacked(op, under, outputs)
    if op.weight_bytes % 4 == 0 and outputs % (op.weight_bytes // 4) == 0:
        return op.weight_bytes // 4  # Only biases: the weights are unpacked by an operator before.
    return min(outputs, max(1, round(op.weight_bytes / (under * min(4, _element_bytes(op))))))


def _filters_unpacked(op, under, outputs):
    """How many filters leave a plausible rest of the bytes read, where weights and biases are unpacked before."""
    taps = math.prod(op.kernel or (1, 1))
    area, size = math.prod(op.stride or (1, 1)), _element_bytes(op)

    def surplus(filters):
        depth = filters if op.op == "DEPTHWISE_CONV_2D" else max(1, under // taps)
        activations = outputs // filters * area * depth * size
        return abs(filters * (under + 1) * size + activations - op.input_bytes)

    return min(
        (filters for filters in range(1, min(outputs, _MOST_FILTERS) + 1) if outputs % filters == 0), key=surplus
    )


def _channels_near(ops, index):
    """The channels of a pool: those of the next convolution if it reads the pool's output, else of the last before."""
    pool = ops[index]
    for op in ops[index + 1 : index + 2]:
        if op.input_bytes == pool.output_bytes and op.op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            window = _window_of(op)
            return window.channels if op.op == "DEPTHWISE_CONV_2D" else window.depth
    for op in reversed(ops[:index]):
        if op.op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return _window_of(op).channels
    return 1


def _family_of(op):
    family = _FAMILIES.get(op.dtype, "float32")
    if family == "float32" and op.op in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and _is_hybrid(op):
        return "hybrid"
    return family


def _is_hybrid(op):
    """Whether a float operator has 8-bit weights: fewer bytes than any float layout of so many filters has."""
    outputs = max(1, round(op.output_bytes / _element_bytes(op)))
    under = max(1, op.macs // outputs)
    if op.op == "FULLY_CONNECTED":
        return 0 < op.weight_bytes < 2 * op.macs
    filters, rest = divmod(op.weight_bytes, 4 * under + 4)
    if not rest and filters and outputs % filters == 0:
        return False
    filters, rest = divmod(op.weight_bytes, under + 4)
    return not rest and filters > 0 and outputs % filters == 0


def _elements(num_bytes, op):
    return num_bytes / _element_bytes(op)


def _element_bytes(op):
    return _ELEMENT_BYTES.get(op.dtype, 1 if op.dtype else 4)


def _up(amount, step):
    return -(-amount // step) * step
