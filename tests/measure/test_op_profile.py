"""The time of each operator: through the profiler of the real runtime, by difference, and what the layers are."""

import json
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import DeviceError
from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.devices import open_meter
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.layer_names import group_layer
from hwkeras.measure.layer_names import layer_of
from hwkeras.measure.layer_names import without_common_root
from hwkeras.measure.local_device import LocalDevice
from hwkeras.measure.op_profile import differences
from hwkeras.measure.op_profile import profile
from hwkeras.measure.op_times import OpTime
from hwkeras.measure.op_times import Profile
from hwkeras.measure.prefixes import prefixes


class Stub:
    """A meter of latencies that are given: the time of the first operators by their number, and of the whole."""

    num_threads = 1

    def __init__(self, times_ms, whole_ms, device=None, status="ok"):
        self.times_ms, self.whole_ms, self.status = times_ms, whole_ms, status
        if device is not None:
            self.device = device

    def measure(self, flatbuffers):
        times_ms = [*self.times_ms, self.whole_ms][-len(flatbuffers) :]
        ok = self.status == "ok"
        return tuple(types.SimpleNamespace(ok=ok, latency_ms=t, status=self.status, message="why") for t in times_ms)


class Answering(LocalDevice):
    """This machine, whose programs end as they are told."""

    def __init__(self, folder, result):
        super().__init__(folder)
        self.result = result

    def run(self, argv, stdin="", timeout_s=60.0):
        return self.result


