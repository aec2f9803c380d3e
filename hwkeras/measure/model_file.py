"""The bytes of a model, given themselves or by path."""

from __future__ import annotations

import contextlib
import os
import pathlib

from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError


def read_model(model):
    """The bytes of a `.tflite` file.

    Args:
        model: bytes (also bytearray or memoryview), or a path as str or `os.PathLike`.

    Returns:
        bytes.

    Raises:
        UserError: neither bytes nor a path, or a path that cannot be read.
    """
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model)
    if not isinstance(model, str | os.PathLike):
        raise UserError(
            f"A model is the bytes of a `.tflite` file or its path. Received: {type(model).__name__}. "
            "Convert a Keras model first and pass the bytes."
        )
    try:
        return pathlib.Path(model).read_bytes()
    except OSError as error:
        raise UserError(
            f"A model file must exist and be readable. Received: {os.fspath(model)!r} ({error.strerror}). "
            "Check the path."
        ) from error


@contextlib.contextmanager
def naming_file(model):
    """Puts the path of a model in front of what is said to be wrong with it.

    Args:
        model: bytes, or a path.
    """
    try:
        yield
    except ModelFileError as error:
        if isinstance(model, str | os.PathLike):
            raise ModelFileError(f"{os.fspath(model)}: {error}") from error
        raise
