"""Verifying a bundle: what holds, what was tampered with, what cannot be compared."""

import json
import math
import os
import re

import numpy as np
import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.export import verify as verify_with_pauses
from hwkeras.export import write_bundle
from hwkeras.export.manifest import read_manifest
from hwkeras.export.manifest import seal
from hwkeras.export.samples import Samples
from hwkeras.export.samples import output_tolerance
from hwkeras.measure import LocalMeter
from hwkeras.objectives import Limit


def verify(directory, **options):
    """`hwkeras.export.verify` that does not wait between measurements."""
    return verify_with_pauses(directory, **({"pause": lambda seconds: None} | options))


pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def bundle(variant, tmp_path):
    """A bundle without the Keras model, which verifying only hashes."""
    return write_bundle(tmp_path / "bundle", variant(model=b"a keras file"))


@pytest.fixture
def edit(bundle):
    """A function that edits the manifest; sealed again, so that only the content can tell."""

    def change(function, seal_again=True):
        manifest = json.loads((bundle / "manifest.json").read_text())
        function(manifest)
        (bundle / "manifest.json").write_text(json.dumps(seal(manifest) if seal_again else manifest))

    return change


def by_name(verification):
    return {check.name: check for check in verification.checks}


def failed(verification):
    return [check.name for check in verification.failed]


def test_a_fresh_bundle_holds(bundle, scripted):
    verification = verify(bundle, meter=scripted(0.2))
    assert failed(verification) == [] and verification.ok
    assert [check.name for check in verification.checks] == [
        "manifest",
        *(f"file {name}" for name in ["check.npz", "model.keras", "model.tflite", "model_data.cc", "model_data.h"]),
        *("extra files", "C array", "architecture", "analysis", "inputs and outputs", "metrics", "outputs", "accuracy"),
        *("latency", "limit latency=5ms", "limit size=200KiB"),
    ]
    assert by_name(verification)["outputs"].received == 0.0
    told = json.loads(json.dumps(verification.to_json(), allow_nan=False))
    assert told["ok"] is True and len(told["checks"]) == len(verification.checks)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_bundle_measured_on_this_machine_holds(variant, converted, tmp_path, precision):
    meter = LocalMeter(rounds=3, max_rounds=3, burst_ms=2, gap_ms=0)
    flatbuffer = converted[precision]
    (measurement,) = meter.measure([flatbuffer])
    changes = {"analysis": None, "model": None, "measurement": measurement, "metrics": {}, "limits": ()}
    bundle = write_bundle(tmp_path / "b", variant(flatbuffer=flatbuffer, precision=precision, **changes))
    # How fast a busy machine is today is not what this tests.
    verification = verify(bundle, meter=meter, latency_tolerance=1e6)
    assert failed(verification) == []
    latency = by_name(verification)["latency"]
    assert latency.expected == measurement.latency_ms and latency.received > 0
    assert "within the tolerance" in latency.message


def test_the_meter_is_opened_from_the_manifest(bundle, edit):
    edit(lambda manifest: manifest.update(device="moon"))
    latency = by_name(verify(bundle))["latency"]
    assert not latency.ok
    assert "could not be measured on Cortex-A72: `device` is one of 'local', 'ssh://" in latency.message
    assert "Received: device='moon'" in latency.message
    assert "Pass remeasure=False" in latency.message


def test_without_measuring_the_rest_is_checked(bundle):
    verification = verify(bundle, remeasure=False)
    assert verification.ok and "latency" not in by_name(verification)
    assert by_name(verification)["limit latency=5ms"].received == 0.2


@pytest.mark.parametrize("name", ["model.tflite", "model.keras", "check.npz", "model_data.h", "model_data.cc"])
def test_one_flipped_bit_is_seen(bundle, scripted, name):
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    verification = verify(bundle, meter=scripted(0.2))
    assert f"file {name}" in failed(verification)
    assert by_name(verification)[f"file {name}"].message == f"changed: still {len(content)} bytes, but others"


def test_a_damaged_model_is_not_run(bundle, scripted):
    content = bytearray((bundle / "model.tflite").read_bytes())
    (bundle / "model.tflite").write_bytes(content[:-20])
    meter = scripted(0.2)
    verification = verify(bundle, meter=meter)
    assert failed(verification) == ["file model.tflite", "model"]
    assert f"changed: {len(content) - 20} bytes, {len(content)} when written" in verification.failed[0].message
    assert "not analyzed, run or measured: model.tflite is not the file" in verification.failed[1].message
    assert meter.calls == 0


