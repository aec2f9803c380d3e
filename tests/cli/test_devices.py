"""`hwkeras devices`: who is there, who holds what, what is out of order; never a traceback."""

import json

import pytest

from hwkeras.cli.devices import devices
from hwkeras.cli.output import run
from hwkeras.measure.pool import open_pool

COUNTS = ("total", "free", "leased", "quarantined", "pending")


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Writes a device list of the keys given, and keeps the state of the pool out of the user's folder."""
    monkeypatch.setenv("HWKERAS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HWKERAS_DEVICES", str(tmp_path / "devices.json"))

    def write(**keys):
        (tmp_path / "devices.json").write_text(json.dumps({"version": 1, "devices": keys}))
        return open_pool()

    return write


@pytest.fixture
def document(capfd):
    def call(*arguments):
        code = run(devices, [*arguments, "--json"])
        out, err = capfd.readouterr()
        assert code == 0, err
        return json.loads(out)

    return call


def test_what_each_key_has(listed, document):
    listed(pi=["fake://a", "fake://b"], phone=["fake://c"])
    told = document()
    assert told["devices"][0]["device"] == "local"
    pi, phone = told["pools"]
    assert [pi["key"], *(pi[name] for name in COUNTS)] == ["pi", 2, 2, 0, 0, 0]
    assert [phone["key"], *(phone[name] for name in COUNTS)] == ["phone", 1, 1, 0, 0, 0]
    for device in pi["devices"]:
        assert device["available"] and device["message"] == ""
        assert (device["runtime"], device["cpu"]) == ("fake", "none")
        assert device["canary_ms"] > 0
    assert [device["device"] for device in pi["devices"]] == ["fake://a", "fake://b"]


def test_this_machine_and_its_canary(listed, document):
    listed()
    (local,) = (row for row in document()["devices"] if row["device"] == "local")
    assert local["available"], local["message"]
    assert local["cpu"] and local["runtime_version"]
    assert 0 < local["canary_ms"] < 10


def test_without_the_canary(listed, document):
    listed(pi=["fake://a"])
    (pool,) = document("--no-canary")["pools"]
    assert pool["devices"][0]["canary_ms"] is None and pool["devices"][0]["available"]


def test_who_holds_a_device(listed, document):
    pool = listed(pi=["fake://a"])
    with pool.lease("pi") as lease:
        (row,) = document("--no-canary")["pools"]
        assert lease.renew()
    (device,) = row["devices"]
    assert [row[name] for name in COUNTS] == [1, 0, 1, 0, 0]
    assert (device["state"], device["available"]) == ("leased", None)
    assert device["holder"]["pid"] and device["since_s"] >= 0


def test_devices_that_do_not_answer_are_told(listed, document, capfd):
    listed(pi=["ssh://nobody@127.0.0.1:1", "foo://x", "fake://a"])
    (row,) = document("--no-canary")["pools"]
    refused, unknown, good = row["devices"]
    assert not refused["available"] and "ssh://nobody@127.0.0.1:1" in refused["message"]
    assert not unknown["available"] and "Received: device='foo://x'" in unknown["message"]
    assert good["available"]
    assert run(devices, ["--no-canary"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "pi  total 3  free 3  leased 0  quarantined 0  pending 0" in lines
    assert any(line.startswith("  ssh://nobody@127.0.0.1:1  unreachable: ") for line in lines)
    assert any(line == "  fake://a  free  none, fake 1" for line in lines)


def test_quarantine_and_release(listed, document, capfd):
    pool = listed(pi=["fake://a"])
    for _ in range(3):
        with pool.lease("pi") as lease:
            lease.report_failure("no route\nto host")
    (row,) = document()["pools"]
    (device,) = row["devices"]
    assert [row[name] for name in COUNTS] == [1, 0, 0, 1, 0]
    assert (device["state"], device["failures"], device["message"]) == ("quarantined", 3, "no route\nto host")
    assert run(devices, []) == 0
    out = capfd.readouterr().out
    assert "  fake://a  quarantined for another " in out and " s: no route to host\n" in out
    (row,) = document("--release", "fake://a")["pools"]
    assert row["free"] == 1 and row["devices"][0]["available"]
    assert run(devices, ["--release", "fake://a"]) == 2
    assert capfd.readouterr().err == (
        "error: Only a device in quarantine can be released. Received: 'fake://a'. In quarantine: none.\n"
    )


def test_a_line_for_each(listed, capfd):
    pool = listed(pi=["fake://a", "fake://b"])
    with pool.lease("pi"):
        assert run(devices, []) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("local  ")
    assert lines[-2].startswith("  fake://a  leased by process ")
    assert lines[-1].startswith("  fake://b  free  none, fake 1, canary ")


def test_a_wrong_list_is_one_line(listed, tmp_path, capfd):
    (tmp_path / "devices.json").write_text("{")
    assert run(devices, ["--json"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("error: A device list is a JSON file.") and err.count("\n") == 1


def test_another_list(listed, document, tmp_path):
    listed(pi=["fake://a"])
    other = tmp_path / "other.json"
    other.write_text('{"version": 1, "devices": {"board": ["fake://z"]}}')
    assert [row["key"] for row in document("--list", str(other), "--no-canary")["pools"]] == ["board"]
