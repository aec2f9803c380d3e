"""The device's side of `adb`, enough for the real client: shell with exit codes, push, pull; and faults on demand.

Run as a program it serves until it is killed. Commands run in the machine's own /bin/sh, with the folder `bin` of the
sandbox first on the path. Faults are read from `faults.json` of the sandbox whenever something is asked:

    {"unauthorized": true}       the device never accepts the computer's key
    {"push": "cut"|"hang"}       the connection breaks, or nothing more comes, at the first bytes of a file
    {"disk_bytes": 1000}         a push ends with "No space left on device" where it would take more
    {"shell": "cut"|"hang"}      the same for commands
"""

import argparse
import asyncio
import contextlib
import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

CONNECT, OPEN, OKAY, WRITE, CLOSE, AUTH = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"WRTE", b"CLSE", b"AUTH")
)
BANNER = b"device::ro.product.name=sandbox;ro.product.model=Sandbox;ro.product.device=sandbox;features=shell_v2,cmd"
MOST = 256 * 1024
PATIENCE_S = 30


class Stream:
    """One service that the client opened."""

    def __init__(self, link, number, peer):
        self.link, self.number, self.peer = link, number, peer
        self.received = asyncio.Queue()
        self.ready = asyncio.Event()
        self.rest = b""

    async def write(self, data):
        for begin in range(0, len(data), MOST):
            self.ready.clear()
            await self.link.send(WRITE, self.number, self.peer, data[begin : begin + MOST])
            await self.ready.wait()

    async def read(self, size):
        while len(self.rest) < size:
            data = await self.received.get()
            if data is None:
                raise EOFError
            self.rest += data
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    async def close(self):
        await self.link.send(CLOSE, self.number, self.peer)


