"""The conformance class holds for the fake device, and notices devices that break the contract."""

import hashlib

import pytest

from hwkeras.errors import DeviceError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.fake import FakeBoard
from hwkeras.testing.device_conformance import ODD_ARGUMENTS
from hwkeras.testing.device_conformance import DeviceConformance


class CountingBoard(FakeBoard):
    """A fake that counts what it is sent, and starts the programs below."""

    def __init__(self, disk):
        super().__init__()
        self.programs = {
            "exit": lambda arguments, stdin: ChildResult(int(arguments[0]), "", ""),
            "tell": lambda arguments, stdin: ChildResult(0, "".join(f"<{each}>\n" for each in arguments), ""),
            "cat": lambda arguments, stdin: ChildResult(0, stdin, ""),
            "both": lambda arguments, stdin: ChildResult(0, "out\n", "err\n"),
            "kill": lambda arguments, stdin: ChildResult(-6, "", ""),
            "hang": lambda arguments, stdin: ChildResult(None, "", ""),
            "is-running": lambda arguments, stdin: ChildResult(1, "", ""),
        }
        self._files, self.num_sent = disk


class Sent(dict):
    """A disk that counts the writes of each path."""

    def __init__(self):
        super().__init__()
        self.num = {}

    def __setitem__(self, path, content):
        self.num[path] = self.num.get(path, 0) + 1
        super().__setitem__(path, content)


class FakeConformance(DeviceConformance):
    kind = CountingBoard

    def __init__(self):
        self._disk = Sent()

    def make_device(self):
        return self.kind((self._disk, self._disk.num))

    def argv_exit(self, code):
        return ["exit", str(code)]

    def argv_tell(self, arguments):
        return ["tell", *arguments]

    def argv_copy(self):
        return ["cat"]

    def argv_both(self):
        return ["both"]

    def argv_killed(self):
        return ["kill"]

    def argv_hang(self, note):
        return ["hang", note]

    def argv_is_running(self, note):
        return ["is-running", note]

    def stamp(self, device, path):
        return device.num_sent[path]

    def truncate(self, device, path):
        device._files[path] = device._files[path][:1]


TESTS = sorted(name for name in dir(DeviceConformance) if name.startswith("test_"))


@pytest.mark.parametrize("name", TESTS)
def test_the_fake_device_conforms(name):
    getattr(FakeConformance(), name)()


class NamesBySize(CountingBoard):
    """Takes a file of the same size for the same file."""

    def put(self, content, suffix=""):
        return self._store(f"{self.folder}/{len(content)}{suffix}", content)


class TrustsNames(CountingBoard):
    """Never looks whether what is there is whole."""

    def put(self, content, suffix=""):
        path = f"{self.folder}/{hashlib.sha256(content).hexdigest()}{suffix}"
        return path if path in self._files else self._store(path, content)


class SendsAgain(CountingBoard):
    def put(self, content, suffix=""):
        path = super().put(content, suffix)
        self._files[path] = content
        return path


class LosesQuotes(CountingBoard):
    def run(self, argv, stdin="", timeout_s=60.0):
        return super().run(" ".join(argv).split(), stdin, timeout_s)


class MergesStreams(CountingBoard):
    def run(self, argv, stdin="", timeout_s=60.0):
        result = super().run(argv, stdin, timeout_s)
        return ChildResult(result.returncode, result.stdout + result.stderr, "")


class AlwaysSucceeds(CountingBoard):
    def run(self, argv, stdin="", timeout_s=60.0):
        result = super().run(argv, stdin, timeout_s)
        return ChildResult(0, result.stdout, result.stderr)


class LeavesItRunning(CountingBoard):
    def __init__(self, disk):
        super().__init__(disk)
        self.programs["is-running"] = lambda arguments, stdin: ChildResult(0, "", "")


class InventsFiles(CountingBoard):
    def get(self, path):
        return self._files.get(path, b"")


class Renames(CountingBoard):
    def info(self):
        return {**super().info(), "device": "other"}


@pytest.mark.parametrize(
    ("board", "tests"),
    [
        (NamesBySize, ["test_files_of_one_size_are_told_apart", "test_a_file_is_named_by_its_bytes"]),
        (TrustsNames, ["test_half_a_file_is_sent_again"]),
        (SendsAgain, ["test_what_is_there_is_not_sent_again"]),
        (LosesQuotes, ["test_arguments_come_as_they_are"]),
        (MergesStreams, ["test_stdout_and_stderr_are_apart"]),
        (AlwaysSucceeds, ["test_exit_codes", "test_a_program_that_is_killed_has_not_succeeded"]),
        (LeavesItRunning, ["test_a_program_that_hangs_is_stopped_on_the_device"]),
        (InventsFiles, ["test_a_file_that_is_not_there_is_told"]),
        (Renames, ["test_it_is_a_device"]),
    ],
)
def test_a_device_that_breaks_the_contract_is_noticed(board, tests):
    class Broken(FakeConformance):
        kind = board

    for name in tests:
        with pytest.raises(AssertionError):
            getattr(Broken(), name)()


def test_what_is_not_written_is_said():
    with pytest.raises(NotImplementedError, match=r"Write `make_device\(self\)` and return your device\."):
        DeviceConformance().test_it_is_a_device()


def test_the_odd_arguments_hold_what_shells_trip_over():
    text = "".join(ODD_ARGUMENTS)
    assert all(sign in text for sign in " '\"$`;&|<>*?[]~#!\\\n-%") and "" in ODD_ARGUMENTS


def test_the_shell_programs_of_the_class_do_what_they_say(tmp_path):
    """The default programs, run by this machine's own shell."""
    import os
    import subprocess

    class Shell(DeviceConformance):
        pass

    def run(argv, **options):
        return subprocess.run(argv, capture_output=True, text=True, **options)

    device = Shell()
    assert run(device.argv_exit(7)).returncode == 7
    assert run(device.argv_tell(ODD_ARGUMENTS)).stdout == "".join(f"<{each}>\n" for each in ODD_ARGUMENTS)
    assert run(device.argv_copy(), input="abc").stdout == "abc"
    assert (run(device.argv_both()).stdout, run(device.argv_both()).stderr) == ("out\n", "err\n")
    assert run(device.argv_killed()).returncode == -6
    note = tmp_path / "note"
    note.write_text(str(os.getpid()))
    assert run(device.argv_is_running(str(note))).returncode == 0
    note.write_text(str(2**22 + 1))
    assert run(device.argv_is_running(str(note))).returncode != 0


def test_the_fake_says_what_is_absent():
    with pytest.raises(DeviceError, match=r"must be there\. Received: /fake/x\. Put it first\."):
        FakeBoard().get("/fake/x")
