"""Writes a bundle: a directory that appears whole or not at all."""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import tempfile

from hwkeras.errors import UserError
from hwkeras.export.c_array import HEADER_NAME
from hwkeras.export.c_array import SOURCE_NAME
from hwkeras.export.c_array import c_header
from hwkeras.export.c_array import c_source
from hwkeras.export.details import tensor_details
from hwkeras.export.manifest import KIND
from hwkeras.export.manifest import MANIFEST_NAME
from hwkeras.export.manifest import SCHEMA
from hwkeras.export.manifest import describe_file
from hwkeras.export.manifest import package_versions
from hwkeras.export.manifest import plain
from hwkeras.export.manifest import read_manifest
from hwkeras.export.manifest import seal
from hwkeras.export.parts import referred
from hwkeras.export.parts import write_parts
from hwkeras.export.samples import SAMPLES_NAME
from hwkeras.export.samples import Samples
from hwkeras.export.source import MODEL_NAME
from hwkeras.files import write_json
from hwkeras.measure import analyze

KERAS_NAME = "model.keras"


def write_bundle(directory, candidate, *, overwrite=False, clock=None):
    """Writes one candidate with everything that is known of it.

    The files are `model.tflite`, `model.keras` (where a model is given), `model_data.h` and `model_data.cc`,
    `check.npz` (where samples are given), `tokenizer.json` (of texts) and `manifest.json`. They are written beside and
    moved into place together.

    Args:
        directory: path of the bundle; its parents are made.
        candidate: `BundleSource`.
        overwrite: bool, whether a bundle that is there already may be replaced. Defaults to `False`.
        clock: callable that returns the time as an aware `datetime`. Defaults to `None`, now in UTC.

    Returns:
        pathlib.Path of the bundle.

    Raises:
        UserError: something is there that may not be replaced, or something cannot be recorded.
        ModelFileError: the bytes are no `.tflite` file.
    """
    directory = pathlib.Path(directory)
    _require_free(directory, overwrite)
    created = (clock or _now)()
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        temporary.chmod(0o755)
        _fill(temporary, candidate, created)
        _move(temporary, directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return directory


def _now():
    return datetime.datetime.now(datetime.timezone.utc)


def _require_free(directory, overwrite):
    if not directory.exists() and not directory.is_symlink():
        return
    if directory.is_symlink() or not directory.is_dir():
        raise UserError(
            f"A bundle is a directory. Received: {directory}, which is something else. Choose another name."
        )
    if not any(directory.iterdir()):
        return
    try:
        known = {MANIFEST_NAME, *read_manifest(directory)["files"]}
    except UserError as error:
        raise UserError(
            "A bundle is written into a new or empty directory, or over a bundle. "
            f"Received: {directory}, which is neither ({error})"
        ) from error
    if not overwrite:
        raise UserError(
            f"A bundle is replaced only when asked. Received: {directory}, which is one. "
            "Pass overwrite=True, or choose another directory."
        )
    others = sorted(path.name for path in directory.iterdir() if path.name not in known)
    if others:
        raise UserError(
            f"A bundle is replaced as a whole. Received: {directory}, which also holds {', '.join(others)}. "
            "Move that elsewhere first."
        )


def _fill(folder, candidate, created):
    # First, because it refuses damaged bytes, which the interpreter must not be given.
    analysis = candidate.analysis or analyze(candidate.flatbuffer)
    (folder / MODEL_NAME).write_bytes(candidate.flatbuffer)
    (folder / HEADER_NAME).write_text(c_header(), encoding="utf-8", newline="\n")
    (folder / SOURCE_NAME).write_text(c_source(candidate.flatbuffer), encoding="utf-8", newline="\n")
    _save_model(candidate.model, folder / KERAS_NAME)
    write_parts(folder, candidate.preprocessing)
    samples = None
    if candidate.check_x is not None and len(candidate.check_x):
        samples = Samples.run(candidate.flatbuffer, candidate.check_x, candidate.check_y)
        (folder / SAMPLES_NAME).write_bytes(samples.to_bytes())
    files = {path.name: describe_file(path) for path in sorted(folder.iterdir())}
    write_json(folder / MANIFEST_NAME, seal(_content(candidate, analysis, created, files, samples)))


def _save_model(model, path):
    if model is None:
        return
    if isinstance(model, bytes):
        path.write_bytes(model)
    elif isinstance(model, (str, os.PathLike)):
        shutil.copyfile(model, path)
    else:
        model.save(path)


def _content(candidate, analysis, created, files, samples):
    """The manifest without its digest."""
    measurement, architecture = candidate.measurement, candidate.architecture
    content = {
        "kind": KIND,
        "schema": SCHEMA,
        "created": created.astimezone(datetime.timezone.utc).isoformat(timespec="seconds"),
        "files": files,
        "precision": candidate.precision,
        "device": candidate.device,
        "metrics": candidate.metrics,
        "validation_folds": candidate.validation_folds,
        "limits": [{"metric": limit.metric, "bound": limit.bound, "text": str(limit)} for limit in candidate.limits],
        "measurement": measurement.to_json() if measurement is not None else None,
        "environment": measurement.environment if measurement is not None else None,
        "analysis": analysis.to_json(),
        **tensor_details(candidate.flatbuffer),
        "check": _check_content(candidate, samples),
        "architecture": architecture.to_json() if architecture is not None else None,
        "architecture_hash": architecture.hash if architecture is not None else None,
        "hyperparameters": candidate.hyperparameters,
        "seed": candidate.seed,
        "data_fingerprint": candidate.data_fingerprint,
        "preprocessing": referred(candidate.preprocessing),
        "class_names": candidate.class_names,
        "versions": package_versions(),
    }
    return plain(content)


def _check_content(candidate, samples):
    if samples is None:
        return None
    name = "rmse" if "rmse" in candidate.metrics else "accuracy"
    return {"num_samples": len(samples.x), name: samples.quality(candidate.flatbuffer, name)}


def _move(temporary, directory):
    """Puts the new directory in place of what is there, which is kept until the new one stands."""
    if not directory.exists():
        os.rename(temporary, directory)
        return
    old = pathlib.Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}.old."))
    os.rename(directory, old / directory.name)
    try:
        os.rename(temporary, directory)
    except BaseException:
        os.rename(old / directory.name, directory)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
