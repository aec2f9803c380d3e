"""The device database."""

import copy
import json
import pickle

import pytest

from hwkeras.errors import UserError
from hwkeras.hardware import Profile
from hwkeras.hardware import load_profile
from hwkeras.hardware import profile_names
from hwkeras.hardware.op_sets import OP_SETS

# The classes of devices that the database must cover, by what a title says.
CLASSES = {
    "Raspberry Pi": ("raspberry_pi_3", "raspberry_pi_4", "raspberry_pi_5"),
    "phones by SoC": ("snapdragon_855", "snapdragon_8_gen_3", "tensor_g3", "exynos_2100", "dimensity_9200"),
    "Jetson": ("jetson_nano", "jetson_orin_nano"),
    "Cortex-M4": ("nrf52840", "stm32f446", "stm32l4r5"),
    "Cortex-M7": ("stm32f746", "stm32h743", "imxrt1060"),
    "Cortex-M33": ("nrf5340", "stm32u585", "rp2350"),
    "Cortex-M55": ("alif_ensemble_e3",),
    "Espressif": ("esp32", "esp32_s3"),
    "Edge TPU": ("coral_usb", "coral_dev_board"),
    "x86": ("generic_x86_64",),
}


def test_devices_of_the_database():
    assert len(profile_names()) >= 24
    assert {name for names in CLASSES.values() for name in names} <= set(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_profile(name):
    profile = load_profile(name)
    assert profile.name == name
    assert all(len(source) > 5 for source in profile.sources.values())
    peaks = {dtype: peak for dtype, peak in profile.peak_macs_per_s.items() if peak is not None}
    assert peaks["int8"] >= peaks.get("float32", 0)
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
    assert pickle.loads(pickle.dumps(profile)) == profile
    assert (profile.flash_bytes is not None) == (profile.kind == "microcontroller")
    # A peak is arithmetic on a data sheet, and nothing that is null is called an estimate.
    assert "peak_macs_per_s" in profile.estimated or profile.kind == "accelerator"
    assert all(getattr(profile, figure) is not None for figure in profile.estimated)


@pytest.mark.parametrize("name", profile_names())
def test_null_says_why(name):
    profile = load_profile(name)
    for figure, entry in profile.to_json()["figures"].items():
        if entry["value"] is None:
            assert entry["source"].endswith("."), figure
            assert len(entry["source"].split()) >= 3, figure


def test_operators():
    board, tpu, computer = map(load_profile, ("stm32f746", "coral_usb", "raspberry_pi_4"))
    assert board.runs_op("CONV_2D") and board.runs_op("HARD_SWISH") and not board.runs_op("NON_MAX_SUPPRESSION_V5")
    assert tpu.runs_op("CONV_2D") and not tpu.runs_op("HARD_SWISH")
    assert computer.runs_op("NON_MAX_SUPPRESSION_V5") and not computer.runs_op("CUSTOM:mine")
    assert Profile.from_json(changed(ops={"value": ["CONV_2D"]})).runs_op("CONV_2D")
    assert not Profile.from_json(changed(ops={"value": ["CONV_2D"]})).runs_op("ADD")


def test_operator_names_are_those_of_the_schema():
    from ai_edge_litert import schema_py_generated as schema

    assert all(hasattr(schema.BuiltinOperator, op) for ops in OP_SETS.values() for op in ops)


def test_file_of_the_user(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**load_profile("stm32f446").to_json(), "name": "mine"}))
    assert load_profile(path).name == load_profile(str(path)).name == "mine"


