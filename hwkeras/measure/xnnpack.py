"""Which operators XNNPACK takes from the interpreter, and why not the others.

The rules are those of LiteRT's XNNPACK delegate as built into the `ai-edge-litert` wheels (8-bit types on), read
from its documentation and source (https://github.com/google-ai-edge/LiteRT, tflite/delegates/xnnpack) and compared with
the partitions that ai-edge-litert 2.3 makes.
"""

from __future__ import annotations

import struct

from hwkeras.measure.xnnpack_operands import BYTES
from hwkeras.measure.xnnpack_operands import UP_TO_128
from hwkeras.measure.xnnpack_operands import refuse_activation
from hwkeras.measure.xnnpack_operands import refuse_bias
from hwkeras.measure.xnnpack_operands import refuse_computed
from hwkeras.measure.xnnpack_operands import refuse_dense_filter
from hwkeras.measure.xnnpack_operands import refuse_filter
from hwkeras.measure.xnnpack_operands import refuse_fused
from hwkeras.measure.xnnpack_operands import refuse_integers
from hwkeras.measure.xnnpack_operands import refuse_rank
from hwkeras.measure.xnnpack_operands import refuse_scales
from hwkeras.measure.xnnpack_operands import refuse_types
from hwkeras.measure.xnnpack_operands import refuse_unless_float

_SMALL_INTS = frozenset({"INT8", "INT4", "INT2"})
_MAX_DIMS = 6
_FLOAT_UNARY = (
    "ABS", "CEIL", "COS", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND",
    "RSQRT", "SIN", "SQRT", "SQUARE",
)  # fmt: skip
_FLOAT_BINARY = ("DIV", "MAXIMUM", "MINIMUM", "PRELU", "SQUARED_DIFFERENCE")
# Custom operators and composites that are taken under conditions that are not checked here.
_UNKNOWN = frozenset(
    {
        "CUSTOM:Convolution2DTransposeBias", "CUSTOM:MaxPoolingWithArgmax2D", "CUSTOM:MaxUnpooling2D",
        "CUSTOM:odml.scaled_dot_product_attention", "STABLEHLO_COMPOSITE", "VAR_HANDLE", "READ_VARIABLE",
        "ASSIGN_VARIABLE",
    }
)  # fmt: skip


class Nodes:
    """The operators of one subgraph as the delegate looks at them.

    Args:
        graph: `Graph`, read with details.
        data: bytes, the file.
    """

    def __init__(self, graph, data):
        self.graph = graph
        self._data = data
        self.unpacked = {}
        for position, operator in enumerate(graph.operators):
            if self._unpacks(operator):
                self.unpacked[operator.outputs[0]] = position

    def refusal(self, operator):
        """Why XNNPACK does not take an operator.

        Args:
            operator: `Operator` of the graph; not one that unpacks constants (see `unpacked`).

        Returns:
            str, empty for one that it takes; None where that is unknown.
        """
        if operator.op in _UNKNOWN:
            return None
        if operator.op not in _RULES:
            return "not among its operators"
        rule, num_inputs, num_outputs = _RULES[operator.op]
        if not num_inputs[0] <= len(operator.inputs) <= num_inputs[1]:
            return f"{len(operator.inputs)} inputs; it takes {num_inputs[0]} to {num_inputs[1]}"
        if not num_outputs[0] <= len(operator.outputs) <= num_outputs[1]:
            return f"{len(operator.outputs)} outputs; it takes {num_outputs[0]} to {num_outputs[1]}"
        if min(operator.inputs[: num_inputs[0]]) < 0 or min(operator.outputs) < 0:
            return "an operand is absent"
        return next((reason for reason in rule(self, operator) if reason != ""), "")

    def input(self, operator, at):
        """The tensor at an input, None where it is absent."""
        index = operator.inputs[at] if at < len(operator.inputs) else -1
        return None if index < 0 else self.graph.tensors[index]

    def output(self, operator, at=0):
        """The tensor at an output."""
        return self.graph.tensors[operator.outputs[at]]

    def is_static(self, operator, at):
        """Whether an input is a constant, or unpacked from one by `DEQUANTIZE` or `DENSIFY`."""
        index = operator.inputs[at]
        return bool(self.graph.tensors[index].data_bytes) or index in self.unpacked

    def integers(self, tensor):
        """The values of a constant of 32-bit integers."""
        return struct.unpack_from(f"<{tensor.data_bytes // 4}i", self._data, tensor.data_start)

    def _unpacks(self, operator):
        if operator.op not in ("DEQUANTIZE", "DENSIFY") or len(operator.inputs) != 1 or len(operator.outputs) != 1:
            return False
        if operator.inputs[0] < 0 or operator.outputs[0] < 0:
            return False
        source, target = self.graph.tensors[operator.inputs[0]], self.graph.tensors[operator.outputs[0]]
        if operator.op == "DENSIFY":
            return bool(source.data_bytes and source.is_sparse and source.dtype in ("FLOAT16", "INT8", "FLOAT32"))
        if (
            source.is_sparse
            or target.dtype != "FLOAT32"
            or not (source.data_bytes or operator.inputs[0] in self.unpacked)
        ):
            return False
        return source.dtype == "FLOAT16" or (source.dtype == "INT8" and source.affine is not None)


