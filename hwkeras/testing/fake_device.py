"""A device for tests: latencies that follow from the bytes, and faults on demand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from dataclasses import field

from hwkeras.measure import Measurement


@dataclass
class FakeDevice:
    """A `Meter` without a device behind it.

    Latency is proportional to the length of the file, with seeded noise of a percent between rounds, so that equal
    bytes measure alike and larger ones slower.

    Args:
        ms_per_kib: float, latency of a KiB of file. Defaults to `0.01`.
        seed: int, of the noise. Defaults to `0`.
        faults: dict of call number, from 0, to the status all files of that call get, such as `"timeout"` or
            `"crashed:SIGABRT"`. Defaults to `{}`.
    """

    ms_per_kib: float = 0.01
    seed: int = 0
    faults: dict = field(default_factory=dict)

    def __post_init__(self):
        self.num_calls = 0

    def measure(self, flatbuffers):
        """Answers as a `Meter` does.

        Args:
            flatbuffers: sequence of bytes.

        Returns:
            tuple of Measurement.
        """
        fault = self.faults.get(self.num_calls)
        self.num_calls += 1
        return tuple(self._failed(content, fault) if fault else self._measured(content) for content in flatbuffers)

    def describe(self):
        """Returns dict: what the device is."""
        return {"device": "fake", "cpu": "none", "ms_per_kib": self.ms_per_kib, "seed": self.seed}

    def _failed(self, content, fault):
        return Measurement.failed(hashlib.sha256(content).hexdigest(), fault, "injected", self.describe(), 1)

    def _measured(self, content):
        digest = hashlib.sha256(content).hexdigest()
        base = len(content) / 1024 * self.ms_per_kib
        rounds = [_visit(base * (1 + _noise(digest, self.seed, number))) for number in range(3)]
        result = {"rounds": rounds, "partitions": 1, "first_ms": base * 2, "load_ms": 1.0, "error": None}
        return Measurement.of_rounds(digest, result, self.describe(), 1)


def _noise(digest, seed, number):
    """A share in [0, 0.01), the same for the same file, seed and round."""
    drawn = hashlib.sha256(f"{digest}/{seed}/{number}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") / 2**32 / 100


def _visit(fastest_ms):
    return {
        "num_invokes": 10,
        "min_ms": fastest_ms,
        "p10_ms": fastest_ms * 1.001,
        "median_ms": fastest_ms * 1.01,
        "mean_ms": fastest_ms * 1.02,
        "p90_ms": fastest_ms * 1.05,
    }
