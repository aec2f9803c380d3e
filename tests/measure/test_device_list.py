"""The device list: what is read, and what each mistake is answered with."""

import json

import pytest

from hwkeras.errors import UserError
from hwkeras.measure.device_list import device_list_path
from hwkeras.measure.device_list import read_device_list


def test_keys_and_names_in_their_order(tmp_path):
    path = tmp_path / "devices.json"
    path.write_text(json.dumps({"version": 1, "devices": {"rpi4": ["ssh://pi@b", "ssh://pi@a"], "x": ["adb://1"]}}))
    assert read_device_list(path) == {"rpi4": ("ssh://pi@b", "ssh://pi@a"), "x": ("adb://1",)}


def test_the_variable_names_the_list(tmp_path, monkeypatch):
    path = tmp_path / "mine.json"
    path.write_text('{"version": 1, "devices": {}}')
    monkeypatch.setenv("HWKERAS_DEVICES", str(path))
    assert device_list_path() == path
    assert read_device_list() == {}
    monkeypatch.setenv("HWKERAS_DEVICES", str(tmp_path / "absent.json"))
    with pytest.raises(UserError, match=r"must be readable\. Received: .*absent\.json \(No such file.*HWKERAS_DEVICES"):
        read_device_list()


def test_no_list_at_the_usual_place_is_no_device(tmp_path, monkeypatch):
    monkeypatch.delenv("HWKERAS_DEVICES", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert device_list_path() == tmp_path / ".config" / "hwkeras" / "devices.json"
    assert read_device_list() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"is a JSON file\. Received: .*devices\.json \(Expecting"),
        ("[" * 100_000, r"is a JSON file"),
        ("[]", r"object with `version` and `devices`\. Received: .*devices\.json with a list"),
        ('{"rpi4": ["ssh://pi@a"]}', r"with the fields 'rpi4'\. An example: \{\"version\""),
        ('{"version": 2, "devices": {}}', r"`version` of a device list must be 1\. Received: .* version=2"),
        ('{"version": true, "devices": {}}', r"must be 1\. Received: .* version=True"),
        ('{"version": 1, "devices": ["a"]}', r"map a key to names\. Received: .* with a list"),
        ('{"version": 1, "devices": {"rpi4": "ssh://a"}}', r"at least one device.*'rpi4': \"ssh://a\""),
        ('{"version": 1, "devices": {"rpi4": []}}', r"at least one device.*'rpi4': \[\]"),
        ('{"version": 1, "devices": {"rpi4": ["a", "a"]}}', r"each named once.*\[\"a\", \"a\"\]"),
        ('{"version": 1, "devices": {"rpi4": [" "]}}', r"at least one device"),
        ('{"version": 1, "devices": {"rpi4": ["rpi4"]}}', r"not for itself.*'rpi4': \[\"rpi4\"\]"),
        ('{"version": 1, "devices": {"local": ["ssh://a"]}}', r"not one of 'local', 'fake'.*key 'local'"),
        ('{"version": 1, "devices": {"ssh://a": ["ssh://a"]}}', r"no address.*key 'ssh://a'"),
        (
            '{"version": 1, "devices": {"a": ["x"], "a": ["y"]}}',
            r"once in a device list, 'a' stands 2 times\. Received: .*json",
        ),
    ],
)
def test_each_mistake_is_told(tmp_path, text, said):
    path = tmp_path / "devices.json"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_device_list(path)


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(UserError, match=r"must be readable\. Received: .* \(Is a directory\)"):
        read_device_list(tmp_path)
