"""Runs a job: the timing in child processes, so that what a model does to one is the result of that model alone."""

from __future__ import annotations

import time

from tflite_bench import VERSION
from tflite_bench.environment import describe_machine
from tflite_bench.environment import describe_state
from tflite_bench.environment import oom_kills
from tflite_bench.limits import is_out_of_memory
from tflite_bench.limits import out_of_memory
from tflite_bench.lock import device_lock
from tflite_bench.references import key_of
from tflite_bench.references import read_references
from tflite_bench.references import updated
from tflite_bench.references import write_references
from tflite_bench.timing_process import TimingProcess
from tflite_bench.timing_process import signal_name

# How long Python and the runtime may take to load; TensorFlow on a busy board is the slowest of them.
_START_SECONDS = 180.0


class Unfit(RuntimeError):
    """Nothing can be timed here: no runtime, or the timing process does not start."""


def run_job(job, start=TimingProcess, clock=time.monotonic):
    """Times all models of a job.

    Args:
        job: Job.
        start: callable that takes an order (`runner.main`) and returns a `TimingProcess`. Defaults to that class.
        clock: callable that returns seconds. Defaults to `time.monotonic`.

    Returns:
        dict, the answer (see the package).

    Raises:
        LockError: the device is not free.
        Unfit: nothing can be timed here.
    """
    with device_lock(job.lock, job.lock_seconds):
        return _Supervisor(job, start, clock).answer()


class _Supervisor:
    def __init__(self, job, start, clock):
        self._job = job
        self._start = start
        self._clock = clock
        self._begin = clock()
        self._models = [_unknown(path) for path in job.models]
        self._references = read_references(job.lock)
        self._facts = {}
        self._canary = None
        self._machine = {}

    def answer(self):
        before = describe_state()
        self._machine = describe_machine()
        waiting = [list(range(len(self._models)))]
        while waiting:
            indices = waiting.pop(0)
            if indices or not self._facts:
                waiting += self._segment(indices)
        self._keep_reference()
        return {
            "version": VERSION,
            "models": self._models,
            "canary": self._canary,
            "environment": {**self._facts, **self._machine, "before": before, "after": describe_state()},
            "num_threads": self._job.num_threads,
            "seconds": self._clock() - self._begin,
        }

    def _segment(self, indices):
        """Times some models in one process; returns those that need another, grouped."""
        for index in indices:
            self._models[index]["rounds"] = []
        order = {
            "job": self._job.to_json(),
            "indices": indices,
            "seconds": max(self._begin + self._job.max_seconds - self._clock(), 0.0),
            "references": self._references,
            "environment": self._machine,
        }
        kills = oom_kills()
        process = self._start(order)
        try:
            hand, verdict = self._follow(process)
        except BaseException:
            process.kill()
            process.close()
            raise
        if verdict is None:
            return []
        if verdict == "timeout":
            process.kill()
        returncode = process.close()
        if hand is None:
            raise Unfit(
                "The timing process must start. Received: "
                f"{signal_name(returncode) or f'exit code {returncode}'}. {process.last_words}".strip()
            )
        alive = [index for index in indices if self._models[index]["status"] == "ok"]
        if verdict == "timeout":
            return self._after_timeout(hand, alive)
        return self._after_death(hand, alive, returncode, process.last_words, oom_kills() != kills)

    def _follow(self, process):
        """Takes events until the process is done, dead or hung.

        Returns:
            The model in hand, and None for done, `"timeout"` or `"death"`.
        """
        hand, is_ready = None, False
        end = self._begin + self._job.max_seconds + self._job.model_seconds
        while True:
            patience = min(self._job.model_seconds, end - self._clock()) if is_ready else _START_SECONDS
            try:
                event = process.next_event(patience)
            except TimeoutError:
                return hand, "timeout"
            if event is None:
                return hand, "death"
            is_ready = True
            if "done" in event:
                self._canary = event["done"]["canary"]
                # NOTE: it has nothing left to say, and some runtimes take their time to end, or crash at it.
                process.kill()
                process.close()
                return hand, None
            hand = event.get("hand", hand)
            self._take(event)

    def _take(self, event):
        if "unfit" in event:
            raise Unfit(event["unfit"])
        if "ready" in event:
            self._facts = event["ready"]
        if "fields" in event:
            index, fields = event["fields"]
            self._models[index].update(fields)
        if "round" in event:
            index, entry = event["round"]
            self._models[index]["rounds"].append(entry)
        if "ended" in event:
            index, status, error = event["ended"]
            self._models[index].update(status=status, error=error, rounds=[])

    def _after_timeout(self, hand, alive):
        if self._clock() < self._begin + self._job.max_seconds:
            said = f"It did not come back within model_seconds={self._job.model_seconds:g}."
            self._models[hand].update(status="timeout", error=said, rounds=[])
            return [[index for index in alive if index != hand]]
        for index in alive:
            if not self._models[index]["rounds"]:
                said = f"No round was done within max_seconds={self._job.max_seconds:g}."
                self._models[index].update(status="timeout", error=said)
        return []

    def _after_death(self, hand, alive, returncode, last_words, was_oom_kill):
        """A model that was in hand alone is guilty; in company it may be a victim, and is tried alone."""
        if len(alive) > 1:
            return [[hand], [index for index in alive if index != hand]]
        name = signal_name(returncode)
        limit = self._job.memory_limit_bytes
        if was_oom_kill or (name and is_out_of_memory(last_words, limit)):
            status, said = "out_of_memory", f"{out_of_memory(limit)} {last_words}".rstrip()
        else:
            status = f"crashed:{name}" if name else "error"
            said = last_words or (f"Ended by {name}." if name else f"Ended with exit code {returncode}.")
        self._models[hand].update(status=status, error=said, rounds=[])
        return []

    def _keep_reference(self):
        if not self._canary or self._canary["typical_ms"] is None or self._job.lock is None:
            return
        key = key_of(self._canary["sha256"], {**self._machine, **self._facts})
        self._references[key] = updated(self._references.get(key), self._canary["typical_ms"], self._canary["guard"])
        write_references(self._job.lock, self._references)


def _unknown(path):
    return {
        "path": path,
        "sha256": None,
        "size_bytes": None,
        "status": "ok",
        "error": None,
        "load_ms": None,
        "first_ms": None,
        "partitions": None,
        "rss_bytes": None,
        "output": None,
        "rounds": [],
    }
