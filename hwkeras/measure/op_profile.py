"""Where the time of a `.tflite` file goes: through the profiler of the runtime, or by difference."""

from __future__ import annotations

import json
import statistics

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.bench_folder import NAME
from hwkeras.measure.bench_folder import bench_files
from hwkeras.measure.device import Device
from hwkeras.measure.devices import open_meter
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.layer_names import group_layer
from hwkeras.measure.layer_names import layer_of
from hwkeras.measure.layer_names import without_common_root
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model
from hwkeras.measure.op_times import OpTime
from hwkeras.measure.op_times import Profile
from hwkeras.measure.prefixes import prefixes

METHODS = ("auto", "profiler", "difference")
# How far the sum of the operators may lie from the latency before it is said.
_NEAR = 0.15
# A neighbor may slow a profile or a latency, and the median of several is near the true one. As many are taken of both,
# whatever they are: to go on until they agree would make any coverage look good.
_NUM_ATTEMPTS = 3
# What a profile may take, once the program has the lock of the device; that long it waits for it.
_TIMEOUT_S, _LOCK_TIMEOUT_S = 120.0, 300.0
_PROFILE_VERSION = 1


class _NoProfile(DeviceError):
    """The profiler gave nothing; there is another way."""


def profile(model, device="local", num_threads=1, method="auto", meter=None, node_paths=None, layers=()):
    """Times each operator of a `.tflite` file.

    The profiler of the runtime times the kernels of one and the same run, to whole microseconds. By difference, the
    graph is cut after each operator, and the pieces are timed side by side by any meter: an operator costs what a piece
    costs more than the one before. Noise only ever adds, so a piece is taken to cost no more than any longer one.

    Args:
        model: bytes of the file, or its path as str or `os.PathLike`.
        device: str, see `open_meter`. Defaults to `"local"`.
        num_threads: int. Defaults to `1`.
        method: `"profiler"`; `"difference"`; `"auto"`, the profiler where it can be had. Defaults to `"auto"`.
        meter: Meter, in place of `device` and `num_threads`. Defaults to `None`.
        node_paths: dict of names in the file to `layer/operation`, from `Converted.node_paths` or
            `hwkeras.convert.node_paths`. Defaults to `None`: the names themselves are such paths.
        layers: sequence of str, names of the architecture's layers, each made of Keras layers `name` and `name_...`.
            Defaults to `()`: Keras' own layers.

    Returns:
        Profile.

    Raises:
        UserError: no such file, an unknown method or device, or a graph that cannot be cut.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
        DeviceError: the device does not work, the file does not run there, or it has no profiler and no other way was
            allowed.
    """
    if method not in METHODS:
        raise UserError(f"`method` is one of {', '.join(map(repr, METHODS))}. Received: method={method!r}.")
    flatbuffer = read_model(model)
    with naming_file(model):
        graph = read_graphs(flatbuffer)[0]
    # Not every device takes a number of threads.
    meter = meter or open_meter(device, **({} if num_threads == 1 else {"num_threads": num_threads}))
    found, latency_ms, used, message = _times(flatbuffer, graph, meter, method)
    total_ms = sum(entry["mean_ms"] for entry in found)
    ops = _ops(found, total_ms, node_paths, layers)
    return Profile(
        ops=ops,
        total_ms=total_ms,
        latency_ms=latency_ms,
        method=used,
        resolution_ms=1e-3 if used == "profiler" else 0.0,
        device=_device_name(meter, device),
        num_threads=getattr(meter, "num_threads", num_threads),
        message=" ".join(filter(None, [message, _doubt(total_ms / latency_ms, used)])),
    )


def _times(flatbuffer, graph, meter, method):
    """The entries of the operators, the latency, the method that gave them, and what to say about it."""
    reason = ""
    if method != "difference":
        try:
            return *_by_profiler(flatbuffer, meter), "profiler", ""
        except _NoProfile as error:
            if method == "profiler":
                raise DeviceError(f"{error} Pass method='difference'.") from error
            reason = f"By difference, for want of the profiler. {error}"
    return *_by_difference(flatbuffer, graph, meter), "difference", reason


