"""A meter without a device: what it says of real files, and a search for a board that nobody has attached."""

import dataclasses
import hashlib
import json

import pytest

from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from hwkeras.hardware import Reserve
from hwkeras.hardware import estimate_latency_ms
from hwkeras.hardware import limits_of
from hwkeras.hardware import load_profile
from hwkeras.measure import Measurement
from hwkeras.measure import Meter
from hwkeras.measure import analyze
from hwkeras.measure.estimated import EstimatedMeter
from hwkeras.measure.estimated import op_precisions
from hwkeras.measure.graph import read_graphs

# Inferences a second of MLPerf Tiny v1.0 submissions: OctoML (microTVM with CMSIS-NN), Plumerai, STMicroelectronics.
PUBLISHED = {
    "stm32l4r5": {"pretrainedResnet_quant": 2.567, "vww_96_int8": 3.320, "kws_ref_model": 10.019, "ad01_int8": 116.212},
    "nrf5340": {"pretrainedResnet_quant": 3.163, "vww_96_int8": 4.310, "kws_ref_model": 13.143, "ad01_int8": 159.579},
    "stm32f746": {"pretrainedResnet_quant": 15.44, "vww_96_int8": 17.535, "kws_ref_model": 52.288, "ad01_int8": 435.74},
    "stm32u585": {"pretrainedResnet_quant": 7.158, "vww_96_int8": 7.496, "kws_ref_model": 22.608, "ad01_int8": 206.211},
}


@pytest.mark.parametrize("device", PUBLISHED)
def test_within_a_factor_of_two_of_published_times(device, real_file):
    names = list(PUBLISHED[device])
    measurements = EstimatedMeter(device).measure([real_file(f"mlperf_tiny/{name}.tflite") for name in names])
    for name, measurement in zip(names, measurements, strict=True):
        assert 0.5 < measurement.latency_ms / (1e3 / PUBLISHED[device][name]) < 2.0, name


def test_every_figure_is_labelled(made_files):
    meter = EstimatedMeter(load_profile("nrf52840"))
    assert isinstance(meter, Meter)
    (measurement,) = meter.measure([made_files["float32"]])
    assert (measurement.source, measurement.status, measurement.rounds) == ("estimated", "ok", ())
    assert measurement.ok and measurement.sustained_ms is None and measurement.p90_ms is None
    assert measurement.message == "estimated from a profile, not measured"
    assert measurement.sha256 == hashlib.sha256(made_files["float32"]).hexdigest()
    told = measurement.environment
    assert (told["device"], told["estimated"], told["precision"]) == ("nrf52840", True, "float32")
    assert told["method"] == "roofline, one core, arithmetic at 13.4% of the peak as published for int8"
    assert told["energy"]["label"] == told["arena"]["label"] == "estimate"
    assert Measurement.from_json(json.loads(json.dumps(measurement.to_json()))) == measurement
    assert json.loads(json.dumps(meter.describe()))["estimated"] is True
    assert {"device", "runtime", "runtime_version", "cpu"} <= set(meter.describe())


def test_latency_is_that_of_the_profile(made_files):
    (measurement,) = EstimatedMeter("raspberry_pi_4").measure([made_files["float32"]])
    ops = analyze(made_files["float32"]).ops
    assert measurement.latency_ms == pytest.approx(
        float(estimate_latency_ms(ops, load_profile("raspberry_pi_4"), "float32"))
    )


@pytest.mark.parametrize(("name", "precisions"), [("float32", {"float32"}), ("float16", {"float16", "float32"})])
def test_precision_of_the_operators(made_files, name, precisions):
    assert set(op_precisions(read_graphs(made_files[name])[0])) - {""} == precisions


def test_precision_of_dynamic_and_int8_files(made_files, real_file):
    assert "dynamic" in op_precisions(read_graphs(made_files["dynamic"])[0])
    assert set(op_precisions(read_graphs(real_file("mlperf_tiny/vww_96_int8.tflite"))[0])) == {"int8"}


