"""The meter of this machine: `tflite_bench` in a child process."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import pathlib
import sys
import tempfile
from dataclasses import dataclass

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.child import run_child
from hwkeras.measure.measurement import Measurement

JOB_VERSION = 1
# Share of the time-out after which the child ends its rounds by itself and answers.
_BUDGET_SHARE = 0.6


@dataclass(frozen=True)
class LocalMeter:
    """Times `.tflite` files on this machine.

    A job visits all files in a random order, round after round, in one child process; a file that kills the child
    carries the signal as its status and the others are measured without it.

    Args:
        num_threads: int, threads of the interpreter. Defaults to `1`.
        rounds: int, least number of rounds, at least 3. Defaults to `3`.
        max_rounds: int, most rounds, spent while the two best do not agree within 2%. Defaults to `8`.
        burst_ms: float, time of one visit to one file. Defaults to `20.0`.
        gap_ms: float, pause between rounds, which lets a neighbor's burst pass. Defaults to `100.0`.
        timeout_s: float, seconds after which a job is stopped. Defaults to `120.0`.
        seed: int, of the order and of the inputs. Defaults to `0`.
        bench: sequence of str, the command that takes a job on stdin and answers on stdout. Defaults to `None`,
            this Python with the installed `tflite_bench`.

    Raises:
        UserError: an argument outside its range.
    """

    num_threads: int = 1
    rounds: int = 3
    max_rounds: int = 8
    burst_ms: float = 20.0
    gap_ms: float = 100.0
    timeout_s: float = 120.0
    seed: int = 0
    bench: tuple[str, ...] | None = None

    def __post_init__(self):
        _check("num_threads", self.num_threads, 1, integer=True)
        _check("rounds", self.rounds, 3, integer=True)
        _check("max_rounds", self.max_rounds, self.rounds, integer=True)
        _check("burst_ms", self.burst_ms, 0)
        _check("gap_ms", self.gap_ms, 0)
        _check("timeout_s", self.timeout_s, 0.001)
        _check("seed", self.seed, 0, integer=True)

    def measure(self, flatbuffers):
        """Times files side by side in one job. See `Meter.measure`."""
        files = [bytes(flatbuffer) for flatbuffer in flatbuffers]
        if not files:
            return ()
        with tempfile.TemporaryDirectory(prefix="hwkeras-measure-") as folder:
            paths = [_store(folder, data) for data in files]
            together = self._job(paths)
            if isinstance(together, dict) or len(paths) == 1:
                return self._measurements(paths, together)
            # One of them ended the child; alone, each ends only its own.
            return tuple(self._measurements([path], self._job([path]))[0] for path in paths)

    def describe(self):
        """This machine and its runtime. See `Meter.describe`.

        Raises:
            DeviceError: `tflite_bench` does not run here.
        """
        answer = self._job([])
        if not isinstance(answer, dict):
            status, message = answer
            raise DeviceError(f"`tflite_bench` must run on this machine. Received: {status}. {message}")
        environment = answer["environment"]
        return {"device": "local", "cpu": environment["cpu_model"], **environment}

    def _measurements(self, paths, answer):
        digests = [path.stem for path in paths]
        if not isinstance(answer, dict):
            return tuple(Measurement.failed(digest, *answer, {}, self.num_threads) for digest in digests)
        environment = answer["environment"]
        return tuple(
            Measurement.of_rounds(digest, result, environment, self.num_threads)
            for digest, result in zip(digests, answer["models"], strict=True)
        )

    def _job(self, paths):
        """The answer of the child as a dict; or a (status, message) pair when it crashed or hung."""
        job = {
            "version": JOB_VERSION,
            "models": [os.fspath(path) for path in paths],
            "num_threads": self.num_threads,
            "rounds": self.rounds,
            "max_rounds": self.max_rounds,
            "burst_ms": self.burst_ms,
            "gap_ms": self.gap_ms,
            "seed": self.seed,
            "max_seconds": self.timeout_s * _BUDGET_SHARE,
        }
        command = self.bench or (sys.executable, _bench_folder(), "--job", "-")
        try:
            child = run_child(command, json.dumps(job), self.timeout_s, _environment())
        except OSError as error:
            raise DeviceError(
                f"The bench program must start. Received: {command[0]!r} ({error.strerror}). Check `bench`."
            ) from error
        if child.timed_out:
            return "timeout", f"No answer within timeout_s={self.timeout_s:g}. {child.last_words}".strip()
        if child.signal_name:
            return f"crashed:{child.signal_name}", child.last_words
        return _answer(child, len(paths))


def _answer(child, num_models):
    """The one JSON line of a child that ended by itself."""
    try:
        answer = json.loads(child.stdout)
        if child.returncode == 0 and answer["version"] == JOB_VERSION and len(answer["models"]) == num_models:
            return answer
        said = f"version {answer['version']}, {len(answer['models'])} models"
    except (ValueError, TypeError, KeyError):
        said = f"stdout {child.stdout[:100]!r}"
    raise DeviceError(
        f"The bench program must answer version {JOB_VERSION} with {num_models} models and exit with 0. "
        f"Received: exit code {child.returncode}, {said}. {child.last_words}".strip()
    )


def _store(folder, data):
    """Writes a file under the hash of its bytes: the same model once, another model never in its place."""
    path = pathlib.Path(folder) / f"{hashlib.sha256(data).hexdigest()}.tflite"
    if not path.exists():
        path.write_bytes(data)
    return path


def _bench_folder():
    """The folder of the installed `tflite_bench`, which the child runs by its path from any working directory."""
    spec = importlib.util.find_spec("tflite_bench")
    if spec is None or not spec.submodule_search_locations:
        raise DeviceError(
            "`tflite_bench` must be installed beside hwkeras. Received: not found. Install hwkeras again."
        )
    return os.path.abspath(next(iter(spec.submodule_search_locations)))


def _environment():
    """The environment of the child: TensorFlow quiet, and no legacy Keras, which would load it."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**environment, "TF_CPP_MIN_LOG_LEVEL": "2"}


def _check(name, value, least, integer=False):
    kind = int if integer else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value < least:
        what = "an integer" if integer else "a number"
        raise UserError(f"`{name}` must be {what} of at least {least}. Received: {name}={value!r}.")
