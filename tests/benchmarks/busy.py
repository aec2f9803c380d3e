"""Processes that fill cores, so that a benchmark shows what it does on a busy machine."""

import contextlib
import subprocess
import sys

_LOOP = "while True: pass"


@contextlib.contextmanager
def busy_cores(num_processes):
    """Runs so many busy processes meanwhile.

    Args:
        num_processes: int.

    Yields:
        None.
    """
    processes = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(num_processes)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