def _float_unary(nodes, operator):
    yield refuse_rank(nodes.input(operator, 0), 0, _MAX_DIMS, "an input")
    yield refuse_unless_float(nodes.input(operator, 0), "input")
    yield refuse_unless_float(nodes.output(operator), "output")


def _unary(nodes, operator):
    yield refuse_rank(nodes.input(operator, 0), 0, _MAX_DIMS, "an input")
    yield refuse_activation(nodes.input(operator, 0), "input")
    yield refuse_activation(nodes.output(operator), "output")


def _leaky_relu(nodes, operator):
    yield from _unary(nodes, operator)
    alpha = operator.options["alpha"]
    if not alpha:
        yield "negative slope 0"
    source, output = nodes.input(operator, 0), nodes.output(operator)
    yield refuse_scales((source,), output, 1 / 256, UP_TO_128, "input")
    if source.dtype == output.dtype and source.dtype in BYTES:
        slope = alpha * source.affine.scales[0] / output.affine.scales[0]
        if not (-127.99609375 <= slope <= 128 and abs(slope) >= 1 / 256):
            yield f"negative slope times scales {slope:.3g} outside its range"


def _quantize(nodes, operator):
    source, output = nodes.input(operator, 0), nodes.output(operator)
    yield from _unary(nodes, operator)
    if source.dtype in BYTES and source.dtype != output.dtype:
        yield f"{source.dtype.lower()} to {output.dtype.lower()}"
    yield refuse_scales((source,), output, 1 / 256, UP_TO_128, "input")


def _elu(nodes, operator):
    for tensor, what in ((nodes.input(operator, 0), "input"), (nodes.output(operator), "output")):
        yield f"uint8 {what}; it takes float32 and int8" if tensor.dtype == "UINT8" else ""
    yield from _unary(nodes, operator)


def _dequantize(nodes, operator):
    source = nodes.input(operator, 0)
    yield refuse_rank(source, 0, _MAX_DIMS, "an input")
    yield f"{source.dtype.lower()} input; it takes int8 and uint8" if source.dtype not in BYTES else ""
    yield refuse_activation(source, "input")
    yield refuse_unless_float(nodes.output(operator), "output")


def _binary_operands(nodes, operator, check):
    for at in (0, 1):
        yield refuse_rank(nodes.input(operator, at), 0, _MAX_DIMS, "an input")
    for tensor, what in ((nodes.input(operator, 0), "input"), (nodes.input(operator, 1), "input")):
        yield check(tensor, what)
    yield check(nodes.output(operator), "output")


def _float_binary(nodes, operator):
    yield from _binary_operands(nodes, operator, refuse_unless_float)
    yield refuse_fused(operator)
    if operator.op == "PRELU":
        yield refuse_computed(nodes, operator, 1, "slope")


def _arithmetic(nodes, operator):
    yield from _binary_operands(nodes, operator, refuse_activation)
    first, second, output = nodes.input(operator, 0), nodes.input(operator, 1), nodes.output(operator)
    if not first.dtype == second.dtype == output.dtype:
        yield f"{first.dtype.lower()} and {second.dtype.lower()} to {output.dtype.lower()}; it takes one type"
    if operator.op == "MUL":
        yield refuse_scales((first, second), output, 1 / 65536, 256, "product of input scales")
    else:
        yield refuse_scales((first,), output, 1 / 1024, 256, "first input")
        yield refuse_scales((second,), output, 1 / 1024, 256, "second input")
    yield refuse_fused(operator)