def test_file_that_starts_from_a_profile(tmp_path):
    flash = {"value": 16 * 2**20, "source": "external QSPI", "estimated": False}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"version": 2, "name": "mine", "base": "stm32f746", "figures": {"flash_bytes": flash}}))
    mine, base = load_profile(path), load_profile("stm32f746")
    assert (mine.name, mine.title, mine.flash_bytes) == ("mine", "mine", 16 * 2**20)
    assert (mine.ram_bytes, mine.kind, mine.sources["ram_bytes"]) == (
        base.ram_bytes,
        base.kind,
        base.sources["ram_bytes"],
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "mine", "base": "stm32f746"}, r"with a base has version=2, a name, .*with version=None"),
        ({"version": 2, "base": "stm32f746"}, r"with a base has version=2, a name, .*Received: \['base', 'version'\]"),
        ({"version": 2, "name": "m", "base": "stm32f746", "kind": "phone"}, r"perhaps title, figures\. Received"),
        ({"version": 2, "name": "m", "base": "toaster"}, r"A profile is one of alif_ensemble_e3, .*'toaster'"),
        (
            {"version": 2, "name": "m", "base": "stm32f746", "figures": {"speed": {}}},
            r"figures of a profile are .*speed",
        ),
    ],
)
def test_base_that_cannot_be(tmp_path, data, message):
    (tmp_path / "mine.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=message):
        load_profile(tmp_path / "mine.json")


def test_file_of_version_1_is_read(tmp_path):
    data = load_profile("stm32f446").to_json()
    since = ("precisions", "ops", "efficiency", "l1_bytes", "l2_bytes", "l3_bytes")
    figures = {figure: entry for figure, entry in data["figures"].items() if figure not in since}
    (tmp_path / "old.json").write_text(
        json.dumps({**data, "version": 1, "precisions": ["float32", "int8"], "figures": figures})
    )
    old = load_profile(tmp_path / "old.json")
    assert (old.precisions, old.ram_bytes, old.efficiency, old.ops) == (("float32", "int8"), 131072, None, None)
    assert old.sources["efficiency"] == "Not told by a file of version 1."
    assert old.to_json()["version"] == 2
    (tmp_path / "old.json").write_text(json.dumps({**data, "version": 1}))
    with pytest.raises(UserError, match=r"A profile of version 1 has exactly version, name.*precisions"):
        load_profile(tmp_path / "old.json")


def test_unknown_name():
    with pytest.raises(UserError, match=r"one of alif_ensemble_e3, .*stm32h743, .*or the path.*Received: 'toaster'"):
        load_profile("toaster")


def test_file_that_is_not_there_or_not_json(tmp_path):
    with pytest.raises(UserError, match=r"must be readable\. Received: '.*none\.json' \(No such file"):
        load_profile(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("text")
    with pytest.raises(UserError, match=r"file holds JSON\. Received: '.*text\.json': Expecting value"):
        load_profile(tmp_path / "text.json")


def changed(**changes):
    """The form of a profile's file with one figure's entry or one field changed."""
    data = copy.deepcopy(load_profile("stm32f446").to_json())
    for name, value in changes.items():
        if name in data["figures"]:
            data["figures"][name].update(value)
        else:
            data[name] = value
    return data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 3}, r"`version` of a profile is 2\. Received: version=3\. load_profile reads files of version 1"),
        ({"kind": "toaster"}, r"`kind` of a profile is one of .*Received: kind='toaster' in 'stm32f446'"),
        (
            {"precisions": {"value": ["int4"]}},
            r"`precisions` of a profile are some of .*Received: precisions=\('int4',",
        ),
        ({"precisions": {"value": []}}, r"Received: precisions=\(\)"),
        ({"ops": {"value": "all"}}, r"`ops` of a profile is one of \('tflite_micro', 'edge_tpu'\), .*ops='all'"),
        ({"ops": {"value": []}}, r"or null for every builtin one\. Received: ops=\(\)"),
        ({"ram_bytes": {"value": 0}}, r"`ram_bytes` of a profile must be positive or null\. Received: ram_bytes=0"),
        ({"clock_hz": {"value": None}}, r"`clock_hz` of a profile must be positive\. Received: clock_hz=None"),
        ({"power_w": {"value": "1 W"}}, r"`power_w` of a profile must be positive or null\. Received: power_w='1 W'"),
        ({"clock_hz": {"source": ""}}, r"Every figure of a profile has a source\. Received: none for 'clock_hz'"),
        (
            {"peak_macs_per_s": {"value": {"int4": 1}}},
            r"has 'float32', 'int8' or both\. Received: peak_macs_per_s=\{'int4'",
        ),
        (
            {"peak_macs_per_s": {"value": 5}},
            r"has 'float32', 'int8' or both\. Received: peak_macs_per_s=5 in 'stm32f446'",
        ),
        ({"peak_macs_per_s": {"value": {"int8": None}}}, r"`peak_macs_per_s` of a profile must be positive\. Received"),
        (
            {"efficiency": {"value": {"int8": 1.5}}},
            r"`efficiency` of a profile is a share of the peak.*\{'int8': 1\.5\}",
        ),
        ({"extra": 1}, r"A profile has exactly version, name.*Received: \['extra', "),
        ({"clock_hz": {"unit": "Hz"}}, r"A figure 'clock_hz' has exactly value, source, estimated\. Received"),
        ({"figures": {}}, r"A profile's figures has exactly precisions.*Received: \[\]"),
    ],
)
def test_profile_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        Profile.from_json(changed(**changes))


def test_profile_that_is_no_object():
    with pytest.raises(UserError, match="A profile has exactly version, .*Received: list"):
        Profile.from_json([])
