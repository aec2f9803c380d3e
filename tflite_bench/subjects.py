"""A model under test: loaded, filled, run once, looked at; and loaded anew for each visit."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from tflite_bench.environment import resident_bytes
from tflite_bench.inputs import fill_inputs
from tflite_bench.runtimes import count_partitions

# Sizes of what is put on the heap before a model is loaded, so that it comes to lie elsewhere each time.
_PADDING_STEP, _MOST_PADDINGS, _KEPT_PADDINGS = 64, 1024, 8


@dataclass
class Subject:
    """A model under test.

    Args:
        content: bytes of the file.
        runtime: Runtime.
        num_threads: int.
        seed: int, of the inputs.
        rng: np.random.Generator, of its places in memory.
    """

    content: bytes
    runtime: object
    num_threads: int
    seed: int
    rng: np.random.Generator
    _paddings: list = field(default_factory=list)

    def open(self):
        """Loads it at another place in memory and runs it once.

        Returns:
            interpreter, ready to invoke.
        """
        self._paddings.append(bytearray(_PADDING_STEP * int(self.rng.integers(1, _MOST_PADDINGS))))
        del self._paddings[:-_KEPT_PADDINGS]
        # NOTE: the interpreter reads constants where the bytes lie, so a copy moves them, too.
        interpreter = self.runtime.load(bytes(bytearray(self.content)), self.num_threads)
        fill_inputs(interpreter, self.seed)
        interpreter.invoke()
        return interpreter


def first_look(content, runtime, job, clock_ns):
    """Loads a model for the first time, runs it once, and tells what there is to tell.

    Args:
        content: bytes of the file.
        runtime: Runtime.
        job: Job.
        clock_ns: callable that returns nanoseconds as int.

    Returns:
        dict: `load_ms`, `first_ms`, `partitions`, `rss_bytes`, `output`.
    """
    _give_back_memory()
    resident_before = resident_bytes()
    begin_ns = clock_ns()
    interpreter = runtime.load(content, job.num_threads)
    loaded_ns = clock_ns()
    fill_inputs(interpreter, job.seed)
    ready_ns = clock_ns()
    interpreter.invoke()
    first_ns = clock_ns() - ready_ns
    resident_after = resident_bytes()
    told = {
        "load_ms": (loaded_ns - begin_ns) / 1e6,
        "first_ms": first_ns / 1e6,
        "partitions": count_partitions(interpreter),
        "rss_bytes": None if resident_before is None else max(resident_after - resident_before, 0),
        "output": sample_outputs(interpreter, job.output_values),
    }
    return told


def sample_outputs(interpreter, num_values):
    """What a model answers to the seeded input.

    Args:
        interpreter: that was invoked.
        num_values: int, values shown of each output.

    Returns:
        list of dict, one an output: `dtype`, `shape`, `sha256` of its bytes, `values`, the first in row order; None
        for one that is not finite.
    """
    outputs = (interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details())
    return [_sample(np.asarray(output), num_values) for output in outputs]


def _sample(output, num_values):
    values = output.ravel()[:num_values]
    is_number = output.dtype.kind in "fiub"
    return {
        "dtype": str(output.dtype),
        "shape": list(output.shape),
        "sha256": hashlib.sha256(np.ascontiguousarray(output).tobytes()).hexdigest() if is_number else None,
        "values": [value if np.isfinite(value) else None for value in values.tolist()] if is_number else [],
    }


def num_visits(told, job):
    """Visits a round for a model: as many as `job.bursts` where getting ready costs little against the burst.

    Args:
        told: dict of `first_look`.
        job: Job.

    Returns:
        int, at least 1.
    """
    overhead_ms = told["load_ms"] + 2 * told["first_ms"]
    return max(1, min(job.bursts, int(job.bursts * 2 * max(job.burst_ms, 1.0) / max(overhead_ms, 1e-6))))


def _give_back_memory():
    """Returns freed memory to the system, where C's library knows how, so that what the next model takes is seen."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
