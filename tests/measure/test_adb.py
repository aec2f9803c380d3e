"""Android devices: the real `adb` client against a device side written for the tests."""

import os
import pathlib
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure import Meter
from hwkeras.measure import open_meter
from hwkeras.measure.adb import AdbDevice
from hwkeras.measure.adb import attached_addresses
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.testing.device_conformance import DeviceConformance
from tests.measure.adb_daemon import running_phone
from tests.measure.adb_daemon import why_not

QUICK = {"burst_ms": 1.0, "gap_ms": 0.0, "max_rounds": 3}
needs_adb = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def shared_phone(tmp_path_factory):
    with running_phone(tmp_path_factory.mktemp("phone") / "sandbox") as phone:
        yield phone


@pytest.fixture
def phone(shared_phone):
    yield shared_phone
    shared_phone.fail()
    if not shared_phone.is_alive:
        shared_phone.start()


@pytest.fixture
def arguments(phone):
    """What opens the phone, besides its address."""
    return {"server_port": phone.server_port, "folder": os.fspath(phone.folder), "python": sys.executable}


@pytest.fixture
def device(phone, arguments):
    return AdbDevice(phone.address, **arguments)


@needs_adb
class TestAdbDevice(DeviceConformance):
    @pytest.fixture(autouse=True)
    def _phone(self, phone, arguments):
        self._open = lambda: AdbDevice(phone.address, **arguments)

    def make_device(self):
        return self._open()


@needs_adb
def test_what_it_is(device, phone):
    facts = device.info()
    assert (facts["kind"], facts["device"], facts["model"]) == ("adb", phone.address, "Sandbox Phone")
    assert phone.adb("devices").stdout.split()[-2:] == [phone.serial, "device"]


@needs_adb
def test_measures(phone, arguments, made_files):
    meter = open_meter(phone.address, **arguments, **QUICK)
    assert isinstance(meter, Meter)
    first, refused, second = meter.measure([made_files["float32"], b"not a model", made_files["product"]])
    assert first.ok and second.ok
    assert first.environment["device"] == phone.address
    assert refused.status == "error"
    facts = meter.describe()
    assert (facts["device"], facts["kind"], facts["runtime"]) == (phone.address, "adb", "ai_edge_litert")
    assert (phone.folder / "lock").exists()


@needs_adb
def test_two_searches_at_once(phone, arguments, made_files):
    def search(name):
        return open_meter(phone.address, **arguments, **QUICK).measure([made_files[name]])[0]

    with ThreadPoolExecutor(2) as threads:
        measurements = list(threads.map(search, ["float32", "product"]))
    assert all(measurement.ok for measurement in measurements)


@needs_adb
@pytest.mark.parametrize("code", [0, 1, 100, 255])
def test_exit_codes(device, code):
    assert device.run(["sh", "-c", f"exit {code}"]).returncode == code


@needs_adb
def test_a_signal_is_told(device):
    assert device.run(["sh", "-c", "kill -SEGV $$"]).signal_name == "SIGSEGV"


@needs_adb
def test_a_program_without_input_reads_nothing(device):
    assert device.run(["cat"]).stdout == ""
    # What it read instead is still what it was.
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@needs_adb
def test_a_computer_that_is_not_allowed(phone, device):
    phone.kill()
    phone.fail(unauthorized=True)
    phone.start()
    try:
        with pytest.raises(DeviceError, match="must be reachable by `adb`.*unauthorized.*Unlock the device") as caught:
            device.put(b"content")
        assert not isinstance(caught.value, DeviceLost)
    finally:
        phone.fail()
    # Once it is allowed, all goes on.
    assert device.run(["echo", "back"]).stdout == "back\n"


@needs_adb
def test_a_serial_nobody_has(phone):
    with pytest.raises(DeviceError, match="'nobody' not found.*`adb devices` lists"):
        AdbDevice("adb://nobody", server_port=phone.server_port).info()
    with pytest.raises(DeviceError, match="must be reachable by `adb`.*Connection refused"):
        DeviceMeter(AdbDevice("adb://127.0.0.1:1", server_port=phone.server_port)).measure([b"any"])


@needs_adb
def test_disconnect_while_it_measures(phone, arguments, tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)
    bench = ("sh", "-c", 'echo now > "$1"; exec sleep 30', "sh", os.fspath(started))
    meter = DeviceMeter(AdbDevice(phone.address, **arguments), bench=bench, timeout_s=20)

    def cut():
        started.read_text()
        phone.kill()

    cutting = threading.Thread(target=cut)
    cutting.start()
    one, other = meter.measure([b"one", b"other"])
    cutting.join()
    assert (one.status, other.status) == ("lost", "lost")
    assert "must last until the answer" in one.message
    with pytest.raises(DeviceError, match="must be reachable by `adb`"):
        meter.measure([b"one"])
    phone.start()
    assert meter.device.run(["echo", "back"]).stdout == "back\n"


@needs_adb
def test_disconnect_while_a_file_is_sent(phone, device):
    content = b"half of it" * 100_000
    device.info()
    phone.fail(push="cut")
    with pytest.raises(DeviceLost, match="The connection to adb://.* must last until the answer"):
        device.put(content, ".tflite")
    phone.fail()
    path = device.put(content, ".tflite")
    assert device.get(path) == content
    assert pathlib.Path(path).read_bytes() == content


