"""The live line of a search in the terminal: trial, best so far, time left."""

from __future__ import annotations

import math
import time

from hwkeras.search.progress import describe
from hwkeras.search.progress import progress_line


class LiveProgress:
    """Shows a search while it runs; a line for each finished trial stays.

    Args:
        tuner: `HardwareTuner`, told where to report.
        enabled: bool, whether to draw the live line; without it, the lines go to stderr.
        clock: callable returning seconds. Defaults to `time.monotonic`.
    """

    def __init__(self, tuner, enabled, clock=time.monotonic):
        from rich.console import Console
        from rich.status import Status

        self._console = Console(stderr=True, highlight=False)
        self._status = Status("starting", console=self._console)
        self._tuner = tuner
        self._clock = clock
        self._enabled = enabled and self._console.is_terminal
        self._best = None
        self._num_done = 0

    def __enter__(self):
        self._start = self._clock()
        self._tuner.progress = self
        if self._enabled:
            self._status.start()
        return self

    def __exit__(self, kind, error, trace):
        self._status.stop()

    def __call__(self, event, facts):
        """Receives an event of the search."""
        if event == "trial_finished":
            self._num_done += 1
            able = [candidate for candidate in facts["candidates"] if candidate.status == "ok"]
            self._best = min([*able, *filter(None, [self._best])], key=self._loss, default=None)
        line = progress_line(event, facts)
        if line:
            self._console.print(line, markup=False, soft_wrap=True)
        if self._enabled:
            self._status.update(self._line(event, facts))

    def _line(self, event, facts):
        # The narrowest terminal shows the first of these.
        parts = [f"trial {facts['num_trials']}/{facts['max_trials']}"]
        if self._num_done and facts["max_trials"]:
            left = (self._clock() - self._start) / self._num_done * (facts["max_trials"] - facts["num_trials"] + 1)
            parts.append(f"{max(0, left) / 60:.1f} min left")
        if self._best is not None:
            parts.append(f"best {describe(self._best)}")
        parts.append(f"rejected {facts['rejected']}")
        if event == "trial_started":
            parts.append(f"training {facts['architecture']}")
        return " · ".join(parts)

    def _loss(self, candidate):
        first = self._tuner.objectives[0]
        return first.loss(candidate.metrics.get(first.metric, math.nan))