@pytest.mark.parametrize("name", ["model.tflite", "check.npz", "model_data.cc"])
def test_a_missing_file_is_seen(bundle, scripted, name):
    (bundle / name).unlink()
    verification = verify(bundle, meter=scripted(0.2))
    check = by_name(verification)[f"file {name}"]
    assert (check.ok, check.received, check.message) == (False, None, "missing")


def test_an_extra_file_is_seen(bundle, scripted):
    (bundle / "sub").mkdir()
    (bundle / "sub" / "more.tflite").write_bytes(b"x")
    verification = verify(bundle, meter=scripted(0.2))
    assert failed(verification) == ["extra files"]
    assert verification.failed[0].message == "not in the manifest: sub/more.tflite"


def test_a_c_array_of_other_bytes_is_seen_even_with_its_hash_mended(bundle, edit, scripted):
    from hwkeras.export.manifest import describe_file

    path = bundle / "model_data.cc"
    path.write_text(path.read_text().replace("0x54, 0x46, 0x4c, 0x33", "0x54, 0x46, 0x4c, 0x34", 1))
    edit(lambda manifest: manifest["files"].update({"model_data.cc": describe_file(path)}))
    verification = verify(bundle, meter=scripted(0.2))
    assert failed(verification) == ["C array"]
    assert verification.failed[0].message == "holds other bytes than model.tflite"


def test_a_broken_c_array_is_seen(bundle, scripted):
    (bundle / "model_data.cc").write_text("int main() {}")
    check = by_name(verify(bundle, meter=scripted(0.2)))["C array"]
    assert not check.ok and "cannot be read: A C source must define g_model_data" in check.message


def test_an_edited_manifest_is_seen(bundle, edit, scripted):
    edit(lambda manifest: manifest["metrics"].update(accuracy=0.999), seal_again=False)
    verification = verify(bundle, meter=scripted(0.2))
    assert failed(verification) == ["manifest"]
    assert "edited since it was written" in verification.failed[0].message


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        (lambda m: m["metrics"].update(size_bytes=1024), "metrics", "size_bytes is 1 KiB in the manifest, .* by the"),
        (lambda m: m["metrics"].update(latency_ms=0.1), "metrics", "latency_ms is 0.1 ms in the manifest, 0.2 ms by"),
        (lambda m: m["metrics"].update(macs="few"), "metrics", "macs is few in the manifest"),
        (lambda m: m["measurement"].update(sha256="0" * 64), "metrics", "the measurement is of another file"),
        (lambda m: m["analysis"].update(macs=1), "analysis", "differs in macs"),
        (lambda m: m["analysis"]["ops"].pop(), "analysis", "differs in ops"),
        (lambda m: m["inputs"][0].update(scale=0.5), "inputs and outputs", "differ from the manifest"),
        (lambda m: m.update(architecture_hash="0" * 64), "architecture", "its hash is another architecture's"),
        (lambda m: m["architecture"].update(format=99), "architecture", "cannot be read: An architecture in JSON"),
        (lambda m: m["check"].update(accuracy=0.1), "accuracy", "0.1000 when written"),
        (lambda m: m.update(check=None), "accuracy", "the manifest records no accuracy of the samples"),
        (lambda m: m["limits"][1].update(bound=1024), "limit size=1KiB", "no longer holds: size_bytes is"),
    ],
)
def test_an_edit_that_is_sealed_again_contradicts_the_file(bundle, edit, scripted, change, check, said):
    edit(change)
    verification = verify(bundle, meter=scripted(0.2))
    assert failed(verification) == [check]
    assert re.search(said, verification.failed[0].message), verification.failed[0].message


def write_samples(bundle, edit, samples):
    from hwkeras.export.manifest import describe_file

    (bundle / "check.npz").write_bytes(samples.to_bytes())
    edit(lambda manifest: manifest["files"].update({"check.npz": describe_file(bundle / "check.npz")}))


@pytest.mark.parametrize(("steps", "ok"), [(1, True), (2, True), (3, False), (math.nan, False)])
def test_outputs_may_differ_by_two_steps(bundle, edit, scripted, steps, ok):
    samples = Samples.from_bytes((bundle / "check.npz").read_bytes())
    shifted = samples.outputs.copy()
    shifted[5, 1] += steps / 256
    write_samples(bundle, edit, Samples(samples.x, samples.y, shifted))
    check = by_name(verify(bundle, meter=scripted(0.2)))["outputs"]
    assert check.ok == ok
    assert check.expected == 2 / 256


def test_samples_of_another_shape_are_seen(bundle, edit, scripted):
    samples = Samples.from_bytes((bundle / "check.npz").read_bytes())
    write_samples(bundle, edit, Samples(samples.x, samples.y, samples.outputs[:, :2]))
    assert by_name(verify(bundle, meter=scripted(0.2)))["outputs"].message == "shape (64, 3), (64, 2) when written"
    write_samples(bundle, edit, Samples(samples.x[:, :4], samples.y, samples.outputs))
    assert "the samples cannot be run: " in by_name(verify(bundle, meter=scripted(0.2)))["outputs"].message


