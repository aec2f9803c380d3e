"""Which process holds something, and whether it is still there."""

from __future__ import annotations

import os
import pathlib
import socket


def this_process():
    """Who asks: dict with `pid`, `host` and `started` (when the process began, None where that cannot be read)."""
    pid = os.getpid()
    return {"pid": pid, "host": socket.gethostname(), "started": _started(pid)}


def holder_is_alive(holder):
    """Whether a holder may still be there.

    Args:
        holder: dict, of `this_process`.

    Returns:
        bool: False where it was a process of this host that has ended, even if its number is used again. True for a
        process of another host, which cannot be asked.
    """
    if holder["host"] != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _started(holder["pid"]) == holder["started"]


def _started(pid):
    """The start of a process in ticks since boot, or `"zombie"`; None where there is no /proc."""
    try:
        # NOTE: the second field, the name, may hold spaces and brackets; the fields are counted after its end.
        after_name = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return None
    state, *rest = after_name.split()
    return "zombie" if state in "ZX" else rest[18]
