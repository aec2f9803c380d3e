"""Fits or not, roofline time and energy, against figures worked out by hand."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.hardware import Fit
from hwkeras.hardware import Reserve
from hwkeras.hardware import estimate_energy_mj
from hwkeras.hardware import estimate_latency_ms
from hwkeras.hardware import fits
from hwkeras.hardware import limits_of
from hwkeras.hardware import load_profile
from hwkeras.hardware import profile_names
from hwkeras.hardware import reserve_of
from hwkeras.objectives import Limit

BOARD = dataclasses.replace(
    load_profile("stm32f446"),
    name="board",
    peak_macs_per_s={"float32": 1e6, "int8": 4e6},
    memory_bandwidth_bytes_per_s=1e6,
    ram_bytes=1024,
    flash_bytes=4096,
    power_w=0.5,
    efficiency=None,
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


def test_inputs_count_where_they_are_told():
    inputs = {**op(0, 1000, 1000), "input_bytes": 2000}
    assert float(estimate_latency_ms([inputs], BOARD)) == pytest.approx(4.0)


def test_published_share_of_the_peak():
    slower = dataclasses.replace(BOARD, efficiency={"int8": 0.25, "float32": None})
    estimate = estimate_latency_ms([op(8000, 0, 0)], slower, "int8")
    assert float(estimate) == pytest.approx(8000 / 1e6 * 1e3)
    assert estimate.method == "roofline, one core, arithmetic at 25.0% of the peak as published for int8"
    # The order of precisions stays: what nobody published for float32 is taken from int8, and told.
    in_float = estimate_latency_ms([op(8000, 0, 0)], slower, "float32")
    assert float(in_float) == pytest.approx(32.0) and in_float.method == estimate.method


def test_unknown_bandwidth_counts_arithmetic_alone():
    tpu = load_profile("coral_usb")
    assert float(estimate_latency_ms([op(2 * 10**9, 10**7, 10**7)], tpu, "int8")) == pytest.approx(1.0)


def test_precision_without_a_peak():
    with pytest.raises(UserError, match=r"needs the peak of the device\. Received: precision='float32' on 'rp2040'"):
        estimate_latency_ms([], load_profile("rp2040"), "float32")


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


def test_fits_with_a_reserve_and_operators():
    reserve = Reserve(flash_bytes=96, ram_bytes=24)
    assert fits({"size_bytes": 4000, "arena_bytes": 1000}, BOARD, "int8", ["CONV_2D"], reserve).ok
    assert fits({"size_bytes": 4001, "arena_bytes": 1001}, BOARD, ops=["LSTM", "ADD"], reserve=reserve).reasons == (
        "size_bytes is 3.907 KiB, board has 4 KiB of flash less 96 B for the program",
        "arena_bytes is 1001 B, board has 1 KiB of RAM less 24 B for the program",
        "board has no operator LSTM",
    )


def test_limits_of_a_board():
    assert limits_of(BOARD, Reserve(96, 24)) == (Limit("size_bytes", 4000), Limit("peak_ram_bytes", 1000))
    nano = load_profile("nrf52840")
    assert limits_of(nano) == (Limit("size_bytes", 2**20 - 65536), Limit("peak_ram_bytes", 2**18 - 8192))
    assert limits_of(load_profile("coral_usb")) == ()
    assert limits_of(load_profile("raspberry_pi_4")) == (Limit("peak_ram_bytes", 2**32),)
    assert reserve_of(nano) == Reserve() and reserve_of(load_profile("tensor_g2")) == Reserve(0, 0)
    with pytest.raises(UserError, match=r"leave room for a model\. Received: 4 KiB of flash on 'board', 64 KiB of it"):
        limits_of(BOARD)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_says_something(name):
    profile = load_profile(name)
    assert all(limit.bound > 0 for limit in limits_of(profile))
    assert float(estimate_latency_ms([op(10**6, 1000, 1000)], profile, "int8")) > 0


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