@pytest.fixture(scope="module")
def network():
    """A Keras model with one costly operator and Keras' own names, its files by precision, and what they stand for."""
    import keras

    from hwkeras.convert.converter import convert_all

    layers = keras.layers
    keras.utils.clear_session()
    inputs = keras.Input((24, 24, 4))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 1)(inputs)))
    x = layers.Conv2D(32, 5, padding="same", activation="relu")(x)
    x = layers.Add()([layers.Conv2D(8, 1)(x), layers.Conv2D(8, 1)(x)])
    inner = keras.Sequential([keras.Input((24, 24, 8)), layers.DepthwiseConv2D(3, strides=4)], name="inner")
    x = layers.GlobalAveragePooling2D()(inner(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    samples = np.random.default_rng(0).normal(size=(8, 24, 24, 4)).astype("float32")
    return model, convert_all(model, ("float32", "int8"), samples)


LAYERS = ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "add", "inner/depthwise_conv2d", "global_average_pooling2d"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_every_operator_has_its_layer(network, precision):
    converted = network[1][precision]
    graph = read_graphs(converted.flatbuffer)[0]
    found = [layer_of(op.op, graph.tensors[op.outputs[0]].name, converted.node_paths) for op in graph.operators]
    assert sorted(found) == sorted([*LAYERS, "dense", "dense"])
    assert layer_of("CONV_2D", graph.tensors[graph.operators[0].outputs[0]].name) is None, "names alone tell nothing"


def test_the_paths_are_those_of_the_model(network):
    from hwkeras.convert.converter import node_paths

    model, files = network
    assert node_paths(model) == files["int8"].node_paths == files["float32"].node_paths
    assert {"conv2d_1/Conv2D", "dense/Softmax"} <= set(node_paths(model).values())


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_profiler_of_the_runtime(network, num_threads):
    converted = network[1]["float32"]
    meter = open_meter("local", num_threads=num_threads, burst_ms=5.0, gap_ms=0.0)
    found = profile(converted.flatbuffer, method="auto", meter=meter, node_paths=converted.node_paths)
    if found.method != "profiler":
        pytest.skip(found.message)
    assert sum(op.time_ms for op in found.ops) == pytest.approx(found.total_ms)
    assert sum(op.share for op in found.ops) == pytest.approx(1.0)
    assert found.num_threads == num_threads and found.device == "local" and found.resolution_ms == 0.001
    assert found.by_layer()[0].name == "conv2d_1" and found.by_op()[0].name == "CONV_2D"
    assert all(op.delegated and op.kernel for op in found.ops if op.op == "CONV_2D")
    assert found.coverage == found.total_ms / found.latency_ms


def test_both_methods_name_the_same_operators(network):
    converted = network[1]["float32"]
    meter = open_meter("local", burst_ms=5.0, gap_ms=0.0)
    by_method = {
        method: profile(converted.flatbuffer, method=method, meter=meter, node_paths=converted.node_paths)
        for method in ("auto", "difference")
    }
    if by_method["auto"].method != "profiler":
        pytest.skip(by_method["auto"].message)
    first = {method: [share.name for share in found.by_layer()][0] for method, found in by_method.items()}
    assert first == {"auto": "conv2d_1", "difference": "conv2d_1"}
    shares = [{share.name: share.share for share in found.by_layer()} for found in by_method.values()]
    assert all(share["conv2d_1"] > 4 * share["conv2d"] for share in shares)


def test_by_difference_each_operator_costs_what_its_piece_adds(network):
    converted = network[1]["float32"]
    num_ops = len(converted.op_names)
    times_ms = [float(2**number) for number in range(num_ops)]
    found = profile(converted.flatbuffer, method="difference", meter=Stub(times_ms, times_ms[-1]))
    assert [op.time_ms for op in found.ops] == [1.0, *times_ms[:-1]]
    assert [op.op for op in found.ops] == list(converted.op_names)
    assert found.method == "difference" and found.coverage == 1.0 and found.message == ""
    assert {op.delegated for op in found.ops} == {None} and {op.kernel for op in found.ops} == {None}
    document = found.to_json()
    assert document["coverage"] == 1.0 and document["by_op"][0]["name"] == found.by_op()[0].name


def test_layers_of_an_architecture(network):
    converted = network[1]["float32"]
    meter = Stub([float(number) for number in range(1, len(converted.op_names) + 1)], float(len(converted.op_names)))
    names = ("conv2d", "inner/depthwise")
    found = profile(
        converted.flatbuffer, method="difference", meter=meter, node_paths=converted.node_paths, layers=names
    )
    sums = {share.name: share.num_ops for share in found.by_layer()}
    assert sums == {"conv2d": 4, "add": 1, "inner/depthwise": 1, "global_average_pooling2d": 1, "dense": 2}


@given(st.lists(st.floats(0.001, 1e3), min_size=1, max_size=30))
def test_differences_are_never_negative_and_sum_to_the_whole(times_ms):
    added = differences(times_ms)
    assert len(added) == len(times_ms) and min(added) >= 0.0
    assert sum(added) == pytest.approx(times_ms[-1])
    growing = sorted(times_ms)
    assert np.cumsum(differences(growing)) == pytest.approx(growing)


def test_a_slow_piece_does_not_hide_the_next_operator():
    assert differences([1.0, 9.0, 3.0, 4.0]) == [1.0, 2.0, 0.0, 1.0]


def test_pieces_run_and_grow(network):
    from ai_edge_litert.interpreter import Interpreter

    flatbuffer = network[1]["float32"].flatbuffer
    names = [operator.op for operator in read_graphs(flatbuffer)[0].operators]
    pieces = prefixes(flatbuffer)
    assert [[op.op for op in read_graphs(piece)[0].operators] for piece in pieces] == [
        names[:number] for number in range(1, len(names) + 1)
    ]
    x = np.random.default_rng(0).normal(size=(1, 24, 24, 4)).astype("float32")
    outputs = []
    for content in (*pieces, flatbuffer):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert np.array_equal(outputs[-1], outputs[-2])
    assert len(pieces[0]) < len(pieces[-1])


def test_what_later_operators_read_stays_an_output(writer):
    x, a, b = writer.tensor((1, 4)), writer.tensor((1, 4)), writer.tensor((1, 4))
    out = writer.tensor((1, 4))
    writer.operator("RELU", [x], [a])
    writer.operator("RELU", [a], [b])
    writer.operator("ADD", [a, b], [out])
    writer.ends([x], [out])
    assert [read_graphs(piece)[0].outputs for piece in prefixes(writer.bytes())] == [(a,), (a, b), (out,)]


def test_a_graph_that_cannot_be_cut(writer):
    x = writer.tensor((1, 4))
    writer.ends([x], [x])
    with pytest.raises(UserError, match="with operators. Received: 1 subgraphs, 0 operators. Profile it with"):
        prefixes(writer.bytes())
    writer.subgraph()
    with pytest.raises(UserError, match="Received: 2 subgraphs, 0 operators"):
        prefixes(writer.bytes())


DEPTHWISE = "m/dw_2/depthwise;m/dw_2/BiasAdd;m/dw_3/depthwise;m/dw_2/BiasAdd/ReadVariableOp/resource1"
CONV = "m/act/Relu;m/bn/FusedBatchNormV3;m/conv_1/BiasAdd;m/conv_9/Conv2D;m/conv_1/Conv2D1"


@pytest.mark.parametrize(
    ("op", "tensor", "layer"),
    [
        ("CONV_2D", CONV, "m/conv_1"),
        ("CONV_2D", "m/act/Relu;m/conv_1/Conv2D;m/conv_2/Conv2D1", None),
        ("DEPTHWISE_CONV_2D", DEPTHWISE, "m/dw_2"),
        ("FULLY_CONNECTED", "m/act/Relu;m/dense/BiasAdd", "m/dense"),
        ("ADD", "m/act/Relu;m/add_1/add", "m/add_1"),
        ("SOFTMAX", "Identity_int8", None),
        ("SOFTMAX", "StatefulPartitionedCall:0", None),
        ("LOGISTIC", "m/gate/Sigmoid", "m/gate"),
        ("CONV_2D", None, None),
        ("CONV_2D", "", None),
    ],
)  # fmt: skip
def test_layers_of_other_converters(op, tensor, layer):
    assert layer_of(op, tensor) == layer


def test_a_digit_of_the_converter_is_told_from_a_node():
    paths = {"n2": "a/Conv2D", "n21": "b/MatMul", "n3": "c/Conv2D", "n31": "d/Conv2D", "n4": "e/Relu"}
    assert layer_of("CONV_2D", "n4;n21", paths) == "a", "n21 is n2 and a digit: a convolution is no product"
    assert layer_of("FULLY_CONNECTED", "n21", paths) == "b"
    assert layer_of("CONV_2D", "n31", paths) is None, "n3 and a digit, or n31: both convolve"
    assert layer_of("RELU", "n4", paths) == "e"
    assert layer_of("CONV_2D", "n4", paths) is None, "the paths of another model"


def test_the_name_of_the_model_is_left_out():
    assert without_common_root(["m/a", None, "m/b/c"]) == ["a", None, "b/c"]
    assert without_common_root(["m/a", "n/b"]) == ["m/a", "n/b"]
    assert without_common_root(["a", "m/b"]) == ["a", "m/b"]


def test_groups_take_the_longest_name():
    assert group_layer("s1_b1_conv", ("s1", "s1_b1")) == "s1_b1"
    assert group_layer("s11_conv", ("s1",)) == "s11_conv"
    assert group_layer(None, ("s1",)) is None


def test_unknown_method():
    with pytest.raises(
        UserError, match="`method` is one of 'auto', 'profiler', 'difference'. Received: method='fast'."
    ):
        profile(b"", method="fast")


def test_a_broken_file_is_told_before_any_runtime_sees_it(tmp_path):
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(ModelFileError, match=r"broken\.tflite: A `.tflite` file has the identifier"):
        profile(path)


def test_a_profiler_needs_a_device(network):
    with pytest.raises(DeviceError, match="needs a device that runs programs.* Pass method='difference'."):
        profile(network[1]["float32"].flatbuffer, method="profiler", meter=Stub([], 1.0))


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ChildResult(-11, "", "Fault"), "must end by itself on local. Received: SIGSEGV. Fault"),
        (ChildResult(None, "", ""), "Received: no answer within 120 s."),
        (ChildResult(2, "", "no option"), "exit with 0. Received: exit code 2, stdout ''. no option"),
        (ChildResult(0, '{"version": 9}', ""), "Received: exit code 0, stdout '{\"version\": 9}'."),
        (ChildResult(0, '{"version": 1, "method": null, "message": "Too old."}', ""), "Too old."),
    ],
)  # fmt: skip
def test_without_a_profile_there_is_the_difference(network, tmp_path, result, told):
    flatbuffer = network[1]["float32"].flatbuffer
    num_ops = len(read_graphs(flatbuffer)[0].operators)
    meter = Stub([1.0] * num_ops, 1.0, Answering(tmp_path / "device", result))
    found = profile(flatbuffer, meter=meter)
    assert found.method == "difference" and found.message.startswith("By difference, for want of the profiler.")
    assert told in found.message
    with pytest.raises(DeviceError) as caught:
        profile(flatbuffer, method="profiler", meter=meter)
    assert told in str(caught.value) and str(caught.value).endswith("Pass method='difference'.")


