"""One job at a time on a device: a file lock that the kernel lets go of however its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import time

_POLL_S = 0.05
_HELD = (errno.EACCES, errno.EAGAIN)


class LockError(RuntimeError):
    """The device is not to be had."""


@contextlib.contextmanager
def device_lock(path, seconds, clock=time.monotonic, sleep=time.sleep):
    """Holds the lock of a device.

    Args:
        path: str, made when it is missing, and left in place; None for no lock.
        seconds: float, longest wait for another holder.
        clock: callable that returns seconds. Defaults to `time.monotonic`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.

    Yields:
        None.

    Raises:
        LockError: another process held it all the time, the file cannot be opened, or the system has no such locks.
    """
    if path is None:
        yield
        return
    handle = _open(path)
    try:
        _wait(handle, path, seconds, clock, sleep)
        yield
    finally:
        os.close(handle)


def _open(path):
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise LockError(
            f"The lock file must be writable. Received: {path!r} ({error.strerror}). Pass another path as `lock`."
        ) from error


def _wait(handle, path, seconds, clock, sleep):
    try:
        import fcntl
    except ImportError as error:
        raise LockError("`lock` needs a system with flock. Received: one without. Pass null as `lock`.") from error
    end = clock() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in _HELD:
                raise LockError(
                    f"The lock file must be on a file system with flock. Received: {path!r} ({error.strerror}). "
                    "Pass another path as `lock`."
                ) from error
        if clock() >= end:
            raise LockError(
                f"The device must be free. Received: another job held {path} for {seconds:g} s. Wait for it to end, "
                "or raise `lock_seconds`."
            )
        sleep(_POLL_S)
