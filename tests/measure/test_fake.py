"""The fake device: latencies that can be derived, and every fault it can be told to have."""

import hashlib
import json

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.device import Device
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.fake import FakeBoard
from hwkeras.measure.fake import FakeMeter
from hwkeras.measure.fake import open_fake_meter
from hwkeras.testing import FakeDevice

FILE, OTHER = b"a" * 1024, b"b" * 2048


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def job(board, *contents, **fields):
    """The answer of the board to a job as `tflite_bench` reads it."""
    document = {"version": 2, "models": [board.put(content, ".tflite") for content in contents], **fields}
    return board.run(["python3", "tflite_bench", "--job", "-"], json.dumps(document))


def test_latency_is_that_of_the_bytes():
    board = FakeBoard(ms_per_kib=0.5, noise=0.0)
    answer = json.loads(job(board, FILE, OTHER).stdout)
    assert [[visit["min_ms"] for visit in model["rounds"]] for model in answer["models"]] == [[0.5] * 3, [1.0] * 3]
    assert [model["sha256"] for model in answer["models"]] == [sha256(FILE), sha256(OTHER)]
    assert {model["status"] for model in answer["models"]} == {"ok"}
    assert answer["version"] == 2 and answer["canary"]["best_ms"] == 0.02


def test_noise_is_seeded_and_bounded():
    def minima(seed):
        board = FakeBoard(ms_per_kib=1.0, seed=seed, noise=0.2)
        answer = json.loads(job(board, FILE, rounds=12, max_rounds=12).stdout)
        return [visit["min_ms"] for visit in answer["models"][0]["rounds"]]

    assert minima(0) == minima(0) != minima(1)
    assert all(1 <= each < 1.2 for each in minima(0)) and max(minima(0)) > 1.05


def test_rounds_go_on_until_the_best_agree():
    board = FakeBoard(noise=0.5)
    rounds = [
        len(json.loads(job(board, FILE, agree_within=share, max_rounds=9).stdout)["models"][0]["rounds"])
        for share in (1.0, 0.0)
    ]
    assert rounds == [3, 9]


def test_a_slower_specimen_and_heat_show_in_the_canary():
    canary = json.loads(job(FakeBoard(slowness=1.5), FILE).stdout)["canary"]
    assert canary["best_ms"] == canary["reference_ms"] == pytest.approx(0.03)
    board = FakeBoard(throttling_per_s=0.1, noise=0.0, ms_per_kib=1.0)
    (model,) = json.loads(job(board, FILE, burst_ms=900, gap_ms=100).stdout)["models"]
    assert [visit["min_ms"] for visit in model["rounds"]][:3] == pytest.approx([1.0, 1.1, 1.2])
    assert [visit["canary_ms"] for visit in model["rounds"]][:3] == pytest.approx([0.02, 0.022, 0.024])
    answer = json.loads(job(board, FILE).stdout)
    assert answer["canary"]["best_ms"] > answer["canary"]["reference_ms"] == 0.02
    state = answer["environment"]
    assert state["after"]["temperature_c"] > state["before"]["temperature_c"] > 40


def test_files_with_a_status_fail_alone():
    board = FakeBoard(statuses={sha256(FILE): "crashed:SIGSEGV"})
    answer = json.loads(job(board, FILE, OTHER).stdout)
    assert [model["status"] for model in answer["models"]] == ["crashed:SIGSEGV", "ok"]
    assert answer["models"][0]["rounds"] == [] and answer["models"][0]["error"] == "injected"
    absent = json.loads(board.run(["py", "x", "--job", "-"], '{"models": ["/fake/absent"]}').stdout)
    assert (absent["models"][0]["status"], absent["models"][0]["error"]) == ("error", "No such file.")


def test_a_disk_that_is_full():
    board = FakeBoard(disk_bytes=3000)
    path = board.put(OTHER)
    with pytest.raises(DeviceError, match=r"'fake' must have room.*no space left on device\. Remove .* /fake\."):
        board.put(FILE)
    assert board.put(OTHER) == path
    with pytest.raises(DeviceError, match="no space left"):
        FakeBoard(faults={("put", 0): "full"}).put(b"")


def test_faults_come_at_their_call():
    board = FakeBoard(faults={("run", 1): "lost", ("get", 0): "unreachable", ("info", 1): "gone"})
    assert isinstance(board, Device)
    assert board.info()["kind"] == "fake"
    path = board.put(FILE)
    with pytest.raises(DeviceError, match=r"The device 'fake' must answer\. Received: no answer\."):
        board.get(path)
    assert board.get(path) == FILE
    assert job(board, FILE).returncode == 0
    with pytest.raises(DeviceLost, match=r"stay until the end\. Received: it vanished during `run`\."):
        job(board, FILE)
    assert job(board, FILE).returncode == 0
    with pytest.raises(DeviceLost, match="vanished during `info`"):
        board.info()
    with pytest.raises(DeviceError, match="no answer"):
        board.put(FILE)
    board.reachable = True
    assert board.put(FILE) == path