def test_samples_are_read_without_pickle():
    with pytest.raises(UserError, match="check.npz must hold the arrays x, y and outputs. Received: "):
        Samples.from_bytes(b"not a zip")
    evil = Samples(np.array([object()]), np.zeros(1), np.zeros((1, 1)))
    with pytest.raises(UserError, match="check.npz must hold"):
        Samples.from_bytes(evil.to_bytes())


def test_the_tolerance_of_outputs():
    assert output_tolerance({"scale": 0.25}) == 0.5
    assert output_tolerance({"scale": None}) == 1e-3


def test_ties_are_the_samples_that_rounding_can_turn():
    outputs = np.array([[0.5, 0.498, 0.0], [0.9, 0.1, 0.0], [0.2, 0.2, 0.6]])
    samples = Samples(np.zeros((3, 1)), np.zeros(3), outputs)
    assert samples.slack("accuracy", 0.0011) == pytest.approx(1 / 3)
    assert samples.slack("accuracy", 0.0009) == 0.0
    one = Samples(np.zeros((2, 1)), np.zeros(2), np.array([[0.51], [0.9]]))
    assert one.slack("accuracy", 0.011) == 0.5


@pytest.mark.parametrize(
    ("latency_ms", "tolerance", "ok", "said"),
    [
        (0.2, 0.25, True, r"0.2 ms against 0.2 ms recorded: \+0.0%, within the tolerance of \+25%"),
        (0.249, 0.25, True, r"\+24.5%, within"),
        (0.253, 0.25, False, r"\+26.5%, more than the tolerance of \+25%"),
        (0.05, 0.0, True, "-75.0%, within"),
        (0.3, 0.5, True, r"\+50.0%, within the tolerance of \+50%"),
    ],
)
def test_a_latency_holds_within_the_tolerance(bundle, scripted, latency_ms, tolerance, ok, said):
    check = by_name(verify(bundle, meter=scripted(latency_ms), latency_tolerance=tolerance + 1e-12))["latency"]
    assert (check.ok, check.expected, check.received) == (ok, 0.2, latency_ms)
    assert re.search(said, check.message), check.message


def test_a_slow_latency_counts_only_the_second_time(bundle, scripted):
    meter = scripted(0.9, 0.21)
    assert verify(bundle, meter=meter).ok
    assert meter.calls == 2
    assert by_name(verify(bundle, meter=scripted(0.5, 0.9)))["latency"].received == 0.5


def test_a_noisy_latency_says_so(bundle, scripted):
    check = by_name(verify(bundle, meter=scripted(0.21, status="noisy", message="9% apart")))["latency"]
    assert check.ok and "this measurement is noisy (9% apart)" in check.message


def test_a_limit_that_the_new_latency_breaks_no_longer_holds(variant, tmp_path, scripted):
    bundle = write_bundle(tmp_path / "b", variant(model=None, limits=("latency=0.22ms",)))
    verification = verify(bundle, meter=scripted(0.23))
    assert failed(verification) == ["limit latency=0.22ms"]
    assert verification.failed[0].message == "no longer holds: latency_ms is 0.23 ms"


def test_a_limit_on_something_unknown_does_not_hold(variant, tmp_path, scripted):
    bundle = write_bundle(tmp_path / "b", variant(model=None, limits=(Limit("energy_mj", 2.0),)))
    assert verify(bundle, meter=scripted(0.2)).failed[0].message == "energy_mj is not known"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"environment": {"cpu_model": "EPYC", "num_usable_cores": 4, "runtime": "r", "runtime_version": "9"}},
            "measured on cpu_model=Cortex-A72, runtime=ai_edge_litert, runtime_version=2.3.0 (0.2 ms), "
            "verified on cpu_model=EPYC, runtime=r, runtime_version=9 (7 ms)",
        ),
        ({"num_threads": 2}, "measured on num_threads=1 (0.2 ms), verified on num_threads=2 (7 ms)"),
    ],
)
def test_another_machine_is_told_and_not_failed(bundle, scripted, fields, said):
    verification = verify(bundle, meter=scripted(7.0, **fields))
    assert verification.ok
    assert by_name(verification)["latency"].message == f"not comparable: {said}"
    # Its latency says nothing about the limit on the bundle's own device.
    assert by_name(verification)["limit latency=5ms"].received == 0.2


