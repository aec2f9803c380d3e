"""The timing process as its parent sees it: events out, an end by itself or by force."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading

FOLDER = os.path.dirname(os.path.abspath(__file__))
TIMING_OPTION = "--timing"
_MOST_STDERR_LINES = 200


class TimingProcess:
    """A child process that runs a segment of a job (`runner`).

    Args:
        order: dict, what it reads on stdin.
        command: sequence of str. Defaults to `None`, this Python with this folder.
    """

    def __init__(self, order, command=None):
        self._events = queue.Queue()
        self._stderr = []
        self._process = subprocess.Popen(
            command or (sys.executable, FOLDER, TIMING_OPTION),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            encoding="utf-8",
            errors="replace",
        )
        self._threads = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._hear)]
        self._threads[1].daemon = True
        for thread in self._threads:
            thread.start()
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(order))
            self._process.stdin.close()

    def next_event(self, timeout_s):
        """Waits for the next event.

        Args:
            timeout_s: float, seconds.

        Returns:
            dict; None when there will be no more.

        Raises:
            TimeoutError: nothing came.
        """
        try:
            return self._events.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            raise TimeoutError(f"no event within {timeout_s:g} s") from None

    def kill(self):
        """Ends it by force."""
        self._process.kill()

    def close(self):
        """Waits for its end, which it is near or past.

        Returns:
            int, exit code; negative for a signal.
        """
        returncode = self._process.wait()
        for thread in self._threads:
            thread.join()
        self._process.stdout.close()
        self._process.stderr.close()
        return returncode

    @property
    def last_words(self):
        """The end of what it wrote on stderr."""
        return "".join(self._stderr[-5:]).strip()[-1000:]

    def _read(self):
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                # NOTE: the line that a crash cut short.
                continue
            self._events.put(event)
        self._events.put(None)

    def _hear(self):
        for line in self._process.stderr:
            self._stderr.append(line)
            del self._stderr[:-_MOST_STDERR_LINES]


def signal_name(returncode):
    """The signal that ended a process.

    Args:
        returncode: int, negative for a signal.

    Returns:
        str, such as `"SIGSEGV"`; None where it ended by itself.
    """
    if returncode >= 0:
        return None
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"SIG{-returncode}"
