"""The meter of any device that runs Python: `tflite_bench` is copied there and given a job."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure.bench_folder import NAME
from hwkeras.measure.bench_folder import bench_files
from hwkeras.measure.child import CANNOT_RUN
from hwkeras.measure.child import NOT_FOUND
from hwkeras.measure.device import Device
from hwkeras.measure.measurement import Measurement
from hwkeras.measure.stored_files import digest_of

JOB_VERSION = 2
# Shares of the time-out: after the first the device ends its rounds by itself and answers, after the second it takes
# one model that does not come back for hung.
_BUDGET_SHARE = 0.6
_MODEL_SHARE = 0.25
_MOST_MODEL_S = 30.0
# Exit code of the bench program: no runtime, or another search has the device.
_UNFIT = 4


@dataclass(frozen=True)
class DeviceMeter:
    """Times `.tflite` files on a device.

    A job visits all files in a random order, round after round. The device itself keeps a file that crashes, hangs or
    exhausts memory apart: it carries that as its status and the others are measured. A device that vanishes in the
    middle gives all files of the job the status `"lost"`.

    Args:
        device: Device.
        num_threads: int, threads of the interpreter. Defaults to `1`.
        rounds: int, least number of rounds, at least 3. Defaults to `3`.
        max_rounds: int, most rounds, spent while the two best do not agree. Defaults to `12`.
        burst_ms: float, time of the invokes of a round to one file. Defaults to `20.0`.
        gap_ms: float, pause between rounds, which lets a neighbor's burst pass. Defaults to `100.0`.
        timeout_s: float, seconds a job may take once it has the device to itself. Defaults to `120.0`.
        lock_timeout_s: float, seconds to wait for another search to leave the device. Defaults to `300.0`.
        seed: int, of the order and of the inputs. Defaults to `0`.
        agree_within: float, share: rounds go on until the two best of every file are this close. Defaults to `0.02`.
        affinity: sequence of int, the CPUs of the device to run on. Defaults to `None`, all of them.
        bench: sequence of str, the command on the device that takes a job on stdin and answers on stdout. Defaults to
            `None`, the device's Python with a copy of the installed `tflite_bench`.

    Raises:
        UserError: an argument outside its range.
    """

    device: Device
    num_threads: int = 1
    rounds: int = 3
    max_rounds: int = 12
    burst_ms: float = 20.0
    gap_ms: float = 100.0
    timeout_s: float = 120.0
    lock_timeout_s: float = 300.0
    seed: int = 0
    agree_within: float = 0.02
    affinity: tuple[int, ...] | None = None
    bench: tuple[str, ...] | None = None

    def __post_init__(self):
        check_option("num_threads", self.num_threads, 1, integer=True)
        check_option("rounds", self.rounds, 3, integer=True)
        check_option("max_rounds", self.max_rounds, self.rounds, integer=True)
        check_option("burst_ms", self.burst_ms, 0)
        check_option("gap_ms", self.gap_ms, 0)
        check_option("timeout_s", self.timeout_s, 0.001)
        check_option("lock_timeout_s", self.lock_timeout_s, 0)
        check_option("seed", self.seed, 0, integer=True)
        check_option("agree_within", self.agree_within, 0)
        for cpu in self.affinity or ():
            check_option("affinity", cpu, 0, integer=True)

    def measure(self, flatbuffers):
        """Times files side by side in one job. See `Meter.measure`."""
        files = [bytes(flatbuffer) for flatbuffer in flatbuffers]
        if not files:
            return ()
        digests = [digest_of(content) for content in files]
        try:
            answer = self._job([self.device.put(content, ".tflite") for content in files])
        except DeviceLost as error:
            answer = "lost", str(error)
        if not isinstance(answer, dict):
            return tuple(Measurement.failed(digest, *answer, self._place(), self.num_threads) for digest in digests)
        return tuple(
            self._measurement(digest, result, answer) for digest, result in zip(digests, answer["models"], strict=True)
        )

    def describe(self):
        """The device and its runtime. See `Meter.describe`.

        Raises:
            DeviceError: it cannot be reached, or `tflite_bench` does not run there.
        """
        answer = self._job([])
        if not isinstance(answer, dict):
            status, message = answer
            raise DeviceError(f"`tflite_bench` must run on {self.device.name}. Received: {status}. {message}".strip())
        return {**self.device.info(), "cpu": answer["environment"]["cpu_model"], **self._environment(answer)}

    def close(self):
        """Ends the connection to the device; the next job opens it again."""
        self.device.close()

    def _place(self):
        return {"device": self.device.name}

    def _environment(self, answer):
        return {**self._place(), **answer["environment"], "canary": answer["canary"]}

    def _measurement(self, digest, result, answer):
        environment = self._environment(answer)
        if result["status"] != "ok":
            message = result["error"] or ""
            return Measurement.failed(digest, result["status"], message, environment, self.num_threads)
        if result["sha256"] != digest:
            raise DeviceError(
                f"{self.device.name} must measure the file it was given. Received: a result for {result['sha256']} "
                f"instead of {digest}. Keep other programs out of {self.device.folder}."
            )
        return Measurement.of_rounds(digest, result, environment, self.num_threads, answer["canary"])

    def _job(self, paths):
        """The answer of the device as a dict; or a (status, message) pair when the bench program crashed or hung."""
        job = {
            "version": JOB_VERSION,
            "models": paths,
            "num_threads": self.num_threads,
            "rounds": self.rounds,
            "max_rounds": self.max_rounds,
            "burst_ms": self.burst_ms,
            "gap_ms": self.gap_ms,
            "seed": self.seed,
            "agree_within": self.agree_within,
            "affinity": None if self.affinity is None else list(self.affinity),
            "max_seconds": self.timeout_s * _BUDGET_SHARE,
            "model_seconds": min(_MOST_MODEL_S, self.timeout_s * _MODEL_SHARE),
            "lock": f"{self.device.folder}/lock",
            "lock_seconds": self.lock_timeout_s,
        }
        command = self.bench or self._command()
        child = self.device.run(command, json.dumps(job), self.timeout_s + self.lock_timeout_s)
        if child.timed_out:
            said = f"No answer within timeout_s={self.timeout_s:g} and lock_timeout_s={self.lock_timeout_s:g}."
            return "timeout", f"{said} {child.last_words}".strip()
        if child.signal_name:
            return f"crashed:{child.signal_name}", child.last_words
        return self._answer(child, command, len(paths))

    def _command(self):
        folder = self.device.put_folder(bench_files())
        return (getattr(self.device, "python", "python3"), f"{folder}/{NAME}", "--job", "-")

    def _answer(self, child, command, num_models):
        """The one JSON line of a program that ended by itself."""
        try:
            answer = json.loads(child.stdout)
            if child.returncode == 0 and answer["version"] == JOB_VERSION and len(answer["models"]) == num_models:
                return answer
            said = f"version {answer['version']}, {len(answer['models'])} models"
        except (ValueError, TypeError, KeyError):
            said = f"stdout {child.stdout[:100]!r}"
        if child.returncode in (CANNOT_RUN, NOT_FOUND):
            raise DeviceError(
                f"The bench program must start on {self.device.name}. Received: {command[0]!r} ({child.last_words}). "
                "Install Python there, or name it with `?python=...` in the device's address."
            )
        if child.returncode == _UNFIT:
            raise DeviceError(f"{self.device.name} must be fit to measure. Received: {child.last_words}")
        raise DeviceError(
            f"The bench program must answer version {JOB_VERSION} with {num_models} models and exit with 0. "
            f"Received: exit code {child.returncode}, {said}. {child.last_words}".strip()
        )


def check_option(name, value, least, integer=False):
    """Refuses a number outside its range.

    Args:
        name: str, of the argument.
        value: int or float.
        least: int or float, the least that is allowed.
        integer: bool. Defaults to `False`.

    Raises:
        UserError: another type, not finite, or below `least`.
    """
    kind = int if integer else int | float
    if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value) or value < least:
        what = "an integer" if integer else "a number"
        raise UserError(f"`{name}` must be {what} of at least {least}. Received: {name}={value!r}.")
