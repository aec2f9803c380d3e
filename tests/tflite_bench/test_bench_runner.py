"""The timing process, in this one: on the installed runtime and on one that a test makes up."""

import hashlib
import importlib
import io
import json

import numpy as np
import pytest

from tflite_bench import canaries
from tflite_bench import runner
from tflite_bench import runtimes
from tflite_bench import subjects
from tflite_bench.environment import describe_machine
from tflite_bench.environment import describe_runtime
from tflite_bench.environment import describe_state
from tflite_bench.environment import oom_kills
from tflite_bench.environment import resident_bytes
from tflite_bench.inputs import make_input
from tflite_bench.job import Job
from tflite_bench.references import key_of
from tflite_bench.runtimes import Runtime
from tflite_bench.runtimes import RuntimeMissing
from tflite_bench.runtimes import count_partitions
from tflite_bench.runtimes import find_runtime

QUICK = {"burst_ms": 1, "gap_ms": 0, "max_rounds": 3}


class Interpreter:
    """A runtime of the test: loads any content, fails where the content says so."""

    num_invokes = {}

    def __init__(self, model_content, num_threads):
        if model_content == b"unreadable":
            raise ValueError("not a model")
        if model_content == b"too large":
            raise MemoryError("std::bad_alloc")
        self.content = model_content

    def allocate_tensors(self):
        if self.content == b"custom op":
            raise RuntimeError("unresolved")

    def get_input_details(self):
        return []

    def get_output_details(self):
        return [{"index": 0}]

    def get_tensor(self, index):
        return np.array([[1.5, np.nan, 2.5]], "float32")

    def invoke(self):
        self.num_invokes[self.content] = self.num_invokes.get(self.content, 0) + 1
        if self.content == b"fails later" and self.num_invokes[self.content] > 20:
            raise RuntimeError("out of luck")


MADE_UP = Runtime("made up", "1", Interpreter)


def run(job, runtime, references=None):
    events = []
    indices = list(range(len(job.models)))
    order = {"indices": indices, "seconds": 60, "references": references or {}, "environment": {"governor": None}}
    runner.Segment(order, job, runtime, lambda **event: events.append(json.loads(json.dumps(event)))).run()
    return events


def of_kind(events, kind):
    return [event[kind] for event in events if kind in event]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_real_model(model_path, num_threads):
    events = run(Job((str(model_path),) * 2, num_threads=num_threads, **QUICK), find_runtime())
    (ready,) = of_kind(events, "ready")
    assert ready["runtime"] == "ai_edge_litert" and ready["runtime_version"][0].isdigit()
    assert events[0] == {"ready": ready} and "done" in events[-1]
    told = {}
    for index, fields in of_kind(events, "fields"):
        told.setdefault(index, {}).update(fields)
    for fields in told.values():
        assert fields["sha256"] == hashlib.sha256(model_path.read_bytes()).hexdigest()
        assert fields["size_bytes"] == 2704
        assert fields["load_ms"] > 0 and fields["first_ms"] > 0
        assert fields["partitions"] == 1 and fields["rss_bytes"] >= 0
        (output,) = fields["output"]
        assert (output["dtype"], output["shape"], len(output["values"])) == ("int8", [1, 1], 1)
    assert told[0]["output"] == told[1]["output"]
    rounds = of_kind(events, "round")
    assert [index for index, _ in rounds] == [0, 1] * 3
    # A load that was slow, on a busy machine, leaves fewer visits a round.
    assert all(1 <= len(entry["bursts"]) <= 6 <= entry["num_invokes"] for _, entry in rounds)
    canary = events[-1]["done"]["canary"]
    assert 0 < canary["best_ms"] <= canary["typical_ms"] == canary["reference_ms"]
    assert canary["guard"] == canary["guard_reference"] > 0


def test_the_model_in_hand_is_told_before_anything_is_done_with_it(model_path):
    events = run(Job((str(model_path),), **QUICK), find_runtime())
    kinds = [next(iter(event)) for event in events]
    assert kinds[:4] == ["ready", "hand", "fields", "fields"]
    assert kinds[4:].count("hand") >= 6  # 3 rounds of at least 2 visits; busy moments change how many


