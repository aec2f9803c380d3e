"""The profiler in the runtime: real kernels of real files, each in a child process; what cannot be had is told."""

import ctypes.util
import importlib.metadata
import importlib.util
import json
import subprocess
import sys

import pytest

from tflite_bench import profiling
from tflite_bench.gating import Reference
from tflite_bench.kernels import owners
from tflite_bench.kernels import partitions
from tflite_bench.litert_profiler import NODE
from tflite_bench.litert_profiler import Event
from tflite_bench.litert_profiler import ProfilerMissing
from tflite_bench.litert_profiler import Run
from tflite_bench.litert_profiler import find_library
from tflite_bench.litert_profiler import open_library
from tflite_bench.operators import Operator
from tflite_bench.operators import read_operators

PROGRAM = """
import json, sys
from tflite_bench.profiling import profile_model
answer = profile_model(sys.argv[1], num_threads=int(sys.argv[2]), num_runs=50, sleep=lambda seconds: None)
print(json.dumps(answer))
"""
CONV, DENSE = "Convolution (NHWC, F32) IGEMM", "Fully Connected (NC, F32) GEMM"
RESHAPE, ADD, CLAMP, COPY = "Static Reshape (NC)", "Add (ND)", "Clamp (NC)", "Copy (NC, X32)"


def profiled(path, num_threads=1):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(num_threads)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def needs_profiler():
    try:
        open_library(find_library())
    except ProfilerMissing as error:
        pytest.skip(str(error))


@pytest.fixture
def shared_tflite(model_path):
    return model_path.parent.parent


def graph(*names):
    """A chain of operators."""
    return [Operator(name, (index,), (index + 1,)) for index, name in enumerate(names)]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_operators_of_resnet(needs_profiler, shared_tflite, num_threads):
    answer = profiled(shared_tflite / "mlperf_tiny" / "pretrainedResnet_quant.tflite", num_threads)
    assert answer["version"] == 1 and answer["method"] == "litert-profiler", answer["message"]
    ops = answer["ops"]
    assert sum(op["mean_ms"] for op in ops) == pytest.approx(answer["total_ms"])
    assert sum(op["share"] for op in ops) == pytest.approx(1.0)
    assert 0 < answer["recorded_ms"] <= answer["total_ms"]
    assert answer["num_threads"] == num_threads and answer["resolution_ms"] == 0.001
    assert [op["index"] for op in ops] == list(range(len(ops)))
    # Every operator of the file is there, in order; a delegate may need several kernels for one.
    nodes = [op["node"] for op in ops]
    assert sorted(set(nodes)) == list(range(16)) and nodes == sorted(nodes)
    alone = [(op["op"], op["kernel"]) for op in ops if op["delegate"] is None]
    assert alone == [("AVERAGE_POOL_2D", None), ("SOFTMAX", None)]
    times = {}
    for op in ops:
        times[op["op"]] = times.get(op["op"], 0.0) + op["mean_ms"]
    assert times["CONV_2D"] > 0.8 * answer["total_ms"]
    assert ops[0]["tensor"].startswith("model/activation/Relu") and ops[0]["kernel"].startswith("Convolution")


def test_a_model_the_runtime_refuses_is_told(needs_profiler, shared_tflite):
    answer = profiled(shared_tflite / "tflm" / "keyword_scrambled.tflite")
    assert answer["method"] is None and answer["ops"] == [] and answer["num_runs"] == 0
    assert answer["message"].startswith("LiteRt") and "must return 0. Received: status" in answer["message"]


def test_without_the_library_the_reason_is_the_answer(model_path, tmp_path):
    from tflite_bench.profiling import profile_model

    answer = profile_model(str(model_path), library=str(tmp_path / "libLiteRt.so"))
    assert answer["method"] is None and answer["ops"] == [] and answer["invoke_ms"] is None
    assert answer["message"].startswith("The library of the profiler must load. Received: ")


class MadeUpDevice:
    """A model that takes 100 microseconds, and a canary that takes 1 ms, times the slowdown of the visit."""

    reference = Reference(1.0, None)

    def __init__(self, slowdowns):
        self.slowdowns = iter(slowdowns)
        self.slowdown = None
        self.num_profiled = 0
        self.noted = []

    def open_for_visit(self):
        self.slowdown = next(self.slowdowns)

    def canary_ms(self):
        return 1.0 * self.slowdown

    def guard(self, canary_ms):
        return None

    def note(self, canary_ms, guard):
        self.noted.append(canary_ms)

    def run(self):
        pass

    def profiled_runs(self, num_runs):
        for excess_us in range(num_runs):
            self.num_profiled += 1
            yield Run([Event(NODE, "Convolution", 0, 0, round(100 * self.slowdown) + 50 * excess_us)], 300)


@pytest.fixture
def profile_on(monkeypatch, model_path):
    def profile(device, **options):
        monkeypatch.setattr(profiling, "find_library", lambda: None)
        monkeypatch.setattr(profiling, "open_library", lambda path: None)
        monkeypatch.setattr(profiling, "ProfiledModel", lambda *how: device)
        monkeypatch.setattr(profiling, "canaries_of", lambda *known: device)
        return profiling.profile_model(str(model_path), sleep=lambda seconds: None, **options)

    return profile


