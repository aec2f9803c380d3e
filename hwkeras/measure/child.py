"""A child process that can neither hang its parent nor outlive it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass


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


def run_child(command, stdin, timeout_s, environment):
    """Runs a command in its own process group and stops all of the group after a time-out, or when interrupted.

    Args:
        command: sequence of str.
        stdin: str.
        timeout_s: float, seconds.
        environment: dict of str.

    Returns:
        ChildResult.

    Raises:
        OSError: the command cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout_s)
        return ChildResult(process.returncode, stdout, stderr)
    except subprocess.TimeoutExpired:
        _stop(process)
        stdout, stderr = process.communicate()
        return ChildResult(None, stdout, stderr)
    except BaseException:
        # NOTE: the child has a session of its own, so Ctrl-C in the terminal does not reach it.
        _stop(process)
        process.communicate()
        raise


def _stop(process):
    if not hasattr(os, "killpg"):
        process.kill()
        return
    # NOTE: asked of the group, not of the process: a grandchild can outlive the child and keep the pipes open.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
