"""CPUs, memory and the parent's end, asked of the real system in real children."""

import json
import os
import subprocess
import sys

import pytest

import tflite_bench
from tflite_bench import limits

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(tflite_bench.__file__)))


def child(source):
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process")
def test_pinned():
    cpu = min(os.sched_getaffinity(0))
    source = f"import os; from tflite_bench import limits; limits.pin(({cpu},)); print(list(os.sched_getaffinity(0)))"
    assert child(source) == [cpu]


def test_not_pinned():
    limits.pin(None)


def test_no_such_cpu():
    with pytest.raises(limits.LimitError, match=r"names CPUs that may be used: \[0.*Received: \[100000\]"):
        limits.pin((100000,))
    with pytest.raises(limits.LimitError, match=r"names CPUs that may be used: \[0.*Received: \[1000000000000\]"):
        limits.pin((10**12,))


def test_a_system_that_cannot_pin(monkeypatch):
    monkeypatch.delattr("os.sched_setaffinity")
    with pytest.raises(limits.LimitError, match="needs a system that can pin a process. Received: one that cannot"):
        limits.pin((0,))


def test_memory_is_bounded():
    source = """
import json
from tflite_bench import limits
limits.limit_memory(50_000_000)
small = bytearray(10_000_000)
try:
    bytearray(200_000_000)
except MemoryError:
    print(json.dumps("bounded"))
"""
    assert child(source) == "bounded"


def test_no_bound():
    limits.limit_memory(None)


def test_a_system_without_bounds(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    with pytest.raises(limits.LimitError, match="`memory_limit_bytes` needs a system that bounds memory"):
        limits.limit_memory(1)


def test_a_system_that_does_not_tell_its_memory(monkeypatch):
    monkeypatch.setattr(limits, "address_space_bytes", lambda: None)
    with pytest.raises(limits.LimitError, match=r"`memory_limit_bytes` needs /proc/self/statm\. Received: none"):
        limits.limit_memory(1)


@pytest.mark.parametrize(
    ("said", "num_bytes", "answer"),
    [
        (MemoryError(), None, True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", None, True),
        (RuntimeError("failed to create XNNPACK runtime"), 10**6, True),
        (RuntimeError("failed to create XNNPACK runtime"), None, False),
        (ValueError("not a model"), 10**6, False),
    ],
)
def test_out_of_memory(said, num_bytes, answer):
    assert limits.is_out_of_memory(said, num_bytes) is answer


def test_out_of_memory_in_words():
    assert limits.out_of_memory(5) == "The model needs more memory than memory_limit_bytes=5 allows. Raise it."
    assert limits.out_of_memory(None) == "The model needs more memory than the device has left."


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_dies_with_its_parent():
    # The parent starts a child that would wait for ever, learns that it is ready, and ends without a word to it.
    source = """
import os, subprocess, sys
waiting = "from tflite_bench import limits; limits.die_with_parent(); print('ready', flush=True); input()"
process = subprocess.Popen([sys.executable, "-c", waiting], stdin=0, stdout=subprocess.PIPE, text=True)
process.stdout.readline()
print(process.pid, flush=True)
os._exit(0)
"""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as stdin, os.fdopen(write_end, "w"):
        done = subprocess.run(
            [sys.executable, "-c", source], stdin=stdin, capture_output=True, text=True, cwd=ROOT, check=True
        )
        # Its input stays open, so nothing but the end of its parent ends it; it is then gone, or a zombie.
        assert any(_is_gone(done.stdout.strip()) for _ in range(10**6))


def _is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
