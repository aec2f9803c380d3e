"""What models do to the timing process is their result: real children that answer, crash, hang, run out of memory."""

import hashlib
import json
import os
import pathlib
import sys

import pytest

from tflite_bench import references
from tflite_bench import supervisor
from tflite_bench.job import Job
from tflite_bench.lock import LockError
from tflite_bench.lock import device_lock
from tflite_bench.supervisor import Unfit
from tflite_bench.supervisor import run_job
from tflite_bench.timing_process import TimingProcess
from tflite_bench.timing_process import signal_name

QUICK = {"burst_ms": 1, "gap_ms": 0, "max_rounds": 3}

# A timing process that does what the names of its models say, in their look or in their round.
SCRIPTED = """
import json, os, signal, sys, threading
order = json.load(sys.stdin)
names = order["job"]["models"]

def emit(**event):
    print(json.dumps(event), flush=True)

def act(name, step, indices):
    if name.startswith(f"crash in {step}"):
        print("the last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGABRT)
    if name.startswith(f"bad_alloc in {step}"):
        print("terminate called after throwing an instance of 'std::bad_alloc'", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGABRT)
    if name.startswith(f"exit in {step}"):
        sys.exit(7)
    if name.startswith(f"hang in {step}"):
        threading.Event().wait()
    if name.startswith("victim") and len(indices) > 1:
        os.kill(os.getpid(), signal.SIGSEGV)

emit(ready={"runtime": "scripted", "runtime_version": "1", "affinity": None, "num_usable_cores": None})
for index in order["indices"]:
    emit(hand=index)
    act(names[index], "look", order["indices"])
    emit(fields=[index, {"load_ms": 1.0}])
for number in range(3):
    for index in order["indices"]:
        emit(hand=index)
        act(names[index], f"round {number}", order["indices"])
        emit(round=[index, {"min_ms": 1.0, "company": len(order["indices"])}])
emit(done={"canary": None})
threading.Event().wait()
"""


def scripted(order):
    return TimingProcess(order, (sys.executable, "-c", SCRIPTED))


def run(*names, **options):
    return run_job(Job(tuple(names), **options), start=scripted)["models"]


def statuses(models):
    return [(model["status"], len(model["rounds"])) for model in models]


def test_all_well():
    answer = run_job(Job(("a", "b")), start=scripted)
    assert statuses(answer["models"]) == [("ok", 3), ("ok", 3)]
    assert answer["models"][0]["load_ms"] == 1.0
    assert answer["environment"]["runtime"] == "scripted"
    assert answer["environment"]["num_usable_cores"] is None
    assert list(answer) == ["version", "models", "canary", "environment", "num_threads", "seconds"]


@pytest.mark.parametrize("step", ["look", "round 0", "round 2"])
def test_only_the_guilty_one_carries_the_crash(step):
    good, guilty, also_good = run("good", f"crash in {step}", "also good")
    assert (guilty["status"], guilty["error"], guilty["rounds"]) == ("crashed:SIGABRT", "the last words", [])
    assert statuses([good, also_good]) == [("ok", 3)] * 2
    assert all(entry["company"] == 2 for entry in good["rounds"])


def test_one_that_crashes_only_in_company_is_measured_alone():
    assert statuses(run("victim", "a", "b")) == [("ok", 3)] * 3


def test_many_guilty_ones():
    models = run(*["crash in look", "good"] * 3)
    assert statuses(models) == [("crashed:SIGABRT", 0), ("ok", 3)] * 3


def test_an_exit_in_the_middle():
    (guilty,) = run("exit in round 1")
    assert (guilty["status"], guilty["error"]) == ("error", "Ended with exit code 7.")


def test_what_a_process_says_that_gets_no_memory():
    guilty, good = run("bad_alloc in look", "good", memory_limit_bytes=5)
    assert guilty["status"] == "out_of_memory"
    assert guilty["error"].startswith("The model needs more memory than memory_limit_bytes=5 allows. Raise it. termin")
    assert good["status"] == "ok"


def test_killed_by_the_kernel_for_want_of_memory(monkeypatch):
    kills = iter(range(9))
    monkeypatch.setattr(supervisor, "oom_kills", lambda: next(kills))
    (guilty,) = run("crash in look")
    assert guilty["status"] == "out_of_memory"
    assert guilty["error"].startswith("The model needs more memory than the device has left.")


@pytest.mark.parametrize("step", ["look", "round 1"])
def test_only_the_guilty_one_carries_the_time_out(step):
    good, hung, also_good = run("good", f"hang in {step}", "also good", model_seconds=1.0)
    assert (hung["status"], hung["rounds"]) == ("timeout", [])
    assert hung["error"] == "It did not come back within model_seconds=1."
    assert statuses([good, also_good]) == [("ok", 3)] * 2


