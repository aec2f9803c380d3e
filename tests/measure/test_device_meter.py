"""The meter of any device, on a device in memory: jobs, answers, and devices that fail."""

import hashlib
import json

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import Meter
from hwkeras.measure.child import ChildResult
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.fake import FakeBoard

FILES = [b"a" * 1000, b"b" * 2000, b"a" * 1000]


class Recorder(FakeBoard):
    """A board that keeps the jobs it was given, and changes its answers."""

    def __init__(self, change=lambda answer: answer, **options):
        super().__init__(**options)
        self.jobs = []
        self.change = change

    def run(self, argv, stdin="", timeout_s=60.0):
        self.jobs.append((argv, json.loads(stdin), timeout_s))
        result = super().run(argv, stdin, timeout_s)
        return ChildResult(0, json.dumps(self.change(json.loads(result.stdout))), "")


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_one_job_for_all_files():
    board = Recorder()
    meter = DeviceMeter(
        board, num_threads=2, rounds=4, burst_ms=5, gap_ms=1, timeout_s=50, lock_timeout_s=7, seed=3, affinity=(0, 2)
    )
    assert isinstance(meter, Meter)
    measurements = meter.measure(FILES)
    assert [each.sha256 for each in measurements] == [digest(content) for content in FILES]
    assert all(each.ok and each.num_threads == 2 for each in measurements)
    ((argv, job, timeout_s),) = board.jobs
    assert argv[0] == "python3" and argv[2:] == ("--job", "-")
    assert board.get(f"{argv[1]}/__main__.py") and board.get(f"{argv[1]}/canary.tflite")
    assert job == {
        "version": 2,
        "models": [board.put(content, ".tflite") for content in FILES],
        "num_threads": 2,
        "rounds": 4,
        "max_rounds": 12,
        "burst_ms": 5,
        "gap_ms": 1,
        "seed": 3,
        "agree_within": 0.02,
        "affinity": [0, 2],
        "max_seconds": 30.0,
        "model_seconds": 12.5,
        "lock": "/fake/lock",
        "lock_seconds": 7,
    }
    assert timeout_s == 57


def test_nothing_to_measure():
    board = Recorder()
    assert DeviceMeter(board).measure([]) == ()
    assert board.jobs == []


def test_how_python_is_called_on_the_device():
    board = Recorder()
    board.python = "/opt/python"
    DeviceMeter(board).measure(FILES)
    assert board.jobs[0][0][0] == "/opt/python"


def test_where_it_was_measured():
    (measurement,) = DeviceMeter(FakeBoard("fake")).measure([b"content"])
    assert (measurement.environment["device"], measurement.environment["runtime"]) == ("fake", "fake")
    assert measurement.environment["canary"]["best_ms"] > 0
    facts = DeviceMeter(FakeBoard("fake")).describe()
    assert {"device", "kind", "cpu", "runtime", "runtime_version", "num_cores"} <= set(facts)


@pytest.mark.parametrize("status", ["crashed:SIGABRT", "timeout", "out_of_memory", "error"])
def test_only_the_guilty_one_carries_its_status(status):
    board = FakeBoard(statuses={digest(FILES[1]): status})
    good, guilty, also_good = DeviceMeter(board).measure(FILES)
    assert (guilty.status, guilty.latency_ms, guilty.message) == (status, None, "injected")
    assert guilty.environment["device"] == "fake"
    assert good.ok and also_good.ok


@pytest.mark.parametrize("method", ["put", "run", "put_folder"])
def test_a_device_that_vanishes_costs_its_job(method):
    meter = DeviceMeter(FakeBoard(faults={(method, 0): "lost"}))
    measurements = meter.measure(FILES)
    assert [each.status for each in measurements] == ["lost"] * 3
    assert [each.sha256 for each in measurements] == [digest(content) for content in FILES]
    assert "it vanished during" in measurements[0].message
    assert all(each.ok for each in meter.measure(FILES))