def test_what_does_not_fit_says_why(made_files, writer):
    board = EstimatedMeter("nrf52840")
    dynamic = board.measure([made_files["dynamic"]])[0]
    assert (dynamic.status, dynamic.source, dynamic.latency_ms) == ("error", "estimated", None)
    assert dynamic.message == "dynamic does not run on nrf52840, which runs float32, int8"
    tiny = dataclasses.replace(load_profile("nrf52840"), ram_bytes=16384, flash_bytes=70000)
    message = EstimatedMeter(tiny).measure([made_files["float32"]])[0].message
    assert "size_bytes is " in message and "flash less 64 KiB for the program" in message
    reserved = EstimatedMeter(tiny, Reserve(0, 16000)).misfits(made_files["float32"])
    assert len(reserved) == 1 and reserved[0].startswith("arena_bytes is ") and "RAM less 15.62 KiB" in reserved[0]
    assert "has no operator" in EstimatedMeter("coral_usb").misfits(made_files["product"])[0]
    assert EstimatedMeter("rp2040").misfits(made_files["float32"]) == ("rp2040 has no peak_macs_per_s for float32",)
    a, b = writer.tensor((1, 4), "INT16"), writer.tensor((1, 4), "INT16")
    weights = writer.tensor((4, 4), "INT8", bytes(16))
    writer.operator("FULLY_CONNECTED", [a, weights, -1], [b])
    writer.ends([a], [b])
    assert board.misfits(writer.bytes()) == ("nothing is known of int16 activations",)


def test_a_file_that_takes_no_time(writer):
    a, b = writer.tensor((1, 4), "INT8"), writer.tensor((1, 4), "INT8")
    writer.operator("RESHAPE", [a], [b])
    writer.ends([a], [b])
    assert EstimatedMeter("nrf52840").measure([writer.bytes()])[0].ok
    nothing = EstimatedMeter("coral_usb").measure([writer.bytes()])[0]
    assert (nothing.status, nothing.message) == ("error", "nothing in it takes time by the profile")


def test_no_file_and_no_model():
    assert EstimatedMeter("nrf52840").measure([]) == ()
    with pytest.raises(ModelFileError):
        EstimatedMeter("nrf52840").measure([b"text"])
    with pytest.raises(UserError, match=r"A profile is one of .*Received: 'toaster'"):
        EstimatedMeter("toaster")


def test_limits_are_those_of_the_board():
    assert EstimatedMeter("stm32f446").limits() == limits_of(load_profile("stm32f446"))


@pytest.mark.slow
def test_a_search_for_a_board_that_is_not_attached(tmp_path, digits):
    pytest.importorskip("tflite_micro", reason="needs the tflite-micro wheel")
    import hwkeras as hw
    from hwkeras.measure.arena import tflm_arena

    # A board with 24 KiB: small enough that the limits turn networks down.
    board = dataclasses.replace(load_profile("stm32f446"), name="small_board", ram_bytes=24576, flash_bytes=131072)
    meter = EstimatedMeter(board)
    space = hw.spaces.Image((8, 8, 1), 10, stages=2, depths=(1,), widths=(8, 64), activations=("relu",))
    tuner = hw.HardwareTuner(
        space,
        meter=meter,
        device=board.name,
        limits=meter.limits(),
        max_trials=3,
        seed=0,
        directory=tmp_path / "run",
        progress=None,
    )
    x, y = digits
    tuner.search(x[:600], y[:600], validation_data=(x[1400:], y[1400:]), epochs=2, batch_size=64)
    front = tuner.front()
    assert front
    for candidate in front:
        content = (tuner.run.directory / candidate.file).read_bytes()
        arena = tflm_arena(content)
        assert arena.status == "ok", arena.message
        assert arena.total_bytes <= board.ram_bytes - meter.reserve.ram_bytes
        assert len(content) <= board.flash_bytes - meter.reserve.flash_bytes
        assert candidate.measurement["source"] == "estimated"
        assert candidate.measurement["environment"]["arena"]["total_bytes"] >= arena.total_bytes
