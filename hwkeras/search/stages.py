"""Where the time of a trial goes: seconds per stage."""

from __future__ import annotations

import contextlib
import time

STAGES = ("propose", "build", "convert", "analyze", "measure", "fit", "compress", "evaluate", "save")


class StageClock:
    """Sums the seconds spent in each stage; a stage inside another is counted once, in the inner one.

    Args:
        clock: callable returning seconds. Defaults to `time.perf_counter`.
    """

    def __init__(self, clock=time.perf_counter):
        self._clock = clock
        self._open = []
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextlib.contextmanager
    def stage(self, name):
        """Counts the time until the block ends towards `name`.

        Args:
            name: str, one of `STAGES`.
        """
        start = self._clock()
        self._open.append(0.0)
        try:
            yield
        finally:
            spent = self._clock() - start
            self.seconds[name] += spent - self._open.pop()
            if self._open:
                self._open[-1] += spent
