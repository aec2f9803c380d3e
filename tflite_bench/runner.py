"""The timing process: takes a job on stdin, tells on stdout what it does while it does it, one JSON line an event.

    {"ready": {"runtime", "runtime_version", "affinity", "num_usable_cores"}}    the runtime is loaded
    {"hand": 3}                                     what comes next is the doing of model 3
    {"fields": [3, {"sha256": ..., ...}]}           what is known of model 3
    {"ended": [3, "error", "ValueError: ..."]}      model 3 is out
    {"round": [3, {...}]}                           a round of model 3
    {"waits": true}                                 the device is slow just now
    {"done": {"canary": ...}}                       the end
    {"unfit": "..."}                                nothing can be timed here

Its parent (`supervisor`) puts the answer together, also from what came before a crash.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
import time

import numpy as np

from tflite_bench import limits
from tflite_bench.canaries import Canaries
from tflite_bench.canaries import canaries_of
from tflite_bench.environment import describe_runtime
from tflite_bench.job import Job
from tflite_bench.rounds import Rounds
from tflite_bench.runtimes import RuntimeMissing
from tflite_bench.runtimes import find_runtime
from tflite_bench.streams import stdout_kept_for_the_answer
from tflite_bench.subjects import Subject
from tflite_bench.subjects import first_look
from tflite_bench.subjects import num_visits
from tflite_bench.visits import run_visit


def main(stdin=None):
    """Runs one segment of a job.

    Args:
        stdin: text stream with one JSON object: `job`, `indices` (the models to time), `seconds` (left), `references`,
            `environment`. Defaults to `None`, the stdin of the process.
    """
    limits.die_with_parent()
    order = json.load(sys.stdin if stdin is None else stdin)
    with stdout_kept_for_the_answer() as stdout:

        def emit(**event):
            print(json.dumps(event), file=stdout, flush=True)

        try:
            job = Job.from_json(order["job"])
            limits.pin(job.affinity)
            runtime = find_runtime()
            Segment(order, job, runtime, emit).run()
        except (RuntimeMissing, limits.LimitError) as error:
            emit(unfit=str(error))


class Segment:
    """The models that one process times together.

    Args:
        order: dict, see `main`.
        job: Job.
        runtime: Runtime.
        emit: callable that takes an event as keyword arguments.
        clock_ns: callable that returns nanoseconds as int. Defaults to `time.perf_counter_ns`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.
    """

    def __init__(self, order, job, runtime, emit, clock_ns=time.perf_counter_ns, sleep=time.sleep):
        self._order = order
        self._job = job
        self._runtime = runtime
        self._emit = emit
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._rng = np.random.default_rng(job.seed)
        self._begin_ns = clock_ns()
        self._deadline_ns = self._begin_ns + int(order["seconds"] * 1e9)
        self._canaries = Canaries((), clock_ns)

    def run(self):
        """Times all, and tells of it."""
        facts = describe_runtime(self._runtime)
        self._emit(ready=facts)
        if self._job.canary:
            self._open_canaries({**self._order["environment"], **facts})
        limits.limit_memory(self._job.memory_limit_bytes)
        subjects = self._look_at_all()
        if subjects:
            self._run_rounds(subjects)
        self._emit(done={"canary": self._canaries.to_json()})

    def _open_canaries(self, environment):
        self._canaries = canaries_of(
            self._runtime, environment, self._order["references"], self._job.seed, self._rng, self._clock_ns
        )

    def _look_at_all(self):
        """The models that run, as a list of (index, Subject, visits a round)."""
        subjects = []
        for index in self._order["indices"]:
            self._emit(hand=index)
            try:
                content = pathlib.Path(self._job.models[index]).read_bytes()
                identity = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
                self._emit(fields=[index, identity])
                told = first_look(content, self._runtime, self._job, self._clock_ns)
            # NOTE: the runtimes raise ValueError, RuntimeError, TypeError and their own: all are this model's result.
            except Exception as error:  # noqa: BLE001
                self._end(index, error)
                continue
            self._emit(fields=[index, told])
            subject = Subject(content, self._runtime, self._job.num_threads, self._job.seed, self._rng)
            subjects.append((index, subject, num_visits(told, self._job)))
        return subjects

    def _run_rounds(self, subjects):
        numbers = [number for _, _, number in subjects]

        def visit(position):
            index, subject, number = subjects[position]
            self._emit(hand=index)
            return self._visit(subject, self._job.burst_ms / number)

        def probe():
            self._emit(waits=True)
            return self._canaries.probe()

        rounds = Rounds(
            self._job, numbers, visit, probe, lambda: self._canaries.reference, self._rng, self._clock_ns, self._sleep,
            self._deadline_ns,
        )  # fmt: skip
        rounds.run(lambda position, entry: self._emit(round=[subjects[position][0], entry]))
        for position, error in rounds.errors.items():
            self._end(subjects[position][0], error)

    def _visit(self, subject, burst_ms):
        self._canaries.open_for_visit()
        interpreter = subject.open()
        visited = run_visit(
            interpreter.invoke, self._canaries, burst_ms, self._job.warmup, self._clock_ns, self._begin_ns,
            self._deadline_ns,
        )  # fmt: skip
        self._canaries.note(visited.canary_ms, visited.guard)
        return visited

    def _end(self, index, error):
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        if limits.is_out_of_memory(error, self._job.memory_limit_bytes):
            self._emit(ended=[index, "out_of_memory", f"{limits.out_of_memory(self._job.memory_limit_bytes)} {said}"])
        else:
            self._emit(ended=[index, "error", said])
