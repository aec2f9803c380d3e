"""A real OpenSSH server on a loopback port, with keys of its own, for the user who runs the tests."""

import contextlib
import getpass
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from tests.measure.adb_daemon import free_port
from tests.measure.adb_daemon import wait_for_port

CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile {folder}/pid
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
"""


class Sshd:
    """The server, in the foreground of a process group of its own.

    Attributes:
        port: int.
        folder: pathlib.Path, of the keys `user` (accepted) and `stranger` (not), and of `known_hosts`.
        data: pathlib.Path, for the files of the device.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        for name in ("host", "user", "stranger"):
            make_key(self.folder / name)
        if os.getuid() == 0:
            # Where sshd parks its unprivileged half; the service that makes it does not run here.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.start()

    def start(self):
        for _ in range(5):
            self.port = free_port()
            (self.folder / "config").write_text(CONFIGURATION.format(port=self.port, folder=self.folder))
            command = [find_sshd(), "-f", self.folder / "config", "-D", "-E", self.folder / "log"]
            self.process = subprocess.Popen(command, start_new_session=True)
            if wait_for_port(self.port, self.process):
                break
        else:
            raise RuntimeError((self.folder / "log").read_text())
        key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}\n")

    @property
    def host(self):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def address(self, **query):
        query = {
            "identity": self.folder / "user",
            "known_hosts": self.folder / "known_hosts",
            "folder": self.data,
            "python": sys.executable,
            **query,
        }
        return f"{self.host}?{'&'.join(f'{name}={value}' for name, value in query.items())}"

    def signal_connections(self, number):
        """Sends a signal to the processes that serve the connections; the listener goes on."""
        for pid in descendants(self.process.pid):
            name = pathlib.Path(f"/proc/{pid}/comm")
            with contextlib.suppress(OSError):
                if name.read_text().startswith("sshd"):
                    os.kill(pid, number)

    def stop(self):
        self.signal_connections(signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=30)


def descendants(pid):
    """The processes below a process."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, open_ = [], [pid]
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def find_sshd():
    return shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def running_sshd(folder):
    server = Sshd(folder)
    try:
        yield server
    finally:
        server.stop()


def why_not():
    """The reason why no server can be run here; None where it can."""
    for name, found in (
        ("sshd", find_sshd()),
        ("ssh", shutil.which("ssh")),
        ("ssh-keygen", shutil.which("ssh-keygen")),
    ):
        if not found:
            return f"{name} is not installed"
    return None if os.path.isdir("/proc/self") else "needs /proc"
