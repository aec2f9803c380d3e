"""The local meter on real children: those that answer, crash, hang and talk nonsense."""

import hashlib
import pathlib
import sys

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import LocalMeter
from hwkeras.measure import Meter
from hwkeras.measure import benchmark
from hwkeras.measure import list_devices
from hwkeras.measure import open_meter

QUICK = {"burst_ms": 1.0, "gap_ms": 0.0, "max_rounds": 3}

# A bench program that dies of, or hangs on, the models that say so; all others are measured for real.
FAULTY = """
import io, json, os, pathlib, signal, sys, threading
job = json.load(sys.stdin)
for path in job["models"]:
    content = pathlib.Path(path).read_bytes()
    if content == b"CRASH":
        print("the last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if content == b"HANG":
        threading.Event().wait()
from tflite_bench.__main__ import main
sys.stdin = io.StringIO(json.dumps(job))
sys.exit(main(["--job", "-"]))
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Returns a function that writes a bench program and gives its command."""

    def write(source):
        script = tmp_path / "bench.py"
        script.write_text(source)
        return (sys.executable, str(script))

    # So that the program finds `tflite_bench` where the project is not installed.
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).resolve().parents[2]))
    return write


def test_measures_a_batch_from_any_folder(made_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [made_files["float32"], b"not a model", made_files["product"], made_files["float32"]]
    first, refused, second, again = LocalMeter(**QUICK).measure(files)
    for measurement, data in zip((first, second, again), (files[0], files[2], files[3]), strict=True):
        assert measurement.ok
        assert measurement.sha256 == hashlib.sha256(data).hexdigest()
        assert 0 < measurement.latency_ms <= measurement.sustained_ms
        assert measurement.latency_ms == min(entry["min_ms"] for entry in measurement.rounds)
        assert len(measurement.rounds) == 3
        assert measurement.environment["runtime"] == "ai_edge_litert"
    assert refused.status == "error"
    assert "not a valid Flatbuffer" in refused.message
    assert refused.sha256 == hashlib.sha256(b"not a model").hexdigest()
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_measure():
    assert LocalMeter().measure([]) == ()


def test_only_the_guilty_one_carries_the_crash(made_files, bench):
    meter = LocalMeter(bench=bench(FAULTY), **QUICK)
    good, crashed, also_good = meter.measure([made_files["product"], b"CRASH", made_files["float32"]])
    assert (crashed.status, crashed.latency_ms, crashed.message) == ("crashed:SIGSEGV", None, "the last words")
    assert good.ok and also_good.ok


def test_only_the_guilty_one_carries_the_time_out(made_files, bench):
    meter = LocalMeter(bench=bench(FAULTY), timeout_s=3.0, **QUICK)
    hung, good = meter.measure([b"HANG", made_files["product"]])
    assert hung.status == "timeout"
    assert hung.message == "No answer within timeout_s=3."
    assert good.ok


def test_time_out_ends_grandchildren(bench):
    # The child ends at once and leaves a grandchild that keeps its pipes open and would wait for ever.
    source = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
"""
    meter = LocalMeter(bench=bench(source), timeout_s=1.0)
    assert meter.measure([b"any"])[0].status == "timeout"


def test_child_environment(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    source = f"""
import os, pathlib, signal
values = [os.environ.get(name) for name in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL")]
pathlib.Path({str(tmp_path / "seen")!r}).write_text(repr(values))
os.kill(os.getpid(), signal.SIGABRT)
"""
    assert LocalMeter(bench=bench(source)).measure([b"any"])[0].status == "crashed:SIGABRT"
    assert (tmp_path / "seen").read_text() == "[None, '2']"


def test_bench_that_talks_nonsense(bench):
    meter = LocalMeter(bench=bench("import sys; print('hello'); print('why', file=sys.stderr); sys.exit(3)"))
    with pytest.raises(DeviceError, match=r"must answer version 1 with 1 models.*exit code 3, stdout 'hello.*why"):
        meter.measure([b"any"])


def test_bench_of_another_version(bench):
    meter = LocalMeter(bench=bench("""print('{"version": 2, "models": []}')"""))
    with pytest.raises(
        DeviceError, match=r"with 0 models and exit with 0\. Received: exit code 0, version 2, 0 models"
    ):
        meter.describe()


def test_bench_that_does_not_start():
    with pytest.raises(DeviceError, match="bench program must start. Received: '/nowhere/bench' .No such file"):
        LocalMeter(bench=("/nowhere/bench",)).measure([b"any"])


def test_describe_of_a_device_that_crashes(bench):
    meter = LocalMeter(bench=bench("import os; os.abort()"))
    with pytest.raises(DeviceError, match="must run on this machine. Received: crashed:SIGABRT"):
        meter.describe()


def test_tflite_bench_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="`tflite_bench` must be installed beside hwkeras"):
        LocalMeter().measure([b"any"])
    monkeypatch.undo()
    assert isinstance(LocalMeter(), Meter)


def test_devices():
    (device,) = list_devices()
    assert (device["device"], device["available"], device["message"]) == ("local", True, "")
    assert device["cpu"] and device["runtime_version"]


def test_a_device_that_does_not_work_is_listed_with_the_reason(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (device,) = list_devices()
    assert device["available"] is False
    assert "must be installed" in device["message"]


def test_benchmark_of_a_path(made_files, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(made_files["product"])
    assert benchmark(path, num_threads=2, **QUICK).num_threads == 2
    with pytest.raises(UserError, match="A model file must exist"):
        benchmark(tmp_path / "none.tflite")


def test_unknown_device_and_option():
    with pytest.raises(UserError, match=r"`device` is one of 'local'\. Received: device='toaster'"):
        open_meter("toaster")
    with pytest.raises(UserError, match=r"'local' takes the options num_threads, rounds.*Received: threads\."):
        open_meter("local", threads=2)


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
        ("seed", True, "an integer of at least 0"),
    ],
)
def test_options_outside_their_range(name, value, law):
    with pytest.raises(UserError, match=f"`{name}` must be {law}. Received: {name}={value}"):
        LocalMeter(**{name: value})
