"""TensorFlow's own `benchmark_model` program, for devices without Python: how it is called and what it prints.

Users bring the program, built for their device; nothing is downloaded. Its usual answer is the mean of one visit. Here
it is run several times for each file, in turn with the others, and of each run the least time counts.
"""

from __future__ import annotations

import pathlib
import random
import re
import time

from hwkeras.errors import DeviceError
from hwkeras.errors import DeviceLost
from hwkeras.errors import UserError
from hwkeras.measure.child import CANNOT_RUN
from hwkeras.measure.child import NOT_FOUND
from hwkeras.measure.device_meter import check_option
from hwkeras.measure.measurement import Measurement
from hwkeras.measure.model_file import read_model
from hwkeras.measure.stored_files import digest_of

RUNTIME = "benchmark_model"
ON_DEVICE = "device:"
_AGREE_WITHIN = 0.02
# Share of the time-out after which no further round begins.
_BUDGET_SHARE = 0.6
_MIN_RUNS = 10
_WARMUP_S = 0.05
# Exit code of the script below where another search does not leave the device (`EX_TEMPFAIL`).
_BUSY = 75

# Arguments: the lock that `tflite_bench` takes too, seconds to wait for it, the program. The open file, and with it
# the lock, lasts as long as the program. Without `flock` on the device there is no lock.
_LOCKED = f"""
exec 9>> "$1"; seconds=$2; shift 2
if command -v flock >/dev/null 2>&1; then
  until flock -n 9; do
    [ "$seconds" -gt 0 ] || exit {_BUSY}
    seconds=$((seconds - 1)); sleep 1
  done
fi
exec "$@"
"""

_NUMBER = r"[-+0-9.e]+"
_COUNT_LINE = re.compile(rf"^(?:INFO: )?(?:\[[^\]]*\] )?count=(\d+)((?: \w+={_NUMBER})*)", re.MULTILINE)
_US_LINE = re.compile(rf"nference timings in us: .*?Init: ({_NUMBER})(?:, First inference: ({_NUMBER}))?")
_BLOCK = "BENCHMARK RESULTS"


def build_command(binary, graph, num_threads=1, burst_ms=20.0, max_seconds=60.0, flags=()):
    """The command that times one file once.

    Args:
        binary: str, path of the program on the device.
        graph: str, path of the file on the device.
        num_threads: int. Defaults to `1`.
        burst_ms: float, least time of the timed runs. Defaults to `20.0`.
        max_seconds: float, most time of the timed runs. Defaults to `60.0`.
        flags: sequence of str, further flags of the program. Defaults to `()`.

    Returns:
        tuple of str.
    """
    return (
        binary,
        f"--graph={graph}",
        f"--num_threads={num_threads}",
        f"--num_runs={_MIN_RUNS}",
        f"--min_secs={burst_ms / 1e3:g}",
        f"--max_secs={max_seconds:g}",
        "--warmup_runs=1",
        f"--warmup_min_secs={_WARMUP_S:g}",
        *flags,
    )


def parse_output(text):
    """Reads what the program prints, in either of its forms.

    TensorFlow Lite's prints a line `count=50 first=... min=...` for the warm-up and one for the timed runs, in whole
    microseconds, and a summary `Inference timings in us: Init: ..., First inference: ...`. LiteRT's prints a block
    `BENCHMARK RESULTS` in milliseconds with two decimals; where it prints the lines too, those are read, which are
    finer.

    Args:
        text: str, stdout and stderr of one run.

    Returns:
        dict: `num_invokes` (int) and `min_ms`, `max_ms`, `mean_ms`; `p5_ms`, `median_ms`, `p95_ms`, `init_ms`,
        `first_ms`, each None where it is not told; `resolution_ms`.

    Raises:
        DeviceError: neither form, or no run was timed.
    """
    text = text.replace("\r", "")
    lines = _COUNT_LINE.findall(text)
    microseconds = _US_LINE.search(text)
    _, has_block, block = text.rpartition(_BLOCK)
    told = _of_block(block) if has_block else {}
    if microseconds:
        told.update(init_ms=_ms(microseconds[1]), first_ms=_ms(microseconds[2]))
    if len(lines) > 1 or (lines and not has_block):
        told.update(_of_line(*lines[-1]))
    if not told.get("num_invokes") or not told.get("min_ms"):
        raise DeviceError(
            "`benchmark_model` must print its timings as TensorFlow Lite's or LiteRT's does. "
            f"Received: {text.strip()[-200:]!r}. Check that it is that program, and that the file takes more than "
            "its resolution."
        )
    return {"p5_ms": None, "median_ms": None, "p95_ms": None, "init_ms": None, "first_ms": None, **told}


def _of_line(count, pairs):
    values = {name: _ms(value) for name, value in re.findall(rf"(\w+)=({_NUMBER})", pairs)}
    # Where all runs took the same time only that time is printed, as `curr`.
    same = values.get("curr")
    told = {"num_invokes": int(count), "resolution_ms": 1e-3}
    for name, key in (("min", "min_ms"), ("max", "max_ms"), ("avg", "mean_ms")):
        told[key] = values.get(name, same)
    return {**told, **{f"{name}_ms": values.get(name) for name in ("p5", "median", "p95")}}


