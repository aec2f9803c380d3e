"""Peak RAM of a graph by the lifetimes of its tensors."""

from __future__ import annotations

# What these make of a constant, the interpreter keeps.
_KEPT = frozenset({"DEQUANTIZE", "DENSIFY"})


def peak_live_bytes(graph):
    """The most bytes of activations alive at one operator.

    A tensor lives from the operator that writes it (a graph input: from the first) to the last that reads it (a graph
    output: to the last). This is what a planner without fragmentation needs: TFLite-Micro's arena head equals it, or
    exceeds it by what its greedy planner leaves free. Constants, variable tensors and the interpreter's own structures
    are not part of it. A constant behind `DEQUANTIZE` (float16 weights) or `DENSIFY` (sparse ones) is: the
    interpreter keeps its float32 or dense copy for good, so it counts at every operator.

    Args:
        graph: `Graph`.

    Returns:
        int, bytes.
    """
    kept = kept_dequantized(graph)
    lives = {index: span for index, span in _lifetimes(graph).items() if index not in kept}
    changes = [0] * (len(graph.operators) + 2)
    for index, (first, last) in lives.items():
        num_bytes = graph.tensors[index].num_bytes
        changes[first] += num_bytes
        changes[last + 1] -= num_bytes
    alive, peak = 0, 0
    for change in changes:
        alive += change
        peak = max(peak, alive)
    return peak + sum(graph.tensors[index].num_bytes for index in kept)


def kept_dequantized(graph):
    """Tensors that a `DEQUANTIZE` or a `DENSIFY` makes from a constant once and for all.

    Args:
        graph: `Graph`.

    Returns:
        set of int, indices of tensors.
    """
    return {
        operator.outputs[0]
        for operator in graph.operators
        if operator.op in _KEPT and operator.outputs and _reads_constant(graph, operator)
    }


def _reads_constant(graph, operator):
    return any(index >= 0 and graph.tensors[index].data_bytes for index in operator.inputs[:1])


def _lifetimes(graph):
    """First and last operator of each activation, by index of tensor."""
    end = max(0, len(graph.operators) - 1)
    spans = {}

    def touch(index, position):
        tensor = graph.tensors[index]
        if index < 0 or tensor.data_bytes or tensor.is_variable:
            return
        first, last = spans.get(index, (position, position))
        spans[index] = (min(first, position), max(last, position))

    for index in graph.inputs:
        touch(index, 0)
    for position, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            touch(index, position)
    for index in graph.outputs:
        touch(index, end)
    return spans
