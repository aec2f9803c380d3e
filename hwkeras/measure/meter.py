"""What every meter can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from typing import runtime_checkable

from hwkeras.measure.measurement import Measurement


@runtime_checkable
class Meter(Protocol):
    """Times `.tflite` files on one device."""

    def measure(self, flatbuffers: Sequence[bytes]) -> tuple[Measurement, ...]:
        """Times files side by side in one job, so that they can be compared.

        Args:
            flatbuffers: sequence of bytes; the same file may come twice.

        Returns:
            tuple of `Measurement`, one a file in their order. A file that crashes, hangs or is refused has a status.

        Raises:
            hwkeras.errors.DeviceError: the device itself does not work.
        """
        ...

    def describe(self) -> dict:
        """Which device this is.

        Returns:
            dict with at least `device`, `runtime`, `runtime_version` and `cpu`.
        """
        ...