def _convolution(nodes, operator, axis, may_be_dynamic):
    source, weights, output = nodes.input(operator, 0), nodes.input(operator, 1), nodes.output(operator)
    yield refuse_activation(source, "input")
    for tensor, what in ((source, "an input"), (weights, "a filter"), (output, "an output")):
        yield refuse_rank(tensor, 4, 4, what)
    yield refuse_filter(weights, axis)
    yield refuse_computed(nodes, operator, 1, "filter")
    yield "no bias" if nodes.input(operator, 2) is None else refuse_bias(nodes, operator, 2)
    yield refuse_activation(output, "output")
    yield refuse_types(nodes, source, weights, output, may_be_dynamic)
    yield refuse_fused(operator)


def _conv_2d(nodes, operator):
    yield from _convolution(nodes, operator, 0, True)


def _depthwise_conv_2d(nodes, operator):
    yield from _convolution(nodes, operator, 3, False)


def _transpose_conv(nodes, operator):
    yield refuse_integers(nodes, operator, 0, "output shape")
    weights, source, output = nodes.input(operator, 1), nodes.input(operator, 2), nodes.output(operator)
    for tensor, what in ((weights, "a filter"), (source, "an input"), (output, "an output")):
        yield refuse_rank(tensor, 4, 4, what)
    yield refuse_computed(nodes, operator, 1, "filter")
    yield refuse_activation(source, "input")
    yield refuse_filter(weights, 0)
    yield refuse_bias(nodes, operator, 3)
    yield refuse_activation(output, "output")
    yield refuse_types(nodes, source, weights, output, True)
    yield refuse_fused(operator)


def _fully_connected(nodes, operator):
    source, weights, output = nodes.input(operator, 0), nodes.input(operator, 1), nodes.output(operator)
    if operator.version == 8:
        yield "sparse weights"
    if operator.options["weights_format"]:
        yield "shuffled weights"
    yield refuse_activation(source, "input")
    yield refuse_rank(weights, 2, 2, "a filter")
    yield refuse_dense_filter(weights)
    yield refuse_computed(nodes, operator, 1, "filter")
    yield refuse_bias(nodes, operator, 2)
    yield refuse_activation(output, "output")
    if source.dtype != output.dtype or weights.dtype not in _SMALL_INTS:
        yield refuse_types(nodes, source, weights, output, True)
    if source.dtype == weights.dtype == "INT8" and any(weights.affine.zero_points):
        yield "int8 weights with a zero point"
    yield refuse_fused(operator)


def _batch_matmul(nodes, operator):
    first, second, output = nodes.input(operator, 0), nodes.input(operator, 1), nodes.output(operator)
    yield refuse_activation(first, "input")
    yield refuse_rank(first, 2, _MAX_DIMS, "an input")
    yield refuse_rank(second, 2, _MAX_DIMS, "an input")
    yield refuse_filter(second, len(second.shape) - (2 if operator.options["adj_y"] else 1))
    yield refuse_activation(output, "output")
    yield refuse_types(nodes, first, second, output, True)
    if first.dtype == second.dtype == "INT8" and any(second.affine.zero_points):
        yield "int8 second operand with a zero point"


def _pooling(nodes, operator):
    check = refuse_unless_float if operator.op == "AVERAGE_POOL_2D" else refuse_activation
    yield check(nodes.input(operator, 0), "input")
    yield check(nodes.output(operator), "output")
    options = operator.options
    for side in ("h", "w"):
        if options[f"stride_{side}"] > options[f"filter_{side}"]:
            yield f"stride {options[f'stride_{side}']} above the window {options[f'filter_{side}']}"
        if min(options[f"stride_{side}"], options[f"filter_{side}"]) <= 0:
            yield "a window or stride of 0"
    yield refuse_fused(operator)


def _softmax(nodes, operator):
    if operator.options["beta"] != 1:
        yield f"beta {operator.options['beta']:.3g}; it takes 1"
    yield refuse_unless_float(nodes.input(operator, 0), "input")
    yield refuse_unless_float(nodes.output(operator), "output")


def _reduction(nodes, operator):
    yield refuse_activation(nodes.input(operator, 0), "input")
    axes = nodes.input(operator, 1)
    yield refuse_rank(axes, 0, 1, "axes")
    yield refuse_integers(nodes, operator, 1, "axes")
    yield refuse_activation(nodes.output(operator), "output")


def _reshape(nodes, operator):
    source, output = nodes.input(operator, 0), nodes.output(operator)
    yield from _unary(nodes, operator)
    yield refuse_rank(output, 0, _MAX_DIMS, "an output")
    if source.dtype == output.dtype and source.dtype in BYTES:
        if (source.affine.scales, source.affine.zero_points) != (output.affine.scales, output.affine.zero_points):
            yield "another scale or zero point behind it"
    if nodes.input(operator, 1) is None:
        yield None if len(output.shape) == 1 else ""  # the shape in the options is not read
    else:
        yield refuse_integers(nodes, operator, 1, "shape")
        if nodes.integers(nodes.input(operator, 1)) in ((-1,), (0,)):
            yield "to one dimension of unknown size"


