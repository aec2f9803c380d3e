"""Where the time of a model goes, operator by operator, on the device it runs on."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tflite_bench.kernels import owners
from tflite_bench.kernels import partitions
from tflite_bench.litert_profiler import KERNEL
from tflite_bench.litert_profiler import NODE
from tflite_bench.litert_profiler import ProfiledModel
from tflite_bench.litert_profiler import ProfilerMissing
from tflite_bench.litert_profiler import find_library
from tflite_bench.litert_profiler import open_library
from tflite_bench.operators import read_operators

PROFILE_VERSION = 1
METHOD = "litert-profiler"
DELEGATE = "XNNPACK"
UNKNOWN = "unknown"
# The clock of the profiler counts whole microseconds.
RESOLUTION_MS = 1e-3
_WARMUP = 5
_ROUNDS = 5
_GAP_S = 0.1
# Of all runs this share, the fastest, is averaged: a neighbor's burst is in the others. Never fewer than the number.
_QUIET_SHARE = 0.1
_LEAST_QUIET = 10


@dataclass(frozen=True)
class _Runs:
    """What the profiler recorded.

    Args:
        events: list of `Event`, the operators of a run; every run has the same.
        elapsed_us: array (runs, events).
        invoke_us: array (runs,).
    """

    events: list
    elapsed_us: np.ndarray
    invoke_us: np.ndarray


def profile_model(path, num_threads=1, num_runs=200, seed=0, library=None, max_seconds=20.0, sleep=time.sleep):
    """Times each operator of a model.

    The runs are spread over rounds with a pause between them, and only the fastest tenth is averaged, so that the sum
    is comparable to a latency that is the least over rounds. The profiler's clock counts whole microseconds: what it
    records of a kernel as `t` lies between `t` and `t + 1`, and the middle is taken; what it records as 0 stays 0.

    The library can end the process, and prints: call this in a child.

    Args:
        path: str, a `.tflite` file.
        num_threads: int. Defaults to `1`.
        num_runs: int, at least 10. Defaults to `200`.
        seed: int, of the inputs. Defaults to `0`.
        library: str, path of `libLiteRt`. Defaults to `None`, the one of the installed ai_edge_litert.
        max_seconds: float, after which no further run begins once there are 10. Defaults to `20`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.

    Returns:
        dict of `version`, `method` (`"litert-profiler"`; None where there is no profiler, `message` says why), `ops`,
        `total_ms` (the sum of the operators), `recorded_ms` (the same without the half microseconds), `invoke_ms` (the
        whole run with the recording), `num_runs`, `num_threads`, `resolution_ms`, `message`. An entry of `ops`, in the
        order they ran, is a dict of `index`, `node` (position in the file), `op` (`"unknown"` where a kernel cannot be
        told from its neighbors), `tensor`, `kernel`, `delegate`, `mean_ms`, `share`.
    """
    try:
        runs = _record(path, num_threads, num_runs, seed, library, max_seconds, sleep)
    except ProfilerMissing as error:
        return _answer([], 0, num_threads, str(error), None)
    with open(path, "rb") as file:
        operators = read_operators(file.read())
    quiet = _quiet(runs.elapsed_us)
    recorded_us = runs.elapsed_us[quiet].mean(axis=0)
    is_kernel = np.array([event.kind == KERNEL for event in runs.events])
    times_us = recorded_us + 0.5 * is_kernel * (runs.elapsed_us[quiet] > 0).mean(axis=0)
    positions = _positions(runs.events, operators)
    ops = _entries(runs.events, times_us / 1e3, operators, positions)
    answer = _answer(ops, len(runs.elapsed_us), num_threads, _message(positions, operators), METHOD)
    invoke_us = float(np.median(runs.invoke_us[quiet]))
    return {**answer, "recorded_ms": float(recorded_us.sum() / 1e3), "invoke_ms": invoke_us / 1e3}


def _record(path, num_threads, num_runs, seed, library, max_seconds, sleep):
    model = ProfiledModel(open_library(library or find_library()), path, num_threads, np.random.default_rng(seed))
    deadline = time.monotonic() + max_seconds
    recorded = []
    for number in range(_ROUNDS):
        if number:
            sleep(_GAP_S)
        for _ in range(_WARMUP):
            model.run()
        for run in model.profiled_runs(-(-num_runs // _ROUNDS)):
            recorded.append(run)
            if time.monotonic() > deadline and len(recorded) >= _LEAST_QUIET:
                return _runs(recorded)
    return _runs(recorded)


def _runs(recorded):
    """Those that recorded the same operators as the last one; a first run may do more."""
    last = [event.identity for event in recorded[-1].events]
    alike = [run for run in recorded if [event.identity for event in run.events] == last]
    if not last:
        raise ProfilerMissing("The profiler must record operators. Received: none.")
    if any(event.kind == NODE and event.subgraph for event in recorded[-1].events):
        raise ProfilerMissing("The profiler cannot tell the operators of a loop or a branch apart. Received: some.")
    elapsed_us = np.array([[event.elapsed_us for event in run.events] for run in alike], np.float64)
    return _Runs(recorded[-1].events, elapsed_us, np.array([run.invoke_us for run in alike], np.float64))


def _quiet(elapsed_us):
    """The positions of the fastest runs."""
    number = max(_LEAST_QUIET, round(_QUIET_SHARE * len(elapsed_us)))
    return np.argsort(elapsed_us.sum(axis=1), kind="stable")[:number]


def _positions(events, operators):
    """The position in the file of each event's operator; None where it is not known."""
    if operators is None:
        return [None] * len(events)
    apart = {event.node for event in events if event.kind == NODE}
    segments = _segments(events)
    parts = partitions(operators, apart)
    positions = [event.node if event.kind == NODE and event.node < len(operators) else None for event in events]
    if len(parts) != len(segments):
        return positions
    for number, segment in enumerate(segments):
        part = [operators[index] for index in parts[number]]
        found = owners(part, [events[index].tag for index in segment])
        for offset, index in enumerate(segment):
            positions[index] = None if found[offset] is None else parts[number][found[offset]]
    return positions


