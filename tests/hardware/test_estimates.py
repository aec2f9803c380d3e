"""Fits or not, roofline time and energy, against figures worked out by hand."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.hardware import Fit
from hwkeras.hardware import estimate_energy_mj
from hwkeras.hardware import estimate_latency_ms
from hwkeras.hardware import fits
from hwkeras.hardware import load_profile

BOARD = dataclasses.replace(
    load_profile("stm32f446"),
    name="board",
    peak_macs_per_s={"float32": 1e6, "int8": 4e6},
    memory_bandwidth_bytes_per_s=1e6,
    ram_bytes=1024,
    flash_bytes=4096,
    power_w=0.5,
)


def op(macs, weight_bytes, output_bytes):
    return {"op": "CONV_2D", "macs": macs, "weight_bytes": weight_bytes, "output_bytes": output_bytes}


def test_roofline_takes_the_greater_of_arithmetic_and_memory_per_operator():
    ops = [op(8000, 100, 100), op(100, 3000, 1000)]
    estimate = estimate_latency_ms(ops, BOARD, "int8")
    assert float(estimate) == pytest.approx(8000 / 4e6 * 1e3 + 4000 / 1e6 * 1e3)
    assert float(estimate_latency_ms(ops, BOARD, "float32")) == pytest.approx(8.0 + 4.0)
    assert (estimate.metric, estimate.label, estimate.device) == ("latency_ms", "estimate", "board")
    assert json.loads(json.dumps(estimate.to_json()))["label"] == "estimate"


def test_attributes_do_as_well_as_keys():
    assert estimate_latency_ms([SimpleNamespace(**op(8, 1, 1))], BOARD) == estimate_latency_ms([op(8, 1, 1)], BOARD)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**7), st.integers(0, 10**7)), max_size=5))
def test_more_work_never_takes_less(costs):
    ops = [op(*cost) for cost in costs]
    assert float(estimate_latency_ms(ops, BOARD)) <= float(estimate_latency_ms([*ops, op(1, 1, 1)], BOARD))
    assert float(estimate_latency_ms(ops, BOARD, "int8")) <= float(estimate_latency_ms(ops, BOARD, "float32"))


def test_energy_of_a_measured_and_of_an_estimated_latency():
    assert float(estimate_energy_mj(4.0, BOARD)) == 2.0
    estimate = estimate_energy_mj(estimate_latency_ms([op(8000, 0, 0)], BOARD), BOARD)
    assert float(estimate) == pytest.approx(1.0)
    assert (estimate.metric, estimate.method) == (
        "energy_mj",
        "power_w x latency_ms, with latency_ms by roofline, one core, a lower bound",
    )


def test_fits():
    assert fits({"size_bytes": 4096, "peak_ram_bytes": 1024}, BOARD, "int8") == Fit(True, ())
    assert fits({"size_bytes": 4097, "peak_ram_bytes": 2048}, BOARD).reasons == (
        "size_bytes is 4.001 KiB, board has 4 KiB of flash",
        "peak_ram_bytes is 2 KiB, board has 1 KiB of RAM",
    )
    assert not fits({}, BOARD, "dynamic").ok
    assert fits({}, BOARD, "dynamic").reasons == ("dynamic does not run on board, which runs float32, int8",)


def test_what_is_not_known_is_not_judged():
    assert fits({"peak_ram_bytes": None}, BOARD).ok
    assert fits({"size_bytes": 2**40, "peak_ram_bytes": 1}, load_profile("raspberry_pi_4")).ok


def test_precisions():
    with pytest.raises(UserError, match=r"`precision` is one of 'float32', .*Received: precision='int3'"):
        fits({}, BOARD, "int3")
    with pytest.raises(UserError, match=r"`precision` is one of 'float32', .*Received: precision='int3'"):
        estimate_latency_ms([], BOARD, "int3")
    with pytest.raises(UserError, match=r"board runs the precisions float32, int8\. Received: precision='dynamic'"):
        estimate_latency_ms([], BOARD, "dynamic")


@pytest.mark.parametrize("macs", [-1, None, float("nan"), float("inf"), True])
def test_operator_costs_that_cannot_be(macs):
    with pytest.raises(UserError, match=r"`output_bytes`, at least 0\. Received: macs="):
        estimate_latency_ms([op(macs, 0, 0)], BOARD)


def test_energy_without_power_or_latency():
    with pytest.raises(UserError, match=r"Received: power_w=null in 'board'\. Measure it"):
        estimate_energy_mj(1.0, dataclasses.replace(BOARD, power_w=None))
    with pytest.raises(UserError, match=r"`latency_ms` must be positive and finite\. Received: latency_ms=0\.0"):
        estimate_energy_mj(0, BOARD)
