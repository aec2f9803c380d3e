"""The journal: one JSON line for each thing that happened in a search, on disk before the next thing starts."""

from __future__ import annotations

import json
import os
import pathlib


class Journal:
    """An append-only file of events; a line cut short by a kill is ignored when read.

    Args:
        path: str or PathLike of the `.jsonl` file; made when the first event is written.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def write(self, event, **facts):
        """Appends an event and waits until it is on the disk.

        Args:
            event: str, what happened: `"rejected"`, `"candidates"`, `"failed"`.
            **facts: JSON-able values.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, **facts}).encode() + b"\n"
        with self.path.open("ab") as file:
            if file.tell() and not self._ends_whole():
                file.write(b"\n")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def read(self, event=None):
        """All whole events, oldest first.

        Args:
            event: str or None, only events of this name. Defaults to `None`, all.

        Returns:
            list of dict.
        """
        if not self.path.exists():
            return []
        events = []
        for line in self.path.read_bytes().split(b"\n"):
            try:
                record = json.loads(line)
            except ValueError:  # a line cut short by a kill: the event it told of is done again
                continue
            if event is None or record["event"] == event:
                events.append(record)
        return events

    def _ends_whole(self):
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
