"""The devices of a search: the first gives its metrics plain names, the others add theirs, as `latency_ms@pi4`."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import EstimatedMeter
from hwkeras.measure import analyze
from hwkeras.measure import open_meter
from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.objectives import on_device
from hwkeras.objectives import split_device
from hwkeras.search.latencies import Latencies

# Metrics of a device that a search takes.
_TIMED = ("latency_ms", "p90_ms")


class Devices:
    """The meters of a search by the names of their devices, and what is asked of each.

    Args:
        device: str, or sequence of str: names for `open_meter`, the first device first.
        meter: `Meter`, or sequence of them, used instead of opening `device`. Defaults to `None`.

    Attributes:
        names: tuple of str.
        meters: tuple of `Meter`, of the same length.

    Raises:
        UserError: no device, one of them twice, another number of meters, or an unknown device.
    """

    def __init__(self, device, meter=None):
        self.names = (device,) if isinstance(device, str) else tuple(device)
        if not self.names or len(set(self.names)) < len(self.names):
            raise UserError(f"`device` names one device or several different ones. Received: device={device!r}.")
        if meter is None:
            self.meters = tuple(map(open_meter, self.names))
        else:
            self.meters = tuple(meter) if isinstance(meter, Sequence) else (meter,)
        if len(self.meters) != len(self.names):
            raise UserError(
                f"`meter` holds one meter for each device. Received: {len(self.meters)} for {len(self.names)} devices."
            )

    @property
    def first(self):
        """`Meter` of the first device."""
        return self.meters[0]

    def objectives(self, asked):
        """Reads objectives.

        Args:
            asked: sequence of what `Objective.parse` reads, or one of them.

        Returns:
            list of Objective; one on the first device by its name is the plain one.

        Raises:
            UserError: an unknown metric or device, or a figure that the device does not give.
        """
        asked = [asked] if isinstance(asked, str) or hasattr(asked, "direction") else asked
        objectives = [Objective.parse(each) for each in asked]
        return [dataclasses.replace(each, metric=self._known(each.metric)) for each in objectives]

    def limits(self, asked):
        """Reads limits and adds those the devices set themselves: the flash and the RAM of a profile.

        Args:
            asked: sequence of str or `Limit`.

        Returns:
            list of Limit; those on what is read off the file, such as its size, are without a device.

        Raises:
            UserError: an unknown metric or device, or a figure that the device does not give.
        """
        limits = [Limit.parse(each) for each in ([asked] if isinstance(asked, (str, Limit)) else asked)]
        limits = [dataclasses.replace(each, metric=self._known(each.metric)) for each in limits]
        of_devices = {}
        for meter in self.meters:
            for limit in meter.limits() if isinstance(meter, EstimatedMeter) else ():
                of_devices[limit.metric] = min(limit.bound, of_devices.get(limit.metric, limit.bound))
        return limits + [Limit(metric, bound) for metric, bound in of_devices.items()]

    def latencies(self, limits, directory):
        """Who answers for the latencies of each device.

        Args:
            limits: sequence of `Limit`.
            directory: pathlib.Path of the run, where predictors are kept.

        Returns:
            list of Latencies, the first device first.

        Raises:
            UserError: the predictor of an earlier session cannot be read.
        """
        made = [Latencies(self.first, limits, directory / "predictor.json")]
        for name, meter in zip(self.names[1:], self.meters[1:], strict=True):
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]  # an address is no name for a file
            made.append(Latencies(meter, limits, directory / f"predictor-{digest}.json", device=name))
        return made

    def describe(self):
        """What search.json says of the devices.

        Returns:
            dict, JSON-able: `device` and `meter` of the first; `devices`, by name, where there are several.
        """
        told = {"device": self.names[0], "meter": self.first.describe()}
        if len(self.names) > 1:
            told["devices"] = {name: m.describe() for name, m in zip(self.names, self.meters, strict=True)}
        return told

    def _known(self, metric):
        """The metric as this search calls it."""
        base, device = split_device(metric)
        if device is not None and device not in self.names:
            raise UserError(
                f"A limit or an objective is on a device of the search: {', '.join(self.names)}. Received: {metric}. "
                f"Add device {device!r}."
            )
        if base == "p90_ms" and isinstance(self.meters[self.names.index(device or self.names[0])], EstimatedMeter):
            raise UserError(
                f"The 90th percentile of a latency is measured; a profile knows none. Received: {metric} on "
                f"{device or self.names[0]}. Ask for latency."
            )
        if device is None or METRICS.get(base) is None or not METRICS[base].is_per_device or device == self.names[0]:
            return base
        if base not in _TIMED:
            raise UserError(f"A further device is asked for {', '.join(_TIMED)}. Received: {metric}.")
        return on_device(base, device)


class Elsewhere:
    """Completes candidates with what was asked for beyond the latency of the first device.

    Args:
        latencies: sequence of `Latencies`, the first device first.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.
        clock: `StageClock`.
    """

    def __init__(self, latencies, objectives, limits, clock):
        self._first, *self._others = latencies
        asked = {each.metric for each in (*objectives, *limits)}
        self._with_p90 = {split_device(metric)[1] for metric in asked if split_device(metric)[0] == "p90_ms"}
        self._clock = clock

    def complete(self, candidates, directory):
        """Measures the files of one trial on the further devices.

        Args:
            candidates: list of `Candidate`.
            directory: pathlib.Path of the run.

        Returns:
            list of Candidate, in the same order. One that a device cannot run has a status that says so, such as
            `"timeout@pi4"`.

        Raises:
            DeviceError: a device does not answer, or does not give a 90th percentile that was asked for.
        """
        if None in self._with_p90:
            candidates = [self._with_first_p90(candidate) for candidate in candidates]
        if not self._others:
            return candidates
        contents = [(directory / candidate.file).read_bytes() for candidate in candidates]
        analyses = [analyze(content) for content in contents]
        for latencies in self._others:
            with self._clock.stage("measure"):
                measurements = latencies.measure_to_ship(contents, analyses)
            pairs = zip(candidates, measurements, strict=True)
            candidates = [self._with(candidate, measurement, latencies.device) for candidate, measurement in pairs]
        return candidates

    def _with_first_p90(self, candidate):
        p90_ms = candidate.measurement.get("p90_ms")
        if candidate.status != "ok":
            return candidate
        return dataclasses.replace(candidate, metrics=candidate.metrics | {"p90_ms": _required(p90_ms, "The device")})

    def _with(self, candidate, measurement, device):
        if not measurement.ok:
            status = on_device(measurement.status, device) if candidate.status == "ok" else candidate.status
            return dataclasses.replace(candidate, status=status)
        metrics = candidate.metrics | {on_device("latency_ms", device): measurement.latency_ms}
        if device in self._with_p90:
            metrics[on_device("p90_ms", device)] = _required(measurement.p90_ms, f"The device {device!r}")
        return dataclasses.replace(candidate, metrics=metrics)


def _required(p90_ms, device):
    if p90_ms is None:
        raise DeviceError(f"{device} must give a 90th percentile. Received: none. Ask for latency instead of p90.")
    return p90_ms
