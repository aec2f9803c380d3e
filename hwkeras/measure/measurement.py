"""A latency that carries how it was measured."""

from __future__ import annotations

import math
from dataclasses import MISSING
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields

from hwkeras.errors import UserError
from hwkeras.measure import statistics

WITH_LATENCY = ("ok", "noisy", "throttled", "unstable")
WITHOUT_LATENCY = ("timeout", "error", "out_of_memory", "lost")
SOURCES = ("measured", "estimated", "predicted")


@dataclass(frozen=True)
class Measurement:
    """The latency of one `.tflite` file on one device, or why there is none.

    Args:
        sha256: str, hex digest of the file.
        latency_ms: float, the headline: what one invoke takes when nothing interrupts it, at the device's usual speed
            (`hwkeras.measure.statistics`); None without a usable result.
        sustained_ms: float, median over the rounds of their medians, as they came; None as above, or unknown.
        p90_ms: float, median over the rounds of their 90th percentiles, as they came; None as above, or unknown.
        rounds: tuple of dict, the raw rounds as `tflite_bench` answers them.
        status: str. With a latency: `"ok"`; `"noisy"`, when the two best rounds differ by more than 5%; `"unstable"`,
            when they do although the canary was steady; `"throttled"`, when the canary slowed down, or was slower than
            this device is known for. Without: `"timeout"`; `"error"`, when the runtime refuses the file;
            `"out_of_memory"`; `"lost"`, when the device vanished in the middle; `"crashed:SIGABRT"` and the like.
        partitions: int, number of parts that a delegate (XNNPACK) runs; None where unknown.
        first_ms: float, the first invoke; None where there was none.
        load_ms: float, loading and allocating; None where it failed.
        environment: dict, the device, its runtime and its state (`tflite_bench.environment`).
        num_threads: int.
        message: str, the reason of a status that is not `"ok"`. Defaults to `""`.
        spread: float, share by which the two best accepted rounds differ. Defaults to `None`, fewer than two.
        low_ms: float, lower end of the interval of `latency_ms`. Defaults to `None`, unknown.
        high_ms: float, upper end. Defaults to `None`.
        rss_bytes: int, memory that loading and one invoke took. Defaults to `None`, unknown.
        output: tuple of dict, the outputs for the seeded input: `dtype`, `shape`, `sha256`, `values`. Defaults to `()`.
        source: str, `"measured"`, `"estimated"` (from a hardware profile) or `"predicted"`. Defaults to `"measured"`.

    Raises:
        UserError: an unknown status or source, or a usable status without a positive latency.
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
    spread: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    rss_bytes: int | None = None
    output: tuple[dict, ...] = ()
    source: str = "measured"

    def __post_init__(self):
        if self.status not in WITH_LATENCY + WITHOUT_LATENCY and not str(self.status).startswith("crashed:"):
            known = ", ".join(map(repr, WITH_LATENCY + WITHOUT_LATENCY))
            raise UserError(f"`status` is {known} or 'crashed:SIGNAL'. Received: status={self.status!r}.")
        if self.source not in SOURCES:
            raise UserError(f"`source` is one of {', '.join(map(repr, SOURCES))}. Received: source={self.source!r}.")
        usable = self.latency_ms is not None and math.isfinite(self.latency_ms) and self.latency_ms > 0
        if self.ok != usable:
            raise UserError(
                f"`latency_ms` is positive where `status` is one of {', '.join(map(repr, WITH_LATENCY))}, and None "
                f"elsewhere. Received: latency_ms={self.latency_ms!r}, status={self.status!r}."
            )

    @property
    def ok(self):
        """Whether there is a latency (status `"ok"`, `"noisy"`, `"throttled"` or `"unstable"`)."""
        return self.status in WITH_LATENCY

    @classmethod
    def of_rounds(cls, sha256, result, environment, num_threads, canary=None):
        """Summarizes the raw rounds of one model.

        Args:
            sha256: str.
            result: dict, the entry of one model in the answer of `tflite_bench`; `rounds`, and what else is known.
            environment: dict.
            num_threads: int.
            canary: dict, the canary of the same answer. Defaults to `None`, none.

        Returns:
            Measurement.
        """
        rounds = tuple(result["rounds"])
        load_ms = result.get("load_ms")
        if result.get("error") is not None or result.get("status", "ok") != "ok" or not rounds:
            status = result.get("status", "error")
            status = "error" if status == "ok" else status
            message = result.get("error") or "No round was measured."
            return cls.failed(sha256, status, message, environment, num_threads, load_ms=load_ms)
        summary = statistics.summarize(rounds, canary)
        return cls(
            sha256=sha256,
            latency_ms=summary.latency_ms,
            sustained_ms=summary.sustained_ms,
            p90_ms=summary.p90_ms,
            rounds=rounds,
            status=summary.status,
            partitions=result.get("partitions"),
            first_ms=result.get("first_ms"),
            load_ms=load_ms,
            environment=environment,
            num_threads=num_threads,
            message=summary.message,
            spread=summary.spread,
            low_ms=summary.low_ms,
            high_ms=summary.high_ms,
            rss_bytes=result.get("rss_bytes"),
            output=tuple(result.get("output") or ()),
        )

    @classmethod
    def failed(cls, sha256, status, message, environment, num_threads, load_ms=None):
        """A model that gave no latency.

        Args:
            sha256: str.
            status: str, one without a latency.
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
        data = asdict(self)
        return {**data, "rounds": list(data["rounds"]), "output": list(data["output"])}

    @classmethod
    def from_json(cls, data):
        """Reads what `to_json` wrote, also that of an earlier version, which had fewer fields.

        Args:
            data: dict.

        Returns:
            Measurement.

        Raises:
            UserError: a field is missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(data, dict) or not needed <= set(data) <= names:
            received = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise UserError(f"A measurement holds the fields {sorted(names)}. Received: {received}.")
        return cls(**{**data, "rounds": tuple(data["rounds"]), "output": tuple(data.get("output") or ())})