def _segments(events):
    """The positions of the kernels of each part of the delegate: it counts them from 0."""
    segments = []
    for index, event in enumerate(events):
        if event.kind == KERNEL:
            if event.node == 0:
                segments.append([])
            segments[-1].append(index)
    return segments


def _entries(events, times_ms, operators, positions):
    total_ms = float(times_ms.sum())
    entries = []
    for index, event in enumerate(events):
        position = positions[index]
        operator = None if position is None else operators[position]
        is_kernel = event.kind == KERNEL
        entries.append(
            {
                "index": index,
                "node": position,
                "op": operator.name if operator else UNKNOWN if is_kernel else event.tag,
                "tensor": operator.tensor if operator else None,
                "kernel": event.tag if is_kernel else None,
                "delegate": DELEGATE if is_kernel else None,
                "mean_ms": float(times_ms[index]),
                "share": float(times_ms[index]) / total_ms if total_ms else 0.0,
            }
        )
    return entries


def _message(positions, operators):
    said = "Times are recorded in whole microseconds; the middle is taken of each."
    unknown = positions.count(None)
    if operators is None:
        return f"{said} The operators are not named: the schema of the format is not installed."
    return f"{said} {unknown} of {len(positions)} kernels belong to more than one operator." if unknown else said


def _answer(ops, num_runs, num_threads, message, method):
    return {
        "version": PROFILE_VERSION,
        "method": method,
        "ops": ops,
        "total_ms": sum(op["mean_ms"] for op in ops),
        "recorded_ms": 0.0,
        "invoke_ms": None,
        "num_runs": num_runs,
        "num_threads": num_threads,
        "resolution_ms": RESOLUTION_MS,
        "message": message,
    }
