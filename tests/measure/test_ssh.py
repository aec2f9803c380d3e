"""SSH devices against a real OpenSSH server on a loopback port."""

import errno
import os
import pathlib
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure import Meter
from hwkeras.measure import open_meter
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.ssh import SshDevice
from hwkeras.testing.device_conformance import DeviceConformance
from tests.measure.sshd import make_key
from tests.measure.sshd import running_sshd
from tests.measure.sshd import why_not

QUICK = {"burst_ms": 1.0, "gap_ms": 0.0, "max_rounds": 3}
needs_sshd = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def device(sshd):
    device = SshDevice(sshd.address())
    yield device
    device.close()


@pytest.mark.slow
@needs_sshd
class TestSshDevice(DeviceConformance):
    @pytest.fixture(autouse=True)
    def _server(self, sshd):
        self._made = []
        self._address = sshd.address()
        yield
        for device in self._made:
            device.close()

    def make_device(self):
        self._made.append(SshDevice(self._address))
        return self._made[-1]


@needs_sshd
def test_measures(sshd, made_files):
    meter = open_meter(sshd.address(), **QUICK)
    assert isinstance(meter, Meter)
    first, refused, second = meter.measure([made_files["float32"], b"not a model", made_files["product"]])
    assert first.ok and second.ok
    assert first.environment["device"] == sshd.address()
    assert refused.status == "error"
    facts = meter.describe()
    assert facts["device"] == sshd.address()
    assert (facts["kind"], facts["runtime"]) == ("ssh", "ai_edge_litert")
    assert facts["cpu"] and facts["runtime_version"]
    assert (sshd.data / "lock").exists()
    meter.close()


@needs_sshd
def test_two_searches_at_once(sshd, made_files):
    def search(name):
        meter = open_meter(sshd.address(), **QUICK)
        try:
            return meter.measure([made_files[name]])[0]
        finally:
            meter.close()

    with ThreadPoolExecutor(2) as threads:
        measurements = list(threads.map(search, ["float32", "product"]))
    assert all(measurement.ok for measurement in measurements)


@needs_sshd
@pytest.mark.parametrize("code", [0, 3, 100, 255])
def test_exit_codes_that_ssh_uses_itself(device, code):
    assert device.run(["sh", "-c", f"exit {code}"]).returncode == code


@needs_sshd
def test_a_signal_is_told(device):
    assert device.run(["sh", "-c", "kill -SEGV $$"]).signal_name == "SIGSEGV"


@needs_sshd
def test_one_connection_is_shared_and_ended(sshd, device):
    device.run(["true"])
    socket = pathlib.Path(device._socket)
    inode = socket.stat().st_ino
    device.run(["true"])
    assert socket.stat().st_ino == inode
    assert len(os.fspath(socket)) < 100
    device.close()
    assert not socket.parent.exists()


@needs_sshd
def test_a_connection_that_ended_while_nothing_was_asked_is_made_again(device):
    device.run(["true"])
    before = device._socket
    subprocess.run(device._ssh("-O", "exit"), check=True, capture_output=True, timeout=30)
    assert any(not os.path.exists(before) for _ in range(1_000_000))
    assert device.run(["echo", "back"]).stdout == "back\n"
    assert device._socket != before
    assert os.path.exists(device._socket)


@needs_sshd
def test_wrong_key(sshd):
    device = SshDevice(sshd.address(identity=sshd.folder / "stranger"))
    with pytest.raises(DeviceError, match=r"must be reachable by `ssh`.*Permission denied.*Name the key") as caught:
        device.put(b"content")
    assert not isinstance(caught.value, DeviceLost)
    assert device._socket is None


@needs_sshd
def test_host_key_that_is_not_known(sshd, tmp_path):
    unknown = tmp_path / "known_hosts"
    unknown.write_text("")
    with pytest.raises(DeviceError, match="Host key verification failed.*Connect once with `ssh`"):
        SshDevice(sshd.address(known_hosts=unknown)).info()
    assert unknown.read_text() == ""
    make_key(tmp_path / "other")
    unknown.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'other.pub').read_text()}")
    with pytest.raises(DeviceError, match="Host key verification failed"):
        SshDevice(sshd.address(known_hosts=unknown)).info()


