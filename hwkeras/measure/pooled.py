"""The meter of several devices of a kind: one that vanishes costs a measurement, not the search."""

from __future__ import annotations

import dataclasses
import hashlib

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.canary import is_same_speed
from hwkeras.measure.canary import usual_canary_ms
from hwkeras.measure.measurement import Measurement


class PooledMeter:
    """Times files on a device of a pool, leased for each job.

    All jobs go to one device, the first that was had, so that their latencies compare. When it is lost, the whole job
    is measured on another device of the key. Every device is compared with the first by its canary, the small network
    that comes with each job; where they differ by more than 3% each measurement from there says so in its `message`,
    because its latency stands beside those of the first. `environment["pool"]` of a measurement holds `key`,
    `device`, `first_device` and `canary_ratio` (float, this device's canary time as a share of the first one's; None
    where unknown).

    Args:
        pool: DevicePool.
        key: str, of the pool's devices.
        open_meter: callable of a device name and `**options` that returns a `Meter`. Defaults to `None`,
            `hwkeras.measure.open_meter`.
        retries: int, further devices a lost job is tried on. Defaults to `2`.
        priority: int, of the requests; a higher one is served first. Defaults to `0`.
        lease_timeout_s: float, seconds to wait for a device; None waits for ever. Defaults to `3600.0`.
        **options: arguments of the meter of each device.

    Attributes:
        device_name: str, the device all jobs go to; None before the first.
        options: dict, the arguments of the meters.

    Raises:
        UserError: the key does not stand in the pool, or `retries` is no number of times.
    """

    def __init__(self, pool, key, open_meter=None, retries=2, priority=0, lease_timeout_s=3600.0, **options):
        if key not in pool.devices:
            known = ", ".join(map(repr, pool.devices)) or "none"
            raise UserError(f"A key must stand in the device list. Received: {key!r}. Known keys: {known}.")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UserError(f"`retries` must be an integer of at least 0. Received: retries={retries!r}.")
        self.pool = pool
        self.key = key
        self.device_name = None
        self.options = dict(options)
        self._open_meter = open_meter or _open_meter
        self._retries = retries
        self._lease = {"priority": priority, "timeout_s": lease_timeout_s}
        self._meters = {}
        self._first = None
        self._first_canary_ms = None

    def measure(self, flatbuffers):
        """Times files side by side in one job on one device. See `Meter.measure`.

        Returns:
            tuple of Measurement. All have the status `"lost"` where every device that was tried was lost, and where
            no device answers that once did.

        Raises:
            DeviceError: no device of the key has answered yet.
        """
        files = [bytes(flatbuffer) for flatbuffer in flatbuffers]
        if not files:
            return ()
        try:
            return self._on_a_device(lambda meter, lease: self._job(meter, lease, files))
        except DeviceError as error:
            if self._first is None and not isinstance(error, _JobLost):
                raise
            return tuple(self._lost(content, str(error)) for content in files)

    def describe(self):
        """The device all jobs go to. See `Meter.describe`.

        Raises:
            DeviceError: no device of the key answers.
        """
        facts = self._on_a_device(lambda meter, lease: meter.describe())
        return {**facts, "pool": {"key": self.key, "device": self.device_name}}

    def close(self):
        """Ends the connections; the next job opens them again."""
        for device in tuple(self._meters):
            self._close(device)

    def _on_a_device(self, action):
        """What an action gives on the first device it does not fail on; that device is kept for what follows."""
        failures = {}
        for _ in range(self._retries + 1):
            try:
                with self._leased(failures) as lease:
                    try:
                        result = action(self._meter(lease.device_name), lease)
                    except DeviceError as error:
                        failures[lease.device_name] = error
                        lease.report_failure(str(error))
                        self._close(lease.device_name)
                    else:
                        self.device_name = lease.device_name
                        return result
            except DeviceError:
                if not failures:
                    raise
                # No further device can be had: what the earlier ones said is the reason.
                break
        kind = _JobLost if any(isinstance(error, _JobLost) for error in failures.values()) else DeviceError
        said = "; ".join(f"{device}: {error}" for device, error in failures.items())
        raise kind(f"A device of {self.key!r} must finish the job. Received: {said}")

    def _leased(self, failures):
        return self.pool.lease(self.key, pinned=self.device_name, without=tuple(failures), **self._lease)

    def _job(self, meter, lease, files):
        measurements = meter.measure(files)
        lost = [each for each in measurements if each.status == "lost"]
        if lost:
            raise _JobLost(lost[0].message or "it vanished in the middle of the job")
        return self._signed(lease.device_name, measurements)

    def _signed(self, device, measurements):
        """The measurements with where they were made, and how far that device is from the first."""
        canaries_ms = [usual_canary_ms(each.environment, each.rounds) for each in measurements]
        canary_ms = next(filter(None, canaries_ms), None)
        if self._first is None:
            self._first = device
        if device == self._first and canary_ms:
            self._first_canary_ms = canary_ms
        ratio = canary_ms / self._first_canary_ms if canary_ms and self._first_canary_ms else None
        pool = {"key": self.key, "device": device, "first_device": self._first, "canary_ratio": ratio}
        said = self._difference(device, ratio)
        return tuple(
            dataclasses.replace(
                each,
                message=" ".join(filter(None, (each.message, said))),
                environment={**each.environment, "pool": pool},
            )
            for each in measurements
        )

    def _difference(self, device, ratio):
        if device == self._first or is_same_speed(ratio, 1.0):
            return ""
        if ratio is None:
            return f"Measured on {device} after {self._first} was lost; no canary tells how they compare."
        return (
            f"Measured on {device} after {self._first} was lost; its canary takes {ratio:.1%} of the time there, so "
            "this latency does not compare with the earlier ones."
        )

    def _meter(self, device):
        if device not in self._meters:
            self._meters[device] = self._open_meter(device, **self.options)
        return self._meters[device]

    def _close(self, device):
        meter = self._meters.pop(device, None)
        if hasattr(meter, "close"):
            meter.close()

    def _lost(self, content, message):
        num_threads = self.options.get("num_threads", 1)
        pool = {"key": self.key, "device": None, "first_device": self._first, "canary_ratio": None}
        digest = hashlib.sha256(content).hexdigest()
        return Measurement.failed(digest, "lost", message, {"pool": pool}, num_threads)


class _JobLost(DeviceError):
    """A device vanished during a job."""


def _open_meter(device, **options):
    from hwkeras.measure.devices import open_meter

    return open_meter(device, **options)