def _by_profiler(flatbuffer, meter):
    device = getattr(meter, "device", None)
    if not isinstance(device, Device):
        raise _NoProfile("The profiler needs a device that runs programs. Received: a meter without one.")
    answers, latencies_ms = [], []
    for _ in range(_NUM_ATTEMPTS):
        latencies_ms.append(_latency_ms(meter.measure([flatbuffer])[0], "The file"))
        answers.append(_answer(device, flatbuffer, meter.num_threads))
    answers.sort(key=lambda answer: answer["total_ms"])
    return answers[_NUM_ATTEMPTS // 2]["ops"], statistics.median(latencies_ms)


def _answer(device, flatbuffer, num_threads):
    """What the program on the device tells; the file and the program are there once they were sent."""
    folder, path = device.put_folder(bench_files()), device.put(flatbuffer, ".tflite")
    command = (getattr(device, "python", "python3"), f"{folder}/{NAME}", "--profile", path)
    options = ("--threads", str(num_threads), "--lock", f"{device.folder}/lock")
    child = device.run((*command, *options), "", _TIMEOUT_S + _LOCK_TIMEOUT_S)
    if child.timed_out or child.signal_name:
        how = child.signal_name or f"no answer within {_TIMEOUT_S:g} s"
        raise _NoProfile(
            f"The profiler must end by itself on {device.name}. Received: {how}. {child.last_words}".strip()
        )
    try:
        answer = json.loads(child.stdout)
        usable = child.returncode == 0 and answer["version"] == _PROFILE_VERSION
        reason = answer["message"] if usable and not answer["method"] else None
    except (ValueError, TypeError, KeyError):
        usable, reason = False, None
    if not usable:
        raise _NoProfile(
            f"The profiler must answer version {_PROFILE_VERSION} and exit with 0. Received: exit code "
            f"{child.returncode}, stdout {child.stdout[:100]!r}. {child.last_words}".strip()
        )
    if reason is not None:
        raise _NoProfile(reason)
    return answer


def _by_difference(flatbuffer, graph, meter):
    pieces = prefixes(flatbuffer)
    *measured, whole = meter.measure([*pieces, flatbuffer])
    latency_ms = _latency_ms(whole, "The file")
    times_ms = [
        _latency_ms(measurement, f"The piece of the first {number} operators")
        for number, measurement in enumerate(measured, 1)
    ]
    entries = []
    added_ms = differences([*times_ms[:-1], min(times_ms[-1], latency_ms)])
    for operator, time_ms in zip(graph.operators, added_ms, strict=True):
        tensor = graph.tensors[operator.outputs[0]].name if operator.outputs else None
        entries.append({"op": operator.op, "tensor": tensor, "kernel": None, "delegate": None, "mean_ms": time_ms})
    return [{**entry, "delegate_known": False} for entry in entries], latency_ms


def differences(times_ms):
    """What each operator adds, from the times of growing pieces of a graph.

    Noise only adds to a time, and a piece needs no longer than one that holds it: each is brought down to the least of
    those that follow.

    Args:
        times_ms: sequence of float, the time of the first operator, of the first two, and so on.

    Returns:
        list of float, none negative; their sum is the last of `times_ms`.
    """
    least, bounds = float("inf"), []
    for time_ms in reversed(times_ms):
        least = min(least, time_ms)
        bounds.append(least)
    bounds.reverse()
    return [after - before for before, after in zip([0.0, *bounds], bounds, strict=False)]


def _latency_ms(measurement, what):
    if not measurement.ok:
        raise DeviceError(
            f"{what} must run on the device. Received: {measurement.status}. {measurement.message}".strip()
        )
    return measurement.latency_ms


def _ops(entries, total_ms, node_paths, layers):
    found = [layer_of(entry["op"], entry["tensor"], node_paths) for entry in entries]
    found = [group_layer(layer, layers) for layer in (found if node_paths else without_common_root(found))]
    return tuple(
        OpTime(
            index=index,
            op=entry["op"],
            kernel=entry["kernel"],
            tensor=entry["tensor"],
            layer=layer,
            time_ms=entry["mean_ms"],
            share=entry["mean_ms"] / total_ms if total_ms else 0.0,
            delegated=entry["delegate"] is not None if entry.get("delegate_known", True) else None,
        )
        for index, (entry, layer) in enumerate(zip(entries, found, strict=True))
    )


def _device_name(meter, device):
    return getattr(getattr(meter, "device", None), "name", device)


def _doubt(coverage, method):
    if abs(coverage - 1.0) <= _NEAR:
        return ""
    said = f"The operators sum to {coverage:.0%} of the latency:"
    if coverage > 1.0:
        return (
            f"{said} profiling itself may disturb so short a run, or something else slowed the device meanwhile. "
            "Quiet it and profile again, or pass method='difference'."
        )
    if method == "profiler":
        return (
            f"{said} many are shorter than the microsecond its clock counts, or the device was slowed while the "
            "latency was taken. method='difference' resolves short ones."
        )
    return f"{said} the pieces run faster than the whole. Quiet the device and profile again."
