"""A device for tests: latencies that follow from the bytes, and faults on demand."""

from __future__ import annotations

from hwkeras.measure.fake import FakeBoard
from hwkeras.measure.fake import FakeMeter

__all__ = ["FakeBoard", "FakeDevice"]


class FakeDevice(FakeMeter):
    """A `Meter` without a device behind it; see `hwkeras.measure.fake.FakeMeter` for the arguments.

    `FakeBoard` is the fake of a `Device`, for what lies below a meter.

    Example:
        FakeDevice(faults={1: "timeout"})  # the second call times out
    """
