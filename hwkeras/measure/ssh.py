"""Devices reached by the system's own OpenSSH: its configuration, keys and known hosts hold here too."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import urllib.parse
import weakref

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.child import as_text
from hwkeras.measure.child import run_bytes
from hwkeras.measure.remote_device import RemoteDevice

FORM = "ssh://user@host:port"
_QUERY = ("python", "folder", "identity", "known_hosts")
# The path of a socket may have about 100 characters, and ssh appends 17 to this one while it connects.
_LONGEST_FOLDER = 60
_HINTS = (
    ("Permission denied", "Name the key that the device knows with `?identity=...` or in ~/.ssh/config."),
    ("Host key verification failed", "Connect once with `ssh` to see and accept its key; was it set up anew?"),
    ("Could not resolve", "Check the name of the host."),
    ("Connection refused", "Check the port, and that an SSH server runs there."),
)


class SshDevice(RemoteDevice):
    """A machine with an SSH server, a POSIX shell and Python.

    Nothing is asked in a terminal (`BatchMode`), host keys are checked as the user's own `ssh` does, and all commands
    share one connection, which ends by itself a minute after the last of them.

    Args:
        address: str, `"ssh://user@host:port"`, user and port optional; `host` may be a name of `~/.ssh/config`. The
            other arguments can stand in it too: `"ssh://pi@10.0.0.7?python=/home/pi/venv/bin/python"`.
        python: str, how Python is called there. Defaults to `None`, the `python3` that is found.
        folder: str, of hwkeras on the device. Defaults to `None`, `~/.cache/hwkeras`.
        identity: str, path of the private key. Defaults to `None`, as `ssh` chooses.
        known_hosts: str, path of the file of host keys. Defaults to `None`, as `ssh` chooses.
        ssh_options: sequence of str such as `"ProxyJump=gate"`, as `man ssh_config` tells. Defaults to `()`.
        answer_timeout_s: float, seconds a short command may take. Defaults to `30.0`.

    Raises:
        UserError: an address of another form.
    """

    kind = "ssh"

    def __init__(
        self,
        address,
        python=None,
        folder=None,
        identity=None,
        known_hosts=None,
        ssh_options=(),
        answer_timeout_s=30.0,
    ):
        host, port, query = _read(address)
        folder = folder or query.get("folder") or "~/.cache/hwkeras"
        super().__init__(address, folder, python or query.get("python"), answer_timeout_s)
        self._destination = ["--", host]
        self._options = _options(
            ssh_options, port, identity or query.get("identity"), known_hosts or query.get("known_hosts")
        )
        self._socket = None
        self._end = None

    def close(self):
        """See `Device.close`."""
        with self._lock:
            self._facts = None
            if self._end is not None:
                self._end()
            self._socket, self._end = None, None

    def _connect(self):
        self.close()
        parent = tempfile.gettempdir() if len(tempfile.gettempdir()) <= _LONGEST_FOLDER else "/tmp"
        folder = tempfile.mkdtemp(prefix="hwk-", dir=parent)
        self._socket = os.path.join(folder, "s")
        self._end = weakref.finalize(self, _end, self._ssh("-O", "exit"), folder)
        try:
            code, reason = self._start_master()
        except OSError as error:
            self.close()
            raise DeviceError(
                f"`ssh` must be installed. Received: {error.strerror}. Install OpenSSH's client."
            ) from error
        if code != 0:
            self.close()
            raise DeviceError(
                f"{self.name} must be reachable by `ssh` without a question. Received: {reason[-500:]!r}. "
                f"{_hint(reason)}"
            )

    def _start_master(self):
        """Opens the connection that all commands share; returns the exit code of `ssh` and what it said."""
        command = self._ssh("-o", "ControlMaster=yes", "-o", "ControlPersist=60", "-N", "-f")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        # NOTE: into a file, not a pipe: the connection stays in the background and would keep a pipe open.
        with tempfile.TemporaryFile() as said:
            try:
                code = subprocess.run(
                    command, stderr=said, timeout=self.answer_timeout_s, check=False, **quiet
                ).returncode
                ending = ""
            except subprocess.TimeoutExpired:
                code, ending = None, f"no answer within {self.answer_timeout_s:g} s"
            said.seek(0)
            return code, " ".join([*as_text(said.read()).split(), ending]).strip()

    def _is_connected(self):
        return self._socket is not None and os.path.exists(self._socket)

    def _shell(self, line, stdin, timeout_s, at_timeout):
        return run_bytes(self._ssh("-T", command=[line]), stdin, timeout_s, at_timeout=at_timeout)

    def _send(self, content, path):
        self._store(f"cat > {shlex.quote(path)}", content, path)

    def _send_folder(self, files, path):
        quoted = shlex.quote(path)
        self._store(f"mkdir {quoted} && cd {quoted} && tar -xf -", _archive(files), path)

    def _store(self, script, content, path):
        code, _, said = self._ask(script, stdin=content)
        if code != 0:
            raise self._not_stored(path, len(content), said)

    def _receive(self, path):
        # NOTE: a file may be large, and only the device knows.
        code, content, said = self._ask('cat -- "$1"', path, timeout_s=10 * self.answer_timeout_s)
        if code != 0:
            raise DeviceError(
                f"A file to take from {self.name} must be readable. Received: {path!r} ({said.strip()[-200:]})."
            )
        return content

    def _ssh(self, *arguments, command=()):
        shared = ("-o", f"ControlPath={self._socket}")
        return ["ssh", *self._options, *shared, *arguments, *self._destination, *command]


def _read(address):
    """Host as `ssh` takes it, port, and the arguments that stand in the address."""
    parts = _split(address)
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(query) - set(_QUERY))
    if unknown:
        raise UserError(
            f"An address {FORM} may be followed by {', '.join(f'{name}=...' for name in _QUERY)}. "
            f"Received: {unknown[0]!r} in {address!r}."
        )
    user = f"{parts.username}@" if parts.username else ""
    return user + parts.hostname, parts.port, query


def _split(address):
    try:
        parts = urllib.parse.urlsplit(address)
        host, user, _ = parts.hostname, parts.username, parts.port
    except ValueError as error:
        raise _wrong(address, str(error)) from error
    if parts.scheme != "ssh" or not host or parts.path not in ("", "/") or parts.fragment:
        raise _wrong(address, "another form")
    if parts.password is not None:
        raise _wrong(address, "a password; nothing secret belongs in an address")
    # NOTE: a leading dash would be read as an option by `ssh`, such as `-oProxyCommand=...`, which runs anything.
    if not re.fullmatch(r"[A-Za-z0-9_.:%][A-Za-z0-9_.:%-]*", host):
        raise _wrong(address, f"the host {host!r}")
    if user is not None and not re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*", user):
        raise _wrong(address, f"the user {user!r}")
    return parts


def _wrong(address, received):
    return UserError(
        f"An SSH device is written {FORM}, with letters, digits, dots, dashes (not first) and underscores. "
        f"Received: {address!r}: {received}. For anything else name the host in ~/.ssh/config."
    )


def _options(given, port, identity, known_hosts):
    """Arguments of `ssh`; of several values for one option the first counts, so the user's come first."""
    if isinstance(given, str) or not all(re.match(r"[A-Za-z0-9]+\s*[= ]", str(each)) for each in given):
        raise UserError(
            "`ssh_options` is a sequence of texts such as 'ProxyJump=gate' (see `man ssh_config`). "
            f"Received: ssh_options={given!r}."
        )
    values = list(given)
    if identity:
        values += [f'IdentityFile="{pathlib.Path(identity).expanduser()}"', "IdentitiesOnly=yes"]
    if known_hosts:
        values.append(f'UserKnownHostsFile="{pathlib.Path(known_hosts).expanduser()}"')
    if port:
        values.append(f"Port={port}")
    values += ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3"]
    values += ["ForwardX11=no", "ForwardAgent=no", "ClearAllForwardings=yes"]
    return [word for value in values for word in ("-o", value)]


def _archive(files):
    """The files as the bytes of an uncompressed tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _hint(reason):
    return next((hint for sign, hint in _HINTS if sign in reason), "Check that `ssh` alone can connect to it.")


def _end(command, folder):
    """Ends a shared connection and removes its socket's folder."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, timeout=5, check=False, **quiet)
    shutil.rmtree(folder, ignore_errors=True)
