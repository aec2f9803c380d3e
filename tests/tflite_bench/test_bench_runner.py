"""Jobs on the installed runtime and on one that a test makes up."""

import hashlib
import importlib

import numpy as np
import pytest

from tflite_bench import runtimes
from tflite_bench.environment import describe_machine
from tflite_bench.environment import describe_state
from tflite_bench.inputs import make_input
from tflite_bench.job import Job
from tflite_bench.runner import run_job
from tflite_bench.runtimes import Runtime
from tflite_bench.runtimes import RuntimeMissing
from tflite_bench.runtimes import count_partitions
from tflite_bench.runtimes import find_runtime

QUICK = {"burst_ms": 1, "gap_ms": 0, "max_rounds": 3}


class Interpreter:
    """A runtime of the test: loads any content, fails where the content says so."""

    def __init__(self, model_content, num_threads):
        if model_content == b"unreadable":
            raise ValueError("not a model")
        self.content = model_content
        self.num_invokes = 0

    def allocate_tensors(self):
        if self.content == b"custom op":
            raise RuntimeError("unresolved")

    def get_input_details(self):
        return []

    def invoke(self):
        self.num_invokes += 1
        if self.content == b"fails later" and self.num_invokes > 20:
            raise RuntimeError("out of luck")


def test_real_model(model_path):
    answer = run_job(Job(models=(str(model_path),) * 2, **QUICK), find_runtime())
    assert answer["version"] == 1
    for result in answer["models"]:
        assert result["error"] is None
        assert result["sha256"] == hashlib.sha256(model_path.read_bytes()).hexdigest()
        assert result["size_bytes"] == 2704
        assert result["load_ms"] > 0 and result["first_ms"] > 0
        assert result["partitions"] == 1
        assert len(result["rounds"]) == 3
        assert all(entry["num_invokes"] >= 10 for entry in result["rounds"])
    assert answer["environment"]["runtime"] == "ai_edge_litert"
    assert answer["environment"]["runtime_version"][0].isdigit()


def test_bad_models_do_not_lose_the_others(tmp_path):
    contents = (b"good", b"unreadable", b"custom op", b"fails later", b"good too")
    paths = []
    for number, content in enumerate(contents):
        paths.append(str(tmp_path / str(number)))
        (tmp_path / str(number)).write_bytes(content)
    runtime = Runtime("made up", "1", Interpreter)
    answer = run_job(Job(models=(*paths, str(tmp_path / "none")), **QUICK), runtime)
    errors = [result["error"] for result in answer["models"]]
    assert errors[:4] == [None, "ValueError: not a model", "RuntimeError: unresolved", "RuntimeError: out of luck"]
    assert errors[4] is None
    assert errors[5].startswith("FileNotFoundError: ")
    assert [len(result["rounds"]) for result in answer["models"]] == [3, 0, 0, 0, 3, 0]
    assert answer["models"][0]["partitions"] is None


def test_partitions_are_counted():
    class Delegated:
        def _get_ops_details(self):
            return [{"op_name": "ADD"}, {"op_name": "DELEGATE"}, {"op_name": "DELEGATE"}]

    assert count_partitions(Delegated()) == 2


def test_no_runtime(monkeypatch):
    def find():
        return importlib.import_module("no_such_runtime")

    monkeypatch.setattr(runtimes, "_CANDIDATES", (("no_such_runtime", find, ("no-such-runtime",)),))
    with pytest.raises(RuntimeMissing, match=r"Received: none\. Install one, .*no_such_runtime: No module named"):
        find_runtime()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int16"])
def test_inputs_are_the_same_for_the_same_seed(dtype):
    first, again, other = (make_input((50,), dtype, True, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.dtype == dtype and first.shape == (50,)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.isfinite(first.astype("float64")).all()


def test_quantized_inputs_reach_both_ends():
    values = make_input((20000,), "int8", True, np.random.default_rng(0))
    assert (values.min(), values.max()) == (-128, 127)


@pytest.mark.parametrize("dtype", ["int32", "int64", "int8", "bool", "complex64", "S1"])
def test_indices_and_others_are_zero(dtype):
    assert not make_input((3,), dtype, False, np.random.default_rng(0)).astype(bool).any()


def test_environment_is_plain_and_never_fails(monkeypatch, tmp_path):
    assert describe_machine()["num_cores"] >= 1
    monkeypatch.setattr("tflite_bench.environment._read", lambda path: None)
    monkeypatch.setattr("tflite_bench.environment._CPU0", tmp_path)
    assert describe_machine()["governor"] is None
    assert describe_machine()["cpu_features"] == []
    assert describe_state()["frequency_mhz"] is None
    assert describe_state()["temperature_c"] is None
