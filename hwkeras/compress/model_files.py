"""Trained models from files of every Keras: `.keras`, `.h5` of Keras 3 or before it, a legacy SavedModel folder."""

from __future__ import annotations

import json
import pathlib
import zipfile

import h5py
import keras

from hwkeras.build.sound_blocks import LogMelPicture
from hwkeras.compress.file_contents import check_contents
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy_models import to_keras_3
from hwkeras.compress.legacy_operations import LEGACY_OPERATIONS
from hwkeras.errors import UserError

_KINDS = "a .keras or .h5 file, or the SavedModel folder of a legacy Keras model"
_METADATA = "keras_metadata.pb"
# Registered with Keras by their import.
_OUR_LAYERS = frozenset({keras.saving.get_registered_name(LogMelPicture)})


def load_model(path, *, allow_lambda=()):
    """Loads a model to compress; a legacy one, which Keras 3 may not load, is rebuilt and checked to be equal.

    Nothing in the file is run as code: the description inside is read first, and a Lambda layer is refused unless it
    is asked for by name.

    Args:
        path: str or PathLike of a `.keras` file, an `.h5` file of Keras 3 or of an earlier Keras, or a SavedModel
            folder of an earlier Keras.
        allow_lambda: iterable of str, names of Lambda layers whose code may run. Defaults to `()`.

    Returns:
        keras.Model, not compiled.

    Raises:
        UserError: no such file, no model, not readable, one that holds code or layers of others, is quantized, or has
            a layer without an equal in Keras 3.
        CompressionError: a legacy model whose Keras 3 copy does not answer alike.
    """
    path, allow_lambda = pathlib.Path(path), frozenset(allow_lambda)
    _check_kind(path)
    if path.is_dir():
        return _load_saved_model(path, allow_lambda)
    if zipfile.is_zipfile(path):
        return _load_archive(path, allow_lambda)
    return _load_hdf5(path, allow_lambda)


def _check_kind(path):
    if not path.exists():
        raise UserError(f"A model to compress is {_KINDS}. Received: {path}, which does not exist.")
    if path.suffix == ".tflite":
        raise UserError(
            f"A model to compress is {_KINDS}. Received: {path}, which is converted already and cannot be trained. "
            "Give the Keras model it was made from."
        )
    if path.is_file() and not zipfile.is_zipfile(path) and not h5py.is_hdf5(path):
        raise UserError(f"A model to compress is {_KINDS}. Received: {path}, which is none of them, or truncated.")


def _load_archive(path, allow_lambda):
    try:
        with zipfile.ZipFile(path) as archive:
            config, metadata = (json.loads(archive.read(name)) for name in ("config.json", "metadata.json"))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    if str(metadata.get("keras_version", "")).startswith("2."):
        check_contents(config, path, allow_lambda, tf_keras.layers, LEGACY_OPERATIONS)
        return to_keras_3(_legacy(path, allow_lambda))
    check_contents(config, path, allow_lambda, our_layers=_OUR_LAYERS)
    return _current(path, allow_lambda)


def _load_hdf5(path, allow_lambda):
    with h5py.File(path, "r") as file:
        config, version = file.attrs.get("model_config"), str(file.attrs.get("keras_version", ""))
    if config is None:
        raise UserError(
            f"A model file must hold the model, not weights alone. Received: {path}, without a description of layers. "
            "Save it with `model.save`."
        )
    try:
        config = json.loads(config)
    except ValueError as error:
        raise _unreadable(path, error) from error
    if version.startswith("3"):
        check_contents(config, path, allow_lambda)
        return _current(path, allow_lambda)
    check_contents(config, path, allow_lambda, tf_keras.layers, LEGACY_OPERATIONS)
    return to_keras_3(_legacy(path, allow_lambda))


def _load_saved_model(path, allow_lambda):
    """The described model with the stored weights; the folder's graph, a program of its own, is never loaded."""
    if not (path / "saved_model.pb").is_file() or not (path / _METADATA).is_file():
        raise UserError(
            f"A model to compress is {_KINDS}. Received: the folder {path} without {_METADATA}: an exported graph has "
            "no layers to work on. Save the Keras model with `model.save('model.keras')`."
        )
    config = _described(path)
    check_contents(config, path, allow_lambda, tf_keras.layers, LEGACY_OPERATIONS)

    def load():
        model = tf_keras.models.model_from_config(config)
        model.load_weights(path / "variables" / "variables").assert_existing_objects_matched().expect_partial()
        return model

    return to_keras_3(_loaded(load, path))


def _described(path):
    """What a SavedModel's metadata say of the model."""
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString((path / _METADATA).read_bytes())
        nodes = {node.node_path: json.loads(node.metadata, object_hook=_decoded) for node in metadata.nodes}
        description = nodes["root"]
        return {"class_name": description["class_name"], "config": description["config"]}
    except Exception as error:  # Protocol buffers have an error of their own; all of them mean a broken file.
        raise _unreadable(path, error) from error


def _decoded(entry):
    """tf_keras writes tuples and shapes as objects."""
    return tuple(entry["items"]) if entry.get("class_name") in ("__tuple__", "TensorShape") else entry


def _current(path, allow_lambda):
    return _loaded(lambda: keras.saving.load_model(path, compile=False, safe_mode=not allow_lambda), path)


def _legacy(path, allow_lambda):
    # NOTE: tf_keras asks for the safe mode of its own `.keras` format alone.
    options = {"safe_mode": not allow_lambda} if path.suffix == ".keras" else {}
    return _loaded(lambda: tf_keras.models.load_model(path, compile=False, **options), path)


def _loaded(load, path):
    try:
        return load()
    except Exception as error:  # Whatever a file makes a loader raise belongs to that file.
        raise _unreadable(path, error) from error


def _unreadable(path, error):
    reason = (str(error).strip() or repr(error)).splitlines()[0]
    return UserError(
        f"A model file must be readable by the Keras that wrote it. Received: {path}, refused with: {reason}. Save the "
        "model again with `model.save('model.keras')`."
    )
