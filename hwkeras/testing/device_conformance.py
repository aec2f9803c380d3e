"""What every device owes: inherit `DeviceConformance` in a pytest class and write `make_device`."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

from hwkeras.errors import DeviceError
from hwkeras.measure.device import Device

ODD_ARGUMENTS = (
    "two words",
    "",
    "it's",
    'a "quoted" word',
    "$HOME ${PATH} `uname` $(uname)",
    "a;b&&c|d>e<f",
    "*?[a-z]~#!",
    "back\\slash\\n",
    "two\nlines",
    "-n",
    "--",
    "%s %d",
    "ünïcödé ✓",
)
ODD_CONTENTS = (b"", b"\x00", bytes(range(256)) * 5, b"line\r\nline\n\x1a\x04", b"x" * 300_000)


class DeviceConformance:
    """Tests of the `Device` contract.

    A plug-in author writes:

    ```python
    class TestMyDevice(DeviceConformance):
        def make_device(self):
            return MyDevice()
    ```

    The programs that are run are those of a POSIX shell; a device that has none names others in the methods `argv_*`.
    """

    # Enough to connect and to start a program, also on a busy machine.
    hang_timeout_s = 3.0
    # Calls that may pass until what was stopped is seen to be gone.
    max_tries = 100

    def make_device(self):
        """Returns a device whose folder may hold what an earlier test left there."""
        raise NotImplementedError("Write `make_device(self)` and return your device.")

    def argv_exit(self, code):
        """Returns the list of str that exits with a code."""
        return ["sh", "-c", f"exit {code}"]

    def argv_tell(self, arguments):
        """Returns the list of str that prints each of its arguments as `<argument>` and a line end."""
        return ["sh", "-c", 'for each in "$@"; do printf "<%s>\\n" "$each"; done', "sh", *arguments]

    def argv_copy(self):
        """Returns the list of str that prints what it reads on stdin."""
        return ["cat"]

    def argv_both(self):
        """Returns the list of str that prints `out` on stdout and `err` on stderr, each with a line end."""
        return ["sh", "-c", "echo out; echo err >&2"]

    def argv_killed(self):
        """Returns the list of str that ends by a signal."""
        return ["sh", "-c", "kill -ABRT $$"]

    def argv_hang(self, note):
        """Returns the list of str that hangs; `note` is a path on the device it may note its process in."""
        return ["sh", "-c", 'echo $$ > "$1"; sleep 600; exit 0', "sh", note]

    def argv_is_running(self, note):
        """Returns the list of str that exits with 0 while the program that wrote `note` runs."""
        return ["sh", "-c", 'kill -0 "$(cat "$1")" 2>/dev/null', "sh", note]

    def truncate(self, device, path):
        """Leaves the first byte alone in a file on the device."""
        script = 'head -c 1 < "$1" > "$1.half" && mv "$1.half" "$1"'
        assert device.run(["sh", "-c", script, "sh", path]).returncode == 0

    def stamp(self, device, path):
        """Returns what changes when a file on the device is written anew: its inode and the second of its time."""
        result = device.run(["stat", "-c", "%i %Y", path])
        assert result.returncode == 0, result.stderr
        return result.stdout

    def test_it_is_a_device(self):
        device = self.make_device()
        assert isinstance(device, Device)
        facts = device.info()
        assert {"device", "kind", "system", "machine"} <= set(facts)
        assert facts["device"] == device.name

    def test_bytes_come_back(self):
        device = self.make_device()
        for content in ODD_CONTENTS:
            assert device.get(device.put(content, ".bin")) == content

    def test_a_file_is_named_by_its_bytes(self):
        device = self.make_device()
        content = b"named by its bytes"
        path = device.put(content, ".tflite")
        assert path.startswith(device.folder.rstrip("/") + "/")
        assert path.endswith(hashlib.sha256(content).hexdigest() + ".tflite")

    def test_files_of_one_size_are_told_apart(self):
        device = self.make_device()
        one, other = device.put(b"A" * 64, ".tflite"), device.put(b"B" * 64, ".tflite")
        assert one != other
        assert (device.get(one), device.get(other)) == (b"A" * 64, b"B" * 64)

    def test_what_is_there_is_not_sent_again(self):
        device = self.make_device()
        path = device.put(b"sent once", ".tflite")
        stamp = self.stamp(device, path)
        assert device.put(b"sent once", ".tflite") == path
        assert self.make_device().put(b"sent once", ".tflite") == path
        assert self.stamp(device, path) == stamp

    def test_half_a_file_is_sent_again(self):
        content = b"half of it was lost on the way"
        device = self.make_device()
        path = device.put(content, ".tflite")
        self.truncate(device, path)
        device.close()
        again = self.make_device()
        assert again.put(content, ".tflite") == path
        assert again.get(path) == content

    def test_a_folder_comes_whole_and_once(self):
        device = self.make_device()
        files = {"main.py": b"print(1)\n", "inner/data.bin": bytes(range(256))}
        folder = device.put_folder(files)
        assert {name: device.get(f"{folder}/{name}") for name in files} == files
        stamp = self.stamp(device, f"{folder}/main.py")
        assert device.put_folder(dict(reversed(files.items()))) == folder
        assert self.stamp(device, f"{folder}/main.py") == stamp
        assert device.put_folder({**files, "main.py": b"print(2)\n"}) != folder
        assert device.put_folder({"main2.py": b"print(1)\n", "inner/data.bin": bytes(range(256))}) != folder

    def test_a_file_that_is_not_there_is_told(self):
        device = self.make_device()
        path = device.put(b"beside it", ".tflite") + ".absent"
        try:
            content = device.get(path)
        except DeviceError as error:
            assert path in str(error)
        else:
            raise AssertionError(f"`get` of an absent file gave {content!r} instead of a DeviceError")

    def test_exit_codes(self):
        device = self.make_device()
        for code in (0, 1, 7, 42):
            result = device.run(self.argv_exit(code))
            assert (result.returncode, result.timed_out) == (code, False)

    def test_a_program_that_is_killed_has_not_succeeded(self):
        result = self.make_device().run(self.argv_killed())
        assert result.returncode not in (0, None)

    def test_a_program_that_is_absent_is_told(self):
        try:
            result = self.make_device().run(["hwkeras-no-such-program"])
        except DeviceError as error:
            assert "hwkeras-no-such-program" in str(error)
        else:
            assert result.returncode not in (0, None)

    def test_stdout_and_stderr_are_apart(self):
        result = self.make_device().run(self.argv_both())
        assert (result.returncode, result.stdout) == (0, "out\n")
        assert "err" in result.stderr.split()

    def test_arguments_come_as_they_are(self):
        result = self.make_device().run(self.argv_tell(ODD_ARGUMENTS))
        assert result.returncode == 0
        assert result.stdout == "".join(f"<{each}>\n" for each in ODD_ARGUMENTS)

    def test_stdin_comes_as_it_is(self):
        device = self.make_device()
        for text in ("", "no line end", '{"a": "it\'s $HOME"}\n', "✓ ünïcödé\n", "0123456789abcde\n" * 20_000):
            result = device.run(self.argv_copy(), stdin=text)
            assert (result.returncode, result.stdout) == (0, text)

    def test_a_program_that_hangs_is_stopped_on_the_device(self):
        device = self.make_device()
        note = device.put(b"", ".note") + ".pid"
        result = device.run(self.argv_hang(note), timeout_s=self.hang_timeout_s)
        assert result.timed_out
        gone = (device.run(self.argv_is_running(note)).returncode != 0 for _ in range(self.max_tries))
        assert any(gone), "the program still runs on the device"

    def test_it_works_again_after_close(self):
        device = self.make_device()
        path = device.put(b"still there", ".tflite")
        device.close()
        device.close()
        assert device.get(path) == b"still there"

    def test_two_at_once(self):
        contents = [bytes([number]) * 50_000 for number in range(3)] * 2

        def visit(content):
            device = self.make_device()
            path = device.put(content, ".tflite")
            told = device.run(self.argv_tell([path])).stdout
            return path, told, device.get(path)

        with ThreadPoolExecutor(2) as pool:
            visits = list(pool.map(visit, contents))
        assert [content for _, _, content in visits] == contents
        assert all(told == f"<{path}>\n" for path, told, _ in visits)
        assert len({path for path, _, _ in visits}) == 3