def _of_block(block):
    values = {
        name: float(value) for name, value in re.findall(rf"((?:Inference|Warmup) \(\w+\)):\s+({_NUMBER}) ms", block)
    }
    initialization = re.search(rf"Model initialization:\s+({_NUMBER}) ms", block)
    runs = re.search(r"Inference \(avg\):.*\((\d+) runs\)", block)
    mean_ms = values.get("Inference (avg)")
    return {
        "num_invokes": int(runs[1]) if runs else 0,
        "min_ms": values.get("Inference (min)"),
        "max_ms": values.get("Inference (max)"),
        "mean_ms": mean_ms,
        "init_ms": float(initialization[1]) if initialization else None,
        "first_ms": values.get("Warmup (first)"),
        "resolution_ms": 1e-2,
    }


def _ms(microseconds):
    return None if microseconds is None else float(microseconds) / 1e3


class BenchmarkModelMeter:
    """Times `.tflite` files with a `benchmark_model` that runs on the device.

    Every round runs the program once for each file, in a random order; rounds go on until the two best of every file
    agree within 2%. Of a program that tells no percentiles, the raw rounds hold its mean as the median and its extremes
    as the percentiles.

    Args:
        device: Device.
        binary: str, path of the program on this machine, built for the device; or `"device:/path"` for one that is on
            the device already.
        num_threads: int. Defaults to `1`.
        rounds: int, least number of rounds, at least 3. Defaults to `3`.
        max_rounds: int, most rounds. Defaults to `12`.
        burst_ms: float, least time of one visit to one file. Defaults to `20.0`.
        gap_ms: float, pause between rounds. Defaults to `100.0`.
        timeout_s: float, seconds a run of the program may take; no round begins after 60% of it. Defaults to `120.0`.
        lock_timeout_s: float, seconds to wait for another search to leave the device. Defaults to `300.0`.
        seed: int, of the order. Defaults to `0`.
        flags: sequence of str, further flags of the program, such as `"--use_gpu=true"`. Defaults to `()`.
        clock: callable that returns seconds. Defaults to `time.monotonic`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.

    Raises:
        UserError: an argument outside its range, or no such binary.
    """

    def __init__(
        self,
        device,
        binary,
        num_threads=1,
        rounds=3,
        max_rounds=12,
        burst_ms=20.0,
        gap_ms=100.0,
        timeout_s=120.0,
        lock_timeout_s=300.0,
        seed=0,
        flags=(),
        clock=time.monotonic,
        sleep=time.sleep,
    ):
        check_option("num_threads", num_threads, 1, integer=True)
        check_option("rounds", rounds, 3, integer=True)
        check_option("max_rounds", max_rounds, rounds, integer=True)
        for name, value, least in (
            ("burst_ms", burst_ms, 0),
            ("gap_ms", gap_ms, 0),
            ("timeout_s", timeout_s, 0.001),
            ("lock_timeout_s", lock_timeout_s, 0),
        ):
            check_option(name, value, least)
        check_option("seed", seed, 0, integer=True)
        if isinstance(flags, str) or not all(re.match(r"--\w", flag) for flag in flags):
            raise UserError(f"`flags` is a sequence of texts such as '--use_gpu=true'. Received: flags={flags!r}.")
        self.device = device
        self.num_threads = num_threads
        self._rounds, self._max_rounds = rounds, max_rounds
        self._burst_ms, self._gap_ms = burst_ms, gap_ms
        self._timeout_s, self._lock_timeout_s = timeout_s, lock_timeout_s
        self._seed, self._flags = seed, tuple(flags)
        self._clock, self._sleep = clock, sleep
        self._binary = binary
        self._content = None if binary.startswith(ON_DEVICE) else _read_program(binary)

    def measure(self, flatbuffers):
        """Times files side by side. See `Meter.measure`."""
        files = [bytes(flatbuffer) for flatbuffer in flatbuffers]
        if not files:
            return ()
        digests = [digest_of(content) for content in files]
        try:
            environment = self.describe()
            visits = self._visits(self._program(), [self.device.put(content, ".tflite") for content in files])
        except DeviceLost as error:
            place = {"device": self.device.name, "runtime": RUNTIME}
            return tuple(Measurement.failed(each, "lost", str(error), place, self.num_threads) for each in digests)
        return tuple(
            visit.measurement(digest, environment, self.num_threads)
            for digest, visit in zip(digests, visits, strict=True)
        )

    def describe(self):
        """The device and the program. See `Meter.describe`.

        Raises:
            DeviceError: it cannot be reached, or the program does not run there.
        """
        facts = self.device.info()
        program = self._program()
        self._must_start(self.device.run([program, "--help"], timeout_s=self._timeout_s), program)
        cpu = facts.get("cpu") or facts.get("model") or facts["machine"]
        return {**facts, "cpu": cpu, "cpu_model": cpu, "runtime": RUNTIME, "runtime_version": self._version(program)}

    def close(self):
        """Ends the connection to the device; the next job opens it again."""
        self.device.close()

    def _program(self):
        """The path of the program on the device, which can be executed."""
        if self._content is None:
            return self._binary[len(ON_DEVICE) :]
        path = self.device.put(self._content, ".bin")
        changed = self.device.run(["chmod", "755", path])
        if changed.returncode != 0:
            raise DeviceError(
                f"`benchmark_model` must become executable on {self.device.name}. Received: {changed.last_words!r} for "
                f"{path}. Name a folder that is not mounted noexec with `?folder=...`."
            )
        return path

    def _version(self, program):
        """The program does not tell its version; its bytes do."""
        if self._content is not None:
            return f"sha256:{digest_of(self._content)[:16]}"
        told = self.device.run(["sha256sum", program])
        return f"sha256:{told.stdout[:16]}" if told.returncode == 0 else "unknown"

    def _visits(self, program, paths):
        """Visits all files round after round, until the two best rounds of each agree or the budget ends."""
        rng = random.Random(self._seed)
        begin_s = self._clock()
        visits = [_Visits() for _ in paths]
        for number in range(self._max_rounds):
            alive = [index for index, visit in enumerate(visits) if visit.failure is None]
            is_settled = all(visits[index].agree() for index in alive)
            is_late = self._clock() - begin_s > self._timeout_s * _BUDGET_SHARE
            if not alive or (number >= self._rounds and (is_settled or is_late)):
                break
            if number:
                self._sleep(self._gap_ms / 1e3)
            rng.shuffle(alive)
            for index in alive:
                child = self._run(program, paths[index])
                visits[index].add(child, self._clock() - begin_s, self._timeout_s)
        return visits

    def _run(self, program, path):
        command = build_command(
            program, path, self.num_threads, self._burst_ms, self._timeout_s * _BUDGET_SHARE, self._flags
        )
        lock = (f"{self.device.folder}/lock", str(round(self._lock_timeout_s)))
        child = self.device.run(
            ["sh", "-c", _LOCKED, "sh", *lock, *command], timeout_s=self._timeout_s + self._lock_timeout_s
        )
        self._must_start(child, program)
        if child.returncode == _BUSY:
            raise DeviceError(
                f"{self.device.name} must be free. Received: another search has had it for "
                f"lock_timeout_s={self._lock_timeout_s:g}. Wait for that one, or use another device."
            )
        return child

    def _must_start(self, child, program):
        if child.returncode in (CANNOT_RUN, NOT_FOUND):
            raise DeviceError(
                f"`benchmark_model` must run on {self.device.name}. Received: {child.last_words!r} for {program}. "
                "Pass one that is built for this device."
            )


