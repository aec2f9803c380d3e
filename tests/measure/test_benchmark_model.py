"""`benchmark_model`: its command, both forms of its output, and a meter that runs it through the real `adb`."""

import os
import stat

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import Meter
from hwkeras.measure import open_meter
from hwkeras.measure.adb import AdbDevice
from hwkeras.measure.benchmark_model import BenchmarkModelMeter
from hwkeras.measure.benchmark_model import build_command
from hwkeras.measure.benchmark_model import parse_output
from hwkeras.measure.local_device import LocalDevice
from tests.measure.adb_daemon import running_phone
from tests.measure.adb_daemon import why_not

needs_adb = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# In the form of TensorFlow Lite's program of 2020 to 2023, and of later ones, which tell percentiles.
TFLITE = """STARTING!
Log parameter values verbosely: [0]
Graph: [/data/local/tmp/model.tflite]
Loaded model /data/local/tmp/model.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
The input model file size (MB): 1.25
Initialized session in 12.75ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=37 first=4744 curr=3520 min=3164 max=4895 avg=3764.3 std=967

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=74 first=3850 curr=3315 min=3105 max=1250000 avg=1.02525e+06 std=470

Inference timings in us: Init: 12750, First inference: 4744, Warmup (avg): 3764.3, Inference (avg): 1.02525e+06
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE.
Memory footprint delta from the start of the tool (MB): init=3.75 overall=12.1914
"""
TFLITE_WITH_PERCENTILES = """INFO: STARTING!
INFO: count=5 first=900 curr=400 min=400 max=900 avg=500 std=200
INFO: count=50 first=310 curr=305 min=300 max=420 avg=318.5 std=20 p5=301 median=312 p95=390
INFO: Inference timings in us: Init: 2000, First inference: 900, Warmup (avg): 500, Inference (avg): 318.5
"""
TFLITE_ALL_SAME = """count=1 curr=9
count=50 curr=4(all same)
Inference timings in us: Init: 769, First inference: 9, Warmup (avg): 9, Inference (avg): 4
"""
TFLITE_OF_2019 = """count=7 first=7425 curr=6709 min=6709 max=7425 avg=6605.9 std=44
count=15 first=6753 curr=6800 min=6699 max=6838 avg=6767.6 std=39
Average inference timings in us: Warmup: 6605.9, Init: 9933, no stats: 6767.6
"""
LITERT = """INFO: [benchmark_litert_model.h:91]
========== BENCHMARK RESULTS ==========
INFO: [benchmark_litert_model.h:92] Signature name:       serving_default
INFO: [benchmark_litert_model.h:94] Model initialization: 44.73 ms
INFO: [benchmark_litert_model.h:96] Warmup (first):       7.04 ms
INFO: [benchmark_litert_model.h:98] Warmup (avg):         6.50 ms (3 runs)
INFO: [benchmark_litert_model.h:100] Inference (avg):      5.20 ms (10 runs)
INFO: [benchmark_litert_model.h:104] Inference (min):      5.16 ms
INFO: [benchmark_litert_model.h:106] Inference (max):      5.86 ms
INFO: [benchmark_litert_model.h:108] Inference (std):      0.09
INFO: [benchmark_litert_model.h:115] Throughput:           27.46 MB/s
INFO: [benchmark_litert_model.h:124]
Memory Usage:
INFO: [benchmark_litert_model.h:126] Init footprint:       63.74 MB
INFO: [benchmark_litert_model.h:135] Peak memory usage not available. (peak_mem_mb <= 0)
INFO: [benchmark_litert_model.h:140] ======================================
"""
LITERT_WITH_LINES = (
    "INFO: [benchmark_model.cc:1] count=3 first=7040 curr=6400 min=6300 max=7040 avg=6500 std=1\n"
    "INFO: [benchmark_model.cc:1] count=10 first=5200 curr=5201 min=5157 max=5862 avg=5199 std=90\n" + LITERT
)