def test_a_job_out_of_time_keeps_what_it_has():
    done, hung = run("good", "hang in round 1", model_seconds=1.0, max_seconds=0)
    assert statuses([done]) == [("ok", 2)]
    assert statuses([hung]) == [("ok", 1)]
    (hung,) = run("hang in look", model_seconds=1.0, max_seconds=0)
    assert (hung["status"], hung["error"]) == ("timeout", "No round was done within max_seconds=0.")


def test_a_process_that_does_not_start():
    def start(order):
        return TimingProcess(order, (sys.executable, "-c", "import os, sys; sys.stderr.write('why'); os.abort()"))

    with pytest.raises(Unfit, match=r"timing process must start. Received: SIGABRT. why"):
        run_job(Job(("a",)), start=start)


def test_a_process_without_a_runtime():
    source = """import json; print("noise"); print(json.dumps({"unfit": "A runtime must be installed."}), flush=True)"""

    def start(order):
        return TimingProcess(order, (sys.executable, "-c", source))

    with pytest.raises(Unfit, match="A runtime must be installed"):
        run_job(Job(()), start=start)


def test_an_interrupt_ends_the_process():
    started = []

    def start(order):
        started.append(scripted(order))
        started[0].next_event = interrupted
        return started[0]

    def interrupted(timeout_s):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(Job(("hang in look",)), start=start)
    assert started[0]._process.returncode < 0


def test_the_lock_is_held_meanwhile(tmp_path):
    lock = str(tmp_path / "lock")

    def start(order):
        with pytest.raises(LockError, match="another job held"):
            with device_lock(lock, 0):
                pass
        return scripted(order)

    assert run_job(Job(("a",), lock=lock), start=start)["models"][0]["status"] == "ok"
    with device_lock(lock, 0):
        with pytest.raises(LockError, match="another job held"):
            run_job(Job((), lock=lock, lock_seconds=0), start=scripted)


def test_signals_have_names():
    assert [signal_name(code) for code in (0, 3, -11, -250)] == [None, None, "SIGSEGV", "SIG250"]


def corrupted(model_path, tmp_path):
    """Files that end the process of LiteRT 2.3: found among 1,500 changed copies."""
    content = model_path.read_bytes()
    changes = (
        {26: bytes(4), 1936: bytes(4), 2212: b"\xff" * 4},
        {1392: bytes(4), 1561: b"\xff" * 4, 27: bytes(4)},
    )
    for number, change in enumerate(changes):
        copy = bytearray(content)
        for at, four in change.items():
            copy[at : at + 4] = four
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(copy)
        yield str(path)


def test_real_files_that_crash_the_real_runtime(model_path, tmp_path):
    paths = (str(model_path), *corrupted(model_path, tmp_path), str(model_path))
    answer = run_job(Job(paths, **QUICK))
    good, *crashed, also_good = answer["models"]
    if {model["status"] for model in crashed} & {"ok", "error"}:
        pytest.skip(f"{answer['environment']['runtime_version']} does not crash at these files")
    assert [model["status"] for model in crashed] == ["crashed:SIGSEGV"] * 2
    assert statuses([good, also_good]) == [("ok", 3)] * 2
    assert crashed[0]["sha256"] == hashlib.sha256(pathlib.Path(paths[1]).read_bytes()).hexdigest()


def test_a_real_model_that_gets_no_memory(model_path):
    answer = run_job(Job((str(model_path),), memory_limit_bytes=1, **QUICK))
    (model,) = answer["models"]
    assert model["status"] == "out_of_memory"
    assert model["error"].startswith("The model needs more memory than memory_limit_bytes=1 allows.")


def test_a_real_job_pinned_and_with_two_threads(model_path, tmp_path):
    affinity = (min(os.sched_getaffinity(0)),) if hasattr(os, "sched_getaffinity") else None
    job = Job((str(model_path),), num_threads=2, affinity=affinity, lock=str(tmp_path / "lock"), **QUICK)
    answer = run_job(job)
    assert statuses(answer["models"]) == [("ok", 3)]
    if affinity is not None:
        assert answer["environment"]["affinity"] == list(affinity)
        assert answer["environment"]["num_usable_cores"] == 1
    (entry,) = references.read_references(job.lock).values()
    assert entry["canary_ms"] == answer["canary"]["typical_ms"]
    second = run_job(job)["canary"]
    assert second["reference_ms"] == entry["canary_ms"]
    assert json.loads(json.dumps(answer)) == answer


def test_a_cpu_that_is_not_there():
    with pytest.raises(Unfit, match=r"`affinity` .*Received: (\[100000\]|one that cannot)"):
        run_job(Job((), affinity=(100000,)))