class Link:
    """One connection of an `adb` server."""

    def __init__(self, sandbox, reader, writer):
        self.sandbox, self.reader, self.writer = sandbox, reader, writer
        self.streams = {}
        self.tasks = set()

    @property
    def faults(self):
        path = self.sandbox / "faults.json"
        return json.loads(path.read_text()) if path.exists() else {}

    async def send(self, command, first, second, data=b""):
        header = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        self.writer.write(header + data)
        await self.writer.drain()

    async def serve(self):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                command, first, second, length, _, _ = struct.unpack("<6I", await self.reader.readexactly(24))
                await self.handle(command, first, second, await self.reader.readexactly(length))
        for stream in self.streams.values():
            stream.received.put_nowait(None)
        self.writer.close()

    async def handle(self, command, first, second, data):
        if command == CONNECT:
            if self.faults.get("unauthorized"):
                await self.send(AUTH, 1, 0, os.urandom(20))
            else:
                await self.send(CONNECT, 0x01000001, MOST, BANNER)
        elif command == AUTH and first == 2:
            # A signature by a key this device does not know; the next that comes is the key itself, for the dialog.
            await self.send(AUTH, 1, 0, os.urandom(20))
        elif command == OPEN:
            stream = Stream(self, len(self.streams) + 1, first)
            self.streams[stream.number] = stream
            await self.send(OKAY, stream.number, first)
            task = asyncio.ensure_future(self.service(stream, data.rstrip(b"\0").decode()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif command == WRITE and second in self.streams:
            self.streams[second].received.put_nowait(data)
            await self.send(OKAY, second, first)
        elif command == OKAY and second in self.streams:
            self.streams[second].ready.set()
        elif command == CLOSE and second in self.streams:
            self.streams[second].received.put_nowait(None)
            self.streams[second].ready.set()

    async def service(self, stream, name):
        with contextlib.suppress(EOFError, ConnectionError):
            kind, _, line = name.partition(":")
            if kind == "sync":
                await self.sync(stream)
            elif kind.startswith("shell"):
                await self.shell(stream, line)
            await stream.close()

    async def fault(self, kind):
        if self.faults.get(kind) == "cut":
            self.writer.transport.abort()
            raise EOFError
        if self.faults.get(kind) == "hang":
            await asyncio.Event().wait()

    async def shell(self, stream, line):
        await self.fault("shell")
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{self.sandbox / 'bin'}:{os.environ['PATH']}"},
            start_new_session=True,
        )
        writing = asyncio.Lock()

        async def copy(source, number):
            while data := await source.read(65536):
                async with writing:
                    await stream.write(struct.pack("<BI", number, len(data)) + data)

        await asyncio.gather(copy(process.stdout, 1), copy(process.stderr, 2))
        code = await process.wait()
        await stream.write(struct.pack("<BIB", 3, 1, code % 256 if code >= 0 else 128 - code))

    async def sync(self, stream):
        while True:
            name, length = struct.unpack("<4sI", await stream.read(8))
            if name == b"QUIT":
                return
            path = (await stream.read(length)).decode()
            if name == b"STAT":
                found = os.stat(path) if os.path.exists(path) else None
                fields = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
                await stream.write(b"STAT" + struct.pack("<3I", *fields))
            elif name == b"RECV":
                await self.receive(stream, path)
            elif name == b"SEND":
                await self.store(stream, path.rpartition(",")[0])

    async def receive(self, stream, path):
        try:
            content = pathlib.Path(path).read_bytes()
        except OSError as error:
            await self.fail(stream, f"open failed: {error.strerror}")
            return
        for begin in range(0, len(content), 65536):
            part = content[begin : begin + 65536]
            await stream.write(b"DATA" + struct.pack("<I", len(part)) + part)
        await stream.write(b"DONE" + struct.pack("<I", 0))

    async def store(self, stream, path):
        failure = None
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            while True:
                name, length = struct.unpack("<4sI", await stream.read(8))
                if name == b"DONE":
                    break
                data = await stream.read(length)
                file.write(data[:10])
                file.flush()
                await self.fault("push")
                if file.tell() - 10 + length > self.faults.get("disk_bytes", sys.maxsize):
                    failure = f"write failed: {os.strerror(errno.ENOSPC)}"
                file.write(data[10:])
        if failure:
            os.unlink(path)
            await self.fail(stream, failure)
        else:
            await stream.write(b"OKAY" + struct.pack("<I", 0))

    async def fail(self, stream, reason):
        await stream.write(b"FAIL" + struct.pack("<I", len(reason)) + reason.encode())


async def serve(sandbox, port):
    async def visit(reader, writer):
        await Link(sandbox, reader, writer).serve()

    server = await asyncio.start_server(visit, "127.0.0.1", port, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Phone:
    """A daemon in a process of its own, and an `adb` server for it alone.

    Attributes:
        serial: str, `127.0.0.1:PORT`.
        server_port: int, of the `adb` server.
        folder: pathlib.Path, for the files of the device.
    """

    def __init__(self, sandbox):
        self.sandbox = pathlib.Path(sandbox)
        self.folder = self.sandbox / "data"
        (self.sandbox / "bin").mkdir(parents=True)
        self.script("getprop", 'case "$1" in ro.product.model) echo "Sandbox Phone";; esac')
        self.daemon = None
        self.start(0)
        self.server_port, self.server = self._start_server()

    @property
    def address(self):
        return f"adb://{self.serial}"

    def adb(self, *arguments):
        command = ["adb", "-P", str(self.server_port), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)

    def script(self, name, text):
        path = self.sandbox / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fail(self, **faults):
        path = self.sandbox / "faults.json"
        path.with_suffix(".new").write_text(json.dumps(faults))
        path.with_suffix(".new").replace(path)

    def start(self, port=None):
        port = int(self.serial.rpartition(":")[2]) if port is None else port
        command = [sys.executable, __file__, "--sandbox", str(self.sandbox), "--port", str(port)]
        self.daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.serial = f"127.0.0.1:{int(self.daemon.stdout.readline())}"

    @property
    def is_alive(self):
        return self.daemon.poll() is None

    def kill(self):
        os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()
        self.daemon.stdout.close()

    def _start_server(self):
        for _ in range(5):
            port = free_port()
            environment = {**os.environ, "HOME": str(self.sandbox), "ADB_MDNS_AUTO_CONNECT": "0"}
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
            server = subprocess.Popen(["adb", "-P", str(port), "nodaemon", "server"], env=environment, **quiet)
            if wait_for_port(port, server):
                return port, server
        raise RuntimeError("no adb server came up")

    def stop(self):
        if self.is_alive:
            self.kill()
        self.server.kill()
        self.server.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    """Whether somebody listens there before the process has ended or patience has."""
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    return False


@contextlib.contextmanager
def running_phone(sandbox):
    phone = Phone(sandbox)
    try:
        yield phone
    finally:
        phone.stop()


def why_not():
    """The reason why no phone can be run here; None where it can."""
    return None if shutil.which("adb") else "adb is not installed"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sandbox", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.sandbox, options.port))