def test_tflite_form():
    assert parse_output(TFLITE) == {
        "num_invokes": 74,
        "min_ms": 3.105,
        "max_ms": 1250.0,
        "mean_ms": 1025.25,
        "p5_ms": None,
        "median_ms": None,
        "p95_ms": None,
        "init_ms": 12.75,
        "first_ms": 4.744,
        "resolution_ms": 0.001,
    }
    told = parse_output(TFLITE_WITH_PERCENTILES.replace("\n", "\r\n"))
    assert (told["p5_ms"], told["median_ms"], told["p95_ms"]) == (0.301, 0.312, 0.390)
    assert (told["num_invokes"], told["min_ms"], told["mean_ms"]) == (50, 0.3, 0.3185)


def test_tflite_form_where_all_runs_took_the_same_time():
    told = parse_output(TFLITE_ALL_SAME)
    assert (told["num_invokes"], told["min_ms"], told["max_ms"], told["mean_ms"]) == (50, 0.004, 0.004, 0.004)
    assert told["first_ms"] == 0.009


def test_oldest_tflite_form():
    told = parse_output(TFLITE_OF_2019)
    assert (told["min_ms"], told["init_ms"], told["first_ms"]) == (6.699, 9.933, None)


def test_litert_form():
    assert parse_output(LITERT) == {
        "num_invokes": 10,
        "min_ms": 5.16,
        "max_ms": 5.86,
        "mean_ms": 5.20,
        "p5_ms": None,
        "median_ms": None,
        "p95_ms": None,
        "init_ms": 44.73,
        "first_ms": 7.04,
        "resolution_ms": 0.01,
    }
    told = parse_output(LITERT_WITH_LINES)
    assert (told["min_ms"], told["num_invokes"], told["resolution_ms"]) == (5.157, 10, 0.001)
    assert (told["init_ms"], told["first_ms"]) == (44.73, 7.04)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usage: benchmark_model",
        "count=0",
        LITERT.replace("5.16 ms", "0.00 ms"),
        "========== BENCHMARK RESULTS ==========\nNo inference runs were performed.",
    ],
)
def test_other_forms(text):
    with pytest.raises(DeviceError, match="must print its timings as TensorFlow Lite's or LiteRT's does. Received: '"):
        parse_output(text)


def test_the_command():
    assert build_command("/b", "/m.tflite", 2, 50, 30, ("--use_gpu=true",)) == (
        "/b",
        "--graph=/m.tflite",
        "--num_threads=2",
        "--num_runs=10",
        "--min_secs=0.05",
        "--max_secs=30",
        "--warmup_runs=1",
        "--warmup_min_secs=0.05",
        "--use_gpu=true",
    )


# Stands in for the program: what it prints, and how long a file takes, follow from the file.
PROGRAM = r"""#!/bin/sh
for each in "$@"; do case $each in --graph=*) graph=${each#--graph=};; --help) exit 1;; esac; done
read -r form us < "$graph"
echo "$form $*" >> "${0%/*}/../calls"
case $form in
  tflite)
    echo "count=3 first=900 curr=900 min=$us max=900 avg=900 std=0"
    echo "count=50 first=900 curr=900 min=$us max=990 avg=950.5 std=9"
    echo "Inference timings in us: Init: 1500, First inference: 900, Warmup (avg): 900, Inference (avg): 950.5";;
  litert)
    echo "========== BENCHMARK RESULTS =========="
    echo "INFO: [a.h:1] Model initialization: 1.50 ms" >&2
    echo "INFO: [a.h:1] Inference (avg):      0.95 ms (50 runs)"
    echo "INFO: [a.h:1] Inference (min):      0.$us ms"
    echo "INFO: [a.h:1] Inference (max):      0.99 ms";;
  crash) kill -SEGV $$;;
  hang) sleep 60;;
  nonsense) echo hello;;
  *) echo "Failed to load the model" >&2; exit 1;;
esac
"""


