"""A bundle's network as a file that hears frame by frame, with what a device must know to feed it."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import tempfile

import numpy as np

from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert
from hwkeras.convert import import_tensorflow
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.quality import judge
from hwkeras.errors import UserError
from hwkeras.export.bundle import KERAS_NAME
from hwkeras.export.details import tensor_details
from hwkeras.export.integrity import check_files
from hwkeras.export.manifest import read_manifest
from hwkeras.export.samples import SAMPLES_NAME
from hwkeras.export.samples import Samples
from hwkeras.export.source import MODEL_NAME
from hwkeras.files import write_json
from hwkeras.measure import analyze
from hwkeras.space import Architecture

STREAMING_NAME, FACTS_NAME = "streaming.tflite", "streaming.json"


def write_streaming(bundle, directory):
    """Makes the network of a bundle take a few frames at a time, in the precision of the bundle's file.

    `streaming.tflite` takes frames and states, and gives an answer and the states for the next step.
    `streaming.json` says how many frames, what the tensors are like, which output goes into which input, and what the
    answers after whole windows of the bundle's samples are worth beside those of `model.tflite`. Both are written
    together or not at all.

    Args:
        bundle: path of a bundle whose network is one of `spaces.Audio(..., streaming=True)`.
        directory: path of a new directory; its parents are made.

    Returns:
        dict, what `streaming.json` holds.

    Raises:
        UserError: no such bundle, a damaged one, another network, a recipe's file, whose weights the bundle's model
            does not have, or something is there already.
        ConversionError: the file disagrees with the network.
    """
    directory = pathlib.Path(directory)
    if directory.exists():
        raise UserError(f"What streams is written into a new directory. Received: {directory}, which is there already.")
    facts, flatbuffer = _streaming(pathlib.Path(bundle))
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        temporary.chmod(0o755)
        (temporary / STREAMING_NAME).write_bytes(flatbuffer)
        write_json(temporary / FACTS_NAME, facts)
        os.rename(temporary, directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return facts


def _streaming(bundle):
    from hwkeras.build import StreamingModel

    manifest = read_manifest(bundle)
    model, samples = _model(bundle, manifest), Samples.from_bytes((bundle / SAMPLES_NAME).read_bytes())
    streaming = StreamingModel(Architecture.from_json(manifest["architecture"]), model)
    # NOTE: in another order: a conversion takes every so many, which would be the same few moments of each window.
    steps = streaming.steps(samples.x)
    order = np.random.default_rng(0).permutation(len(steps[0]))
    converted = convert(streaming.model, manifest["precision"], [part[order] for part in steps])
    answers = _answers(streaming, converted.flatbuffer, samples.x)
    window = int(manifest["inputs"][0]["shape"][1])
    details = tensor_details(converted.flatbuffer)
    return {
        "kind": "hwkeras-streaming",
        "schema": 1,
        "bundle": {"model_sha256": hashlib.sha256((bundle / MODEL_NAME).read_bytes()).hexdigest()},
        "precision": manifest["precision"],
        "sha256": converted.sha256,
        "size_bytes": converted.size_bytes,
        "num_frames": streaming.num_frames,
        "window_frames": window,
        "macs_per_step": int(analyze(converted.flatbuffer).macs),
        "macs_per_window": int(manifest["analysis"]["macs"]),
        **details,
        "states": [
            {"input": number, "output": number, "copy_bytes": _is_copied(given, taken)}
            for number, (given, taken) in enumerate(zip(details["outputs"], details["inputs"], strict=True))
            if number
        ],
        "check": {
            "num_samples": len(samples.x),
            "accuracy": judge(answers, samples.y, ("accuracy",))["accuracy"],
            "accuracy_of_windows": samples.quality((bundle / MODEL_NAME).read_bytes(), "accuracy"),
            "max_difference": float(np.max(np.abs(answers - samples.outputs))),
        },
    }, converted.flatbuffer


def _model(bundle, manifest):
    """The trained network of a bundle that has all that is needed, undamaged."""
    missing = [name for name in (KERAS_NAME, SAMPLES_NAME) if name not in manifest["files"]]
    missing += [] if manifest.get("architecture") else ["an architecture"]
    if missing:
        raise UserError(f"A bundle of a search streams. Received: {bundle}, without {' and '.join(missing)}.")
    if manifest["precision"] not in PRECISIONS:
        raise UserError(
            f"A file of one of the precisions {', '.join(PRECISIONS)} streams. Received: {bundle}, of "
            f"{manifest['precision']!r}, whose weights were compressed after the search. Pass another bundle."
        )
    # NOTE: the file that Keras reads is proved to be the one that was written, and a damaged one is told in one line.
    for check in check_files(bundle, manifest):
        if not check.ok:
            raise UserError(
                f"The files of a bundle that streams are as they were written. Received: {bundle}, {check.name} "
                f"{check.message}. Copy the bundle again, or write it anew."
            )
    import_tensorflow()
    import keras

    return keras.models.load_model(bundle / KERAS_NAME, compile=False)


def _answers(streaming, flatbuffer, windows):
    """The answers after each whole window, from silence."""
    runner, answers = Runner(flatbuffer), []
    for window in windows:
        states = streaming.begin()
        for frames in streaming.frames(window):
            answer, *states = runner.run([frames, *states])
        answers.append(answer[0])
    return np.stack(answers)


def _is_copied(given, taken):
    """Whether the bytes of a state can go back as they are."""
    return all(given[name] == taken[name] for name in ("shape", "dtype", "scale", "zero_point"))
