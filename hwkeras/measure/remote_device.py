"""What devices behind a wire have in common: a shell, files that are sent, programs that are stopped in time."""

from __future__ import annotations

import abc
import contextlib
import math
import re
import secrets
import shlex
import threading

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.measure.child import ChildResult
from hwkeras.measure.child import as_text
from hwkeras.measure.stored_files import FIND_FILE
from hwkeras.measure.stored_files import FIND_FOLDER
from hwkeras.measure.stored_files import KEEP_FILE
from hwkeras.measure.stored_files import KEEP_FOLDER
from hwkeras.measure.stored_files import MAKE_ROOM
from hwkeras.measure.stored_files import digest_of
from hwkeras.measure.stored_files import file_path
from hwkeras.measure.stored_files import folder_path
from hwkeras.measure.stored_files import manifest

# The slowest transfer that is still waited for, bytes a second, beside the time of a short command.
_SLOWEST = 100_000
# Seconds after the host's own time-out at which the device stops a program by itself, should the host be gone.
_GRACE_S = 5

# Every script runs inside this, so that its exit code arrives as a line of its own: a wire that breaks, and an old
# `adb` that has no exit codes, then cannot be taken for a program that ended.
_FRAME = '(\n%s\n)\ncode=$?\nprintf "\\n%%s %%s\\n" "$0" "$code" >&2\nexit "$code"'

_OPEN = (
    """
case $1 in
  "~/"*) folder=$HOME/${1#??};;
  /*) folder=$1;;
  *) folder=$HOME/$1;;
esac
echo "folder=$folder"
echo "system=$(uname -s)"
echo "machine=$(uname -m)"
echo "cpu=$(grep -i -m 1 -e '^model name' -e '^hardware' /proc/cpuinfo 2>/dev/null | cut -d : -f 2-)"
echo "model=$(getprop ro.product.model 2>/dev/null || tr -d '\\0' 2>/dev/null < /proc/device-tree/model)"
echo "python=$(command -v python3 || ls /data/data/com.termux/files/usr/bin/python3 2>/dev/null)"
set -- "$folder"
"""
    + MAKE_ROOM
)

# Arguments: folder of the notes, name of this run, seconds, where the input is ("stdin", "nothing", or "file" for one
# beside the note), then the program. It gets a process group of its own where `setsid` exists; a second one stops it
# should nobody else do so.
_RUN = """
note=$1/$2; seconds=$3; input=$4; shift 4
case $input in
  stdin) exec 3<&0;;
  file) exec 3< "$note.in"; rm -f "$note.in";;
  *) exec 3< /dev/null;;
esac
if command -v setsid >/dev/null 2>&1; then group=setsid; else group=; fi
$group "$@" <&3 3<&- &
pid=$!
exec 3<&- </dev/null
echo "$pid" 2>/dev/null > "$note"
$group sh -c 'sleep "$1"; kill -9 "-$2" || kill -9 "$2"' sh "$seconds" "$pid" >/dev/null 2>&1 &
guard=$!
wait "$pid"; code=$?
{ kill -9 "-$guard" || kill -9 "$guard"; kill -9 "-$pid"; rm -f "$note"; } 2>/dev/null
exit "$code"
"""

# Argument: the note of a run. Comes back when the program and all it started are gone.
_STOP = """
[ -s "$1" ] || exit 0
read -r pid < "$1"
tries=0
while [ "$tries" -lt 50 ]; do
  { kill -9 "-$pid" || kill -9 "$pid"; } 2>/dev/null || break
  sleep 0.1 2>/dev/null || sleep 1
  tries=$((tries + 1))
done
rm -f "$1"
exit 0
"""