@pytest.fixture
def binary(tmp_path):
    path = tmp_path / "benchmark_model"
    path.write_text(PROGRAM)
    return os.fspath(path)


@pytest.fixture
def device(tmp_path):
    return LocalDevice(tmp_path / "device")


def meter_of(device, binary, **options):
    slept = []
    meter = BenchmarkModelMeter(device, binary, sleep=slept.append, **options)
    return meter, slept


def calls_of(device):
    return [line.split()[0] for line in device.get(f"{device.folder}/calls").decode().splitlines()]


def test_measures_in_rounds(device, binary):
    meter, slept = meter_of(device, binary, num_threads=2, gap_ms=50)
    assert isinstance(meter, Meter)
    files = [b"tflite 800\n", b"litert 85\n", b"broken 1\n", b"nonsense 1\n", b"crash 1\n", b"tflite 800\n"]
    one, other, broken, nonsense, crashed, again = meter.measure(files)
    assert (one.latency_ms, one.p90_ms, one.first_ms, one.load_ms) == (0.8, 0.99, 0.9, 1.5)
    assert [entry["median_ms"] for entry in one.rounds] == [0.9505] * 3
    assert other.latency_ms == 0.85
    assert again.latency_ms == 0.8
    assert (broken.status, broken.message) == ("error", "Exit code 1. Failed to load the model")
    assert nonsense.status == "error" and "must print its timings" in nonsense.message
    assert crashed.status == "crashed:SIGSEGV"
    assert one.environment["runtime"] == "benchmark_model"
    assert one.environment["device"] == "local"
    assert one.num_threads == 2
    # Three rounds of those that work, in another order each; one try of the others.
    calls = calls_of(device)
    assert [calls.count(kind) for kind in ("tflite", "litert", "broken", "crash")] == [6, 3, 1, 1]
    assert slept == [0.05, 0.05]


def test_rounds_go_on_until_two_agree(device, tmp_path):
    path = tmp_path / "benchmark_model"
    # 1000, 800, 640, 512, 512 microseconds.
    path.write_text(
        """#!/bin/sh
[ "$1" = --help ] && exit 1
count="${0%/*}/../count"
echo x >> "$count"
case $(wc -l < "$count") in *1) us=1000;; *2) us=800;; *3) us=640;; *) us=512;; esac
echo "count=50 first=900 curr=900 min=$us max=2000 avg=950.5 std=9"
"""
    )
    meter, _ = meter_of(device, os.fspath(path))
    (measurement,) = meter.measure([b"content"])
    assert [entry["min_ms"] for entry in measurement.rounds] == [1.0, 0.8, 0.64, 0.512, 0.512]
    assert 0.512 <= measurement.latency_ms <= 1.0
    (tmp_path / "device" / "count").unlink()
    clock = iter(range(0, 10_000, 10))
    late = BenchmarkModelMeter(device, os.fspath(path), timeout_s=30, clock=lambda: next(clock), sleep=lambda s: None)
    assert len(late.measure([b"content"])[0].rounds) == 3


def test_the_order_is_random_and_repeatable(device, binary):
    files = [b"tflite 800\n", b"litert 85\n"]
    for seed in (1, 1, 2):
        meter_of(device, binary, seed=seed)[0].measure(files)
    calls = calls_of(device)
    assert calls[:6] == calls[6:12] != calls[12:]


def test_a_file_that_hangs(device, binary):
    meter, _ = meter_of(device, binary, timeout_s=1.0, lock_timeout_s=0)
    hung, good = meter.measure([b"hang 1\n", b"tflite 800\n"])
    assert (hung.status, hung.message) == ("timeout", "No answer within timeout_s=1.")
    assert good.ok


