"""The canaries of this device at its usual speed, kept from the first job on: `canary.json` beside the lock.

Every job measures in units of the canary, so latencies of two jobs can be compared although the device ran faster in
one of them (`gating`). For that the unit must stay the same. It is replaced when the device turns out to be much faster
than it was then, and when it was much slower in several jobs in a row, which then is its usual speed.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile

from tflite_bench.gating import GATE
from tflite_bench.gating import Reference

NAME = "canary.json"
_FORMAT = 1
# Slow jobs in a row after which the slow speed counts as the usual one.
_SLOW_JOBS = 5
_GUARD_CLEARLY = 0.08


def key_of(sha256, environment):
    """What the canary's time depends on.

    Args:
        sha256: str, of the canaries.
        environment: dict with `runtime`, `runtime_version`, `cpu_model`, `governor`, `affinity`.

    Returns:
        str.
    """
    names = ("runtime", "runtime_version", "cpu_model", "governor", "affinity")
    return " | ".join([sha256, *(str(environment.get(name)) for name in names)])


def read_references(lock):
    """What is known.

    Args:
        lock: str, path of the lock; None knows nothing.

    Returns:
        dict of key to `{"canary_ms": float, "guard": float or None, "slow_jobs": int}`; empty where there is nothing to
        be read.
    """
    if lock is None:
        return {}
    try:
        with open(_path(lock), encoding="utf-8") as file:
            document = json.load(file)
        entries = document["references"] if document["format"] == _FORMAT else {}
        return {key: _checked(entry) for key, entry in entries.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # NOTE: whatever is wrong with the file, the next job that can writes a good one.
        return {}


def reference_of(entry):
    """What is kept, as the gating takes it.

    Args:
        entry: dict as in `read_references`; None where nothing is known.

    Returns:
        Reference.
    """
    return Reference() if entry is None else Reference(entry["canary_ms"], entry["guard"])


def updated(entry, canary_ms, guard):
    """What to keep after a job.

    Args:
        entry: dict as in `read_references`; None where nothing was known.
        canary_ms: float, what the canary took in this job.
        guard: float, what the guard took, in canaries; None without one.

    Returns:
        dict of the same kind.
    """
    if entry is None or canary_ms * (1.0 + GATE) < entry["canary_ms"]:
        return {"canary_ms": canary_ms, "guard": guard, "slow_jobs": 0}
    guard = _guard(entry["guard"], guard)
    if canary_ms <= entry["canary_ms"] * (1.0 + GATE):
        return {**entry, "guard": guard, "slow_jobs": 0}
    if entry["slow_jobs"] + 1 >= _SLOW_JOBS:
        return {"canary_ms": canary_ms, "guard": guard, "slow_jobs": 0}
    return {**entry, "guard": guard, "slow_jobs": entry["slow_jobs"] + 1}


def write_references(lock, references):
    """Keeps what is known, whole or not at all; a folder that cannot be written keeps nothing.

    Args:
        lock: str, path of the lock, which is held; None keeps nothing.
        references: dict as in `read_references`.
    """
    if lock is None:
        return
    path = _path(lock)
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{NAME}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"format": _FORMAT, "references": references}, file)
        os.replace(temporary, path)


def _guard(known, guard):
    """Neighbors only ever raise the guard's ratio: one that is clearly lower than what is known is the device's own."""
    if known is None or (guard is not None and guard < known * (1.0 - _GUARD_CLEARLY)):
        return guard
    return known


def _checked(entry):
    canary_ms, guard = float(entry["canary_ms"]), entry["guard"]
    if not canary_ms > 0 or not (guard is None or float(guard) > 0):
        raise ValueError(f"canaries take time, not {canary_ms}, {guard}")
    return {"canary_ms": canary_ms, "guard": guard, "slow_jobs": int(entry["slow_jobs"])}


def _path(lock):
    return os.path.join(os.path.dirname(os.path.abspath(lock)), NAME)
