"""Which operator of the graph a kernel inside a delegate belongs to, where the order leaves no other way.

XNNPACK names its kernels, not the operators they come from. It keeps the order of the graph, may need several kernels
for an operator, and none for one that it fused with a neighbor. All ways to lay the kernels over the operators are
considered: what they have in common is known, the rest is not.
"""

from __future__ import annotations

# The kernels an operator may become, by the part of their name in front of the bracket: one list of names for each way.
_CONVOLUTION = [["Convolution"], ["Fully Connected"], ["Convert", "Convolution"], ["Convert", "Fully Connected"]]
_DENSE = [
    ["Fully Connected"],
    ["Static Reshape", "Fully Connected"],
    ["Convert", "Fully Connected"],
    ["Static Reshape", "Convert", "Fully Connected"],
    ["Convert", "Static Reshape", "Fully Connected"],
    ["Fully Connected", "Static Reshape"],
]
_RESHAPE = [["Static Reshape"], ["Copy"], []]
_CLAMP = [["Clamp"], []]
_BINARY = {
    "ADD": "Add", "SUB": "Subtract", "MUL": "Multiply", "DIV": "Divide", "MAXIMUM": "Maximum", "MINIMUM": "Minimum",
    "SQUARED_DIFFERENCE": "Squared Difference", "PRELU": "PReLU",
}  # fmt: skip
_UNARY = {
    "ABS": "Abs", "CEIL": "Ceiling", "COS": "Cosine", "ELU": "ELU", "EXP": "Exp", "FLOOR": "Floor", "GELU": "GELU",
    "HARD_SWISH": "HardSwish", "LEAKY_RELU": "LeakyReLU", "LOG": "Log", "LOGISTIC": "Sigmoid", "NEG": "Negate",
    "RSQRT": "Reciprocal Square Root", "SIN": "Sine", "SOFTMAX": "Softmax", "SQRT": "Square Root", "SQUARE": "Square",
    "TANH": "TanH", "SLICE": "Slice", "STRIDED_SLICE": "Slice", "RESIZE_BILINEAR": "Resize Bilinear",
    "DEPTH_TO_SPACE": "Depth To Space", "SPACE_TO_DEPTH": "Space To Depth", "TRANSPOSE": "Transpose",
    "AVERAGE_POOL_2D": "Average Pooling", "MAX_POOL_2D": "Max Pooling", "BATCH_MATMUL": "Batch Matrix Multiply",
}  # fmt: skip
_WAYS = {
    "CONV_2D": _CONVOLUTION,
    "DEPTHWISE_CONV_2D": _CONVOLUTION,
    "TRANSPOSE_CONV": [["Deconvolution"], ["Convert", "Deconvolution"]],
    "FULLY_CONNECTED": _DENSE,
    "RESHAPE": _RESHAPE,
    "EXPAND_DIMS": [["Static Expand Dims"], *_RESHAPE],
    "SQUEEZE": _RESHAPE,
    "RELU": _CLAMP,
    "RELU6": _CLAMP,
    "RELU_0_TO_1": _CLAMP,
    "RELU_N1_TO_1": _CLAMP,
    "MEAN": [["Mean"], ["Average Pooling"]],
    "SUM": [["Sum"]],
    "PAD": [["Constant Pad"], []],
    "QUANTIZE": [["Convert"], []],
    "DEQUANTIZE": [["Convert"], []],
    **{name: [[kernel]] for name, kernel in {**_BINARY, **_UNARY}.items()},
}
# How many kernels an operator that is not listed may have become.
_MOST_KERNELS = 8


def owners(operators, kernels):
    """Finds the operator of each kernel.

    Args:
        operators: sequence of `Operator` that a delegate took, in the order of the graph.
        kernels: sequence of str, the names of its kernels in the order they ran.

    Returns:
        list of int, the position of the operator for each kernel; None where more than one is possible, and for all of
        them where the kernels cannot be laid over the operators at all.
    """
    names = [kernel.partition(" (")[0] for kernel in kernels]
    before, after = _reach(operators, names), _reach_back(operators, names)
    found = [set() for _ in names]
    for position, operator in enumerate(operators):
        for begin in before[position]:
            for end in _ends(operator, names, begin):
                if end in after[position + 1]:
                    for index in range(begin, end):
                        found[index].add(position)
    return [next(iter(positions)) if len(positions) == 1 else None for positions in found]


def partitions(operators, apart):
    """Splits the operators into the parts that a delegate runs one after the other, as TFLite does.

    Whatever can run does, the delegate's operators and the others by turns: a part ends where the delegate has nothing
    left whose inputs are there.

    Args:
        operators: sequence of `Operator`, the main graph.
        apart: set of int, the positions of those that the delegate did not take.

    Returns:
        list of list of int, the positions in each part of the delegate.
    """
    waiting = list(range(len(operators)))
    missing = {tensor for operator in operators for tensor in operator.outputs}
    parts = []
    while waiting:
        ready = next((index for index in waiting if missing.isdisjoint(operators[index].inputs)), None)
        if ready is None:
            return []
        is_apart, part = ready in apart, []
        for index in waiting:
            if (index in apart) == is_apart and missing.isdisjoint(operators[index].inputs):
                part.append(index)
                missing.difference_update(operators[index].outputs)
        waiting = [index for index in waiting if index not in part]
        if not is_apart:
            parts.append(part)
    return parts


def _reach(operators, names):
    """How many kernels the first operators can have used: a set for each number of operators."""
    reach = [{0}]
    for operator in operators:
        reach.append({end for begin in reach[-1] for end in _ends(operator, names, begin)})
    return reach


def _reach_back(operators, names):
    """From how many kernels on the remaining operators can use up the rest."""
    reach = [{len(names)}]
    for operator in reversed(operators):
        starts = range(len(names) + 1)
        reach.append({begin for begin in starts if any(end in reach[-1] for end in _ends(operator, names, begin))})
    return reach[::-1]


def _ends(operator, names, begin):
    """Where the kernels of an operator can end that begin at `begin`."""
    if operator.name not in _WAYS and operator.name != "CONCATENATION":
        return range(begin, min(len(names), begin + _MOST_KERNELS) + 1)
    return [begin + len(way) for way in _ways(operator) if names[begin : begin + len(way)] == way]


def _ways(operator):
    if operator.name == "CONCATENATION":
        return [["Copy"] * number for number in range(len(operator.inputs) + 1)]
    ways = _WAYS[operator.name]
    return [[*way, *clamp] for way in ways for clamp in (["Clamp"], [])] if operator.has_activation else ways
