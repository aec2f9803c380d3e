"""Keeps the C++ side of TensorFlow and LiteRT off stdout and stderr, which belong to the user and to `--json`."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
import threading
import warnings

_LOCK = threading.RLock()
_STREAMS = (1, 2)


class Chatter:
    """What was printed inside `silenced()`.

    Attributes:
        text: str, both streams in order of arrival; `""` until the block has ended.
    """

    def __init__(self):
        self.text = ""


@contextlib.contextmanager
def silenced():
    """Redirects file descriptors 1 and 2 into a temporary file, and mutes absl's log and Python warnings.

    NOTE: file descriptors belong to the process. What another thread prints meanwhile lands in the same file and is
    not shown; a lock keeps two silenced blocks of different threads from restoring each other's descriptors. Keep
    the block short.

    Yields:
        Chatter, whose `text` is filled when the block ends, also by an exception.
    """
    chatter = Chatter()
    with _LOCK, _muted_python(), tempfile.TemporaryFile() as sink:
        _flush()
        saved = _divert(sink.fileno())
        try:
            yield chatter
        finally:
            _flush()
            for stream, copy in saved.items():
                os.dup2(copy, stream)
                os.close(copy)
            sink.seek(0)
            chatter.text = sink.read().decode("utf-8", errors="replace")


def _divert(target):
    saved = {}
    for stream in _STREAMS:
        try:
            saved[stream] = os.dup(stream)
        except OSError:  # The process runs without this stream (a daemon): nothing to keep clean.
            continue
        os.dup2(target, stream)
    return saved


@contextlib.contextmanager
def _muted_python():
    """TensorFlow also speaks through absl's logger and `warnings`, which do not go by the file descriptors."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    if (
        os.name == "posix"
    ):  # What C code printed waits in libc's buffer and would come out after the descriptors are back.
        ctypes.CDLL(None).fflush(None)
