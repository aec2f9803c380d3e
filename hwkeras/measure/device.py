"""What a device is to a meter: a place to put files, run a program, and take files back."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Protocol
from typing import runtime_checkable

from hwkeras.measure.child import ChildResult


@runtime_checkable
class Device(Protocol):
    """A machine that runs `.tflite` files.

    Every method raises `hwkeras.errors.DeviceError` where the device cannot be reached or refuses (no such host, wrong
    key, disk full), and its subclass `hwkeras.errors.DeviceLost` where it vanished in the middle of something.

    Attributes:
        name: str, as a user writes it: `"local"`, `"ssh://pi@10.0.0.7:22"`, `"adb://0123456789"`.
        folder: str, absolute path of the device's own working folder on the device; made when first needed, and asking
            for it may open the connection.

    A device on which Python is not called `python3` also has `python`: str, how it is called there.
    """

    name: str
    folder: str

    def info(self) -> dict:
        """Facts that cost one short command at most.

        Returns:
            dict with `device` (the name), `kind` (`"local"`, `"ssh"`, `"adb"`, `"fake"`), `system` and `machine`
            (as `uname -s`, `uname -m`), and what else the device tells of itself.
        """
        ...

    def put(self, content: bytes, suffix: str = "") -> str:
        """Stores a file under the sha256 of its bytes; what is there already, whole, is not sent again.

        Returns:
            str, path on the device.
        """
        ...

    def put_folder(self, files: Mapping[str, bytes]) -> str:
        """Stores a folder under the sha256 of its names and bytes; what is there already is not sent again.

        Args:
            files: mapping of relative path to content.

        Returns:
            str, path of the folder on the device.
        """
        ...

    def get(self, path: str) -> bytes:
        """Takes a file back."""
        ...

    def run(self, argv: Sequence[str], stdin: str = "", timeout_s: float = 60.0) -> ChildResult:
        """Runs a program on the device and waits; whatever runs after the time-out is stopped there too.

        Returns:
            ChildResult, of the program on the device.
        """
        ...

    def close(self) -> None:
        """Ends the connection; the next call opens it again."""
        ...
