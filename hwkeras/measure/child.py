"""A child process that can neither hang its parent nor outlive it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass

# What a shell says of a program that it cannot run, or cannot find.
CANNOT_RUN = 126
NOT_FOUND = 127
# Seconds to read what is left in the pipes of a child that was stopped.
_LAST_WORDS_S = 2.0


@dataclass(frozen=True)
class ChildResult:
    """How a child process ended.

    Args:
        returncode: int, negative for a signal; None when it was stopped after the time-out.
        stdout: str.
        stderr: str.
    """

    returncode: int | None
    stdout: str
    stderr: str

    @property
    def timed_out(self):
        """Whether it had to be stopped."""
        return self.returncode is None

    @property
    def signal_name(self):
        """The signal that ended it, such as `"SIGSEGV"`; None otherwise."""
        if self.returncode is None or self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return f"SIG{-self.returncode}"

    @property
    def last_words(self):
        """The end of what it wrote on stderr."""
        return "\n".join(self.stderr.strip().splitlines()[-5:])[-1000:]


def run_child(command, stdin, timeout_s, environment=None):
    """Runs a command in its own process group and stops all of the group after a time-out, or when interrupted.

    Args:
        command: sequence of str.
        stdin: str.
        timeout_s: float, seconds.
        environment: dict of str. Defaults to `None`, the environment of this process.

    Returns:
        ChildResult; what is not UTF-8 is replaced, line ends stay as they are.

    Raises:
        OSError: the command cannot be started.
    """
    returncode, stdout, stderr = run_bytes(command, stdin.encode(), timeout_s, environment)
    return ChildResult(returncode, as_text(stdout), as_text(stderr))


def run_bytes(command, stdin, timeout_s, environment=None, at_timeout=None):
    """Does what `run_child` does, with bytes.

    Args:
        command: sequence of str.
        stdin: bytes.
        timeout_s: float, seconds.
        environment: dict of str. Defaults to `None`, the environment of this process.
        at_timeout: callable without arguments, called after the time-out while the command still runs; the command then
            has a moment to end by itself. Defaults to `None`.

    Returns:
        tuple: return code (int, negative for a signal, None after the time-out), stdout and stderr as bytes.

    Raises:
        OSError: the command cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_s)
            return process.returncode, stdout, stderr
        except subprocess.TimeoutExpired:
            if at_timeout is not None:
                at_timeout()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return None, *process.communicate(timeout=_LAST_WORDS_S)
        return None, *_ended(process)
    except BaseException:
        # NOTE: the child has a session of its own, so Ctrl-C in the terminal does not reach it.
        _ended(process)
        raise


def as_text(data):
    """What a program wrote, as text.

    Args:
        data: bytes.

    Returns:
        str; what is not UTF-8 is replaced.
    """
    return data.decode("utf-8", "replace")


def _ended(process):
    """Stops all of a child's group; returns what it still had to say on stdout and stderr."""
    _stop(process)
    try:
        return process.communicate(timeout=_LAST_WORDS_S)
    except subprocess.TimeoutExpired as error:
        # NOTE: somebody outside of the group keeps the pipes open: a daemon, or ssh's shared connection.
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return error.stdout or b"", error.stderr or b""


def _stop(process):
    if not hasattr(os, "killpg"):
        process.kill()
        return
    # NOTE: asked of the group, not of the process: a grandchild can outlive the child and keep the pipes open.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