class _Visits:
    """What is known of one file so far."""

    def __init__(self):
        self.rounds = []
        self.init_ms = None
        self.first_ms = None
        self.failure = None

    def add(self, child, at_s, timeout_s):
        """Takes in one run of the program."""
        if child.timed_out:
            self.failure = "timeout", f"No answer within timeout_s={timeout_s:g}. {child.last_words}".strip()
        elif child.signal_name:
            self.failure = f"crashed:{child.signal_name}", child.last_words
        elif child.returncode != 0:
            self.failure = "error", f"Exit code {child.returncode}. {child.last_words}".strip()
        else:
            self._take(child, at_s)

    def _take(self, child, at_s):
        try:
            told = parse_output(f"{child.stdout}\n{child.stderr}")
        except DeviceError as error:
            self.failure = "error", str(error)
            return
        self.init_ms = self.init_ms or told["init_ms"]
        self.first_ms = self.first_ms or told["first_ms"]
        self.rounds.append(
            {
                "num_invokes": told["num_invokes"],
                "min_ms": told["min_ms"],
                "p10_ms": told["p5_ms"] or told["min_ms"],
                "median_ms": told["median_ms"] or told["mean_ms"],
                "mean_ms": told["mean_ms"],
                "p90_ms": told["p95_ms"] or told["max_ms"],
                "canary_ms": None,
                "at_s": at_s,
            }
        )

    def agree(self):
        minima = sorted(entry["min_ms"] for entry in self.rounds)
        return len(minima) > 1 and minima[1] <= minima[0] * (1 + _AGREE_WITHIN)

    def measurement(self, digest, environment, num_threads):
        if self.failure is not None:
            return Measurement.failed(digest, *self.failure, environment, num_threads, load_ms=self.init_ms)
        result = {
            "status": "ok",
            "error": None,
            "load_ms": self.init_ms,
            "first_ms": self.first_ms,
            "partitions": None,
            "rss_bytes": None,
            "output": None,
            "rounds": self.rounds,
        }
        return Measurement.of_rounds(digest, result, environment, num_threads)


def _read_program(path):
    try:
        return read_model(pathlib.Path(path).expanduser())
    except UserError as error:
        raise UserError(
            f"`benchmark_model` is the path of the program on this machine, or '{ON_DEVICE}/path' on the device. "
            f"Received: {path!r}, which cannot be read here."
        ) from error