def test_a_file_that_does_not_run(network, tmp_path):
    flatbuffer = network[1]["float32"].flatbuffer
    meter = Stub([1.0] * len(network[1]["float32"].op_names), 1.0, LocalDevice(tmp_path / "device"), "timeout")
    for method in ("profiler", "difference"):
        with pytest.raises(DeviceError, match="The file must run on the device. Received: timeout. why"):
            profile(flatbuffer, method=method, meter=meter)


@pytest.mark.parametrize(
    ("recorded_ms", "told"),
    [(0.5, "sum to 50% of the latency: many are shorter"), (1.3, "sum to 130% of the latency: profiling"), (1.1, "")],
)
def test_a_mismatch_is_told_not_hidden(network, tmp_path, recorded_ms, told):
    op = {"op": "CONV_2D", "tensor": "a/b/Conv2D", "kernel": "k", "delegate": "XNNPACK", "mean_ms": recorded_ms}
    answer = json.dumps({"version": 1, "method": "litert-profiler", "total_ms": recorded_ms, "ops": [op]})
    meter = Stub([], 1.0, Answering(tmp_path / "device", ChildResult(0, answer, "")))
    found = profile(network[1]["float32"].flatbuffer, meter=meter)
    assert found.total_ms == recorded_ms and found.latency_ms == 1.0 and found.coverage == recorded_ms
    assert told in found.message and bool(told) == bool(found.message)
    assert found.ops[0].layer == "b" and found.ops[0].delegated


def test_sums():
    ops = (OpTime(0, "A", None, None, "x", 1.0, 0.25, None), OpTime(1, "B", None, None, None, 2.0, 0.5, None))
    found = Profile((*ops, OpTime(2, "A", None, None, "x", 1.0, 0.25, None)), 4.0, 5.0, "difference", 0.0, "local", 1)
    assert [(share.name, share.time_ms, share.share, share.num_ops) for share in found.by_layer()] == [
        ("x", 2.0, 0.5, 2),
        ("unknown", 2.0, 0.5, 1),
    ]
    assert [share.name for share in found.by_op()] == ["A", "B"] and found.coverage == 0.8
