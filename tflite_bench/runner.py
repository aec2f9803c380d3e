"""Runs a job: loads the models, times them in rounds, tells the environment."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from tflite_bench import VERSION
from tflite_bench.environment import describe_machine
from tflite_bench.environment import describe_state
from tflite_bench.environment import resident_bytes
from tflite_bench.inputs import fill_inputs
from tflite_bench.rounds import InvokeError
from tflite_bench.rounds import run_rounds
from tflite_bench.runtimes import count_partitions


def run_job(job, runtime, clock_ns=time.perf_counter_ns, sleep=time.sleep):
    """Times all models of a job.

    Args:
        job: Job.
        runtime: Runtime.
        clock_ns: callable that returns nanoseconds as int. Defaults to `time.perf_counter_ns`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.

    Returns:
        dict, the answer (see the package).
    """
    begin_ns = clock_ns()
    before = describe_state()
    models = [_load(path, job, runtime, clock_ns) for path in job.models]
    _time_models(models, job, clock_ns, sleep, begin_ns + int(job.max_seconds * 1e9))
    return {
        "version": VERSION,
        "models": [result for result, _ in models],
        "environment": {
            "runtime": runtime.name,
            "runtime_version": runtime.version,
            **describe_machine(),
            "before": before,
            "after": describe_state(),
        },
        "num_threads": job.num_threads,
        "seconds": (clock_ns() - begin_ns) / 1e9,
    }


def _load(path, job, runtime, clock_ns):
    """The result of one model so far, and its interpreter; None for one that cannot be used."""
    result = {
        "path": path,
        "sha256": None,
        "size_bytes": None,
        "error": None,
        "load_ms": None,
        "first_ms": None,
        "partitions": None,
        "rss_bytes": None,
        "rounds": [],
    }
    resident_before = resident_bytes()
    try:
        with open(path, "rb") as file:
            content = file.read()
        result["sha256"] = hashlib.sha256(content).hexdigest()
        result["size_bytes"] = len(content)
        begin_ns = clock_ns()
        interpreter = runtime.load(content, job.num_threads)
        result["load_ms"] = (clock_ns() - begin_ns) / 1e6
        fill_inputs(interpreter, job.seed)
        begin_ns = clock_ns()
        interpreter.invoke()
        result["first_ms"] = (clock_ns() - begin_ns) / 1e6
        result["partitions"] = count_partitions(interpreter)
    # NOTE: the runtimes raise ValueError, RuntimeError, TypeError and their own: any of them is this model's result.
    except Exception as error:  # noqa: BLE001
        result["error"] = f"{type(error).__name__}: {error}"
        return result, None
    if resident_before is not None:
        result["rss_bytes"] = resident_bytes() - resident_before
    return result, interpreter


def _time_models(models, job, clock_ns, sleep, deadline_ns):
    """Fills in the rounds; a model that fails to run is taken out and the rounds begin again without it."""
    rng = np.random.default_rng(job.seed)
    alive = [(result, interpreter) for result, interpreter in models if interpreter is not None]
    while alive:
        try:
            rounds = run_rounds(
                [interpreter.invoke for _, interpreter in alive], job, rng, clock_ns, sleep, deadline_ns
            )
        except InvokeError as error:
            result, _ = alive.pop(error.index)
            result["error"] = str(error)
            continue
        for index, (result, _) in enumerate(alive):
            result["rounds"] = rounds[index]
        return
