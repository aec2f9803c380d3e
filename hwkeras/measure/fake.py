"""A device that is not there: latencies that follow from the bytes, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.measurement import Measurement

_CANARY_MS = 0.02
_NUM_INVOKES = 10
_METHODS = ("info", "put", "put_folder", "get", "run")
_FAULTS = ("lost", "gone", "unreachable", "hang", "full")


@dataclass
class FakeBoard:
    """A `Device` in memory that answers the jobs of `tflite_bench` without running anything.

    Time on it is made up: an invoke takes `ms_per_kib` for each KiB of the file, a little noise is drawn from the
    file's hash, the seed and the round, and the board's own clock moves by the time a job would have taken. What is
    assigned to a field later counts from the next call on: `board.reachable = False` pulls the plug.

    Args:
        name: str. Defaults to `"fake"`.
        ms_per_kib: float, latency of a KiB of file. Defaults to `0.01`.
        seed: int, of the noise. Defaults to `0`.
        noise: float, the most by which a round is slower than the board can, as a share. Defaults to `0.01`.
        slowness: float, factor on all times, the canary's too: another specimen of the same kind. Defaults to `1.0`.
        throttling_per_s: float, share by which everything becomes slower for each second of work. Defaults to `0.0`.
        reachable: bool. Defaults to `True`.
        disk_bytes: int, what the board can store. Defaults to `None`, without end.
        statuses: mapping of the sha256 of a file to what it does to the bench program: `"crashed:SIGABRT"`,
            `"timeout"`, `"out_of_memory"` or `"error"`. Defaults to `{}`.
        faults: mapping of `(method, number)` to a fault, where number counts the calls of the method from 0:
            `"lost"` (vanishes in the middle of the call, then is back), `"gone"` (vanishes and stays away),
            `"unreachable"` (for this call), `"hang"` (of `run`: nothing until the time-out), `"full"` (the disk).
            Defaults to `{}`.
        programs: mapping of program name to a function of `(arguments, stdin)` that returns a `ChildResult`; what else
            `run` can start. Defaults to `{}`.

    Raises:
        UserError: a number outside its range, or an unknown fault.

    Example:
        board = FakeBoard(faults={("run", 2): "lost"})
        meter = DeviceMeter(board)  # the third job is lost
    """

    name: str = "fake"
    ms_per_kib: float = 0.01
    seed: int = 0
    noise: float = 0.01
    slowness: float = 1.0
    throttling_per_s: float = 0.0
    reachable: bool = True
    disk_bytes: int | None = None
    statuses: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[tuple[str, int], str] = field(default_factory=dict)
    programs: Mapping[str, Callable] = field(default_factory=dict)

    def __post_init__(self):
        self.folder = "/fake"
        self.elapsed_s = 0.0
        self.num_calls = dict.fromkeys(_METHODS, 0)
        self._files = {}
        for name, least in (("noise", 0), ("throttling_per_s", 0)):
            _check(name, getattr(self, name), least, above=False)
        for name in ("ms_per_kib", "slowness"):
            _check(name, getattr(self, name), 0, above=True)
        for (method, number), fault in self.faults.items():
            if method not in _METHODS or fault not in _FAULTS or number < 0:
                raise UserError(
                    f"A fault is one of {', '.join(map(repr, _FAULTS))} under (method, number), the methods being "
                    f"{', '.join(map(repr, _METHODS))}. Received: ({method!r}, {number!r}): {fault!r}."
                )

    def info(self):
        """What the board is. See `Device.info`."""
        self._visit("info")
        return {"device": self.name, "kind": "fake", "system": "Fake", "machine": "none"}

    def put(self, content, suffix=""):
        """Stores a file. See `Device.put`."""
        self._visit("put")
        return self._store(f"{self.folder}/{hashlib.sha256(content).hexdigest()}{suffix}", bytes(content))

    def put_folder(self, files):
        """Stores a folder. See `Device.put_folder`."""
        self._visit("put_folder")
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(f"{name}\n{hashlib.sha256(files[name]).hexdigest()}\n".encode())
        folder = f"{self.folder}/{digest.hexdigest()}"
        for name, content in files.items():
            self._store(f"{folder}/{name}", bytes(content))
        return folder

    def get(self, path):
        """Takes a file back. See `Device.get`."""
        self._visit("get")
        if path not in self._files:
            raise DeviceError(f"A file on the device {self.name!r} must be there. Received: {path}. Put it first.")
        return self._files[path]

    def run(self, argv, stdin="", timeout_s=60.0):
        """Answers a job of `tflite_bench`, or calls one of `programs`. See `Device.run`."""
        if self._visit("run") == "hang":
            self.elapsed_s += timeout_s
            return ChildResult(None, "", "")
        program, *arguments = argv
        if program in self.programs:
            return self.programs[program](arguments, stdin)
        if "--job" in arguments:
            return self._bench(stdin)
        return ChildResult(127, "", f"{program}: not found on a fake device")

    def close(self):
        """Does nothing. See `Device.close`."""

    def _visit(self, method):
        """Counts a call and lets its fault happen; returns the fault a caller has to act on."""
        fault = self.faults.get((method, self.num_calls[method]))
        self.num_calls[method] += 1
        if not self.reachable or fault == "unreachable":
            raise _unreachable(self.name)
        if fault in ("lost", "gone"):
            self.reachable = fault == "lost"
            raise DeviceLost(
                f"The device {self.name!r} must stay until the end. Received: it vanished during `{method}`. "
                "Check its power and its network."
            )
        if fault == "full":
            raise self._full()
        return fault

    def _store(self, path, content):
        if self._files.get(path) != content:
            used = sum(map(len, self._files.values())) - len(self._files.get(path, b""))
            if self.disk_bytes is not None and used + len(content) > self.disk_bytes:
                raise self._full()
            self._files[path] = content
        return path

    def _full(self):
        return DeviceError(
            f"The device {self.name!r} must have room for the files. Received: no space left on device. "
            f"Remove what is not needed there, such as {self.folder}."
        )

    def _bench(self, stdin):
        try:
            job = json.loads(stdin)
            paths = list(job["models"])
        except (ValueError, TypeError, KeyError):
            return ChildResult(2, "", f"tflite-bench: A job is a JSON object. Received: {stdin[:80]!r}.")
        contents = [self._files.get(path) for path in paths]
        return ChildResult(0, json.dumps(self.bench_answer(job, contents)) + "\n", "")

    def bench_answer(self, job, contents):
        """What `tflite_bench` would answer.

        Args:
            job: dict, a job (`tflite_bench`); what it leaves out has a default.
            contents: sequence of bytes, one for each of its models; None for a file that is not there.

        Returns:
            dict.
        """
        begin_s = self.elapsed_s
        paths = job.get("models", [f"{number}.tflite" for number in range(len(contents))])
        models = [_refused(path, content, self._status(content)) for path, content in zip(paths, contents, strict=True)]
        alive = [(model, content) for model, content in zip(models, contents, strict=True) if model["status"] == "ok"]
        num_rounds, max_rounds = job.get("rounds", 3), job.get("max_rounds", 12)
        for number in range(max(num_rounds, max_rounds)):
            if number >= num_rounds and all(_agree(model, job.get("agree_within", 0.02)) for model, _ in alive):
                break
            for model, content in alive:
                self._visit_model(model, content, number, job)
        before, after = (self._state(at_s) for at_s in (begin_s, self.elapsed_s))
        return {
            "version": job.get("version", 2),
            "models": models,
            "canary": {"sha256": hashlib.sha256(b"canary").hexdigest(), **self._canary(begin_s)},
            "environment": {**_MACHINE, "affinity": job.get("affinity"), "before": before, "after": after},
            "num_threads": job.get("num_threads", 1),
            "seconds": self.elapsed_s - begin_s,
        }

    def _canary(self, at_s):
        now_ms = _CANARY_MS * self.slowness * (1 + self.throttling_per_s * at_s)
        return {"best_ms": now_ms, "typical_ms": now_ms, "reference_ms": _CANARY_MS * self.slowness}

    def _visit_model(self, model, content, number, job):
        slow = self.slowness * (1 + self.throttling_per_s * self.elapsed_s)
        digest = model["sha256"]
        best_ms = len(content) / 1024 * self.ms_per_kib * slow * (1 + self.noise * _draw(digest, self.seed, number))
        best_ms = max(best_ms, 1e-6)
        model["load_ms"] = model["load_ms"] or 1.0 * slow
        model["first_ms"] = model["first_ms"] or 2 * best_ms
        model["rounds"].append(_round(best_ms, _CANARY_MS * slow, self.elapsed_s))
        self.elapsed_s += (job.get("burst_ms", 20.0) + job.get("gap_ms", 100.0)) / 1000

    def _status(self, content):
        if content is None:
            return "error"
        return self.statuses.get(hashlib.sha256(content).hexdigest(), "ok")

    def _state(self, at_s):
        heat = 40.0 + 100 * self.throttling_per_s * at_s if self.throttling_per_s else None
        return {"loadavg": [0.0, 0.0, 0.0], "frequency_mhz": None, "temperature_c": heat}


@dataclass
class FakeMeter:
    """A `Meter` without a device behind it.

    Latency is proportional to the length of the file, with seeded noise of a percent between rounds, so that equal
    bytes measure alike and larger ones slower.

    Args:
        ms_per_kib: float, latency of a KiB of file. Defaults to `0.01`.
        seed: int, of the noise. Defaults to `0`.
        faults: dict of call number, from 0, to the status all files of that call get, such as `"timeout"`, `"lost"` or
            `"crashed:SIGABRT"`; `"unreachable"` raises a `DeviceError` instead. Defaults to `{}`.
        name: str, of the device. Defaults to `"fake"`.
        slowness: float, factor on all times, the canary's too. Defaults to `1.0`.
        statuses: mapping of the sha256 of a file to the status it always gets. Defaults to `{}`.
    """

    ms_per_kib: float = 0.01
    seed: int = 0
    faults: dict = field(default_factory=dict)
    name: str = "fake"
    slowness: float = 1.0
    statuses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.num_calls = 0
        self._board = FakeBoard(self.name, self.ms_per_kib, self.seed, slowness=self.slowness)

    def measure(self, flatbuffers):
        """Answers as a `Meter` does.

        Args:
            flatbuffers: sequence of bytes.

        Returns:
            tuple of Measurement.

        Raises:
            DeviceError: the fault `"unreachable"` is due.
        """
        fault = self.faults.get(self.num_calls)
        self.num_calls += 1
        if fault == "unreachable":
            raise _unreachable(self.name)
        contents = [bytes(content) for content in flatbuffers]
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        answer = self._board.bench_answer({}, contents)
        environment = {**self.describe(), "canary": answer["canary"]}
        statuses = [fault or self.statuses.get(digest) for digest in digests]
        return tuple(
            Measurement.failed(digest, status, "injected", environment, 1)
            if status
            else Measurement.of_rounds(digest, result, environment, 1)
            for digest, status, result in zip(digests, statuses, answer["models"], strict=True)
        )

    def describe(self):
        """Returns dict: what the device is."""
        machine = {"device": self.name, "cpu": "none", **_MACHINE}
        return {**machine, "ms_per_kib": self.ms_per_kib, "seed": self.seed, "slowness": self.slowness}


# What a fake board tells of itself.
_MACHINE = {
    "runtime": "fake",
    "runtime_version": "1",
    "python": "none",
    "platform": "Fake",
    "machine": "none",
    "cpu_model": "none",
    "cpu_features": [],
    "num_cores": 1,
    "num_usable_cores": 1,
    "governor": None,
    "affinity": None,
}


def open_fake_meter(name="fake", **options):
    """The meter of a fake device, by the same way a real one takes.

    Args:
        name: str, of the device. Defaults to `"fake"`.
        **options: arguments of `FakeBoard`, and those of `DeviceMeter`.

    Returns:
        DeviceMeter.

    Raises:
        UserError: an unknown option, or one outside its range.
    """
    from hwkeras.measure.device_meter import DeviceMeter

    of_board = {each.name for each in fields(FakeBoard)}
    of_meter = {each.name for each in fields(DeviceMeter)} - {"device"}
    for option in options:
        if option not in of_board | of_meter:
            known = ", ".join(sorted(of_board - {"name"}) + sorted(of_meter))
            raise UserError(f"The device {name!r} takes the options {known}. Received: {option}.")
    board = FakeBoard(name, **{option: value for option, value in options.items() if option in of_board})
    return DeviceMeter(board, **{option: value for option, value in options.items() if option in of_meter})


def _unreachable(name):
    return DeviceError(f"The device {name!r} must answer. Received: no answer. Check that it is switched on.")


def _refused(path, content, status):
    """The entry of a model before its first round; all there is for one that does not run."""
    return {
        "path": os.fspath(path),
        "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
        "size_bytes": None if content is None else len(content),
        "status": status,
        "error": None if status == "ok" else "No such file." if content is None else "injected",
        "load_ms": None,
        "first_ms": None,
        "partitions": 1 if status == "ok" else None,
        "rss_bytes": 4096 + len(content) if status == "ok" else None,
        "output": None,
        "rounds": [],
    }


def _round(best_ms, canary_ms, at_s):
    return {
        "num_invokes": _NUM_INVOKES,
        "min_ms": best_ms,
        "p10_ms": best_ms * 1.001,
        "median_ms": best_ms * 1.01,
        "mean_ms": best_ms * 1.02,
        "p90_ms": best_ms * 1.05,
        "canary_ms": canary_ms,
        "at_s": at_s,
    }


def _agree(model, share):
    minima = sorted(entry["min_ms"] for entry in model["rounds"])
    return minima[1] <= minima[0] * (1 + share)


def _draw(digest, seed, number):
    """A share in [0, 1), the same for the same file, seed and round."""
    drawn = hashlib.sha256(f"{digest}/{seed}/{number}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") / 2**32


def _check(name, value, least, above):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (value > least if above else value >= least):
        law = f"above {least}" if above else f"of at least {least}"
        raise UserError(f"`{name}` must be a number {law}. Received: {name}={value!r}.")