def test_times_are_those_at_the_usual_speed(profile_on):
    device = MadeUpDevice([1.0, 1.2, 0.8, 1.1, 0.9])
    answer = profile_on(device, num_runs=150)
    assert answer["total_ms"] == pytest.approx(0.1) and answer["num_runs"] == device.num_profiled == 150
    assert device.noted == [1.0, 1.2, 0.8, 1.1, 0.9]


def test_a_slow_phase_does_not_count(profile_on):
    # The canary is slow by half there, and the model by ever more.
    device = MadeUpDevice([1.0, 1.5, 1.5, 1.5, 1.5])
    device.reference = Reference(1.0, None)
    device.profiled_runs = lambda num_runs: iter(
        [Run([Event(NODE, "Convolution", 0, 0, 100 if device.slowdown == 1.0 else 900)], 1000)] * num_runs
    )
    assert profile_on(device)["total_ms"] == pytest.approx(0.1)


def test_late_there_are_still_five_turns(profile_on):
    answer = profile_on(MadeUpDevice([1.0] * 5), max_seconds=0.0)
    assert answer["num_runs"] == 15 and answer["total_ms"] == pytest.approx(0.1)


def test_a_library_without_the_functions():
    libc = ctypes.util.find_library("c")
    if libc is None:
        pytest.skip("needs a C library to load")
    with pytest.raises(ProfilerMissing, match="The library must export LiteRtCreateEnvironment. Received: '.*', which"):
        open_library(libc)


@pytest.mark.parametrize(
    ("version", "told"),
    [("2.1.6", "is known for ai-edge-litert 2.2 to 3.0. Received: 2.1.6."), ("3.0.1", "Received: 3.0.1."), ("x", "x")],
)
def test_another_version_is_not_tried(monkeypatch, version, told):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    with pytest.raises(ProfilerMissing, match=told):
        find_library()


def test_no_litert(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProfilerMissing, match="is part of ai_edge_litert. Received: it is not installed here."):
        find_library()


def test_a_package_without_the_library(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.3.0")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec())
    with pytest.raises(ProfilerMissing, match="is in libLiteRt.so or libLiteRt.dylib beside ai_edge_litert. Received"):
        find_library()


def test_operators_are_read(shared_tflite):
    operators = read_operators((shared_tflite / "mlperf_tiny" / "pretrainedResnet_quant.tflite").read_bytes())
    assert [operator.name for operator in operators][-4:] == [
        "AVERAGE_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert [operator.has_activation for operator in operators if operator.name == "ADD"] == [True] * 3
    assert operators[-1].tensor == "Identity_int8"


def test_each_kernel_has_its_operator():
    operators = graph("CONV_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX")
    assert owners(operators, [CONV, RESHAPE, RESHAPE, DENSE, "Softmax (NC, F32)"]) == [0, 1, 2, 2, 3]


def test_what_may_be_of_two_operators_is_of_none():
    assert owners(graph("CONV_2D", "RESHAPE", "FULLY_CONNECTED"), [CONV, RESHAPE, DENSE]) == [0, None, 2]


def test_kernels_that_do_not_fit_are_of_none():
    assert owners(graph("CONV_2D", "SOFTMAX"), [CONV, "TanH (NC)"]) == [None, None]
    assert owners(graph("CONV_2D"), [CONV, CONV]) == [None, None]
    assert owners(graph("CONV_2D"), []) == []


def test_a_fused_activation_may_be_a_kernel():
    fused = [Operator("ADD", (0, 1), (2,), has_activation=True), Operator("ADD", (2, 1), (3,))]
    assert owners(fused, [ADD, CLAMP, ADD]) == [0, 0, 1]
    assert owners(fused, [ADD, ADD]) == [0, 1]
    assert owners(fused, [ADD, ADD, CLAMP]) == [None, None, None]


def test_fused_operators_have_no_kernel():
    assert owners(graph("PAD", "CONV_2D", "RELU"), [CONV]) == [1]
    assert owners(graph("PAD", "CONV_2D", "RELU"), ["Constant Pad (ND, X32)", CONV, CLAMP]) == [0, 1, 2]


def test_an_operator_nobody_knows_keeps_to_its_place():
    found = owners(graph("CONV_2D", "BETA", "SOFTMAX"), [CONV, "A (NC)", "B (NC)", "Softmax (NC, F32)"])
    assert found == [0, 1, 1, 2]


def test_a_concatenation_copies_each_input():
    joined = [Operator("CONCATENATION", (0, 1, 2), (3,)), Operator("SOFTMAX", (3,), (4,))]
    assert owners(joined, [COPY, COPY, COPY, "Softmax (NC, F32)"]) == [0, 0, 0, 1]


def test_a_delegate_runs_in_parts():
    operators = graph("CONV_2D", "CONV_2D", "SOFTMAX", "CONV_2D")
    assert partitions(operators, set()) == [[0, 1, 2, 3]]
    assert partitions(operators, {2}) == [[0, 1], [3]]
    assert partitions(operators, {0, 1, 2, 3}) == []


def test_a_part_takes_all_that_is_ready():
    # 0 feeds 1 and 2; the delegate runs 0 and 2 before 1, which it does not take, and 3, which waits for both.
    operators = [Operator("A", (0,), (1,)), Operator("B", (1,), (2,)), Operator("C", (1,), (3,))]
    operators.append(Operator("D", (2, 3), (4,)))
    assert partitions(operators, {1}) == [[0, 2], [3]]


def test_a_circle_has_no_parts():
    assert partitions([Operator("A", (1,), (0,)), Operator("B", (0,), (1,))], set()) == []
