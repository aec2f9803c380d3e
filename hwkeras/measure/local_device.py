"""This machine as a device."""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import platform
import shutil
import stat
import sys
import tempfile
import time

from hwkeras.errors import DeviceError
from hwkeras.files import write_atomically
from hwkeras.measure.child import CANNOT_RUN
from hwkeras.measure.child import NOT_FOUND
from hwkeras.measure.child import ChildResult
from hwkeras.measure.child import run_child
from hwkeras.measure.stored_files import OWN_FILE
from hwkeras.measure.stored_files import digest_of
from hwkeras.measure.stored_files import file_path
from hwkeras.measure.stored_files import folder_path

_DAY_S = 86400


class LocalDevice:
    """This machine; its folder is one a user, so that all searches of a user share its lock.

    Args:
        folder: str or `os.PathLike`. Defaults to `None`, `hwkeras-<user>` in the folder of temporary files.
        clock: callable that returns the time in seconds, by which files grow old. Defaults to `time.time`.
    """

    kind = "local"
    name = "local"
    python = sys.executable

    def __init__(self, folder=None, clock=time.time):
        self._folder = os.path.abspath(folder or default_folder())
        self._clock = clock
        self._is_open = False

    @property
    def folder(self):
        """See `Device.folder`; asking for it makes it."""
        # Asked again: folders of temporary files are swept.
        if not self._is_open or not os.path.isdir(self._folder):
            with self._storing(0):
                self._open()
        return self._folder

    def info(self):
        """See `Device.info`."""
        return {"device": self.name, "kind": self.kind, "system": platform.system(), "machine": platform.machine()}

    def put(self, content, suffix=""):
        """See `Device.put`."""
        content = bytes(content)
        with self._storing(len(content)):
            path = pathlib.Path(file_path(self.folder, content, suffix))
            if _is_whole(path, content):
                os.utime(path, (self._clock(), path.stat().st_mtime))
            else:
                write_atomically(path, content)
            return os.fspath(path)

    def put_folder(self, files):
        """See `Device.put_folder`."""
        files = {name: bytes(content) for name, content in files.items()}
        with self._storing(sum(map(len, files.values()))):
            path = pathlib.Path(folder_path(self.folder, files))
            if not _holds(path, files):
                self._write_folder(path, files)
            return os.fspath(path)

    def get(self, path):
        """See `Device.get`."""
        try:
            return pathlib.Path(path).read_bytes()
        except OSError as error:
            raise DeviceError(
                f"A file to take from this machine must be readable. Received: {path!r} ({error.strerror})."
            ) from error

    def run(self, argv, stdin="", timeout_s=60.0):
        """See `Device.run`."""
        try:
            return run_child(list(argv), stdin, timeout_s, _environment())
        except OSError as error:
            # As a shell would tell it, which the other devices have.
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
            return ChildResult(code, "", f"{argv[0]}: {error.strerror}\n")

    def close(self):
        """See `Device.close`."""
        self._is_open = False

    def _open(self):
        """Makes the folder, sees that it is the user's own, and frees it of what nobody asked for in a day."""
        own_folder(self._folder)
        for name in ("files", "folders"):
            os.makedirs(os.path.join(self._folder, name), mode=0o700, exist_ok=True)
        self._make_room()
        self._is_open = True

    def _make_room(self):
        for entry in pathlib.Path(self._folder, "files").iterdir():
            # Another process may do the same.
            with contextlib.suppress(OSError):
                used_at = max(entry.stat().st_atime, entry.stat().st_mtime)
                if OWN_FILE.fullmatch(entry.name) and used_at < self._clock() - _DAY_S:
                    entry.unlink()

    def _write_folder(self, path, files):
        path.parent.mkdir(exist_ok=True)
        temporary = pathlib.Path(tempfile.mkdtemp(prefix="put-", dir=path.parent))
        try:
            for name, content in files.items():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).write_bytes(content)
            if path.exists() and not _holds(path, files):
                shutil.rmtree(path)
            # Another process may have put it there in the meantime.
            with contextlib.suppress(OSError):
                os.rename(temporary, path)
            if not _holds(path, files):
                raise DeviceError(
                    f"A folder must arrive whole. Received: {path} without some of {', '.join(sorted(files))}. "
                    "Something else writes there: keep other programs out of it."
                )
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @contextlib.contextmanager
    def _storing(self, num_bytes):
        try:
            yield
        except OSError as error:
            raise DeviceError(
                f"A file of {num_bytes} bytes must arrive on {self.name} whole. Received: {error.strerror!r} for "
                f"{error.filename or self._folder}. Free space there, or set TMPDIR to another folder."
            ) from error


def default_folder():
    """Where hwkeras keeps what all processes of a user on this machine share until the next start of the machine.

    Returns:
        str, path.
    """
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return os.path.join(tempfile.gettempdir(), f"hwkeras-{user}")


def own_folder(folder=None):
    """Makes a folder that nobody else can write to.

    Args:
        folder: str. Defaults to `None`, `default_folder()`.

    Returns:
        str, its path.

    Raises:
        DeviceError: there is something else in its place, or it belongs to another user.
    """
    folder = folder or default_folder()
    with contextlib.suppress(FileExistsError):
        os.makedirs(folder, mode=0o700)
    found = os.lstat(folder)
    is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not is_own or not stat.S_ISDIR(found.st_mode):
        raise DeviceError(
            "The folder of this machine's files must be the user's own. "
            f"Received: {folder}, which belongs to another user or is no folder. "
            "Remove it, or set TMPDIR to a folder of your own."
        )
    return folder


def _is_whole(path, content):
    return path.is_file() and digest_of(path.read_bytes()) == digest_of(content)


def _holds(path, files):
    return all(_is_whole(path / name, content) for name, content in files.items())


def _environment():
    """The environment of the child: TensorFlow quiet, and no legacy Keras, which would load it."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**environment, "TF_CPP_MIN_LOG_LEVEL": "2"}
