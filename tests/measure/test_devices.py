"""The devices by name, and the list of what there is to measure on."""

import json
import os
import sys

import pytest

from hwkeras.errors import UserError
from hwkeras.measure import benchmark
from hwkeras.measure import list_devices
from hwkeras.measure import open_meter
from hwkeras.measure.benchmark_model import BenchmarkModelMeter
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.local import LocalMeter
from tests.measure import adb_daemon
from tests.measure.adb_daemon import running_phone

QUICK = {"burst_ms": 1.0, "gap_ms": 0.0, "max_rounds": 3}


@pytest.fixture(autouse=True)
def nothing_of_the_user(tmp_path, tmp_path_factory, monkeypatch):
    """Neither a device list nor an `adb` of the user is looked at, and nobody who measures for real is waited for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("machine")))
    monkeypatch.delenv("HWKERAS_DEVICES", raising=False)
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    monkeypatch.setattr("hwkeras.measure.adb.attached_addresses", lambda: ())


@pytest.fixture
def write_list(tmp_path, monkeypatch):
    """Returns a function that writes a device list from key to names."""

    def write(**devices):
        path = tmp_path / "devices.json"
        path.write_text(json.dumps({"version": 1, "devices": devices}))
        monkeypatch.setenv("HWKERAS_DEVICES", os.fspath(path))
        monkeypatch.setenv("HWKERAS_STATE", os.fspath(tmp_path / "state"))

    return write


def test_local():
    assert isinstance(open_meter(), LocalMeter)
    meter = open_meter("local", num_threads=2, bench=("x",))
    assert (meter.num_threads, meter.bench, meter.device.name) == (2, ("x",), "local")


def test_ssh():
    name = "ssh://pi@10.0.0.7:2222?python=/venv/python"
    meter = open_meter(name, folder="/data", rounds=5, ssh_options=["LogLevel=ERROR"])
    assert isinstance(meter, DeviceMeter)
    assert (meter.rounds, meter.device.python) == (5, "/venv/python")
    assert (meter.device.name, meter.device._asked_folder) == (name, "/data")


def test_adb():
    meter = open_meter("adb://0123", python="/py", seed=3)
    assert (meter.device.python, meter.seed) == ("/py", 3)
    meter = open_meter("adb://0123?benchmark_model=device:/b", flags=("--use_gpu=true",))
    assert isinstance(meter, BenchmarkModelMeter)


def test_fake():
    (measurement,) = open_meter("fake", rounds=4).measure([b"content"])
    assert measurement.ok and measurement.environment["device"] == "fake"
    assert benchmark(b"content", "fake").latency_ms > 0


def test_a_key_of_the_device_list(write_list):
    write_list(board=["fake://one", "fake://two"])
    meter = open_meter("board", num_threads=2)
    (measurement,) = meter.measure([b"content"])
    assert measurement.ok
    assert measurement.environment["pool"]["key"] == "board"


def test_a_profile():
    pytest.importorskip("hwkeras.measure.estimated")
    from hwkeras.hardware import profile_names

    name = profile_names()[0]
    meter = open_meter(name, num_threads=1, rounds=3)
    assert meter.describe()["device"]
    with pytest.raises(UserError, match=r"A profile's file must be readable. Received: .*nowhere\.json"):
        open_meter("/nowhere.json").measure([b"content"])


def test_unknown_devices(write_list):
    write_list(board=["fake"])
    with pytest.raises(UserError) as caught:
        open_meter("toaster")
    for part in ("'local'", "ssh://user@host:port", "adb://SERIAL", "'fake'", "'board'", "Received: device='toaster'"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match=r"`device` is one of 'local', .*Received: device='telnet://host'"):
        open_meter("telnet://host")
    with pytest.raises(UserError, match="An SSH device is written"):
        open_meter("ssh://-oProxyCommand=id")


@pytest.mark.parametrize(
    ("device", "known"),
    [
        ("local", "affinity, .*bench, burst_ms, gap_ms, lock_timeout_s, max_rounds, num_threads, rounds, seed"),
        ("ssh://host", "identity, known_hosts, .*num_threads.*ssh_options"),
        ("adb://0123", "benchmark_model, .*num_threads.*server_port"),
        ("adb://0123?benchmark_model=device:/b", "flags, .*num_threads"),
        ("fake", "ms_per_kib, .*num_threads"),
    ],
)
def test_unknown_options(device, known):
    with pytest.raises(UserError, match=rf"The device '.*' takes the options .*{known}.*\. Received: threads\."):
        open_meter(device, threads=2)


def test_what_there_is():
    (device,) = list_devices()
    assert (device["device"], device["available"], device["message"]) == ("local", True, "")
    assert device["cpu"] and device["runtime_version"]


def test_devices_that_cannot_be_reached_are_listed_with_their_reason(write_list, monkeypatch):
    refused = "ssh://nobody@127.0.0.1:1"
    write_list(board=["fake", refused], other=["adb://127.0.0.1:1", "ssh://-oProxyCommand=id", "toaster", refused])
    monkeypatch.setattr("hwkeras.measure.adb.attached_addresses", lambda: ("adb://127.0.0.1:1", "adb://-x"))
    monkeypatch.setenv("PATH", "")
    found = {entry["device"]: entry for entry in list_devices()}
    assert list(found) == [
        "local", "fake", refused, "adb://127.0.0.1:1", "ssh://-oProxyCommand=id", "toaster", "adb://-x"
    ]  # fmt: skip
    assert found["fake"]["available"] and found["fake"]["runtime"] == "fake"
    for name, reason in (
        (refused, "`ssh` must be installed"),
        ("adb://127.0.0.1:1", "`adb` must be installed"),
        ("ssh://-oProxyCommand=id", "An SSH device is written"),
        ("toaster", "`device` is one of 'local'"),
        ("adb://-x", "An Android device is written"),
    ):
        assert found[name]["available"] is False
        assert reason in found[name]["message"]


def test_a_device_list_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HWKERAS_DEVICES", os.fspath(tmp_path / "absent.json"))
    local, refused = list_devices()
    assert local["available"]
    assert refused["device"] == os.fspath(tmp_path / "absent.json")
    assert "The device list must be readable" in refused["message"]
    # What needs no list opens all the same; what might stand in it is told so.
    assert open_meter("fake").describe()["runtime"] == "fake"
    with pytest.raises(UserError, match=r"The device list must be readable.*Received: device='toaster'"):
        open_meter("toaster")


def test_this_machine_without_the_bench_program(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (device,) = list_devices()
    assert device["available"] is False
    assert "`tflite_bench` must be installed beside hwkeras" in device["message"]


@pytest.mark.skipif(adb_daemon.why_not() is not None, reason=str(adb_daemon.why_not()))
def test_a_phone_is_listed(tmp_path, monkeypatch):
    with running_phone(tmp_path / "sandbox") as phone:
        phone.adb("connect", phone.serial)
        monkeypatch.undo()
        monkeypatch.setenv("HWKERAS_DEVICES", os.fspath(tmp_path / "list.json"))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(phone.server_port))
        listed = f"{phone.address}?python={sys.executable}&folder={phone.folder}"
        (tmp_path / "list.json").write_text(json.dumps({"version": 1, "devices": {"phone": [listed]}}))
        local, found = list_devices()
        assert local["device"] == "local"
        # It is named once, as the user wrote it.
        assert (found["device"], found["available"]) == (listed, True), found["message"]
        assert (found["kind"], found["model"]) == ("adb", "Sandbox Phone")