def test_bad_models_do_not_lose_the_others(tmp_path):
    Interpreter.num_invokes.clear()
    contents = (b"good", b"unreadable", b"custom op", b"fails later", b"too large", b"good too")
    paths = []
    for number, content in enumerate(contents):
        paths.append(str(tmp_path / str(number)))
        (tmp_path / str(number)).write_bytes(content)
    events = run(Job((*paths, str(tmp_path / "none")), canary=False, **QUICK), MADE_UP)
    ended = {index: (status, said) for index, status, said in of_kind(events, "ended")}
    assert ended.pop(6)[1].startswith("FileNotFoundError: ")
    assert ended == {
        1: ("error", "ValueError: not a model"),
        2: ("error", "RuntimeError: unresolved"),
        3: ("error", "RuntimeError: out of luck"),
        4: ("out_of_memory", "The model needs more memory than the device has left. MemoryError: std::bad_alloc"),
    }
    counts = [sum(index == number for index, _ in of_kind(events, "round")) for number in range(7)]
    assert (counts[0], counts[5]) == (3, 3)
    assert counts[1] == counts[2] == counts[4] == 0
    assert events[-1] == {"done": {"canary": None}}


def test_no_models_tell_the_runtime():
    assert run(Job((), canary=False), MADE_UP)[1:] == [{"done": {"canary": None}}]


def test_what_is_known_of_the_device_is_the_reference(model_path):
    runtime = find_runtime()
    canary = run(Job((), **QUICK), runtime)[-1]["done"]["canary"]
    environment = {"governor": None, **describe_runtime(runtime)}
    entry = {"canary_ms": 1000.0, "guard": 500.0, "slow_jobs": 0}
    events = run(Job((str(model_path),), **QUICK), runtime, {key_of(canary["sha256"], environment): entry})
    told = events[-1]["done"]["canary"]
    assert (told["reference_ms"], told["guard_reference"]) == (1000.0, 500.0)
    assert told["typical_ms"] < 1000.0


def test_a_folder_without_a_guard_still_has_a_canary(model_path, monkeypatch):
    monkeypatch.setattr(canaries, "PATHS", (canaries.PATHS[0], "/nowhere"))
    canary = run(Job((str(model_path),), **QUICK), find_runtime())[-1]["done"]["canary"]
    assert canary["best_ms"] > 0 and canary["guard"] is None


def test_from_stdin_to_stdout(model_path, capfd):
    job = Job((str(model_path),), **QUICK).to_json()
    order = {"job": job, "indices": [0], "seconds": 60, "references": {}, "environment": {}}
    runner.main(io.StringIO(json.dumps(order)))
    lines = capfd.readouterr().out.splitlines()
    assert "ready" in json.loads(lines[0]) and "done" in json.loads(lines[-1])


def test_nothing_to_time_with(monkeypatch, capfd):
    monkeypatch.setattr(runtimes, "_CANDIDATES", ())
    order = {"job": Job(()).to_json(), "indices": [], "seconds": 60, "references": {}, "environment": {}}
    runner.main(io.StringIO(json.dumps(order)))
    (event,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert event["unfit"].startswith("A TFLite runtime must be installed. Received: none.")


def test_outputs_are_sampled():
    (sample,) = subjects.sample_outputs(Interpreter(b"", 1), 2)
    digest = hashlib.sha256(np.array([1.5, np.nan, 2.5], "float32").tobytes()).hexdigest()
    assert sample == {"dtype": "float32", "shape": [1, 3], "sha256": digest, "values": [1.5, None]}


@pytest.mark.parametrize(
    ("load_ms", "first_ms", "number"), [(0.1, 0.1, 6), (20, 0.5, 6), (100, 5, 2), (1000, 5, 1), (0, 0, 6)]
)
def test_models_slow_to_load_are_visited_less_often(load_ms, first_ms, number):
    assert subjects.num_visits({"load_ms": load_ms, "first_ms": first_ms}, Job(())) == number


def test_partitions_are_counted():
    class Delegated:
        def _get_ops_details(self):
            return [{"op_name": "ADD"}, {"op_name": "DELEGATE"}, {"op_name": "DELEGATE"}]

    assert count_partitions(Delegated()) == 2
    assert count_partitions(object()) is None


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
    assert resident_bytes() is None
    assert oom_kills() is None


def test_a_machine_without_proc_sysfs_and_pinning(monkeypatch, model_path):
    monkeypatch.setattr("tflite_bench.environment._read", lambda path: None)
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.delattr("os.sched_setaffinity")
    events = run(Job((str(model_path),), **QUICK), find_runtime())
    (ready,) = of_kind(events, "ready")
    assert ready["affinity"] is None and ready["num_usable_cores"] is None
    assert of_kind(events, "fields")[1][1]["rss_bytes"] is None
    assert len(of_kind(events, "round")) == 3