@needs_adb
def test_disconnect_while_a_command_begins(phone, device):
    device.info()
    phone.fail(shell="cut")
    with pytest.raises(DeviceLost, match="must last until the answer"):
        device.run(["true"])


@needs_adb
@pytest.mark.parametrize("kind", ["push", "shell"])
def test_a_device_that_hangs(phone, arguments, kind):
    device = AdbDevice(phone.address, answer_timeout_s=1.5, **arguments)
    device.info()
    phone.fail(**{kind: "hang"})
    with pytest.raises(DeviceLost, match="must last until the answer. Received: 'no answer"):
        device.put(b"a content that is new to the device: " + kind.encode())
    phone.fail()
    assert device.run(["echo", "back"]).stdout == "back\n"


@needs_adb
def test_a_bench_program_that_hangs(phone, arguments, tmp_path):
    note = tmp_path / "pid"
    bench = ("sh", "-c", 'echo $$ > "$1"; sleep 60; exit 0', "sh", os.fspath(note))
    meter = DeviceMeter(AdbDevice(phone.address, **arguments), bench=bench, timeout_s=1.0, lock_timeout_s=0)
    (measurement,) = meter.measure([b"any"])
    assert measurement.status == "timeout"
    assert "No answer within timeout_s=1" in measurement.message
    # What it started is gone too.
    with pytest.raises(ProcessLookupError):
        os.killpg(int(note.read_text()), 0)


@needs_adb
def test_full_disk(phone, device):
    small = device.put(b"small", ".tflite")
    before = sorted(phone.folder.rglob("*"))
    phone.fail(disk_bytes=1000)
    with pytest.raises(DeviceError, match="500000 bytes must arrive on adb://.*No space left on device") as caught:
        device.put(b"L" * 500_000, ".tflite")
    assert not isinstance(caught.value, DeviceLost)
    with pytest.raises(DeviceError, match="No space left on device"):
        device.put_folder({"a": b"small", "b": b"L" * 500_000})
    with pytest.raises(DeviceError, match="No space left on device"):
        DeviceMeter(device).measure([b"L" * 500_000])
    assert sorted(phone.folder.rglob("*")) == before
    assert device.get(small) == b"small"


@needs_adb
def test_a_file_that_arrives_in_part_is_noticed(phone, device, monkeypatch):
    push = device._push

    def push_half(file, path, num_bytes):
        file.write_bytes(file.read_bytes()[: num_bytes // 2])
        push(file, path, num_bytes)

    monkeypatch.setattr(device, "_push", push_half)
    device.info()
    before = sorted(phone.folder.rglob("*"))
    with pytest.raises(DeviceError, match="10000 bytes must arrive on adb://.* whole. Received: 'a part of it'"):
        device.put(b"0123456789" * 1000, ".tflite")
    assert sorted(phone.folder.rglob("*")) == before


@needs_adb
def test_names_cannot_inject(device, tmp_path):
    odd = {"a b;touch pwned": b"1", "$(touch pwned)": b"2", "`touch pwned`/x": b"3", "-rf": b"4", "it's": b"5"}
    folder = device.put_folder(odd)
    assert {name: device.get(f"{folder}/{name}") for name in odd} == odd
    with pytest.raises(DeviceError, match="must be readable"):
        device.get(f"{folder}/'; touch {tmp_path}/pwned; '")
    assert not (tmp_path / "pwned").exists()


@needs_adb
def test_no_python(phone, arguments):
    meter = open_meter(phone.address, **{**arguments, "python": "/nowhere/python"})
    with pytest.raises(DeviceError, match=r"must start on adb://.*'/nowhere/python'.*\?python="):
        meter.describe()


@needs_adb
def test_attached_devices(phone, monkeypatch):
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(phone.server_port))
    phone.adb("connect", phone.serial)
    assert attached_addresses() == (phone.address,)


def test_adb_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert attached_addresses() == ()
    with pytest.raises(DeviceError, match="`adb` must be installed. Received: No such file"):
        AdbDevice("adb://0123").info()


def test_where_files_go():
    assert AdbDevice("adb://0123")._asked_folder == "/data/local/tmp/hwkeras"
    device = AdbDevice("adb://0123?folder=/sdcard/x&benchmark_model=/bin/b&server_port=5038&python=/py")
    assert (device._asked_folder, device.benchmark_model, device.python) == ("/sdcard/x", "/bin/b", "/py")


@pytest.mark.parametrize(
    "address", ["adb://", "adb://-P5038", "adb://a b", "adb://a;id", "adb://a/b", "adb://$(id)", "ssh://0123"]
)
def test_addresses_that_are_refused(address):
    with pytest.raises(UserError, match=r"An Android device is written adb://SERIAL.*Received: '.*`adb devices` lists"):
        AdbDevice(address)


def test_arguments_that_are_refused():
    with pytest.raises(UserError, match=r"may be followed by python=\.\.\., .*Received: 'pyhton' in"):
        AdbDevice("adb://0123?pyhton=x")
    with pytest.raises(UserError, match="`server_port` is a port from 1 to 65535. Received: 'x' for 'adb://0123"):
        AdbDevice("adb://0123?server_port=x")
    with pytest.raises(UserError, match="Received: 70000 for 'adb://0123'"):
        AdbDevice("adb://0123", server_port=70000)