def _with_integers(*names, dtypes=("INT32",)):
    """The rule of operators that read constants of integers behind their first input."""

    def rule(nodes, operator):
        yield refuse_activation(nodes.input(operator, 0), "input")
        yield refuse_rank(nodes.input(operator, 0), 0, _MAX_DIMS, "an input")
        for at, name in enumerate(names, start=1):
            yield refuse_integers(nodes, operator, at, name, dtypes)
        yield refuse_activation(nodes.output(operator), "output")

    return rule


def _pad(nodes, operator):
    yield from _with_integers("padding")(nodes, operator)
    if min(nodes.integers(nodes.input(operator, 1)), default=0) < 0:
        yield "negative padding"


def _strided_slice(nodes, operator):
    if any(operator.options[f"{name}_mask"] for name in ("ellipsis", "new_axis", "shrink_axis")):
        yield "an ellipsis, new-axis or shrink-axis mask"
    yield from _with_integers("begin", "end", "strides")(nodes, operator)
    if {*nodes.integers(nodes.input(operator, 3))} - {1}:
        yield "strides other than 1"


def _concatenation(nodes, operator):
    output = nodes.output(operator)
    yield refuse_activation(output, "output")
    for at in range(len(operator.inputs)):
        source = nodes.input(operator, at)
        yield "an operand is absent" if source is None else refuse_activation(source, "input")
        if output.dtype == "UINT8" and source.affine != output.affine:
            yield "uint8 inputs of another scale or zero point"


def _split(nodes, operator):
    yield refuse_integers(nodes, operator, 0, "axis")
    yield refuse_activation(nodes.input(operator, 1), "input")
    for at in range(len(operator.outputs)):
        yield refuse_activation(nodes.output(operator, at), "output")


def _blocks(nodes, operator):
    yield from (
        refuse_activation(nodes.input(operator, 0), "input"),
        refuse_activation(nodes.output(operator), "output"),
    )
    if operator.options["block_size"] <= 1:
        yield "block size of at most 1"


# The rule of each operator, its numbers of inputs (least, most) and of outputs.
_ONE, _TWO = (1, 1), (2, 2)
_RULES = {
    **dict.fromkeys(_FLOAT_UNARY, (_float_unary, _ONE, _ONE)),
    **dict.fromkeys(_FLOAT_BINARY, (_float_binary, _TWO, _ONE)),
    **dict.fromkeys(("ADD", "SUB", "MUL"), (_arithmetic, _TWO, _ONE)),
    **dict.fromkeys(("LOGISTIC", "TANH"), (_unary, _ONE, _ONE)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), (_pooling, _ONE, _ONE)),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), (_reduction, _TWO, _ONE)),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), (_blocks, _ONE, _ONE)),
    "ELU": (_elu, _ONE, _ONE),
    "LEAKY_RELU": (_leaky_relu, _ONE, _ONE),
    "QUANTIZE": (_quantize, _ONE, _ONE),
    "DEQUANTIZE": (_dequantize, _ONE, _ONE),
    "CONV_2D": (_conv_2d, (3, 3), _ONE),
    "DEPTHWISE_CONV_2D": (_depthwise_conv_2d, (3, 3), _ONE),
    "TRANSPOSE_CONV": (_transpose_conv, (3, 4), _ONE),
    "FULLY_CONNECTED": (_fully_connected, (2, 3), _ONE),
    "BATCH_MATMUL": (_batch_matmul, _TWO, _ONE),
    "SOFTMAX": (_softmax, _ONE, _ONE),
    "RESHAPE": (_reshape, (1, 2), _ONE),
    "EXPAND_DIMS": (_with_integers("axis", dtypes=("INT32", "INT64")), _TWO, _ONE),
    "RESIZE_BILINEAR": (_with_integers("size"), _TWO, _ONE),
    "TRANSPOSE": (_with_integers("permutation"), _TWO, _ONE),
    "SLICE": (_with_integers("begin", "size", dtypes=("INT32", "INT64")), (3, 3), _ONE),
    "PAD": (_pad, _TWO, _ONE),
    "STRIDED_SLICE": (_strided_slice, (4, 4), _ONE),
    "CONCATENATION": (_concatenation, (2, 5), _ONE),
    "SPLIT": (_split, _TWO, (2, 4)),
}