@needs_sshd
def test_nobody_listens(sshd):
    address = sshd.address().replace(f":{sshd.port}", ":1")
    with pytest.raises(DeviceError, match="Connection refused.*Check the port"):
        DeviceMeter(SshDevice(address), **QUICK).measure([b"any"])


@needs_sshd
def test_disconnect_while_a_program_runs(sshd, device, tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)

    def cut():
        started.read_text()
        sshd.signal_connections(signal.SIGKILL)

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(DeviceLost, match="The connection to ssh://.* must last until the answer"):
        device.run(["sh", "-c", 'echo now > "$1"; exec sleep 30', "sh", os.fspath(started)], timeout_s=20)
    cutting.join()
    assert device.run(["echo", "back"]).stdout == "back\n"


@needs_sshd
def test_disconnect_while_it_measures(sshd, tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)
    bench = ("sh", "-c", 'echo now > "$1"; exec sleep 30', "sh", os.fspath(started))
    meter = DeviceMeter(SshDevice(sshd.address()), bench=bench, timeout_s=20)

    def cut():
        started.read_text()
        sshd.signal_connections(signal.SIGKILL)

    cutting = threading.Thread(target=cut)
    cutting.start()
    one, other = meter.measure([b"one", b"other"])
    cutting.join()
    assert (one.status, other.status) == ("lost", "lost")
    assert "must last until the answer" in one.message


@needs_sshd
def test_disconnect_while_a_file_is_sent(sshd, device, monkeypatch):
    device.info()
    store = device._store

    def cut_and_store(script, content, path):
        # The file is read on the device by a program that never takes it all.
        store(f"kill -9 $PPID; {script}", content, path)

    monkeypatch.setattr(device, "_store", cut_and_store)
    with pytest.raises(DeviceLost, match="must last until the answer"):
        device.put(b"half of it" * 100_000, ".tflite")
    monkeypatch.undo()
    path = device.put(b"half of it" * 100_000, ".tflite")
    assert device.get(path) == b"half of it" * 100_000


@needs_sshd
def test_a_device_that_hangs(sshd):
    device = SshDevice(sshd.address(), answer_timeout_s=2.0)
    device.info()
    sshd.signal_connections(signal.SIGSTOP)
    try:
        with pytest.raises(DeviceLost, match="no answer within 2 s"):
            device.put(b"content")
        with pytest.raises(DeviceError, match="must be reachable by `ssh`"):
            # The listener still answers; a connection that hangs from the start must end too.
            sshd.process.send_signal(signal.SIGSTOP)
            device.info()
    finally:
        sshd.process.send_signal(signal.SIGCONT)
        sshd.signal_connections(signal.SIGCONT)
    assert device.run(["echo", "back"]).stdout == "back\n"
    device.close()


@needs_sshd
def test_a_bench_program_that_hangs(sshd, tmp_path):
    note = tmp_path / "pid"
    bench = ("sh", "-c", 'echo $$ > "$1"; sleep 60; exit 0', "sh", os.fspath(note))
    meter = DeviceMeter(SshDevice(sshd.address()), bench=bench, timeout_s=1.0, lock_timeout_s=0)
    (measurement,) = meter.measure([b"any"])
    assert measurement.status == "timeout"
    assert "No answer within timeout_s=1" in measurement.message
    # What it started is gone too.
    with pytest.raises(ProcessLookupError):
        os.killpg(int(note.read_text()), 0)
    meter.close()


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", os.fspath(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True, timeout=30)


@needs_sshd
def test_full_disk(sshd, tiny_disk):
    device = SshDevice(sshd.address(folder=tiny_disk))
    small = device.put(b"small", ".tflite")
    with pytest.raises(DeviceError, match=f"500000 bytes must arrive on ssh://.*{os.strerror(errno.ENOSPC)}") as caught:
        device.put(b"L" * 500_000, ".tflite")
    assert not isinstance(caught.value, DeviceLost)
    with pytest.raises(DeviceError, match=f"{os.strerror(errno.ENOSPC)}|Wrote only"):
        device.put_folder({"a": b"small", "b": b"L" * 500_000})
    assert [path for path in tiny_disk.rglob("*") if path.is_file()] == [pathlib.Path(small)]
    assert list((tiny_disk / "folders").iterdir()) == []
    with pytest.raises(DeviceError, match=os.strerror(errno.ENOSPC)):
        DeviceMeter(device).measure([b"L" * 500_000])
    assert device.get(small) == b"small"
    device.close()


