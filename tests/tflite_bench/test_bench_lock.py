"""One job at a time: real locks, held by real processes."""

import subprocess
import sys

import pytest

from tflite_bench.lock import LockError
from tflite_bench.lock import device_lock

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock, and the lock's path."""
    path = tmp_path / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process, str(path)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_held_by_another_process(holder, machine):
    _, path = holder
    with pytest.raises(LockError, match=r"The device must be free\. Received: another job held .*lock for 3 s"):
        with device_lock(path, 3, clock=lambda: machine.now_s, sleep=machine.sleep):
            raise AssertionError("it was had")
    assert machine.now_s == pytest.approx(3, abs=0.1)


def test_a_holder_that_is_killed_lets_go(holder, machine):
    process, path = holder

    def sleep(seconds):
        machine.sleep(seconds)
        process.kill()
        process.wait()

    with device_lock(path, 300, clock=lambda: machine.now_s, sleep=sleep):
        assert machine.now_s < 1


def test_let_go_at_the_end_and_after_an_error(tmp_path):
    path = str(tmp_path / "folder" / "lock")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            with device_lock(path, 0):
                raise ZeroDivisionError


def test_no_lock():
    with device_lock(None, 0):
        pass


def test_a_lock_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LockError, match="lock file must be writable. Received: .*Pass another path as `lock`"):
        with device_lock(str(tmp_path / "file" / "lock"), 0):
            pass
    with pytest.raises(LockError, match="lock file must be writable.*Is a directory"):
        with device_lock(str(tmp_path), 0):
            pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def flock(handle, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(LockError, match="must be on a file system with flock. Received: .*Operation not supported"):
        with device_lock(str(tmp_path / "lock"), 0):
            pass


def test_a_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(LockError, match="`lock` needs a system with flock. Received: one without"):
        with device_lock(str(tmp_path / "lock"), 0):
            pass
