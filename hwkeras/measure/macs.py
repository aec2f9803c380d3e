"""Multiply-accumulates of one operator, from the shapes of its tensors."""

from __future__ import annotations

import math

from hwkeras.errors import ModelFileError

# Operators that multiply and accumulate, or run a subgraph that may, in a way that is not counted here.
_NOT_COUNTED = frozenset(
    {
        "SVDF", "LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL",
        "STABLEHLO_CUSTOM_CALL", "STABLEHLO_COMPOSITE", "STABLEHLO_CASE", "STABLEHLO_WHILE", "IF", "WHILE", "CALL",
        "CALL_ONCE", "DELEGATE",
    }
)  # fmt: skip
# The filter of each is (out or 1, height, width, channels).
_WINDOWS_OF_FILTERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
_POOLINGS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"})


def is_counted(op):
    """Whether `count_macs` knows all the multiply-accumulates of an operator.

    Args:
        op: str, its name. Element-wise and pooling operators are known to have none.

    Returns:
        bool.
    """
    return op not in _NOT_COUNTED and not op.startswith(("CUSTOM:", "UNKNOWN_"))


def count_macs(operator, tensors):
    """Multiply-accumulates of convolutions, matrix products and fully connected layers; 0 for all others.

    Positions in the padding are counted as if they were inside. A bias is an addition and not counted.

    Args:
        operator: `Operator`.
        tensors: tuple of `Tensor`, those of its graph.

    Returns:
        int.

    Raises:
        ModelFileError: operands that such an operator cannot have.
    """
    if operator.op not in _RULES:
        return 0
    rule, ranks = _RULES[operator.op]
    if len(operator.inputs) < len(ranks) or not operator.outputs or min(*operator.inputs[:2], operator.outputs[0]) < 0:
        raise ModelFileError(_operands(operator, f"{len(operator.inputs)} inputs and {len(operator.outputs)} outputs"))
    operands = [tensors[index].shape for index in operator.inputs[: len(ranks)]]
    if any(len(shape) < rank for shape, rank in zip(operands, ranks, strict=True)):
        raise ModelFileError(_operands(operator, f"operands of shapes {operands}"))
    return rule(operator, operands, tensors[operator.outputs[0]].shape)


def window(operator, tensors):
    """The window of a convolution or a pooling.

    Args:
        operator: `Operator`, of which `count_macs` accepted the operands.
        tensors: tuple of `Tensor`, those of its graph.

    Returns:
        tuple of two tuples of int: the kernel as (height, width) and the stride as (height, width); both empty for
        operators without a window of two dimensions.
    """
    if operator.op in _WINDOWS_OF_FILTERS:
        kernel = tensors[operator.inputs[1]].shape[1:3]
    elif operator.op in _POOLINGS:
        kernel = (operator.options.get("filter_h", 0), operator.options.get("filter_w", 0))
    else:
        return (), ()
    return kernel, (operator.options.get("stride_h", 0), operator.options.get("stride_w", 0))


def _operands(operator, received):
    return (
        f"{operator.op} reads operands of at least {list(_RULES[operator.op][1])} dimensions and writes one output. "
        f"Received: {received}. The file is corrupt: copy or convert it again."
    )


def _convolution(operator, operands, output):
    """The filter is (out, ..., in / groups): each output element takes one of its out filters."""
    return math.prod(output) * math.prod(operands[1][1:])


def _depthwise(operator, operands, output):
    """The filter is (1, height, width, out)."""
    return math.prod(output) * operands[1][1] * operands[1][2]


def _convolution_3d(operator, operands, output):
    """The filter is (depth, height, width, in, out)."""
    return math.prod(output) * math.prod(operands[1][:4])


def _transposed(operator, operands, output):
    """The filter is (out, height, width, in): each input element meets all of it but its channel axis."""
    return math.prod(operands[2]) * math.prod(operands[1][:-1])


def _transposed_3d(operator, operands, output):
    """The filter is (depth, height, width, out, in)."""
    return math.prod(operands[2]) * math.prod(operands[1][:-1])


def _matrix_product(operator, operands, output):
    inner = operands[0][-2] if operator.options.get("adj_x") else operands[0][-1]
    return math.prod(output) * inner


# The rule of each operator and the least number of dimensions of the operands it looks at.
_RULES = {
    "CONV_2D": (_convolution, (4, 4)),
    "DEPTHWISE_CONV_2D": (_depthwise, (4, 4)),
    "FULLY_CONNECTED": (_convolution, (1, 2)),
    "TRANSPOSE_CONV": (_transposed, (1, 4, 4)),
    "BATCH_MATMUL": (_matrix_product, (2, 2)),
    "CONV_3D": (_convolution_3d, (5, 5)),
    "CONV_3D_TRANSPOSE": (_transposed_3d, (1, 5, 5)),
}
