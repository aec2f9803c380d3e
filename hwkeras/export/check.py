"""The outcome of verifying a bundle."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Args:
        name: str, such as `"file model.tflite"` or `"latency"`.
        ok: bool, whether it holds; also `True` where it cannot be compared, which `message` then says.
        expected: what the manifest says; None where it says nothing.
        received: what was found; None where nothing could be.
        message: str, one line for a person.
    """

    name: str
    ok: bool
    expected: Any
    received: Any
    message: str


@dataclass(frozen=True)
class Verification:
    """Everything that was checked of a bundle.

    Args:
        checks: tuple of `Check`, in the order they were made.
    """

    checks: tuple[Check, ...]

    @property
    def ok(self):
        """bool: whether every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def failed(self):
        """tuple of `Check`: those that do not hold."""
        return tuple(check for check in self.checks if not check.ok)

    def to_json(self):
        """Returns a JSON-able dict with `ok` and `checks`."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}
