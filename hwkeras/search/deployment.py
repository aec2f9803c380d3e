"""The dear half's end: a trained model becomes files, and every number is taken from their bytes."""

from __future__ import annotations

import math

from hwkeras.convert import convert_all
from hwkeras.convert import score
from hwkeras.convert import take_samples
from hwkeras.files import write_atomically
from hwkeras.measure import analyze
from hwkeras.objectives import total_violation
from hwkeras.search.candidate import Candidate

NUM_CALIBRATION_SAMPLES = 200


class Deployer:
    """Turns one trained model into candidates.

    Args:
        meter: `Meter`, times all files of a trial in one job.
        limits: sequence of `Limit`; a latency outside them is measured once more before it counts.
        data: `TrainingData`, for calibration and validation.
        clock: `StageClock`.
    """

    def __init__(self, meter, limits, data, clock):
        self._meter = meter
        self._limits = tuple(limits)
        self._data = data
        self._clock = clock

    def deploy(self, model, precisions, directory, identity):
        """Converts, checks, scores and measures.

        Args:
            model: trained keras.Model.
            precisions: sequence of str.
            directory: pathlib.Path of the trial; receives `<precision>.tflite`.
            identity: dict with `trial`, `architecture`, `architecture_hash`.

        Returns:
            list of Candidate, one for each precision, in that order.

        Raises:
            ConversionError: the model does not convert.
        """
        with self._clock.stage("convert"):
            calibration = take_samples(self._data.x, NUM_CALIBRATION_SAMPLES) if "int8" in precisions else None
            converted = convert_all(model, precisions, calibration)
        with self._clock.stage("measure"):
            measurements = self._measure([converted[precision].flatbuffer for precision in precisions])
        candidates = []
        for precision, measurement in zip(precisions, measurements, strict=True):
            content = converted[precision].flatbuffer
            metrics = self._metrics(content, measurement)
            with self._clock.stage("save"):
                file = write_atomically(directory / f"{precision}.tflite", content)
            status = "ok" if measurement.ok else measurement.status
            candidates.append(
                Candidate(
                    precision=precision,
                    metrics=metrics,
                    file=f"{directory.name}/{file.name}",
                    measurement=measurement.to_json(),
                    status=status,
                    **identity,
                )
            )
        return candidates

    def _metrics(self, content, measurement):
        with self._clock.stage("analyze"):
            metrics = dict(analyze(content).metrics())
        with self._clock.stage("evaluate"):
            metrics["accuracy"] = score(content, self._data.x_valid, self._data.y_valid)
        if measurement.ok:
            metrics["latency_ms"] = measurement.latency_ms
        return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}

    def _measure(self, contents):
        first = self._meter.measure(contents)
        outside = any(
            measurement.ok and total_violation(self._limits, {"latency_ms": measurement.latency_ms}) > 0
            for measurement in first
        )
        if not outside:
            return first
        # The same bytes, once more: one visit can fall wholly into a slow phase of the machine; the minimum is kept.
        again = self._meter.measure(contents)
        return [min(pair, key=_latency) for pair in zip(first, again, strict=True)]


def _latency(measurement):
    return measurement.latency_ms if measurement.ok else math.inf
