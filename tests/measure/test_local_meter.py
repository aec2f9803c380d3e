"""The local meter on real children: those that answer, crash, hang and talk nonsense."""

import hashlib
import json
import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import LocalMeter
from hwkeras.measure import Meter
from hwkeras.measure import benchmark
from hwkeras.measure.device_meter import DeviceMeter

QUICK = {"burst_ms": 1.0, "gap_ms": 0.0, "max_rounds": 3}


@pytest.fixture(autouse=True)
def own_machine(tmp_path_factory, monkeypatch):
    """The files and the lock of this test alone: nobody who measures for real is waited for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("machine")))


@pytest.fixture
def bench(tmp_path):
    """Returns a function that writes a bench program and gives its command."""

    def write(source):
        script = tmp_path / "bench.py"
        script.write_text(source)
        return (sys.executable, str(script))

    return write


def test_measures_a_batch_from_any_folder(made_files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [made_files["float32"], b"not a model", made_files["product"], made_files["float32"]]
    first, refused, second, again = LocalMeter(**QUICK).measure(files)
    for measurement, data in zip((first, second, again), (files[0], files[2], files[3]), strict=True):
        assert measurement.ok
        assert measurement.sha256 == hashlib.sha256(data).hexdigest()
        assert 0 < measurement.latency_ms <= measurement.sustained_ms
        assert len(measurement.rounds) == 3
        assert measurement.environment["runtime"] == "ai_edge_litert"
        assert measurement.environment["device"] == "local"
    assert refused.status == "error"
    assert "not a valid Flatbuffer" in refused.message
    assert refused.sha256 == hashlib.sha256(b"not a model").hexdigest()
    assert list(tmp_path.iterdir()) == []


def is_dead(pid):
    """Whether a process is gone, or dead and not yet collected by the system."""
    try:
        return pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_nothing_to_measure():
    assert LocalMeter().measure([]) == ()


def test_two_searches_wait_for_each_other(bench, tmp_path):
    # Each job holds the machine's lock while it writes that it is there; nobody else may be.
    source = f"""
import fcntl, json, os, pathlib, sys
job = json.load(sys.stdin)
lock = open(job["lock"], "a")
fcntl.flock(lock, fcntl.LOCK_EX)
inside = pathlib.Path({str(tmp_path)!r}, "inside")
os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
inside.unlink()
os.abort()
"""
    command = bench(source)
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(LocalMeter(bench=command).measure, [b"any"]) for _ in range(4)]
        assert [job.result()[0].status for job in jobs] == ["crashed:SIGABRT"] * 4


def test_a_bench_program_that_crashes(bench):
    source = "import os, sys; print('the last words', file=sys.stderr, flush=True); os.abort()"
    one, other = LocalMeter(bench=bench(source)).measure([b"one", b"other"])
    assert (one.status, one.latency_ms, one.message) == ("crashed:SIGABRT", None, "the last words")
    assert other.status == "crashed:SIGABRT"


def test_time_out(bench):
    meter = LocalMeter(bench=bench("import threading; threading.Event().wait()"), timeout_s=0.5, lock_timeout_s=0)
    (measurement,) = meter.measure([b"any"])
    assert measurement.status == "timeout"
    assert measurement.message == "No answer within timeout_s=0.5 and lock_timeout_s=0."


def test_time_out_ends_grandchildren(bench, tmp_path):
    # The child ends at once and leaves a grandchild that keeps its pipes open and would wait for ever.
    source = f"""
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
"""
    meter = LocalMeter(bench=bench(source), timeout_s=1.0, lock_timeout_s=0)
    assert meter.measure([b"any"])[0].status == "timeout"
    is_gone = (is_dead((tmp_path / "pid").read_text()) for _ in range(1000))
    assert any(is_gone)


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
    with pytest.raises(DeviceError, match=r"must answer version 2 with 1 models.*exit code 3, stdout 'hello.*why"):
        meter.measure([b"any"])


def test_bench_of_another_version(bench):
    meter = LocalMeter(bench=bench("""print('{"version": 1, "models": []}')"""))
    with pytest.raises(
        DeviceError, match=r"with 0 models and exit with 0\. Received: exit code 0, version 1, 0 models"
    ):
        meter.describe()


def test_bench_that_does_not_start():
    with pytest.raises(
        DeviceError, match="bench program must start on local. Received: '/nowhere/bench' .*No such file"
    ):
        LocalMeter(bench=("/nowhere/bench",)).measure([b"any"])


def test_describe_of_a_device_that_crashes(bench):
    meter = LocalMeter(bench=bench("import os; os.abort()"))
    with pytest.raises(DeviceError, match="must run on local. Received: crashed:SIGABRT"):
        meter.describe()


def test_a_machine_without_a_runtime(bench):
    source = "import sys; print('tflite-bench: A TFLite runtime must be installed.', file=sys.stderr); sys.exit(4)"
    with pytest.raises(
        DeviceError, match="local must be fit to measure. Received: tflite-bench: A TFLite runtime must"
    ):
        LocalMeter(bench=bench(source)).measure([b"any"])


def test_tflite_bench_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="`tflite_bench` must be installed beside hwkeras"):
        LocalMeter().measure([b"any"])
    monkeypatch.undo()
    assert isinstance(LocalMeter(), Meter)
    assert isinstance(LocalMeter(), DeviceMeter)


def test_what_it_is():
    facts = LocalMeter().describe()
    assert facts["device"] == "local"
    assert facts["cpu"] and facts["runtime_version"] and facts["num_cores"]
    json.dumps(facts)


def test_benchmark_of_a_path(made_files, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(made_files["product"])
    assert benchmark(path, num_threads=2, **QUICK).num_threads == 2
    with pytest.raises(UserError, match="A model file must exist"):
        benchmark(tmp_path / "none.tflite")


def test_one_lock_for_all_searches_of_the_user(made_files):
    LocalMeter(**QUICK).measure([made_files["product"]])
    assert os.path.exists(f"{LocalMeter().device.folder}/lock")


@pytest.mark.parametrize(
    ("name", "value", "law"),
    [
        ("num_threads", 0, "an integer of at least 1"),
        ("rounds", 2, "an integer of at least 3"),
        ("timeout_s", 0, "a number of at least 0.001"),
        ("seed", True, "an integer of at least 0"),
    ],
)
def test_options_outside_their_range(name, value, law):
    with pytest.raises(UserError, match=f"`{name}` must be {law}. Received: {name}={value}"):
        LocalMeter(**{name: value})