def test_a_device_that_cannot_be_reached():
    with pytest.raises(DeviceError, match="must answer. Received: no answer"):
        DeviceMeter(FakeBoard(reachable=False)).measure(FILES)
    with pytest.raises(DeviceError, match="must answer. Received: no answer"):
        DeviceMeter(FakeBoard(reachable=False)).describe()


def test_a_full_disk():
    with pytest.raises(DeviceError, match="must have room"):
        DeviceMeter(FakeBoard(disk_bytes=500)).measure(FILES)


def test_a_job_without_an_answer():
    (measurement,) = DeviceMeter(FakeBoard(faults={("run", 0): "hang"}), timeout_s=3, lock_timeout_s=2).measure([b"x"])
    assert measurement.status == "timeout"
    assert measurement.message == "No answer within timeout_s=3 and lock_timeout_s=2."


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (ChildResult(3, "hello", "why"), r"must answer version 2 with 1 models and exit with 0\. Received: exit "
         r"code 3, stdout 'hello'\. why"),
        (ChildResult(0, '{"version": 1, "models": [1]}', ""), "Received: exit code 0, version 1, 1 models"),
        (ChildResult(0, '{"version": 2, "models": []}', ""), "Received: exit code 0, version 2, 0 models"),
        (ChildResult(4, "", "tflite-bench: A TFLite runtime must be installed."), "fake must be fit to measure. "
         "Received: tflite-bench: A TFLite runtime must be installed"),
        (ChildResult(127, "", "python3: not found"), r"must start on fake. Received: 'python3' \(python3: not found\). "
         r"Install Python there, or name it with `\?python="),
        (ChildResult(126, "", "permission denied"), "must start on fake"),
    ],
)  # fmt: skip
def test_bench_programs_that_do_not_work(result, said):
    board = FakeBoard(programs={"python3": lambda arguments, stdin: result})
    with pytest.raises(DeviceError, match=said):
        DeviceMeter(board).measure([b"x"])


def test_a_bench_program_that_crashes():
    board = FakeBoard(programs={"bench": lambda arguments, stdin: ChildResult(-6, "", "last words")})
    (measurement,) = DeviceMeter(board, bench=("bench",)).measure([b"x"])
    assert (measurement.status, measurement.message) == ("crashed:SIGABRT", "last words")
    with pytest.raises(DeviceError, match="`tflite_bench` must run on fake. Received: crashed:SIGABRT. last words"):
        DeviceMeter(board, bench=("bench",)).describe()


def test_a_result_for_another_file():
    def swap(answer):
        answer["models"][0]["sha256"] = "0" * 64
        return answer

    with pytest.raises(DeviceError, match="fake must measure the file it was given. Received: a result for 0000"):
        DeviceMeter(Recorder(swap)).measure([b"x"])


@pytest.mark.parametrize(
    ("name", "value", "law"),
    [
        ("num_threads", 0, "an integer of at least 1"),
        ("rounds", 2, "an integer of at least 3"),
        ("rounds", 3.5, "an integer of at least 3"),
        ("max_rounds", 2, "an integer of at least 3"),
        ("burst_ms", -1, "a number of at least 0"),
        ("gap_ms", float("nan"), "a number of at least 0"),
        ("timeout_s", 0, "a number of at least 0.001"),
        ("lock_timeout_s", -1, "a number of at least 0"),
        ("seed", True, "an integer of at least 0"),
        ("agree_within", -0.1, "a number of at least 0"),
    ],
)
def test_options_outside_their_range(name, value, law):
    with pytest.raises(UserError, match=f"`{name}` must be {law}. Received: {name}={value}"):
        DeviceMeter(FakeBoard(), **{name: value})


def test_cpus_that_are_none():
    with pytest.raises(UserError, match="`affinity` must be an integer of at least 0. Received: affinity=-1"):
        DeviceMeter(FakeBoard(), affinity=(0, -1))
