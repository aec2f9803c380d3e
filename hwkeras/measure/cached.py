"""A meter that remembers."""

from __future__ import annotations

import hashlib
import re

from hwkeras.measure.cache import MeasurementCache
from hwkeras.measure.canary import is_same_speed
from hwkeras.measure.canary import usual_canary_ms

# What `Meter.describe` tells that moves a latency. The state of the moment (load, temperature) is not among it.
_FACTS = (
    "device",
    "machine",
    "cpu_model",
    "cpu_features",
    "num_cores",
    "num_usable_cores",
    "governor",
    "runtime",
    "runtime_version",
)
# The options of a meter that change what a latency means, or how much it can be trusted. Time-outs and folders do not.
_OPTIONS = (
    "num_threads",
    "affinity",
    "rounds",
    "max_rounds",
    "burst_ms",
    "gap_ms",
    "warmup",
    "agree_within",
    "seed",
    "memory_limit_bytes",
    "canary",
)


class CachedMeter:
    """Answers from a cache what was measured before, and measures the rest in one job.

    What is known is keyed by the file's sha256, the device (its name without the user's; its processor, its features
    and governor), the runtime and its version, the meter's options and the version of the job; whatever of these
    changes makes another key. The device is asked once, at the first measurement. What was measured when the device
    had another usual speed, by its canary, is measured again.

    Latencies out of the cache come from jobs of their own. Two files that are to be told apart are measured together:
    `measure(files, fresh=True)`, or `.meter`, which knows nothing of the cache.

    Args:
        meter: Meter.
        cache: MeasurementCache. Defaults to `None`, the one at the usual place.
        options: dict, what else the measurements depend on. Defaults to `None`, nothing.

    Attributes:
        meter: Meter, the one inside.
        cache: MeasurementCache.
        num_known: int, files answered from the cache so far.
        num_measured: int, files measured so far.

    Example:
        meter = CachedMeter(LocalMeter())
        meter.measure([flatbuffer]) == meter.measure([flatbuffer])  # one job
    """

    def __init__(self, meter, cache=None, options=None):
        self.meter = meter
        self.cache = MeasurementCache() if cache is None else cache
        self.num_known = 0
        self.num_measured = 0
        self._options = {**options_of(meter), **(options or {})}
        self._descriptions = {}

    def measure(self, flatbuffers, fresh=False):
        """Times what is not known. See `Meter.measure`.

        Args:
            flatbuffers: sequence of bytes.
            fresh: bool, whether all are measured, in one job. What comes out is kept. Defaults to `False`.

        Returns:
            tuple of Measurement, one a file in their order.
        """
        files = [bytes(flatbuffer) for flatbuffer in flatbuffers]
        if not files:
            return ()
        found = [None if fresh else self._known(content) for content in files]
        missing = [index for index, known in enumerate(found) if known is None]
        self.num_known += len(files) - len(missing)
        self.num_measured += len(missing)
        for index, measurement in zip(missing, self._measured([files[index] for index in missing]), strict=True):
            found[index] = measurement
        return tuple(found)

    def describe(self):
        """The device of the meter inside. See `Meter.describe`."""
        return self._description()

    def _known(self, content):
        known = self.cache.get(self._key(content))
        if known is None:
            return None
        then_ms, now_ms = usual_canary_ms(known.environment), usual_canary_ms(self._description())
        return None if is_same_speed(then_ms, now_ms) is False else known

    def _measured(self, files):
        measurements = self.meter.measure(files) if files else ()
        kept = {}
        for content, measurement in zip(files, measurements, strict=True):
            best = kept.get(content, measurement)
            # NOTE: of a file that came twice, the lesser time is kept.
            kept[content] = min(best, measurement, key=lambda each: each.latency_ms or float("inf"))
        for content, measurement in kept.items():
            # NOTE: a name from before the job would be wrong where the job moved to another device.
            self.cache.put(self._key(content), measurement)
        return measurements

    def _key(self, content):
        return {
            "sha256": hashlib.sha256(content).hexdigest(),
            "device": fingerprint(self._description()),
            "options": self._options,
            "protocol": _protocol_version(),
        }

    def _description(self):
        # NOTE: a pooled meter moves to another device when its own is lost, and says so in `device_name`.
        name = getattr(self.meter, "device_name", None)
        if name not in self._descriptions:
            facts = self.meter.describe()
            name = getattr(self.meter, "device_name", None)
            self._descriptions[name] = facts
        return self._descriptions[name]


def fingerprint(facts):
    """What of a device's description a latency depends on.

    The name counts, because two boards of a kind are not equally well cooled; the user it is reached as does not, and
    is not written into the cache.

    Args:
        facts: dict, of `Meter.describe`.

    Returns:
        dict, JSON-able.
    """
    known = {name: facts[name] for name in _FACTS if facts.get(name) is not None}
    known.setdefault("cpu_model", facts.get("cpu"))
    pool = facts.get("pool") or {}
    return {**known, "device": without_user(str(pool.get("device") or facts.get("device", "")))}


def without_user(name):
    """A device name as it may be shown to others.

    Args:
        name: str, such as `"ssh://pi:secret@10.0.0.7:22"`.

    Returns:
        str, such as `"ssh://10.0.0.7:22"`.
    """
    return re.sub(r"^(\w[\w+.-]*://)[^/]*@", r"\1", name)


def options_of(meter):
    """The options of a meter that its measurements depend on.

    Args:
        meter: Meter, with its options as attributes or in a dict `options`.

    Returns:
        dict, JSON-able.
    """
    given = getattr(meter, "options", None)
    given = given if isinstance(given, dict) else {}
    return {name: given.get(name, getattr(meter, name, None)) for name in _OPTIONS if _has(meter, given, name)}


def _has(meter, given, name):
    return name in given or hasattr(meter, name)


def _protocol_version():
    from tflite_bench import VERSION

    return VERSION
