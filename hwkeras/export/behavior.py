"""Whether the file that ships still is and does what the manifest says: analysis, metrics, outputs, limits."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from hwkeras.convert import predict
from hwkeras.errors import HwkerasError
from hwkeras.export.check import Check
from hwkeras.export.details import tensor_details
from hwkeras.export.manifest import plain
from hwkeras.export.manifest import recorded_limits
from hwkeras.export.manifest import recorded_measurement
from hwkeras.export.samples import Samples
from hwkeras.export.samples import output_tolerance
from hwkeras.measure import analyze
from hwkeras.objectives import METRICS
from hwkeras.space import Architecture
from hwkeras.units import format_quantity

# Metrics are written once, as JSON, which keeps every digit of a float.
_SAME = 1e-9


def check_analysis(manifest, flatbuffer):
    """Analyzes the file again; everything must be equal.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.

    Returns:
        Check.
    """
    expected, received = manifest["analysis"], plain(analyze(flatbuffer).to_json())
    differing = [name for name in sorted({*expected, *received}) if expected.get(name) != received.get(name)]
    message = f"differs in {', '.join(differing)}" if differing else "equal"
    return Check("analysis", not differing, _figures(expected), _figures(received), message)


def _figures(analysis):
    return {name: analysis.get(name) for name in ("size_bytes", "macs", "params", "weight_bytes", "peak_ram_bytes")}


def check_tensors(manifest, flatbuffer):
    """Reads shapes, types and quantization of inputs and outputs again; they must be equal.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.

    Returns:
        Check.
    """
    expected = {name: manifest[name] for name in ("inputs", "outputs")}
    received = plain(tensor_details(flatbuffer))
    ok = expected == received
    return Check("inputs and outputs", ok, expected, received, "equal" if ok else "differ from the manifest")


def check_metrics(manifest, flatbuffer):
    """Compares the manifest's metrics with what they were taken from: the bytes, and the measurement.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.

    Returns:
        Check.
    """
    measurement = recorded_measurement(manifest)
    known = dict(analyze(flatbuffer).metrics())
    faults = []
    if measurement is not None:
        known["latency_ms"] = measurement.latency_ms
        if measurement.sha256 != hashlib.sha256(flatbuffer).hexdigest():
            faults.append("the measurement is of another file")
    expected = {name: value for name, value in manifest["metrics"].items() if name in known}
    received = {name: known[name] for name in expected}
    faults += [
        f"{name} is {_text(name, expected[name])} in the manifest, {_text(name, received[name])} by the file"
        for name in expected
        if not _is_same(expected[name], received[name])
    ]
    return Check("metrics", not faults, expected, received, "; ".join(faults) or "agree with file and measurement")


def _is_same(one, other):
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return math.isclose(one, other, rel_tol=_SAME)
    return one == other


def _text(metric, value):
    return format_quantity(value, METRICS[metric].unit) if isinstance(value, (int, float)) else str(value)


def check_architecture(manifest):
    """Hashes the architecture again.

    Args:
        manifest: dict.

    Returns:
        list of Check: one, or none where no architecture is recorded.
    """
    if manifest.get("architecture") is None:
        return []
    expected = manifest.get("architecture_hash")
    try:
        received = Architecture.from_json(manifest["architecture"]).hash
    except (HwkerasError, ValueError, TypeError, KeyError, AttributeError) as error:
        return [Check("architecture", False, expected, None, f"cannot be read: {error}")]
    ok = expected == received
    return [Check("architecture", ok, expected, received, "equal" if ok else "its hash is another architecture's")]


def check_outputs(manifest, flatbuffer, content):
    """Runs the file on the samples; outputs and what they are worth must be as recorded, but for rounding kernels.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.
        content: bytes of the samples' file.

    Returns:
        list of Check: `"outputs"`, and `"accuracy"` or, of numbers, `"rmse"`.
    """
    try:
        samples = Samples.from_bytes(content)
        outputs = np.asarray(predict(flatbuffer, samples.x))
    except HwkerasError as error:
        return [Check("outputs", False, None, None, f"the samples cannot be run: {error}")]
    if outputs.shape != samples.outputs.shape:
        message = f"shape {outputs.shape}, {samples.outputs.shape} when written"
        return [Check("outputs", False, list(samples.outputs.shape), list(outputs.shape), message)]
    tolerance = output_tolerance(manifest["outputs"][0], float(np.max(np.abs(samples.outputs), initial=0.0)))
    error = float(np.max(np.abs(outputs - samples.outputs), initial=0.0))
    # NaN compares as not within.
    ok = error <= tolerance * (1 + 1e-6)
    message = f"differ by at most {error:.3g} on {len(samples.x)} samples; {tolerance:.3g} is allowed"
    return [Check("outputs", ok, tolerance, error, message), _check_quality(manifest, flatbuffer, samples, tolerance)]


def _check_quality(manifest, flatbuffer, samples, tolerance):
    recorded = manifest.get("check") or {}
    name = "rmse" if "rmse" in recorded else "accuracy"
    expected, received = recorded.get(name), samples.quality(flatbuffer, name)
    if not isinstance(expected, (int, float)):
        return Check(name, False, expected, received, "the manifest records no accuracy of the samples")
    allowed = samples.slack(name, tolerance)
    ok = abs(received - expected) <= allowed + _SAME
    message = f"{received:.4f} on {len(samples.x)} samples, {expected:.4f} when written"
    if allowed and name == "accuracy":
        message += f"; {allowed:.4f} are ties that rounding can turn"
    return Check(name, ok, expected, received, message)


def check_limits(manifest, flatbuffer, latency_ms):
    """Applies the limits to what was found now: the new latency, the new analysis, the recorded accuracy.

    Args:
        manifest: dict.
        flatbuffer: bytes of the file.
        latency_ms: float, measured now; None where it was not, or is not comparable: a limit on it then rests on the
            recorded one.

    Returns:
        list of Check, one a limit.
    """
    found = {**manifest["metrics"], **analyze(flatbuffer).metrics()}
    if latency_ms is not None:
        found["latency_ms"] = latency_ms
    return [_check_limit(limit, found.get(limit.metric)) for limit in recorded_limits(manifest)]


def _check_limit(limit, value):
    unit = METRICS[limit.metric].unit
    if not isinstance(value, (int, float)):
        return Check(f"limit {limit}", False, limit.bound, None, f"{limit.metric} is not known")
    ok = limit.violation({limit.metric: value}) == 0.0
    verdict = "holds" if ok else "no longer holds"
    return Check(
        f"limit {limit}", ok, limit.bound, value, f"{verdict}: {limit.metric} is {format_quantity(value, unit)}"
    )
