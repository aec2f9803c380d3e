"""The device database."""

import copy
import json
import pickle

import pytest

from hwkeras.errors import UserError
from hwkeras.hardware import Profile
from hwkeras.hardware import load_profile
from hwkeras.hardware import profile_names


def test_devices_of_the_database():
    assert len(profile_names()) >= 6
    assert {"raspberry_pi_4", "raspberry_pi_5", "stm32f446", "stm32h743", "esp32_s3"} <= set(profile_names())


@pytest.mark.parametrize("name", profile_names())
def test_profile(name):
    profile = load_profile(name)
    assert profile.name == name
    assert all(len(source) > 5 for source in profile.sources.values())
    assert profile.peak_macs_per_s["int8"] >= profile.peak_macs_per_s["float32"]
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
    assert pickle.loads(pickle.dumps(profile)) == profile
    assert (profile.flash_bytes is None) == (profile.kind == "linux")


def test_file_of_the_user(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**load_profile("stm32f446").to_json(), "name": "mine"}))
    assert load_profile(path).name == load_profile(str(path)).name == "mine"


def test_unknown_name():
    with pytest.raises(UserError, match=r"one of esp32_s3, .*stm32h743, or the path.*Received: 'toaster'"):
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
        ({"version": 2}, r"`version` of a profile is 1\. Received: version=2"),
        ({"kind": "phone"}, r"`kind` of a profile is one of .*Received: kind='phone' in 'stm32f446'"),
        ({"precisions": ["int4"]}, r"`precisions` of a profile are some of .*Received: precisions=\('int4',\)"),
        ({"precisions": []}, r"Received: precisions=\(\)"),
        ({"ram_bytes": {"value": 0}}, r"`ram_bytes` of a profile must be positive\. Received: ram_bytes=0"),
        ({"ram_bytes": {"value": None}}, r"`ram_bytes` of a profile must be positive\. Received: ram_bytes=None"),
        ({"power_w": {"value": "1 W"}}, r"`power_w` of a profile must be positive or null\. Received: power_w='1 W'"),
        ({"clock_hz": {"source": ""}}, r"Every figure of a profile has a source\. Received: none for 'clock_hz'"),
        ({"peak_macs_per_s": {"value": {"int8": 1}}}, r"has 'float32' and 'int8'\. Received: \['int8'\]"),
        ({"peak_macs_per_s": {"value": 5}}, r"has 'float32' and 'int8'\. Received: 5 in 'stm32f446'"),
        ({"extra": 1}, r"A profile has exactly version, name.*Received: \['extra', "),
        ({"clock_hz": {"unit": "Hz"}}, r"A figure 'clock_hz' has exactly value, source, estimated\. Received"),
        ({"figures": {}}, r"A profile's figures has exactly clock_hz.*Received: \[\]"),
    ],
)
def test_profile_that_cannot_be(changes, message):
    with pytest.raises(UserError, match=message):
        Profile.from_json(changed(**changes))


def test_profile_that_is_no_object():
    with pytest.raises(UserError, match="A profile has exactly version, .*Received: list"):
        Profile.from_json([])