def test_a_device_that_hangs_uses_up_the_time():
    board = FakeBoard(faults={("run", 0): "hang"})
    assert board.run(["anything"], timeout_s=7.0) == ChildResult(None, "", "")
    assert board.elapsed_s == 7.0


def test_what_it_cannot_run():
    board = FakeBoard(programs={"echo": lambda arguments, stdin: ChildResult(0, " ".join(arguments), "")})
    assert board.run(["echo", "a", "b"]).stdout == "a b"
    assert board.run(["ls"]) == ChildResult(127, "", "ls: not found on a fake device")
    refused = board.run(["python3", "tflite_bench", "--job", "-"], "nothing")
    assert (refused.returncode, refused.stderr) == (2, "tflite-bench: A job is a JSON object. Received: 'nothing'.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"noise": -1}, r"`noise` must be a number of at least 0\. Received: noise=-1\."),
        ({"throttling_per_s": "x"}, r"`throttling_per_s` must be a number of at least 0\."),
        ({"slowness": 0}, r"`slowness` must be a number above 0\. Received: slowness=0\."),
        ({"ms_per_kib": float("nan")}, r"`ms_per_kib` must be a number above 0\. Received: ms_per_kib=nan\."),
        ({"faults": {("run", 0): "fire"}}, r"A fault is one of 'lost', .*Received: \('run', 0\): 'fire'\."),
        ({"faults": {("walk", 0): "lost"}}, r"methods being 'info', .*Received: \('walk', 0\): 'lost'\."),
    ],
)
def test_fields_outside_their_range(fields, said):
    with pytest.raises(UserError, match=said):
        FakeBoard(**fields)


def test_under_the_real_meter():
    meter = open_fake_meter(ms_per_kib=0.5, noise=0.0, num_threads=2)
    assert isinstance(meter, DeviceMeter)
    first, second = meter.measure([FILE, OTHER])
    assert (first.latency_ms, second.latency_ms, first.status, first.num_threads) == (0.5, 1.0, "ok", 2)
    facts = meter.describe()
    assert (facts["device"], facts["kind"], facts["runtime"]) == ("fake", "fake", "fake")
    assert open_fake_meter("fake://b").describe()["device"] == "fake://b"


@pytest.mark.parametrize(
    ("board", "status"),
    [
        ({"faults": {("run", 0): "lost"}}, "lost"),
        ({"faults": {("put", 0): "gone"}}, "lost"),
        ({"faults": {("run", 0): "hang"}}, "timeout"),
        ({"statuses": {sha256(FILE): "out_of_memory"}}, "out_of_memory"),
        ({"statuses": {sha256(FILE): "crashed:SIGABRT"}}, "crashed:SIGABRT"),
    ],
)
def test_each_fault_is_a_status_of_the_real_meter(board, status):
    (measurement,) = open_fake_meter(**board).measure([FILE])
    assert (measurement.status, measurement.latency_ms) == (status, None)
    assert measurement.message or status == "crashed:SIGABRT"


@pytest.mark.parametrize("board", [{"reachable": False}, {"disk_bytes": 10}, {"faults": {("put", 0): "full"}}])
def test_a_device_that_refuses_is_an_error_of_the_real_meter(board):
    with pytest.raises(DeviceError, match="The device 'fake' must"):
        open_fake_meter(**board).measure([FILE])


def test_heat_is_no_ok():
    (measurement,) = open_fake_meter(throttling_per_s=0.5, rounds=6).measure([FILE])
    assert measurement.status == "throttled"


def test_an_option_of_neither_is_told():
    with pytest.raises(UserError, match=r"'fake' takes the options disk_bytes, .*rounds.*Received: volume\."):
        open_fake_meter(volume=3)
    with pytest.raises(UserError, match=r"`rounds` must be an integer of at least 3"):
        open_fake_meter(rounds=1)


def test_the_fake_meter():
    meter = FakeMeter(ms_per_kib=1.0, name="x", faults={1: "unreachable"}, statuses={sha256(OTHER): "timeout"})
    one, other = meter.measure([FILE, OTHER])
    assert 1.0 <= one.latency_ms < 1.01
    assert (other.status, other.message) == ("timeout", "injected")
    with pytest.raises(DeviceError, match="The device 'x' must answer"):
        meter.measure([FILE])
    assert meter.num_calls == 2
    assert FakeMeter(ms_per_kib=1.0, slowness=2.0).measure([FILE])[0].latency_ms == pytest.approx(2 * one.latency_ms)


def test_the_fake_device_of_the_tests_is_the_fake_meter():
    assert issubclass(FakeDevice, FakeMeter)
    assert FakeDevice(0.5, 3, {0: "timeout"}).measure([FILE])[0].status == "timeout"
