"""What TFLite-Micro's arena will take, from the graph alone: the head by its own planner, the tail by a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ALIGNMENT_BYTES = 16
# Bytes of the tail: in all, for each tensor, for each operator. Calibrated on tflite-micro 0.dev20261023 (64-bit
# structures; a 32-bit board takes less); see `estimate_arena` for the residual.
_TAIL_BYTES = 800
_TENSOR_BYTES = 40
_OPERATOR_BYTES = 128
# A multiplier and a shift, for each output channel.
_CHANNEL_BYTES = 8
# Where the output channels stand in the shape of the weights.
_CHANNEL_AXIS = {"CONV_2D": 0, "TRANSPOSE_CONV": 0, "DEPTHWISE_CONV_2D": -1, "FULLY_CONNECTED": 0}
# Kernels that sum int8 in 32 bits aside.
_SUMMING = frozenset({"MEAN", "SUM"})
_SUM_BYTES = 4
# Operators whose kernels ask for scratch memory that the graph does not show.
_WITH_SCRATCH = frozenset({"SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BATCH_MATMUL", "IF", "WHILE", "CALL_ONCE"})


@dataclass(frozen=True)
class ArenaEstimate:
    """The arena of TFLite-Micro, calculated and not run.

    Args:
        head_bytes: int, activations as its greedy planner lays them out.
        tail_bytes: int, a bound of what it keeps for good.
        unknown: tuple of str, operators that ask for memory which is not counted here.
        label: str. Defaults to `"estimate"`.
    """

    head_bytes: int
    tail_bytes: int
    unknown: tuple[str, ...] = ()
    label: str = "estimate"

    @property
    def total_bytes(self):
        """int, head and tail."""
        return self.head_bytes + self.tail_bytes

    def to_json(self):
        """The estimate as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "total_bytes": self.total_bytes,
            "head_bytes": self.head_bytes,
            "tail_bytes": self.tail_bytes,
            "unknown": list(self.unknown),
            "label": self.label,
        }


def estimate_arena(graph):
    """Estimates the arena of the reference kernels.

    The head is what TFLite-Micro's greedy planner gives: activations by size, the largest first, each at the lowest
    place that is free while it lives. The tail is a bound of the structures it keeps. Calibrated on 120 random networks
    of the image and the layer-list space in int8 and float32 and on the reference files, and then held against 70
    more: the head was equal to the byte for 199 of 202 files (two with `SVDF`, whose scratch memory is not in the
    graph, were above), the total was never too low, and above the real one by 112 bytes at least, 1.6% in the median
    and 5.4% at the 90th percentile; by 13.5 KB for one old file whose dense layers share one scale but carry many
    outputs. Optimized kernels such as CMSIS-NN ask for scratch memory on top.

    Args:
        graph: `measure.graph.Graph`, or anything with its `tensors`, `operators`, `inputs` and `outputs`.

    Returns:
        ArenaEstimate.
    """
    tail = _TAIL_BYTES + _TENSOR_BYTES * len(graph.tensors) + _OPERATOR_BYTES * len(graph.operators)
    tail += sum(_CHANNEL_BYTES * _num_channels(graph, operator) for operator in graph.operators)
    tail += sum(_aligned(tensor.num_bytes) for tensor in graph.tensors if tensor.is_variable)
    unknown = sorted({operator.op for operator in graph.operators if operator.op in _WITH_SCRATCH})
    return ArenaEstimate(planned_bytes(buffers_of(graph)), tail, tuple(unknown))


def buffers_of(graph):
    """The activations of a graph, what kernels keep aside, and when they live.

    Args:
        graph: as for `estimate_arena`.

    Returns:
        list of (bytes, first operator, last operator), in the order of the tensors, the scratch memory of kernels
        after them; bytes are aligned to 16.
    """
    spans = {}
    steps = [(0, graph.inputs)]
    steps += [(number, (*operator.inputs, *operator.outputs)) for number, operator in enumerate(graph.operators)]
    steps += [(max(0, len(graph.operators) - 1), graph.outputs)]
    for number, indices in steps:
        for index in indices:
            if index < 0 or graph.tensors[index].data_bytes or graph.tensors[index].is_variable:
                continue
            first, last = spans.get(index, (number, number))
            spans[index] = (min(first, number), max(last, number))
    activations = [(_aligned(graph.tensors[index].num_bytes), *spans[index]) for index in sorted(spans)]
    return activations + _scratch_buffers(graph)


def planned_bytes(buffers):
    """The memory in which a greedy planner lays out buffers that live at different times.

    The largest first (of equal ones, the last one first), each at the lowest place that is free during its life.

    Args:
        buffers: sequence of (bytes, first time, last time).

    Returns:
        int, bytes; at least the most that live at once.
    """
    placed = []
    for number in sorted(range(len(buffers)), key=lambda number: (-buffers[number][0], -number)):
        size, first, last = buffers[number]
        place = 0
        for start, end, begins, ends in sorted(placed):
            if begins > last or ends < first:
                continue
            if start - place >= size:
                break
            place = max(place, end)
        placed.append((place, place + size, first, last))
    return max((end for _, end, _, _ in placed), default=0)


def _scratch_buffers(graph):
    """The sums of quantized means, 32 bits each."""
    buffers = []
    for number, operator in enumerate(graph.operators):
        output = graph.tensors[operator.outputs[0]] if operator.outputs and operator.outputs[0] >= 0 else None
        if operator.op in _SUMMING and output is not None and output.dtype in ("INT8", "INT16"):
            buffers.append((_aligned(_SUM_BYTES * math.prod(output.shape)), number, number))
    return buffers


def _num_channels(graph, operator):
    """Output channels that have a multiplier of their own."""
    axis = _CHANNEL_AXIS.get(operator.op)
    if axis is None or len(operator.inputs) < 2 or operator.inputs[1] < 0:
        return 0
    weights = graph.tensors[operator.inputs[1]]
    if not weights.shape or (operator.op == "FULLY_CONNECTED" and weights.dtype == "FLOAT32"):
        return 0
    return weights.shape[axis]


def _aligned(num_bytes):
    return math.ceil(num_bytes / _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
