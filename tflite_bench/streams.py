"""The stdout of a process whose runtime prints what it likes: kept for the answer alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys


@contextlib.contextmanager
def stdout_kept_for_the_answer():
    """Yields the true stdout; until the end, all that others write there, native code included, goes to stderr."""
    stdout = sys.stdout
    stdout.flush()
    with contextlib.redirect_stdout(sys.stderr), _native_stdout_on_stderr() as kept:
        if kept is None or not _is_native(stdout):
            yield stdout
            return
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as answers:
            yield answers


@contextlib.contextmanager
def _native_stdout_on_stderr():
    """Points the file descriptor 1 at 2; yields a copy of what it was, None where the process has none."""
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        yield None
        return
    try:
        yield kept
    finally:
        if os.name == "posix":
            # What is left in the buffers of C's stdio would else reach stdout when the process ends.
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _is_native(stream):
    """Whether a stream writes to the file descriptor 1, and not where a caller in this process wants it."""
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):
        return False
