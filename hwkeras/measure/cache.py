"""Measurements that need not be made again, kept in a folder that all processes share."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import time
import warnings

from hwkeras.errors import UserError
from hwkeras.files import write_json
from hwkeras.measure.measurement import Measurement

ENTRY_VERSION = 1
# Signals a runtime sends itself over a file. Others come from outside: of a user, of the kernel when memory is short.
_OWN_SIGNALS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGTRAP")
# A file being written carries a temporary name for a moment; one this old was left by a killed process.
_ABANDONED_AFTER_S = 3600.0


class MeasurementCache:
    """A folder of measurements, one JSON file each, named by the sha256 of what it depends on.

    An entry is written whole or not at all and never changed afterwards but by another whole one, so readers need no
    lock. A file that is not what it says is taken for absent, and replaced by the next measurement. A folder that
    cannot be written costs a warning, not the search.

    Args:
        folder: str or PathLike. Defaults to `None`, `$HWKERAS_CACHE` or `~/.cache/hwkeras/measurements`.
        clock: callable that returns seconds since the epoch. Defaults to `time.time`.

    Raises:
        UserError: the folder is a file.

    Example:
        cache = MeasurementCache()
        cache.put({"sha256": measurement.sha256, "device": "ssh://10.0.0.7"}, measurement)
    """

    def __init__(self, folder=None, clock=time.time):
        self.folder = cache_folder() if folder is None else pathlib.Path(folder)
        self._clock = clock
        self._has_warned = False
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"A cache is a folder. Received: {self.folder}, which is a file. Name another.")

    def get(self, key):
        """What is known under a key.

        Args:
            key: dict, JSON-able; the order of its names does not matter.

        Returns:
            Measurement, or None.
        """
        path = self._path(key)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            is_it = document["version"] == ENTRY_VERSION and document["key"] == json.loads(_canonical(key))
            measurement = Measurement.from_json(document["measurement"]) if is_it else None
        # NOTE: whatever another program or a broken disk left there; to measure again is always right.
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if measurement is not None:
            with contextlib.suppress(OSError):
                now_s = self._clock()
                os.utime(path, (now_s, now_s))
        return measurement

    def put(self, key, measurement):
        """Keeps a measurement, in place of what was there.

        Args:
            key: dict, as for `get`.
            measurement: Measurement.

        Returns:
            bool, whether it is kept: `is_reproducible` holds and the folder takes it.
        """
        if not is_reproducible(measurement):
            return False
        document = {"version": ENTRY_VERSION, "key": key, "measurement": measurement.to_json()}
        try:
            path = write_json(self._path(key), document)
            now_s = self._clock()
            os.utime(path, (now_s, now_s))
        except OSError as error:
            self._warn(error)
            return False
        return True

    def prune(self, max_entries):
        """Removes the entries that were not used for longest.

        Args:
            max_entries: int, how many may stay.

        Returns:
            int, how many were removed.

        Raises:
            UserError: a negative number.
        """
        if isinstance(max_entries, bool) or not isinstance(max_entries, int) or max_entries < 0:
            raise UserError(f"`max_entries` must be an integer of at least 0. Received: max_entries={max_entries!r}.")
        self._remove_abandoned()
        entries = sorted(((_used_s(path), path.name, path) for path in self._entries()), reverse=True)
        return sum(_remove(path) for _, _, path in entries[max_entries:])

    def clear(self):
        """Removes all entries.

        Returns:
            int, how many were removed.
        """
        return self.prune(0)

    def __len__(self):
        return len(self._entries())

    def _entries(self):
        return [path for path in self.folder.glob("*.json") if not path.name.startswith(".")]

    def _remove_abandoned(self):
        for path in self.folder.glob(".*.json.*"):
            if self._clock() - _used_s(path) > _ABANDONED_AFTER_S:
                _remove(path)

    def _path(self, key):
        return self.folder / f"{hashlib.sha256(_canonical(key).encode()).hexdigest()}.json"

    def _warn(self, error):
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"Measurements are not kept: {self.folder} cannot be written ({error.strerror}). Set HWKERAS_CACHE to "
                "a folder of yours, or measure with --no-cache.",
                stacklevel=3,
            )


def cache_folder():
    """Where measurements are kept.

    Returns:
        pathlib.Path: `$HWKERAS_CACHE`, else `~/.cache/hwkeras/measurements`.
    """
    named = os.environ.get("HWKERAS_CACHE")
    return pathlib.Path(named) if named else pathlib.Path.home() / ".cache" / "hwkeras" / "measurements"


def is_reproducible(measurement):
    """Whether measuring again would tell the same, so that it need not be done.

    True for a measured latency without doubts, and for a crash by a signal the runtime sent itself: the same file
    crashes the same runtime again, and each crash costs a job. False for `"noisy"`, `"throttled"`, `"unstable"`,
    `"timeout"`, `"out_of_memory"` and `"lost"`, which belong to a moment; for `"error"`, which may (a full disk, no
    time left) and is cheap to see again; for a kill from outside; and for what was estimated or predicted.

    Args:
        measurement: Measurement.

    Returns:
        bool.
    """
    if getattr(measurement, "source", "measured") != "measured":
        return False
    kind, _, signal_name = measurement.status.partition(":")
    return kind == "ok" or (kind == "crashed" and signal_name in _OWN_SIGNALS)


def _canonical(key):
    return json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _used_s(path):
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path):
    try:
        path.unlink()
    except OSError:
        return False
    return True
