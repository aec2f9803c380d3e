"""The peak of live activations against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from hwkeras.measure.graph import Graph
from hwkeras.measure.graph import Operator
from hwkeras.measure.graph import Tensor
from hwkeras.measure.memory import peak_live_bytes


def tensor(num_bytes, **fields):
    return Tensor("t", "INT8", (num_bytes,), **fields)


def test_chain_holds_two_neighbors():
    tensors = tuple(tensor(size) for size in (10, 40, 20, 5))
    operators = tuple(Operator("RELU", (index,), (index + 1,)) for index in range(3))
    assert peak_live_bytes(Graph("g", tensors, operators, (0,), (3,))) == 60


def test_skip_connection_stays_alive():
    tensors = tuple(tensor(size) for size in (10, 40, 20, 10))
    operators = (Operator("A", (0,), (1,)), Operator("B", (1,), (2,)), Operator("ADD", (2, 0), (3,)))
    assert peak_live_bytes(Graph("g", tensors, operators, (0,), (3,))) == 70


def test_constants_and_variables_are_not_activations():
    tensors = (tensor(10), tensor(1000, data_bytes=1000), tensor(500, is_variable=True), tensor(3))
    operators = (Operator("SVDF", (0, 1, -1, 2), (3,)),)
    assert peak_live_bytes(Graph("g", tensors, operators, (0,), (3,))) == 13


def test_input_read_late_and_output_written_early_live_throughout():
    tensors = (tensor(7), tensor(100), tensor(30), tensor(1))
    operators = (Operator("A", (1,), (2,)), Operator("B", (1,), (3,)), Operator("C", (0,), (3,)))
    assert peak_live_bytes(Graph("g", tensors, operators, (0, 1), (2, 3))) == 138


def test_dequantized_constant_is_kept():
    tensors = (tensor(10), tensor(50, data_bytes=50), Tensor("w", "FLOAT32", (50,)), tensor(3), tensor(20))
    operators = (Operator("DEQUANTIZE", (1,), (2,)), Operator("A", (0, 2), (3,)), Operator("B", (3,), (4,)))
    assert peak_live_bytes(Graph("g", tensors, operators, (0,), (4,))) == 200 + 23


def test_densified_constant_is_kept():
    tensors = (tensor(10), tensor(5, data_bytes=5, is_sparse=True), tensor(50), tensor(3))
    operators = (Operator("DENSIFY", (1,), (2,)), Operator("A", (0, 2), (3,)))
    assert peak_live_bytes(Graph("g", tensors, operators, (0,), (3,))) == 50 + 13


def test_graph_without_operators():
    assert peak_live_bytes(Graph("g", (tensor(4),), (), (0,), (0,))) == 4


@st.composite
def graphs(draw):
    tensors = tuple(tensor(size) for size in draw(st.lists(st.integers(0, 99), min_size=1, max_size=8)))
    indices = st.lists(st.integers(0, len(tensors) - 1), max_size=3).map(tuple)
    operators = tuple(Operator("A", draw(indices), draw(indices)) for _ in range(draw(st.integers(1, 6))))
    return Graph("g", tensors, operators, draw(indices), draw(indices))


@given(graphs())
def test_equals_the_definition(graph):
    last = len(graph.operators) - 1
    peak = 0
    for now in range(last + 1):
        alive = 0
        for index, one in enumerate(graph.tensors):
            touched = [at for at, op in enumerate(graph.operators) if index in (*op.inputs, *op.outputs)]
            touched += [0] * (index in graph.inputs) + [last] * (index in graph.outputs)
            alive += one.num_bytes * bool(touched and min(touched) <= now <= max(touched))
        peak = max(peak, alive)
    assert peak_live_bytes(graph) == peak