class RemoteDevice(abc.ABC):
    """A `Device` with a POSIX shell. A transport writes the methods `_connect` to `close`.

    Args:
        name: str, the address as the user wrote it.
        folder: str, on the device: absolute, or from its home folder.
        python: str, how Python is called there; None for the one that is found.
        answer_timeout_s: float, seconds a short command may take before the device counts as lost.
    """

    kind = "remote"

    def __init__(self, name, folder, python, answer_timeout_s):
        self.name = name
        self.answer_timeout_s = answer_timeout_s
        self._asked_folder = folder
        self._asked_python = python
        self._facts = None
        self._lock = threading.RLock()

    @abc.abstractmethod
    def _connect(self):
        """Makes sure of the connection; raises DeviceError with the reason and the way out."""

    def _is_connected(self):
        """Whether the connection that was made is still there, as far as it can be told without asking the device."""
        return True

    @abc.abstractmethod
    def _shell(self, line, stdin, timeout_s, at_timeout):
        """Runs a line of the device's shell as `run_bytes` runs a command, and returns the same."""

    @abc.abstractmethod
    def _send(self, content, path):
        """Writes bytes to a path; its folder exists."""

    @abc.abstractmethod
    def _send_folder(self, files, path):
        """Writes files, a mapping of relative path to bytes, below a path that does not exist."""

    @abc.abstractmethod
    def _receive(self, path):
        """Reads a file."""

    @abc.abstractmethod
    def close(self):
        """See `Device.close`."""

    @property
    def folder(self):
        """The device's own folder, absolute; asking for it opens the connection."""
        return self._open()["folder"]

    @property
    def python(self):
        """How Python is called on the device."""
        return self._asked_python or self._open()["python"] or "python3"

    def info(self):
        """See `Device.info`: also `cpu` and `model` where the device tells them."""
        facts = {name: value for name, value in self._open().items() if name not in ("folder", "python") and value}
        return {"device": self.name, "kind": self.kind, **facts}

    def put(self, content, suffix=""):
        """See `Device.put`."""
        content = bytes(content)
        path = file_path(self.folder, content, suffix)
        size_and_digest = (str(len(content)), digest_of(content))
        if self._ask(FIND_FILE, path, *size_and_digest)[0] != 0:
            temporary = f"{self.folder}/files/put-{secrets.token_hex(8)}"
            with self._removed_if_it_fails(temporary):
                self._send(content, temporary)
            code, _, said = self._ask(KEEP_FILE, temporary, path, *size_and_digest, num_bytes=len(content))
            if code != 0:
                raise self._not_stored(path, len(content), said)
        return path

    def put_folder(self, files):
        """See `Device.put_folder`."""
        files = {name: bytes(content) for name, content in files.items()}
        path = folder_path(self.folder, files)
        if self._ask(FIND_FOLDER, path, *manifest(files))[0] != 0:
            temporary = f"{self.folder}/folders/put-{secrets.token_hex(8)}"
            num_bytes = sum(map(len, files.values()))
            with self._removed_if_it_fails(temporary):
                self._send_folder(files, temporary)
            code, _, said = self._ask(KEEP_FOLDER, temporary, path, *manifest(files), num_bytes=num_bytes)
            if code != 0:
                raise self._not_stored(path, num_bytes, said)
        return path

    def get(self, path):
        """See `Device.get`."""
        self._open()
        return self._receive(path)

    def run(self, argv, stdin="", timeout_s=60.0):
        """See `Device.run`. An exit code of 128 + n, as the device's shell tells it, is signal n."""
        run = secrets.token_hex(8)
        notes = f"{self.folder}/run"
        given, fed = self._stdin_for(f"{notes}/{run}.in", stdin.encode())
        arguments = (notes, run, str(math.ceil(timeout_s) + _GRACE_S), given, *argv)

        def stop():
            self._ask(_STOP, f"{notes}/{run}")

        try:
            code, stdout, stderr = self._ask(_RUN, *arguments, stdin=fed, timeout_s=timeout_s, at_timeout=stop)
        except KeyboardInterrupt:
            # The program there has a session of its own and would go on.
            with contextlib.suppress(DeviceError):
                stop()
            raise
        if code is not None and 128 < code <= 192:
            code = 128 - code
        return ChildResult(code, as_text(stdout), stderr)

    def _stdin_for(self, path, content):
        """Where a program finds its input: `"stdin"`, `"file"` or `"nothing"`; and what goes into stdin."""
        return "stdin", content

    def _open(self):
        """The facts of the device, asked once a connection; makes its folder."""
        with self._lock:
            if self._facts is None or not self._is_connected():
                self._connect()
                code, stdout, said = self._ask(_OPEN, self._asked_folder)
                facts = dict(line.split("=", 1) for line in as_text(stdout).splitlines() if "=" in line)
                if code != 0:
                    raise DeviceError(
                        f"A folder on {self.name} must be writable. Received: {facts.get('folder')!r}, where it said "
                        f"{_end(said)!r}. Free space there, or name another folder with `?folder=...`."
                    )
                self._facts = {name: value.strip() for name, value in facts.items()}
            return self._facts

    def _ask(self, script, *arguments, stdin=b"", timeout_s=None, num_bytes=0, at_timeout=None):
        """Runs a script on the device.

        Args:
            script: str.
            *arguments: str.
            stdin: bytes. Defaults to `b""`.
            timeout_s: float. Defaults to `None`, the time of a short command and of the bytes it handles.
            num_bytes: int, bytes that are handled besides `stdin`. Defaults to `0`.
            at_timeout: callable without arguments that stops the script on the device. Defaults to `None`: a time-out
                means that the device is lost.

        Returns:
            tuple: exit code (None after the time-out), stdout as bytes, stderr as str.
        """
        mark = f"hwkeras-{secrets.token_hex(8)}"
        words = ("sh", "-c", _FRAME % script, mark, *arguments)
        seconds = timeout_s or self._seconds(len(stdin) + num_bytes)
        code, stdout, stderr = self._shell(" ".join(map(shlex.quote, words)), stdin, seconds, at_timeout)
        pattern = re.compile(rf"\r?\n{mark} (\d+)\r?\n".encode())
        ending = pattern.search(stderr) or pattern.search(stdout)
        stdout, said = pattern.sub(b"", stdout), as_text(pattern.sub(b"", stderr))
        if code is None and at_timeout is not None:
            return None, stdout, said
        if ending is not None:
            return int(ending[1]), stdout, said
        raise self._lost(f"no answer within {seconds:g} s" if code is None else _end(said))

    def _seconds(self, num_bytes):
        return self.answer_timeout_s + num_bytes / _SLOWEST

    def _lost(self, said):
        """Forgets the connection, so that the next call opens it again; returns the error."""
        self.close()
        said = said or "it broke without a word"
        return DeviceLost(
            f"The connection to {self.name} must last until the answer. Received: {said!r}. "
            "Check that the device is on and can be reached."
        )

    def _not_stored(self, path, num_bytes, said):
        return DeviceError(
            f"A file of {num_bytes} bytes must arrive on {self.name} whole. Received: {_end(said) or 'a part of it'!r} "
            f"for {path}. Free space there, or name another folder with `?folder=...`."
        )

    @contextlib.contextmanager
    def _removed_if_it_fails(self, temporary):
        """Removes what a transfer that fails leaves on the device, where it can still be reached."""
        try:
            yield
        except DeviceLost:
            raise
        except DeviceError:
            self._ask('rm -rf "$1"', temporary)
            raise


def _end(said):
    """The end of what a program said, in one line."""
    return " ".join(said.strip().splitlines()[-3:])[-500:]
