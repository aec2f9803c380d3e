"""This machine as a device."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.child import run_bytes
from hwkeras.measure.child import run_child
from hwkeras.measure.local_device import LocalDevice
from hwkeras.measure.local_device import default_folder
from hwkeras.measure.stored_files import folder_path
from hwkeras.testing.device_conformance import DeviceConformance


class TestLocalDevice(DeviceConformance):
    hang_timeout_s = 0.5

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self._path = tmp_path / "device"

    def make_device(self):
        return LocalDevice(self._path)


def test_one_folder_a_user(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path))
    assert LocalDevice().folder == LocalDevice().folder == default_folder()
    assert pathlib.Path(default_folder()).parent == tmp_path
    LocalDevice().put(b"content")
    assert pathlib.Path(default_folder()).stat().st_mode & 0o777 == 0o700


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    user = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: user + 1)
    with pytest.raises(DeviceError, match="must be the user's own. Received: .*/theirs, which belongs to another user"):
        LocalDevice(tmp_path / "theirs").put(b"content")


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(DeviceError, match="which belongs to another user or is no folder"):
        LocalDevice(tmp_path / "link").put(b"content")


def test_what_nobody_asked_for_in_a_day_goes(tmp_path):
    now = [1_000_000.0]
    device = LocalDevice(tmp_path, clock=lambda: now[0])
    old, used = device.put(b"old", ".tflite"), device.put(b"used", ".tflite")
    own = tmp_path / "files" / "of-the-user.txt"
    own.write_text("stays")
    for path in (old, used, own):
        os.utime(path, (now[0], now[0]))
    now[0] += 80_000
    device.put(b"used", ".tflite")
    now[0] += 80_000
    LocalDevice(tmp_path, clock=lambda: now[0]).put(b"new")
    assert not pathlib.Path(old).exists()
    assert pathlib.Path(used).exists()
    assert own.read_text() == "stays"


def test_a_folder_that_was_swept_is_made_again(tmp_path):
    device = LocalDevice(tmp_path / "device")
    device.put(b"content")
    shutil.rmtree(tmp_path / "device")
    assert os.path.isdir(device.folder)
    shutil.rmtree(tmp_path / "device" / "folders")
    assert os.path.isdir(device.put_folder({"a": b"1"}))


def test_half_a_folder_is_made_whole(tmp_path):
    device = LocalDevice(tmp_path)
    folder = pathlib.Path(device.put_folder({"a": b"1", "b/c": b"2"}))
    (folder / "b" / "c").write_bytes(b"")
    assert device.put_folder({"a": b"1", "b/c": b"2"}) == os.fspath(folder)
    assert (folder / "b" / "c").read_bytes() == b"2"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_full_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", os.fspath(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        device = LocalDevice(folder)
        small = device.put(b"small")
        with pytest.raises(DeviceError, match=f"500000 bytes must arrive on local whole.*{os.strerror(errno.ENOSPC)}"):
            device.put(b"L" * 500_000)
        with pytest.raises(DeviceError, match=os.strerror(errno.ENOSPC)):
            device.put_folder({"a": b"L" * 500_000})
        assert [path for path in folder.rglob("*") if path.is_file()] == [pathlib.Path(small)]
    finally:
        subprocess.run(["umount", "-l", folder], check=True, timeout=30)


def test_programs_that_do_not_start(tmp_path):
    (tmp_path / "text").write_text("")
    device = LocalDevice(tmp_path)
    assert device.run(["/nowhere"]) == ChildResult(127, "", "/nowhere: No such file or directory\n")
    assert device.run([os.fspath(tmp_path / "text")]).returncode == 126


def test_folders_that_are_refused():
    with pytest.raises(UserError, match="`files` must hold at least one file. Received: files={}"):
        folder_path("/folder", {})
    for name in ("/etc/passwd", "../x", "a/../b", "a//b", "a\nb", ".", "a\\b"):
        with pytest.raises(UserError, match="A path in `files` is relative, in its shortest form"):
            folder_path("/folder", {name: b""})


def test_a_child_whose_pipes_a_daemon_keeps_open():
    # The daemon has a session of its own, so that it outlives the child's group.
    source = """
import subprocess, sys
wait = "import threading; threading.Event().wait(20)"
daemon = subprocess.Popen([sys.executable, "-c", wait], start_new_session=True)
print(daemon.pid, flush=True)
"""
    code, stdout, _ = run_bytes([sys.executable, "-c", source], b"", timeout_s=1.5)
    assert code is None
    os.kill(int(stdout), 9)


def test_a_child_may_end_by_itself_after_the_time_out():
    asked = []
    reader, writer = os.pipe()

    def ask():
        asked.append(True)
        os.write(writer, b"go\n")

    command = ["sh", "-c", f"echo first; read line < /proc/{os.getpid()}/fd/{reader}; echo last"]
    code, stdout, _ = run_bytes(command, b"", timeout_s=0.5, at_timeout=ask)
    os.close(reader)
    os.close(writer)
    assert (code, stdout, asked) == (None, b"first\nlast\n", [True])


def test_line_ends_stay():
    assert run_child(["cat"], "a\r\nb\rc", 10).stdout == "a\r\nb\rc"
