"""A latency that carries how it was measured."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields

from hwkeras.errors import UserError

# Two best rounds that differ by more than this share leave the latency in doubt.
NOISY_ABOVE = 0.05


@dataclass(frozen=True)
class Measurement:
    """The latency of one `.tflite` file on one device, or why there is none.

    Args:
        sha256: str, hex digest of the file.
        latency_ms: float, the headline: the least time of one invoke over all rounds; None without a usable result.
        sustained_ms: float, median over the rounds of their medians; None as above.
        p90_ms: float, median over the rounds of their 90th percentiles; None as above.
        rounds: tuple of dict with `num_invokes`, `min_ms`, `p10_ms`, `median_ms`, `mean_ms`, `p90_ms`; the raw rounds.
        status: `"ok"`; `"noisy"`, when the minima of the two best rounds differ by more than 5%; `"crashed:SIGABRT"`
            and the like; `"timeout"`; `"error"`, when the runtime refuses the file.
        partitions: int, number of parts that a delegate (XNNPACK) runs; None where unknown.
        first_ms: float, the first invoke; None where there was none.
        load_ms: float, loading and allocating; None where it failed.
        environment: dict, the device, its runtime and its state (`tflite_bench.environment`).
        num_threads: int.
        message: str, the reason of a status that is not `"ok"`. Defaults to `""`.

    Raises:
        UserError: an unknown status, or a usable status without a positive latency.
    """

    sha256: str
    latency_ms: float | None
    sustained_ms: float | None
    p90_ms: float | None
    rounds: tuple[dict, ...]
    status: str
    partitions: int | None
    first_ms: float | None
    load_ms: float | None
    environment: dict
    num_threads: int
    message: str = ""

    def __post_init__(self):
        if self.status not in ("ok", "noisy", "timeout", "error") and not self.status.startswith("crashed:"):
            raise UserError(
                f"`status` is 'ok', 'noisy', 'timeout', 'error' or 'crashed:SIGNAL'. Received: status={self.status!r}."
            )
        usable = self.latency_ms is not None and math.isfinite(self.latency_ms) and self.latency_ms > 0
        if self.ok != usable:
            raise UserError(
                "`latency_ms` is positive where `status` is 'ok' or 'noisy', and None elsewhere. "
                f"Received: latency_ms={self.latency_ms!r}, status={self.status!r}."
            )

    @property
    def ok(self):
        """Whether there is a latency (status `"ok"` or `"noisy"`)."""
        return self.status in ("ok", "noisy")

    @classmethod
    def of_rounds(cls, sha256, result, environment, num_threads):
        """Summarizes the raw rounds of one model.

        Args:
            sha256: str.
            result: dict, the entry of one model in the answer of `tflite_bench`.
            environment: dict.
            num_threads: int.

        Returns:
            Measurement.
        """
        rounds = tuple(result["rounds"])
        if result["error"] is not None or not rounds:
            message = result["error"] or "No round was measured."
            return cls.failed(sha256, "error", message, environment, num_threads, load_ms=result["load_ms"])
        spread = spread_of_best(rounds)
        noisy = spread > NOISY_ABOVE
        return cls(
            sha256=sha256,
            latency_ms=min(entry["min_ms"] for entry in rounds),
            sustained_ms=statistics.median(entry["median_ms"] for entry in rounds),
            p90_ms=statistics.median(entry["p90_ms"] for entry in rounds),
            rounds=rounds,
            status="noisy" if noisy else "ok",
            partitions=result["partitions"],
            first_ms=result["first_ms"],
            load_ms=result["load_ms"],
            environment=environment,
            num_threads=num_threads,
            message=_doubt(spread, len(rounds)) if noisy else "",
        )

    @classmethod
    def failed(cls, sha256, status, message, environment, num_threads, load_ms=None):
        """A model that gave no latency.

        Args:
            sha256: str.
            status: str, not `"ok"` or `"noisy"`.
            message: str, the reason.
            environment: dict, empty where the device did not tell.
            num_threads: int.
            load_ms: float. Defaults to `None`.

        Returns:
            Measurement.
        """
        return cls(sha256, None, None, None, (), status, None, None, load_ms, environment, num_threads, message)

    def to_json(self):
        """The measurement as plain data for JSON; `from_json` reads it back equal.

        Returns:
            dict.
        """
        return {**asdict(self), "rounds": [dict(entry) for entry in self.rounds]}

    @classmethod
    def from_json(cls, data):
        """Reads what `to_json` wrote.

        Args:
            data: dict.

        Returns:
            Measurement.

        Raises:
            UserError: a field is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != names:
            received = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise UserError(f"A measurement holds the fields {sorted(names)}. Received: {received}.")
        return cls(**{**data, "rounds": tuple(data["rounds"])})


def spread_of_best(rounds):
    """How far the minima of the two best rounds lie apart, as a share of the best.

    Args:
        rounds: sequence of dict with `min_ms`.

    Returns:
        float; infinity for fewer than two rounds, which cannot confirm each other.
    """
    minima = sorted(entry["min_ms"] for entry in rounds)
    if len(minima) < 2 or minima[0] <= 0:
        return math.inf
    return minima[1] / minima[0] - 1.0


def _doubt(spread, num_rounds):
    if math.isinf(spread):
        return f"{num_rounds} round cannot be confirmed by another. Allow more time."
    return (
        f"The two best of {num_rounds} rounds differ by {spread:.1%}, more than {NOISY_ABOVE:.0%}. "
        "Quiet the device or raise `max_rounds`."
    )
