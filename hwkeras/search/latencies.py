"""The latencies of a search: predicted where that decides, measured where it does not, asked again of a lost device."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.files import write_json
from hwkeras.measure import EstimatedMeter
from hwkeras.measure import LatencyPredictor
from hwkeras.objectives import Limit
from hwkeras.objectives import on_device
from hwkeras.objectives import split_device
from hwkeras.objectives import total_violation

# A device that vanished is waited for: a phone that reboots, a cable that is plugged in again.
PAUSES_S = (2.0, 10.0, 30.0, 60.0)
# A latency is measured again on the trained bytes and must still be within the limit: two visits of one model to a busy
# machine agree within some percent, so what is measured before training asks for this much room.
LATENCY_GUARD = 1.05


@dataclass(frozen=True)
class KnownLatency:
    """What is known of the latency of an untrained network.

    Args:
        latency_ms: float; with a guard of 5% where it was measured; NaN for a file that crashes or hangs.
        source: str, `"measured"`, `"predicted"` or `"estimated"`.
        p90_ms: float, the 90th percentile, guarded alike. Defaults to `None`, unknown.
    """

    latency_ms: float
    source: str
    p90_ms: float | None = None


_TIMED = ("latency_ms", "p90_ms")


class Latencies:
    """Answers for the latency of files during one search.

    Every file measured teaches a predictor of this device. A network that is screened is measured only where its
    predicted interval does not lie on one side of the latency limit; what is trained and shipped is always measured.

    Args:
        meter: `Meter`.
        limits: sequence of `Limit`; those on `latency_ms` and `p90_ms` of this device count.
        path: pathlib.Path of the JSON file that keeps the predictor between runs of one search. Defaults to `None`.
        pause: callable that waits for a number of seconds. Defaults to `time.sleep`.
        device: str, what metrics and limits call the device. Defaults to `None`, the first of the search, whose
            metrics carry no name.

    Attributes:
        num_measured: int, files measured.
        num_predicted: int, files for which the prediction decided.
    """

    def __init__(self, meter, limits, path=None, pause=time.sleep, device=None):
        self._meter = meter
        self.device = device
        own = [(split_device(limit.metric)[0], limit.bound) for limit in limits if limit.device == device]
        self._limits = tuple(Limit(name, bound) for name, bound in own if name in _TIMED)
        self._has_p90_limit = any(limit.metric == "p90_ms" for limit in self._limits)
        self._path = path
        self._pause = pause
        self._predictor = self._load()
        self._has_answered = False
        self.num_measured = 0
        self.num_predicted = 0

    @property
    def are_asked_first(self):
        """Whether a network is asked for its latency before training: a limit is on it, or the answer costs nothing."""
        return bool(self._limits) or isinstance(self._meter, EstimatedMeter)

    def named(self, known):
        """The metrics of a latency as the search calls them, with the name of the device where it has one.

        Args:
            known: `KnownLatency` or `Measurement`.

        Returns:
            dict of metric name to float; the 90th percentile where it is known and a limit is on it.
        """
        metrics = {on_device("latency_ms", self.device): known.latency_ms}
        if self._has_p90_limit and known.p90_ms is not None:
            metrics[on_device("p90_ms", self.device)] = known.p90_ms
        return metrics

    def screen(self, flatbuffers, analyses):
        """What is known of untrained files, as surely as the limits ask for.

        Args:
            flatbuffers: sequence of bytes.
            analyses: sequence of `Analysis`, of the same files.

        Returns:
            list of KnownLatency.

        Raises:
            DeviceError: the device does not answer.
        """
        known = [self._predict(analysis) for analysis in analyses]
        unsure = [index for index, latency in enumerate(known) if latency is None]
        self.num_predicted += len(known) - len(unsure)
        measured = self.measure([flatbuffers[i] for i in unsure], [analyses[i] for i in unsure]) if unsure else ()
        for index, measurement in zip(unsure, measured, strict=True):
            known[index] = _guarded(measurement)
        return known

    def measure(self, flatbuffers, analyses):
        """Measures files in one job; waits for a device that vanished, and asks it again.

        Args:
            flatbuffers: sequence of bytes.
            analyses: sequence of `Analysis`, of the same files.

        Returns:
            tuple of `Measurement`.

        Raises:
            DeviceError: the device does not answer: at once where it never did, else after some minutes.
        """
        measurements = self._ask(flatbuffers)
        self._has_answered = True
        self.num_measured += len(flatbuffers)
        self._learn(analyses, measurements)
        return measurements

    def measure_to_ship(self, flatbuffers, analyses):
        """As `measure`; files outside the latency limit are measured once more, and the faster visit counts.

        One visit can fall wholly into a slow phase of the machine: the same bytes get a second one before the network
        that was trained for them is given up.
        """
        first = self.measure(flatbuffers, analyses)
        outside = [m.ok and total_violation(self._limits, _timed(m.latency_ms, m.p90_ms)) > 0 for m in first]
        if not any(outside):
            return first
        again = self.measure(flatbuffers, analyses)
        return tuple(min(pair, key=_or_infinity) for pair in zip(first, again, strict=True))

    def _ask(self, flatbuffers):
        for pause_s in (*PAUSES_S, None):
            try:
                measurements = tuple(self._meter.measure(flatbuffers))
                reason = next((m.message for m in measurements if m.status == "lost"), None)
            except DeviceError as error:
                if not self._has_answered or pause_s is None:
                    raise
                measurements, reason = (), str(error)
            if reason is None:
                return measurements
            if pause_s is not None:
                self._pause(pause_s)
        raise DeviceError(f"The device must stay reachable. Received: lost, {len(PAUSES_S) + 1} times on end. {reason}")

    def _predict(self, analysis):
        """The prediction, where the whole interval lies on one side of the limit."""
        if self._predictor is None or not self._predictor.is_ready:
            return None
        prediction = self._predictor.predict(analysis)
        # The 90th percentile is no less than the latency: what breaks its limit by the latency alone is outside.
        ends = [_timed(end, end) for end in (prediction.low_ms, prediction.high_ms)]
        is_outside = [total_violation(self._limits, end) > 0 for end in ends]
        if is_outside[0] != is_outside[1] or (self._has_p90_limit and not is_outside[0]):
            return None
        return KnownLatency(prediction.latency_ms, "predicted")

    def _learn(self, analyses, measurements):
        usable = [
            (analysis, measurement.latency_ms)
            for analysis, measurement in zip(analyses, measurements, strict=True)
            if measurement.ok and measurement.source == "measured"
        ]
        if not usable or self._predictor is None:
            return
        self._predictor.update(*zip(*usable, strict=True))
        if self._path is not None and self._path.parent.is_dir():
            write_json(self._path, self._predictor.to_json())

    def _load(self):
        if not self._limits:
            return None
        if self._path is None or not self._path.exists():
            return LatencyPredictor()
        try:
            return LatencyPredictor.from_json(json.loads(self._path.read_text(encoding="utf-8")))
        except (ValueError, UserError) as error:
            raise UserError(
                f"The predictor of a run must be readable. Received: {self._path} ({error}). Delete it to learn anew."
            ) from error


def _guarded(measurement):
    # A file that crashes or hangs the device can never be shipped from there: not a number is never within.
    if not measurement.ok:
        return KnownLatency(math.nan, measurement.source)
    p90_ms = None if measurement.p90_ms is None else measurement.p90_ms * LATENCY_GUARD
    return KnownLatency(measurement.latency_ms * LATENCY_GUARD, measurement.source, p90_ms)


def _timed(latency_ms, p90_ms):
    return {"latency_ms": latency_ms, "p90_ms": p90_ms}


def _or_infinity(measurement):
    return measurement.latency_ms if measurement.ok else math.inf
