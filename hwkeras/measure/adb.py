"""Android devices, reached by the system's own `adb`."""

from __future__ import annotations

import os
import pathlib
import re
import tempfile
import urllib.parse

import filelock

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.child import as_text
from hwkeras.measure.child import run_bytes
from hwkeras.measure.local_device import own_folder
from hwkeras.measure.remote_device import RemoteDevice
from hwkeras.measure.stored_files import digest_of

FORM = "adb://SERIAL"
_QUERY = ("python", "folder", "benchmark_model", "server_port")
_PROGRESS = r"^\s*\[\s*\d+%\]|\d files? pushed"
_READY = ("device", "recovery")
_HINTS = (
    ("unauthorized", "Unlock the device and allow this computer in the dialog it shows."),
    ("offline", "Plug it in again, or restart it."),
    ("no permissions", "Add a udev rule for it, see `adb devices`."),
)


class AdbDevice(RemoteDevice):
    """An Android device, or anything else that runs `adbd`.

    Args:
        address: str, `"adb://SERIAL"` as `adb devices` lists it; `"adb://10.0.0.9:5555"` is connected to where `adb`
            does not know it yet. The other arguments can stand in it too: `"adb://0123?python=/data/local/tmp/py"`.
        python: str, path of Python there. Defaults to `None`, the `python3` that is found, or that of Termux.
        folder: str, of hwkeras on the device. Defaults to `None`, `/data/local/tmp/hwkeras`.
        benchmark_model: str, path of a `benchmark_model` binary, built for the device, on this machine; or
            `"device:/path"` for one that is on the device already. `open_meter` then measures with it instead of with
            Python. Defaults to `None`.
        server_port: int, of the `adb` server. Defaults to `None`, as `adb` chooses.
        answer_timeout_s: float, seconds a short command may take. Defaults to `30.0`.

    Raises:
        UserError: an address of another form.
    """

    kind = "adb"

    def __init__(
        self, address, python=None, folder=None, benchmark_model=None, server_port=None, answer_timeout_s=30.0
    ):
        self._serial, query = _read(address)
        folder = folder or query.get("folder") or "/data/local/tmp/hwkeras"
        super().__init__(address, folder, python or query.get("python"), answer_timeout_s)
        self.benchmark_model = benchmark_model or query.get("benchmark_model")
        port = server_port or query.get("server_port")
        self._server = ["-P", str(_port(address, port))] if port else []

    def close(self):
        """See `Device.close`. The `adb` server, which serves others too, goes on."""
        with self._lock:
            self._facts = None

    def _connect(self):
        state, reason = self._state()
        if state not in _READY and re.fullmatch(r".+:\d+", self._serial):
            state, reason = self._connected_anew()
        if state not in _READY:
            raise DeviceError(f"{self.name} must be reachable by `adb`. Received: {reason[-500:]!r}. {_hint(reason)}")

    def _connected_anew(self):
        """Connects to a device of the network; one search at a time, else each would end what the other just made."""
        lock = os.path.join(own_folder(), f"adb-{digest_of(self._serial.encode())[:16]}.lock")
        with filelock.FileLock(lock):
            state, reason = self._state()
            if state in _READY:
                return state, reason
            if "not found" not in reason:
                # NOTE: what `adb` lost stays in its list as offline, and is not connected to while it is there.
                self._adb("disconnect", self._serial, of_device=False)
            said = self._words(self._adb("connect", self._serial, of_device=False))
            state, reason = self._state()
            return state, f"{reason} ({said})"

    def _state(self):
        """What `adb` calls the state of the device, and all it said of it."""
        result = self._adb("get-state")
        return as_text(result[1]).strip(), self._words(result)

    def _shell(self, line, stdin, timeout_s, at_timeout):
        # NOTE: an old adbd knows no end of stdin, so nothing is ever sent there; `_stdin_for` sends a file.
        return self._adb("shell", "-n", line, timeout_s=timeout_s, at_timeout=at_timeout)

    def _stdin_for(self, path, content):
        if content:
            self._send(content, path)
        return ("file" if content else "nothing"), b""

    def _send(self, content, path):
        with tempfile.TemporaryDirectory(prefix="hwkeras-adb-") as folder:
            file = pathlib.Path(folder) / "content"
            file.write_bytes(content)
            self._push(file, path, len(content))

    def _send_folder(self, files, path):
        with tempfile.TemporaryDirectory(prefix="hwkeras-adb-") as folder:
            for name, content in files.items():
                file = pathlib.Path(folder) / "content" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self._push(file=pathlib.Path(folder) / "content", path=path, num_bytes=sum(map(len, files.values())))

    def _push(self, file, path, num_bytes):
        result = self._adb("push", os.fspath(file), path, timeout_s=self._seconds(num_bytes))
        if result[0] != 0:
            self._must_be_there(result)
            raise self._not_stored(path, num_bytes, self._words(result))

    def _receive(self, path):
        with tempfile.TemporaryDirectory(prefix="hwkeras-adb-") as folder:
            file = pathlib.Path(folder) / "content"
            # NOTE: a file may be large, and only the device knows.
            result = self._adb("pull", path, os.fspath(file), timeout_s=10 * self.answer_timeout_s)
            if result[0] != 0 or not file.is_file():
                self._must_be_there(result)
                raise DeviceError(
                    f"A file to take from {self.name} must be readable. Received: {path!r} "
                    f"({self._words(result)[-200:]})."
                )
            return file.read_bytes()

    def _must_be_there(self, result):
        """Raises DeviceLost where a transfer failed because the device is gone, or hangs."""
        if result[0] is None:
            raise self._lost(f"no answer in time {self._words(result)}".strip())
        if self._state()[0] not in _READY:
            raise self._lost(self._words(result))

    def _words(self, result):
        """What `adb` said on both channels, without its progress, in one line."""
        lines = as_text(result[1] + b"\n" + result[2]).replace("\r", "\n").splitlines()
        return " ".join(line.strip() for line in lines if line.strip() and not re.search(_PROGRESS, line))

    def _adb(self, *arguments, timeout_s=None, at_timeout=None, of_device=True):
        serial = ["-s", self._serial] if of_device else []
        return run_adb([*self._server, *serial, *arguments], timeout_s or self.answer_timeout_s, at_timeout)


