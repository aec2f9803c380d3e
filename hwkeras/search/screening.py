"""The cheap half of a trial: what is known of a network before it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras

from hwkeras.build import require_model
from hwkeras.convert import Untrained
from hwkeras.errors import ConversionError
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from hwkeras.objectives import total_violation

# Bytes a weight takes in the file at least; `dynamic` leaves small tensors in float32.
BYTES_PER_WEIGHT = {"int8": 1, "dynamic": 1, "float16": 2, "float32": 4}

# A latency is measured again on the trained bytes and must still be within the limit: two visits of one model to a busy
# machine agree within some percent (minimum over at least three rounds), so the screen asks for this much room.
LATENCY_GUARD = 1.05


@dataclass(frozen=True)
class Screened:
    """What the screen knows of one architecture.

    Args:
        metrics: dict of precision to dict of metric name to float; `latency_ms` holds the guard of 5%.
        feasible: tuple of str, the precisions within all limits known before training.
    """

    metrics: dict
    feasible: tuple

    def known_metrics(self):
        """Returns `metrics` without what could not be measured, JSON-able."""
        return {p: {name: v for name, v in known.items() if math.isfinite(v)} for p, known in self.metrics.items()}


def _least(known, precision):
    """What a network needs in a precision at least: every weight is in the file, and MACs do not depend on it."""
    return {"macs": known["macs"], "size_bytes": known["params"] * BYTES_PER_WEIGHT[precision]}


class Screen:
    """Converts untrained networks and says which precisions could be shipped. An oracle's `cost_model`.

    Args:
        hypermodel: keras_tuner.HyperModel.
        precisions: sequence of str.
        limits: sequence of `Limit`.
        meter: `Meter`; asked only where a limit is on latency or energy.
        clock: `StageClock`.
        on_result: callable `(hp, Screened)`, told of every network screened. Defaults to `None`.
        on_failure: callable `(hp, message)`, told why a network cannot be built, or not converted to some precision.
            Defaults to `None`.
    """

    def __init__(self, hypermodel, precisions, limits, meter, clock, on_result=None, on_failure=None):
        self._hypermodel = hypermodel
        self._precisions = tuple(precisions)
        self._limits = tuple(limits)
        self._meter = meter
        self._clock = clock
        self._on_result = on_result
        self._on_failure = on_failure
        self._needs_latency = any(limit.metric == "latency_ms" for limit in limits)

    def __call__(self, hp):
        """The metrics of the precision nearest to, or within, the limits.

        Args:
            hp: keras_tuner.HyperParameters of one candidate.

        Returns:
            dict of metric name to float; None for a network that cannot be built or converted.

        Raises:
            UserError: `build(hp)` gave something that is not a Keras model.
            DeviceError: no latency could be measured.
        """
        screened = self.screen(hp)
        if screened is None:
            return None
        return min(screened.metrics.values(), key=lambda metrics: total_violation(self._limits, metrics))

    def screen(self, hp):
        """Builds, converts, analyzes and, where a limit asks for it, times one untrained network.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            Screened, or None for a network that cannot be built or converted.
        """
        flatbuffers, metrics, failures = {}, {}, []
        try:
            flatbuffers, metrics = self._convert(self._build(hp), failures)
        except UserError:
            raise
        except (ValueError, ConversionError) as error:  # ValueError: Keras' word for layers that do not fit each other
            failures.append(str(error))
        for message in failures if self._on_failure else ():
            self._on_failure(hp, message)
        if not metrics:
            return None
        screened = self._judge(flatbuffers, metrics)
        if self._on_result:
            self._on_result(hp, screened)
        return screened

    def _build(self, hp):
        with self._clock.stage("build"):
            keras.utils.clear_session(free_memory=False)  # a full garbage collection costs as much as the build
            return require_model(self._hypermodel.build(hp))

    def _convert(self, model, failures):
        """Files and metrics by precision, fewest bytes a weight first; what cannot be within the limits is not made."""
        flatbuffers, metrics = {}, {}
        with self._clock.stage("convert"):
            untrained = Untrained(model)
        for precision in sorted(self._precisions, key=BYTES_PER_WEIGHT.get):
            if metrics and total_violation(self._limits, _least(next(iter(metrics.values())), precision)) > 0:
                continue
            try:
                with self._clock.stage("convert"):
                    flatbuffers[precision] = untrained.convert(precision)
            except ConversionError as error:  # a loop has no int8 file, but others
                failures.append(str(error))
                continue
            with self._clock.stage("analyze"):
                metrics[precision] = dict(analyze(flatbuffers[precision]).metrics())
        return flatbuffers, metrics

    def _judge(self, flatbuffers, metrics):
        feasible = self._within(metrics)
        if self._needs_latency and feasible:
            self._add_latency(metrics, flatbuffers, feasible)
            feasible = self._within({precision: metrics[precision] for precision in feasible})
        return Screened(metrics, feasible)

    def _within(self, metrics):
        able = {p for p, known in metrics.items() if total_violation(self._limits, known) == 0}
        return tuple(precision for precision in self._precisions if precision in able)

    def _add_latency(self, metrics, flatbuffers, precisions):
        with self._clock.stage("measure"):
            measurements = self._meter.measure([flatbuffers[precision] for precision in precisions])
        for precision, measurement in zip(precisions, measurements, strict=True):
            # A file that crashes or hangs the device can never be shipped from there: not a number is never within.
            metrics[precision]["latency_ms"] = (
                measurement.latency_ms * LATENCY_GUARD if measurement.ok else float("nan")
            )
        if not any(measurement.ok for measurement in measurements):
            said = measurements[0]
            raise DeviceError(
                f"The device gave no latency for an untrained network: {said.status} {said.message}".strip()
            )
