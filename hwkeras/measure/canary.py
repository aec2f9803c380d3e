"""The canary: a small network that every job times beside the models, by which one device is held against another."""

from __future__ import annotations

import statistics

# Two devices, or one device at two times, whose canaries differ by more are not taken for the same.
SAME_WITHIN = 0.03


def usual_canary_ms(environment, rounds=()):
    """What the canary takes on a device.

    Args:
        environment: dict, of a measurement or of `Meter.describe`.
        rounds: sequence of dict, raw rounds. Defaults to `()`.

    Returns:
        float, milliseconds at the device's usual speed; where that is not told, in this job; None where nothing is.
    """
    told = environment.get("canary") or {}
    for name in ("reference_ms", "typical_ms", "best_ms"):
        if told.get(name):
            return told[name]
    times = [entry["canary_ms"] for entry in rounds if entry.get("canary_ms")]
    return statistics.median(times) if times else None


def is_same_speed(one_ms, other_ms):
    """Whether two times of the canary are those of one speed.

    Args:
        one_ms: float, or None for unknown.
        other_ms: float, or None for unknown.

    Returns:
        bool, None where one is unknown.
    """
    if not one_ms or not other_ms:
        return None
    return abs(one_ms / other_ms - 1) <= SAME_WITHIN