def run_adb(arguments, timeout_s, at_timeout=None):
    """Runs the system's `adb`.

    Args:
        arguments: sequence of str.
        timeout_s: float, seconds.
        at_timeout: callable, see `run_bytes`. Defaults to `None`.

    Returns:
        tuple, as `run_bytes`.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        return run_bytes(["adb", *arguments], b"", timeout_s, at_timeout=at_timeout)
    except OSError as error:
        raise DeviceError(
            f"`adb` must be installed. Received: {error.strerror}. Install Android's platform tools."
        ) from error


def attached_addresses(timeout_s=10.0):
    """The devices that `adb` knows.

    Args:
        timeout_s: float, seconds. Defaults to `10.0`.

    Returns:
        tuple of str, such as `"adb://0123456789"`, whatever state they are in; empty where `adb` is not installed.
    """
    try:
        code, stdout, _ = run_adb(["devices"], timeout_s)
    except DeviceError:
        return ()
    lines = as_text(stdout).splitlines() if code == 0 else []
    rows = [line.split("\t") for line in lines if "\t" in line and not line.startswith("*")]
    return tuple(f"adb://{serial}" for serial, *_ in rows if _is_serial(serial))


def _read(address):
    """The serial, and the arguments that stand in the address."""
    match = re.fullmatch(r"adb://([^/?#]+)/?(?:\?([^#]*))?", address)
    if match is None or not _is_serial(match[1]):
        raise UserError(
            f"An Android device is written {FORM}, with letters, digits, dots, colons, underscores and dashes (not "
            f"first). Received: {address!r}. `adb devices` lists the serials."
        )
    query = dict(urllib.parse.parse_qsl(match[2] or "", keep_blank_values=True))
    unknown = sorted(set(query) - set(_QUERY))
    if unknown:
        raise UserError(
            f"An address {FORM} may be followed by {', '.join(f'{name}=...' for name in _QUERY)}. "
            f"Received: {unknown[0]!r} in {address!r}."
        )
    return match[1], query


def _is_serial(text):
    # NOTE: a leading dash would be read as an option by `adb`.
    return re.fullmatch(r"[A-Za-z0-9_.:][A-Za-z0-9_.:-]*", text) is not None


def _port(address, port):
    if not re.fullmatch(r"[0-9]{1,5}", str(port)) or not 0 < int(port) < 65536:
        raise UserError(f"`server_port` is a port from 1 to 65535. Received: {port!r} for {address!r}.")
    return int(port)


def _hint(reason):
    return next((hint for sign, hint in _HINTS if sign in reason), "`adb devices` lists what can be reached.")
