"""Measures a bundle's file again and tells whether the latency in its manifest still holds."""

from __future__ import annotations

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.export.check import Check
from hwkeras.export.manifest import recorded_limits
from hwkeras.export.manifest import recorded_measurement
from hwkeras.measure import open_meter
from hwkeras.units import format_quantity

# What two measurements must share for their times to be comparable, as their environment names it.
_COMPARED = ("cpu_model", "num_usable_cores", "runtime", "runtime_version")
_NAME = "latency"
# On a shared machine a slow phase of half as much again can last for seconds: a latency that would fail the bundle is
# measured again after each of these pauses before it counts.
PAUSES_S = (1.0, 2.0, 4.0, 8.0)
# What a call costs beside the network itself; files of a few microseconds differ by this much between processes.
_CALL_MS = 0.002


def check_latency(manifest, flatbuffer, meter, tolerance, pause):
    """Measures the file and compares with the manifest.

    It holds if the new headline is at most `tolerance` and 2 microseconds slower; faster always holds. On another
    processor, runtime or number of threads the two are not comparable, which the check says without failing.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.
        meter: `measure.Meter`, or None for the manifest's device with its number of threads.
        tolerance: float, relative.
        pause: callable that waits for a number of seconds.

    Returns:
        (`Check`, float or None): the check, and the new latency in ms where it is comparable.
    """
    old = recorded_measurement(manifest)
    if old is None or not old.ok:
        return Check(_NAME, True, None, None, "not comparable: the manifest records no latency"), None
    try:
        # Not every device takes a number of threads.
        options = {} if old.num_threads == 1 else {"num_threads": old.num_threads}
        meter = meter or open_meter(manifest["device"], **options)
        new = _measure(meter, flatbuffer, _allowed_ms(manifest, old, tolerance), pause)
    except (DeviceError, UserError) as error:
        return _unmeasured(old, str(error)), None
    if not new.ok:
        return _unmeasured(old, f"{new.status}. {new.message}".strip()), None
    then, now = _conditions(old), _conditions(new)
    if then != now:
        return _not_comparable(old, new, then, now), None
    return _compared(old, new, tolerance), new.latency_ms


def _allowed_ms(manifest, old, tolerance):
    bounds = [limit.bound for limit in recorded_limits(manifest) if limit.metric == "latency_ms"]
    return min([_slowest_ms(old, tolerance), *bounds])


def _slowest_ms(old, tolerance):
    return old.latency_ms * (1.0 + tolerance) + _CALL_MS


def _measure(meter, flatbuffer, allowed_ms, pause):
    """A latency that would fail the bundle is measured again before it counts; the fastest one does."""
    best = meter.measure([flatbuffer])[0]
    for pause_s in PAUSES_S:
        if not best.ok or best.latency_ms <= allowed_ms:
            break
        pause(pause_s)
        again = meter.measure([flatbuffer])[0]
        best = again if again.ok and again.latency_ms < best.latency_ms else best
    return best


def _unmeasured(old, reason):
    message = (
        f"could not be measured on {old.environment.get('cpu_model') or 'the device'}: {reason} "
        "Pass remeasure=False to verify the files alone."
    )
    return Check(_NAME, False, old.latency_ms, None, message)


def _conditions(measurement):
    named = {name: measurement.environment.get(name) for name in _COMPARED}
    return {**named, "num_threads": measurement.num_threads}


def _not_comparable(old, new, then, now):
    differing = [name for name in then if then[name] != now[name]]
    measured = ", ".join(f"{name}={then[name]}" for name in differing)
    verified = ", ".join(f"{name}={now[name]}" for name in differing)
    message = (
        f"not comparable: measured on {measured} ({_text(old.latency_ms)}), "
        f"verified on {verified} ({_text(new.latency_ms)})"
    )
    return Check(_NAME, True, old.latency_ms, new.latency_ms, message)


def _compared(old, new, tolerance):
    change = new.latency_ms / old.latency_ms - 1.0
    ok = new.latency_ms <= _slowest_ms(old, tolerance)
    verdict = "within" if ok else "more than"
    message = (
        f"{_text(new.latency_ms)} against {_text(old.latency_ms)} recorded: {change:+.1%}, {verdict} the tolerance "
        f"of +{tolerance:.0%} and {_text(_CALL_MS)}"
    )
    if new.status == "noisy":
        message += f"; this measurement is noisy ({new.message})"
    return Check(_NAME, ok, old.latency_ms, new.latency_ms, message)


def _text(latency_ms):
    return format_quantity(latency_ms, "ms")
