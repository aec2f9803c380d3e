"""Latency and energy from a profile alone. Estimates, and labelled so: a device was never asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.hardware.fit import check_precision
from hwkeras.hardware.profile import COMPUTED_IN

BOUND = "roofline, one core, a lower bound"


@dataclass(frozen=True)
class Estimate:
    """A figure that was calculated, not measured.

    Args:
        metric: str, `"latency_ms"` or `"energy_mj"`.
        value: float, in the unit of the metric.
        method: str, how it was calculated.
        device: str, the name of the profile.
        label: str. Defaults to `"estimate"`.
    """

    metric: str
    value: float
    method: str
    device: str
    label: str = "estimate"

    def __float__(self):
        return float(self.value)

    def to_json(self):
        """The estimate as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "metric": self.metric,
            "value": self.value,
            "method": self.method,
            "device": self.device,
            "label": self.label,
        }


def estimate_latency_ms(op_costs, profile, precision="int8"):
    """Time of one inference on one core by the roofline: each operator is bound by arithmetic or by memory.

    The sum over the operators of max(MACs / reached MACs per second, bytes / bandwidth), with the bytes of the weights,
    the inputs and the output. Reached is the peak times the share of it that a published network reaches on such a
    core, where the profile has one (`Profile.published_share`): then it was within a factor of two of the published
    times of other int8 networks. Elsewhere it is the peak, and the
    time a lower bound: good for order, not for limits. Where the bandwidth is not known, arithmetic alone counts.
    Williams et al., 2009, https://doi.org/10.1145/1498765.1498785.

    Args:
        op_costs: iterable of operators with `macs`, `weight_bytes`, `output_bytes` and perhaps `input_bytes`, as
            attributes (`Analysis.ops`) or as keys (`Analysis.to_json()["ops"]`).
        profile: Profile.
        precision: str, which peak counts. Defaults to `"int8"`.

    Returns:
        Estimate of `latency_ms`.

    Raises:
        UserError: an unknown precision, or one that does not run on the device or has no peak; an operator with a
            figure that is missing or negative.
    """
    check_precision(precision)
    if precision not in profile.precisions:
        raise UserError(
            f"{profile.name} runs the precisions {', '.join(profile.precisions)}. Received: precision={precision!r}."
        )
    peak, published = profile.peak(precision), profile.published_share(precision)
    if peak is None:
        raise UserError(
            f"A latency needs the peak of the device. Received: precision={precision!r} on {profile.name!r}, whose "
            f"peak_macs_per_s has none for {COMPUTED_IN[precision]}. Measure it and load your own profile from a file."
        )
    rate = peak * (published[0] if published else 1.0)
    bandwidth = profile.memory_bandwidth_bytes_per_s or math.inf
    seconds = 0.0
    for op_cost in op_costs:
        macs = _figure(op_cost, "macs")
        num_bytes = sum(_figure(op_cost, name) for name in ("weight_bytes", "output_bytes"))
        seconds += max(macs / rate, (num_bytes + _figure(op_cost, "input_bytes", default=0)) / bandwidth)
    return Estimate("latency_ms", seconds * 1e3, _method(published), profile.name)


def estimate_energy_mj(latency_ms, profile):
    """Energy of one inference: power while computing times latency.

    Args:
        latency_ms: float, measured; or the Estimate of it.
        profile: Profile.

    Returns:
        Estimate of `energy_mj`.

    Raises:
        UserError: the profile has no power, or the latency is not positive and finite.
    """
    if profile.power_w is None:
        raise UserError(
            f"An energy needs the power of the device. Received: power_w=null in {profile.name!r}. "
            "Measure it and load your own profile from a file."
        )
    value_ms = float(latency_ms)
    if not math.isfinite(value_ms) or value_ms <= 0:
        raise UserError(f"`latency_ms` must be positive and finite. Received: latency_ms={value_ms!r}.")
    method = "power_w x latency_ms"
    if isinstance(latency_ms, Estimate):
        method = f"{method}, with latency_ms by {latency_ms.method}"
    return Estimate("energy_mj", profile.power_w * value_ms, method, profile.name)


def _method(published):
    if published is None:
        return BOUND
    share, dtype = published
    return f"roofline, one core, arithmetic at {share:.1%} of the peak as published for {dtype}"


def _figure(op_cost, name, default=None):
    value = op_cost.get(name, default) if isinstance(op_cost, Mapping) else getattr(op_cost, name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise UserError(
            f"An operator's cost has `macs`, `weight_bytes` and `output_bytes`, at least 0. Received: {name}={value!r}."
        )
    return value