@pytest.mark.parametrize(
    ("meter_arguments", "said"),
    [
        (
            ((None,), {"status": "timeout", "message": "too long"}),
            "could not be measured on Cortex-A72: timeout. too lo",
        ),
        (((DeviceError("the cable is out."),), {}), "could not be measured on Cortex-A72: the cable is out. Pass"),
    ],
)
def test_a_device_that_fails_is_told(bundle, scripted, meter_arguments, said):
    arguments, fields = meter_arguments
    verification = verify(bundle, meter=scripted(*arguments, **fields))
    assert failed(verification) == ["latency"]
    assert said in verification.failed[0].message


def test_a_bundle_that_was_never_measured_is_not_compared(variant, tmp_path, scripted):
    bundle = write_bundle(tmp_path / "b", variant(model=None, measurement=None, metrics={}, limits=()))
    meter = scripted(0.2)
    check = by_name(verify(bundle, meter=meter))["latency"]
    assert check.ok and check.message == "not comparable: the manifest records no latency" and meter.calls == 0


@pytest.mark.parametrize("tolerance", [-0.1, math.nan, math.inf])
def test_a_tolerance_must_make_sense(bundle, tolerance):
    with pytest.raises(UserError, match="`latency_tolerance` must be at least 0 and finite. Received: latency_tol"):
        verify(bundle, latency_tolerance=tolerance)


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(UserError, match="A bundle is a directory with a manifest.json. Received: .*, which has none"):
        verify(tmp_path)
    with pytest.raises(UserError, match="which has none"):
        verify(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "A manifest must be JSON. Received: .*manifest.json, which is not"),
        ("[" * 100_000, "A manifest must be JSON"),
        ("[]", "A manifest must be a JSON object. Received: a list"),
        ("{}", "A bundle's manifest has kind='hwkeras-bundle'. Received: kind=None"),
    ],
)
def test_an_unreadable_manifest_is_refused(tmp_path, text, said):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=said):
        verify(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(UserError, match="A manifest must be JSON"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda m: m.update(schema=2, versions={"hwkeras": "9.1"}),
            "reads bundles of schema 1. Received: schema=2 .* wrote it: hwkeras 9.1",
        ),
        (lambda m: m.update(schema=None, versions=None), "Received: schema=None .* wrote it: not recorded"),
        (lambda m: m.pop("metrics"), "A manifest of schema 1 needs 'metrics' as a dict. Received: NoneType"),
        (lambda m: m.update(files=[]), "needs 'files' as a dict. Received: list"),
        (lambda m: m["files"].update(x=5), "A manifest records sha256 and size of every file. Received: 5 for 'x'"),
        (lambda m: m.update(limits=[5]), r"limits each have a metric and a bound. Received: \[5\]"),
        (lambda m: m.update(limits=[{"metric": "fun", "bound": 1}]), "A limit is on one of accuracy"),
        (lambda m: m["measurement"].pop("rounds"), "A measurement holds the fields"),
        (
            lambda m: m["measurement"].update(status=None),
            "A manifest's measurement must be one. Received: a broken one",
        ),
    ],
)
def test_a_manifest_of_another_form_is_refused(bundle, edit, change, said):
    edit(change)
    with pytest.raises(UserError, match=said):
        verify(bundle)


@pytest.mark.parametrize("name", ["../x", "a\0b", "/etc/passwd", "a/../../x", "", "..\\x", "C:\\x", ".."])
def test_a_path_that_leaves_the_bundle_is_refused(bundle, edit, name):
    edit(lambda manifest: manifest["files"].update({name: {"sha256": "0" * 64, "size": 1}}))
    with pytest.raises(UserError, match="A path in a manifest must stay inside the bundle. Received: "):
        read_manifest(bundle)


def test_a_link_that_leaves_the_bundle_is_refused(bundle, tmp_path):
    (tmp_path / "outside").write_bytes((bundle / "model.tflite").read_bytes())
    (bundle / "model.tflite").unlink()
    os.symlink(tmp_path / "outside", bundle / "model.tflite")
    with pytest.raises(UserError, match="must stay inside the bundle. Received: 'model.tflite'"):
        verify(bundle)


def test_names_are_lazy_and_complete():
    import hwkeras.export as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    assert callable(room.verify) and callable(room.verify), "a second look gives the function, not a module"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        room.nothing  # noqa: B018


def test_a_slow_phase_is_waited_for(bundle, scripted):
    """Measured again after longer and longer pauses; the fastest counts."""
    waited = []

    check = by_name(verify(bundle, meter=scripted(0.4, 0.4, 0.35, 0.2), pause=waited.append))["latency"]
    assert check.ok and check.received == 0.2
    assert waited == [1.0, 2.0, 4.0]