def test_another_search_has_the_device(device, binary):
    device.put(b"")
    lock = f"{device.folder}/lock"
    holding = 'exec 9>> "$1"; flock -x 9; shift; exec "$@"'
    inner = "import sys; from tests.measure.test_benchmark_model import busy; busy(*sys.argv[1:])"
    if device.run(["sh", "-c", "command -v flock"]).returncode:
        pytest.skip("flock is not installed")
    told = device.run(["sh", "-c", holding, "sh", lock, LocalDevice.python, "-c", inner, device.folder, binary])
    assert "local must be free. Received: another search has had it for lock_timeout_s=0" in told.stdout, told.stderr


def busy(folder, binary):
    """Measures while this process, which has inherited it, holds the lock."""
    try:
        BenchmarkModelMeter(LocalDevice(folder), binary, lock_timeout_s=0).measure([b"tflite 800\n"])
    except DeviceError as error:
        print(error)


def test_a_program_for_another_device(device, tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF of another machine")
    meter, _ = meter_of(device, os.fspath(path))
    with pytest.raises(
        DeviceError, match="`benchmark_model` must run on local.*Pass one that is built for this device"
    ):
        meter.measure([b"tflite 800\n"])
    with pytest.raises(DeviceError, match="must run on local. Received: .*No such file or directory"):
        meter_of(device, "device:/nowhere/benchmark_model")[0].describe()


def test_arguments_that_are_refused(device, binary):
    with pytest.raises(UserError, match="is the path of the program on this machine, or 'device:/path' on the device"):
        BenchmarkModelMeter(device, "/nowhere/benchmark_model")
    with pytest.raises(
        UserError, match=r"`flags` is a sequence of texts such as '--use_gpu=true'. Received: flags='-x'"
    ):
        BenchmarkModelMeter(device, binary, flags="-x")
    with pytest.raises(UserError, match="`rounds` must be an integer of at least 3. Received: rounds=1"):
        BenchmarkModelMeter(device, binary, rounds=1)
    assert BenchmarkModelMeter(device, binary).measure([]) == ()


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    with running_phone(tmp_path_factory.mktemp("phone") / "sandbox") as phone:
        yield phone


@needs_adb
def test_through_adb(phone, binary):
    options = {"server_port": phone.server_port, "folder": os.fspath(phone.folder), "gap_ms": 0}
    meter = open_meter(f"{phone.address}?benchmark_model={binary}", **options)
    assert isinstance(meter, BenchmarkModelMeter)
    one, other, broken = meter.measure([b"tflite 800\n", b"litert 85\n", b"broken 1\n"])
    assert (one.latency_ms, other.latency_ms, broken.status) == (0.8, 0.85, "error")
    facts = meter.describe()
    assert (facts["kind"], facts["model"], facts["runtime"]) == ("adb", "Sandbox Phone", "benchmark_model")
    assert facts["runtime_version"].startswith("sha256:")
    # The same program, as one that was on the device already.
    (program,) = (path for path in phone.folder.rglob("*.bin") if path.stat().st_mode & stat.S_IXUSR)
    there = open_meter(phone.address, benchmark_model=f"device:{program}", **options)
    assert there.describe() == {**facts, "device": phone.address}
    assert there.measure([b"tflite 800\n"])[0].latency_ms == 0.8
    with pytest.raises(UserError, match=r"takes the options .*flags.*\. Received: bench\."):
        open_meter(phone.address, benchmark_model=binary, bench=("x",))


@needs_adb
def test_a_phone_that_vanishes(phone, binary):
    device = AdbDevice(phone.address, server_port=phone.server_port, folder=os.fspath(phone.folder))
    meter, _ = meter_of(device, binary)
    device.info()
    phone.fail(shell="cut")
    (measurement,) = meter.measure([b"tflite 800\n"])
    assert (measurement.status, measurement.environment["device"]) == ("lost", phone.address)
    phone.fail()
    assert meter.measure([b"tflite 800\n"])[0].ok