@needs_sshd
def test_a_folder_that_cannot_be_written(sshd, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="A folder on ssh://.* must be writable.*name another folder"):
        SshDevice(sshd.address(folder=tmp_path / "file" / "below")).info()


@needs_sshd
def test_names_cannot_inject(sshd, device, tmp_path):
    odd = {"a b;touch pwned": b"1", "$(touch pwned)": b"2", "`touch pwned`/x": b"3", "-rf": b"4", "it's": b"5"}
    folder = device.put_folder(odd)
    assert {name: device.get(f"{folder}/{name}") for name in odd} == odd
    with pytest.raises(DeviceError, match="must be readable"):
        device.get(f"{folder}/'; touch {tmp_path}/pwned; '")
    assert not (tmp_path / "pwned").exists()
    assert not list(pathlib.Path(folder).rglob("pwned"))


@needs_sshd
def test_no_python(sshd):
    meter = open_meter(sshd.address(python="/nowhere/python"))
    with pytest.raises(DeviceError, match=r"must start on ssh://.*'/nowhere/python'.*\?python="):
        meter.describe()
    meter.close()


@needs_sshd
def test_the_folder_stands_in_the_home_folder(sshd, tmp_path, monkeypatch):
    environment = ["SetEnv=HOME=/ignored"]
    device = SshDevice(f"{sshd.host}?python=x", folder="~/hwkeras-test-folder", ssh_options=[
        f"IdentityFile={sshd.folder}/user", f"UserKnownHostsFile={sshd.folder}/known_hosts", *environment
    ])  # fmt: skip
    try:
        assert device.folder == os.path.expanduser("~/hwkeras-test-folder")
        assert device.python == "x"
    finally:
        device.run(["rm", "-rf", device.folder])
        device.close()


def test_ssh_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(DeviceError, match="`ssh` must be installed"):
        SshDevice("ssh://somewhere").info()


@pytest.mark.parametrize(
    ("address", "received"),
    [
        ("ssh://", "another form"),
        ("ssh://-oProxyCommand=touch${IFS}pwned", "the host '-oproxycommand"),
        ("ssh://-oProxyCommand=x@host", "the user '-oProxyCommand=x'"),
        ("ssh://user;id@host", "the user 'user;id'"),
        ("ssh://ho st", "the host 'ho st'"),
        ("ssh://host$(id)", "the host"),
        ("ssh://user:secret@host", "nothing secret"),
        ("ssh://host:port", "Port could not be cast"),
        ("ssh://host:99999", "Port out of range"),
        ("ssh://host/path", "another form"),
        ("ssh://[::1", "Invalid IPv6"),
        ("https://host", "another form"),
    ],
)
def test_addresses_that_are_refused(address, received):
    with pytest.raises(UserError, match=r"An SSH device is written ssh://user@host:port") as caught:
        SshDevice(address)
    assert received in str(caught.value)


def test_arguments_that_are_refused():
    with pytest.raises(UserError, match=r"may be followed by python=\.\.\., .*Received: 'pyhton' in"):
        SshDevice("ssh://host?pyhton=x")
    with pytest.raises(UserError, match=r"`ssh_options` is a sequence of texts.*Received: ssh_options='-v'"):
        SshDevice("ssh://host", ssh_options="-v")
    with pytest.raises(UserError, match="Received: ssh_options="):
        SshDevice("ssh://host", ssh_options=["-v"])
    with pytest.raises(UserError, match=r"`suffix` is empty or a dot.*suffix='/\.\./x'"):
        from hwkeras.measure.stored_files import file_path

        file_path("/folder", b"", "/../x")


def test_the_command():
    device = SshDevice("ssh://pi@[fe80::1]:2222?identity=/keys/a b", ssh_options=["ConnectTimeout=3"])
    command = device._ssh("-T", command=["line"])
    assert command[-4:] == ["-T", "--", "pi@fe80::1", "line"]
    options = [word for word, before in zip(command[1:], command, strict=False) if before == "-o"]
    assert options.index("ConnectTimeout=3") < options.index("ConnectTimeout=10")
    assert {"Port=2222", "BatchMode=yes", 'IdentityFile="/keys/a b"', "IdentitiesOnly=yes"} <= set(options)
    assert not any(option.startswith("StrictHostKeyChecking") for option in options)
