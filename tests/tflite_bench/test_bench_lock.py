"""One job at a time: the lock of another process, and of one that died."""

import os
import subprocess
import sys

import pytest

from tflite_bench.lock import LockError
from tflite_bench.lock import device_lock

pytest.importorskip("fcntl")

HOLDER = """
import sys
from tflite_bench.lock import device_lock
with device_lock(sys.argv[1], 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "made" / "lock")


@pytest.fixture
def holder(lock):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_held_by_another_process(lock, holder, machine):
    with pytest.raises(LockError, match=r"^The device must be free\. Received: another job held .*lock for 0.3 s\. "):
        with device_lock(lock, 0.3, clock=machine.clock, sleep=machine.sleep):
            pytest.fail("two hold it")
    assert 0.3 <= machine.clock() <= 0.5


def test_a_job_that_waits_long_enough_gets_it(lock, holder, machine):
    def sleep(seconds):
        machine.sleep(seconds)
        if len(machine.pauses_s) == 3:
            holder.communicate()

    with device_lock(lock, 60, clock=machine.clock, sleep=sleep):
        assert len(machine.pauses_s) == 3


def test_death_of_the_holder_releases_it(lock, holder):
    holder.kill()
    holder.wait()
    with device_lock(lock, 0):
        assert os.path.exists(lock)


def test_released_at_the_end_and_by_an_error(lock):
    with pytest.raises(KeyError):
        with device_lock(lock, 0):
            raise KeyError
    with device_lock(lock, 0):
        pass
    with device_lock(lock, 0):
        with pytest.raises(LockError):
            with device_lock(lock, 0):
                pytest.fail("two hold it")


def test_no_lock():
    with device_lock(None, 0), device_lock(None, 0):
        pass


def test_a_path_that_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "lock"):
        with pytest.raises(LockError, match=r"The lock file must be writable\. Received: .* Pass another path as `lock`"):
            with device_lock(str(path), 0):
                pytest.fail("it is held")


def test_a_file_system_without_flock(lock, monkeypatch):
    import fcntl

    def refuse(handle, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LockError, match=r"must be on a file system with flock\. Received: .*\(Operation not supported\)"):
        with device_lock(lock, 0):
            pytest.fail("it is held")


def test_a_system_without_flock(lock, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(LockError, match=r"`lock` needs a system with flock\. Received: one without\. Pass null"):
        with device_lock(lock, 0):
            pytest.fail("it is held")
