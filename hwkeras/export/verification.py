"""Checks a bundle again: its files, its analysis, its outputs, its latency; says what no longer holds."""

from __future__ import annotations

import math
import pathlib
import time

from hwkeras.errors import UserError
from hwkeras.export import behavior
from hwkeras.export import integrity
from hwkeras.export import parts
from hwkeras.export.check import Check
from hwkeras.export.check import Verification
from hwkeras.export.latency import check_latency
from hwkeras.export.manifest import read_manifest
from hwkeras.export.samples import SAMPLES_NAME
from hwkeras.export.source import MODEL_NAME

LATENCY_TOLERANCE = 0.25


def verify(directory, *, meter=None, latency_tolerance=LATENCY_TOLERANCE, remeasure=True, pause=time.sleep):
    """Verifies a bundle; nothing in it is changed.

    Every file is hashed; the manifest is checked against its digest; the C array is compared with the file that
    ships; that file is analyzed, run on the samples and measured again, and the limits are applied to what was found.
    A damaged `.tflite` file is not run, because it could take the process down.

    Args:
        directory: path of the bundle.
        meter: `measure.Meter`. Defaults to `None`: the device in the manifest, with its number of threads.
        latency_tolerance: float, how much slower than the manifest says is still right, relative, beside 2
            microseconds. The headline is reproducible within 1-2% on a quiet machine; the default leaves room for a
            busy one. Defaults to `0.25`.
        remeasure: bool, whether to measure the latency. Defaults to `True`.
        pause: callable that waits for a number of seconds, between measurements of a latency that would fail; they
            spread over 15 seconds, and the fastest counts. Defaults to `time.sleep`.

    Returns:
        Verification.

    Raises:
        UserError: not a bundle, an unreadable manifest, or one of another schema version; a path in it that leaves
            the bundle; a tolerance that is negative or not finite.
    """
    if not math.isfinite(latency_tolerance) or latency_tolerance < 0:
        raise UserError(
            "`latency_tolerance` must be at least 0 and finite. "
            f"Received: latency_tolerance={latency_tolerance!r}. For 25% slower pass 0.25."
        )
    directory = pathlib.Path(directory)
    manifest = read_manifest(directory)
    files = integrity.check_files(directory, manifest)
    intact = {name for name, check in zip(sorted(manifest["files"]), files, strict=True) if check.ok}
    checks = [
        integrity.check_manifest(manifest),
        *files,
        integrity.check_extra(directory, manifest),
        integrity.check_c_array(directory, manifest),
        *behavior.check_architecture(manifest),
        *parts.check_tokenizer(directory, manifest),
    ]
    if MODEL_NAME not in intact:
        message = f"not analyzed, run or measured: {MODEL_NAME} is not the file the manifest describes"
        return Verification((*checks, Check("model", False, None, None, message)))
    flatbuffer = (directory / MODEL_NAME).read_bytes()
    checks += [
        behavior.check_analysis(manifest, flatbuffer),
        behavior.check_tensors(manifest, flatbuffer),
        behavior.check_metrics(manifest, flatbuffer),
    ]
    if SAMPLES_NAME in intact:
        checks += behavior.check_outputs(manifest, flatbuffer, (directory / SAMPLES_NAME).read_bytes())
    latency_ms = None
    if remeasure:
        check, latency_ms = check_latency(manifest, flatbuffer, meter, latency_tolerance, pause)
        checks.append(check)
    return Verification((*checks, *behavior.check_limits(manifest, flatbuffer, latency_ms)))
