"""A clock that moves only when it is told to."""

from __future__ import annotations

from hwkeras.errors import UserError


class FakeClock:
    """Stands in for `time.perf_counter` and `time.sleep` in tests, without waiting.

    Args:
        now_s: float, the first reading in seconds. Defaults to `0.0`.
        step_s: float, seconds that pass at each reading. Defaults to `0.0`.

    Attributes:
        now_s: float, the next reading.
        sleeps_s: list of float, the sleeps asked for.

    Raises:
        UserError: a clock is sent backwards.

    Example:
        clock = FakeClock()
        clock.advance(0.5)
        clock()  # 0.5
    """

    def __init__(self, now_s=0.0, step_s=0.0):
        self.now_s = float(now_s)
        self.step_s = _forwards("step_s", step_s)
        self.sleeps_s = []

    def __call__(self):
        now_s = self.now_s
        self.now_s += self.step_s
        return now_s

    def advance(self, seconds):
        """Lets time pass.

        Args:
            seconds: float, 0 or more.
        """
        self.now_s += _forwards("seconds", seconds)

    def sleep(self, seconds):
        """Lets time pass and takes note of it in `sleeps_s`.

        Args:
            seconds: float, 0 or more.
        """
        self.advance(seconds)
        self.sleeps_s.append(float(seconds))


def _forwards(name, seconds):
    if not seconds >= 0:
        raise UserError(f"`{name}` must be 0 or more: a clock does not go back. Received: {name}={seconds!r}.")
    return float(seconds)
