"""A meter without a device: fit, latency and energy from a hardware profile, every figure labelled an estimate."""

from __future__ import annotations

import dataclasses
import hashlib

from hwkeras.hardware import Estimate
from hwkeras.hardware import Profile
from hwkeras.hardware import estimate_arena
from hwkeras.hardware import estimate_energy_mj
from hwkeras.hardware import estimate_latency_ms
from hwkeras.hardware import fits
from hwkeras.hardware import limits_of
from hwkeras.hardware import load_profile
from hwkeras.hardware import reserve_of
from hwkeras.hardware.profile import PRECISIONS
from hwkeras.measure.analysis import analyze
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.measurement import Measurement

ESTIMATED = "estimated"
# Where the weights stand among the inputs of the operators that compute with them.
_WEIGHTS_INPUT = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "CONV_3D": 1, "BATCH_MATMUL": 1,
}  # fmt: skip
_SMALL_INTEGERS = ("INT8", "UINT8", "INT4", "UINT4", "INT2")
# They stand between two precisions, and are part of none.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")


class EstimatedMeter:
    """Says what a profile lets expect; nothing is measured. A `Meter`.

    A file that does not fit the device, or that needs a precision or an operator it lacks, gets the status `"error"`
    with the reasons. On a microcontroller it must fit with the arena that TFLite-Micro will take
    (`hardware.estimate_arena`) and with what is reserved for the program.

    Args:
        profile: `hardware.Profile`; or str or `os.PathLike`, as for `hardware.load_profile`.
        reserve: `hardware.Reserve`, what the program takes. Defaults to `None`, `hardware.reserve_of(profile)`.

    Raises:
        UserError: an unknown profile.
    """

    def __init__(self, profile, reserve=None):
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.reserve = reserve_of(self.profile) if reserve is None else reserve

    def measure(self, flatbuffers):
        """Estimates files.

        Args:
            flatbuffers: sequence of bytes.

        Returns:
            tuple of `Measurement`, one a file in their order, with `source` `"estimated"` and no rounds.

        Raises:
            ModelFileError: not a `.tflite` file.
        """
        return tuple(self._estimated(bytes(flatbuffer)) for flatbuffer in flatbuffers)

    def misfits(self, flatbuffer):
        """Why a file cannot be shipped to the device.

        Args:
            flatbuffer: bytes.

        Returns:
            tuple of str, empty where it can.

        Raises:
            ModelFileError: not a `.tflite` file.
        """
        graph = read_graphs(flatbuffer)[0]
        needs = {"size_bytes": len(flatbuffer)}
        if self.profile.kind == "microcontroller":
            needs["arena_bytes"] = estimate_arena(graph).total_bytes
        else:
            needs["peak_ram_bytes"] = analyze(flatbuffer).peak_ram_bytes
        precisions = dict.fromkeys(precision for precision in op_precisions(graph) if precision)
        ops = {operator.op for operator in graph.operators}
        reasons = list(fits(needs, self.profile, ops=ops, reserve=self.reserve).reasons)
        for precision in precisions:
            reasons.extend(self._why_not(precision))
        return tuple(reasons)

    def limits(self):
        """The limits that the device sets to every model for it.

        Returns:
            tuple of `Limit`, see `hardware.limits_of`.
        """
        return limits_of(self.profile, self.reserve)

    def describe(self):
        """Which device this would be.

        Returns:
            dict, JSON-able.
        """
        return {
            "device": self.profile.name,
            "cpu": self.profile.title,
            "runtime": "none, estimated from a profile",
            "runtime_version": "",
            ESTIMATED: True,
            "reserved": dataclasses.asdict(self.reserve),
        }

    def _why_not(self, precision):
        if precision not in PRECISIONS:
            return [f"nothing is known of {precision} activations"]
        if precision in self.profile.precisions and self.profile.peak(precision) is None:
            return [f"{self.profile.name} has no peak_macs_per_s for {precision}"]
        return fits({}, self.profile, precision).reasons

    def _estimated(self, flatbuffer):
        sha256 = hashlib.sha256(flatbuffer).hexdigest()
        environment = {"device": self.profile.name, ESTIMATED: True}
        reasons = self.misfits(flatbuffer)
        latency_ms, told = (None, {}) if reasons else self._latency(flatbuffer)
        if not latency_ms:
            message = "; ".join(reasons) or "nothing in it takes time by the profile"
            failed = Measurement.failed(sha256, "error", message, environment, 1)
            return dataclasses.replace(failed, source=ESTIMATED)
        return Measurement(
            sha256=sha256,
            latency_ms=latency_ms,
            sustained_ms=None,
            p90_ms=None,
            rounds=(),
            status="ok",
            partitions=None,
            first_ms=None,
            load_ms=None,
            environment=environment | told,
            num_threads=1,
            message="estimated from a profile, not measured",
            source=ESTIMATED,
        )

    def _latency(self, flatbuffer):
        """Milliseconds, and what the environment tells of them."""
        graph = read_graphs(flatbuffer)[0]
        by_precision = {}
        for precision, cost in zip(op_precisions(graph), analyze(flatbuffer).ops, strict=True):
            by_precision.setdefault(precision or self._any_precision(), []).append(cost)
        estimates = [estimate_latency_ms(costs, self.profile, each) for each, costs in by_precision.items()]
        latency_ms = sum(map(float, estimates))
        told = {
            "method": " + ".join(dict.fromkeys(estimate.method for estimate in estimates)),
            "precision": "+".join(sorted(dict.fromkeys(filter(None, op_precisions(graph))))),
        }
        if self.profile.kind == "microcontroller":
            told["arena"] = estimate_arena(graph).to_json()
        if self.profile.power_w is not None and latency_ms > 0:
            latency = Estimate("latency_ms", latency_ms, told["method"], self.profile.name)
            told["energy"] = estimate_energy_mj(latency, self.profile).to_json()
        return latency_ms, told

    def _any_precision(self):
        """The precision that moves bytes: one with a peak, for operators that are of none."""
        return next(each for each in self.profile.precisions if self.profile.peak(each) is not None)


def op_precisions(graph):
    """What each operator is computed in.

    Args:
        graph: `Graph`.

    Returns:
        tuple of str, one an operator: of `hardware.profile.PRECISIONS`; another type such as `"int16"`, by its name;
        `""` for those that convert, or compute indices.
    """
    halved = {
        operator.outputs[0]
        for operator in graph.operators
        if operator.op == "DEQUANTIZE" and operator.outputs and graph.tensors[operator.inputs[0]].dtype == "FLOAT16"
    }
    return tuple(_op_precision(operator, graph.tensors, halved) for operator in graph.operators)


def _op_precision(operator, tensors, halved):
    if operator.op in _CONVERSIONS or not operator.outputs or operator.outputs[0] < 0:
        return ""
    dtype = tensors[operator.outputs[0]].dtype
    weights = _weights(operator, tensors)
    if weights is None:
        return {"INT8": "int8", "UINT8": "int8", "FLOAT32": "float32", "FLOAT16": "float16"}.get(dtype, "")
    if dtype in ("INT8", "UINT8"):
        return "int8"
    if dtype not in ("FLOAT32", "FLOAT16"):
        return dtype.lower()
    if tensors[weights].dtype in _SMALL_INTEGERS:
        return "dynamic"
    return "float16" if weights in halved or tensors[weights].dtype == "FLOAT16" else "float32"


def _weights(operator, tensors):
    place = _WEIGHTS_INPUT.get(operator.op)
    if place is None or place >= len(operator.inputs) or operator.inputs[place] < 0:
        return None
    return operator.inputs[place]
