"""Where the time of a model goes, operator by operator, on the device it runs on."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from tflite_bench.canaries import canaries_of
from tflite_bench.environment import describe_machine
from tflite_bench.environment import describe_runtime
from tflite_bench.gating import level_ms
from tflite_bench.kernels import owners
from tflite_bench.kernels import partitions
from tflite_bench.litert_profiler import KERNEL
from tflite_bench.litert_profiler import NODE
from tflite_bench.litert_profiler import ProfiledModel
from tflite_bench.litert_profiler import ProfilerMissing
from tflite_bench.litert_profiler import find_library
from tflite_bench.litert_profiler import open_library
from tflite_bench.operators import read_operators
from tflite_bench.references import read_references
from tflite_bench.runtimes import find_runtime

PROFILE_VERSION = 1
METHOD = "litert-profiler"
DELEGATE = "XNNPACK"
UNKNOWN = "unknown"
# The clock of the profiler counts whole microseconds.
RESOLUTION_MS = 1e-3
_WARMUP = 5
_ROUNDS = 5
_GAP_S = 0.1
# Runs of the model between two of the canary, the least of which counts; the same number as of a slow model's turn when
# its latency is measured.
_TURN_RUNS = 3
# Of all turns this share, in the middle, is averaged: the headline they are compared to is a median. Never fewer.
_MIDDLE_SHARE = 0.5
_LEAST_TURNS = 5


@dataclass(frozen=True)
class _Turn:
    """The fastest of a few runs in a row.

    Args:
        events: list of `Event`, the operators of the run.
        invoke_us: int, microseconds of the whole run, the recording included.
        speed: float, by which times are multiplied to get those at the usual speed of the device.
        accepted: bool, whether the device was about as fast as usual.
    """

    events: list
    invoke_us: int
    speed: float
    accepted: bool

    @property
    def level_us(self):
        """What the operators take together at the usual speed."""
        return self.speed * sum(event.elapsed_us for event in self.events)

    @property
    def identities(self):
        """What the run did."""
        return [event.identity for event in self.events]


def profile_model(
    path, num_threads=1, num_runs=300, seed=0, library=None, lock=None, max_seconds=20.0, sleep=time.sleep
):
    """Times each operator of a model.

    The runs are spread over rounds with a pause between them and take turns with the canary, so that each turn is known
    at the usual speed of the device, as a latency is (`gating`). Of a turn the fastest run counts, and of the accepted
    turns the middle half, by their sum, is averaged. The profiler's clock counts whole microseconds: what it records of
    a kernel as `t` lies between `t` and `t + 1`, and the middle is taken; what it records as 0 stays 0.

    The library can end the process, and prints: call this in a child.

    Args:
        path: str, a `.tflite` file.
        num_threads: int. Defaults to `1`.
        num_runs: int, at least 15. Defaults to `300`.
        seed: int, of the inputs. Defaults to `0`.
        library: str, path of `libLiteRt`. Defaults to `None`, the one of the installed ai_edge_litert.
        lock: str, path of the device's lock, which the caller holds; beside it the usual speed of the canary is kept.
            Defaults to `None`, the speed is what this run sees.
        max_seconds: float, after which no further turn begins once there are 5. Defaults to `20`.
        sleep: callable that takes seconds. Defaults to `time.sleep`.

    Returns:
        dict of `version`, `method` (`"litert-profiler"`; None where there is no profiler, `message` says why), `ops`,
        `total_ms` (the sum of the operators), `recorded_ms` (the same without the half microseconds), `invoke_ms` (the
        whole run with the recording), `num_runs`, `num_threads`, `resolution_ms`, `message`. An entry of `ops`, in the
        order they ran, is a dict of `index`, `node` (position in the file), `op` (`"unknown"` where a kernel cannot be
        told from its neighbors), `tensor`, `kernel`, `delegate`, `mean_ms`, `share`.
    """
    try:
        turns = _record(path, num_threads, num_runs, seed, library, lock, max_seconds, sleep)
    except ProfilerMissing as error:
        return _answer([], 0, num_threads, str(error), None)
    with open(path, "rb") as file:
        operators = read_operators(file.read())
    events, middle = turns[-1].events, _middle(turns)
    recorded_us = np.array([[event.elapsed_us for event in turn.events] for turn in middle], np.float64)
    is_kernel = np.array([event.kind == KERNEL for event in events])
    speeds = np.array([turn.speed for turn in middle])
    times_us = ((recorded_us + 0.5 * is_kernel * (recorded_us > 0)) * speeds[:, None]).mean(axis=0)
    positions = _positions(events, operators)
    ops = _entries(events, times_us / 1e3, operators, positions)
    answer = _answer(ops, _TURN_RUNS * len(turns), num_threads, _message(positions, operators), METHOD)
    return {
        **answer,
        "recorded_ms": float((recorded_us * speeds[:, None]).sum(axis=1).mean() / 1e3),
        "invoke_ms": statistics.median(turn.invoke_us * turn.speed for turn in middle) / 1e3,
    }


def _record(path, num_threads, num_runs, seed, library, lock, max_seconds, sleep):
    """The turns that recorded the same operators as the last one; a first run may do more."""
    rng = np.random.default_rng(seed)
    model = ProfiledModel(open_library(library or find_library()), path, num_threads, rng)
    runtime = find_runtime()
    environment = {**describe_machine(), **describe_runtime(runtime)}
    canaries = canaries_of(runtime, environment, read_references(lock), seed, rng, time.perf_counter_ns)
    deadline = time.monotonic() + max_seconds
    timed, num_turns = [], -(-num_runs // (_ROUNDS * _TURN_RUNS))
    for number in range(_ROUNDS):
        if number:
            sleep(_GAP_S)
        timed += _visit(model, canaries, num_turns, deadline, _LEAST_TURNS - len(timed))
    # NOTE: what the canary takes at its usual speed is known best at the end.
    return _alike([_turn(*each, canaries.reference) for each in timed])


def _visit(model, canaries, num_turns, deadline, least_turns):
    """Times a few turns; returns of each its runs, the canary's ms around it, and the guard around all."""
    canaries.open_for_visit()
    for _ in range(_WARMUP):
        model.run()
    before_ms = canaries.canary_ms()
    guards, visited = [canaries.guard(before_ms)], []
    while len(visited) < num_turns and (len(visited) < least_turns or time.monotonic() < deadline):
        # NOTE: brings the caches back from the canary.
        model.run()
        runs = list(model.profiled_runs(_TURN_RUNS))
        after_ms = canaries.canary_ms()
        visited.append((runs, None if after_ms is None else (before_ms + after_ms) / 2))
        before_ms = after_ms
    guards.append(canaries.guard(before_ms))
    guard = None if None in guards else min(guards)
    if visited:
        canaries.note(visited[len(visited) // 2][1], guard)
    return [(*each, guard) for each in visited]


def _turn(runs, canary_ms, guard, reference):
    best = min(runs, key=lambda run: sum(event.elapsed_us for event in run.events))
    speed = level_ms(1.0, canary_ms, reference)
    return _Turn(best.events, best.invoke_us, speed, reference.accepts(canary_ms, guard))


def _alike(turns):
    last = turns[-1]
    if not last.events:
        raise ProfilerMissing("The profiler must record operators. Received: none.")
    if any(event.kind == NODE and event.subgraph for event in last.events):
        raise ProfilerMissing("The profiler cannot tell the operators of a loop or a branch apart. Received: some.")
    return [turn for turn in turns if turn.identities == last.identities]


def _middle(turns):
    """Those in the middle, by what they are at the usual speed; of the accepted ones where there are enough."""
    accepted = [turn for turn in turns if turn.accepted]
    turns = sorted(accepted if len(accepted) >= _LEAST_TURNS else turns, key=lambda turn: turn.level_us)
    number = max(min(_LEAST_TURNS, len(turns)), round(_MIDDLE_SHARE * len(turns)))
    begin = (len(turns) - number) // 2
    return turns[begin : begin + number]


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
