"""A `.tflite` file named on the command line."""

from __future__ import annotations

from hwkeras.errors import UserError


def read_checked_model(path):
    """Reads a model; a broken file is told here, in one line, before any runtime sees it.

    Args:
        path: pathlib.Path.

    Returns:
        bytes of the file.

    Raises:
        UserError: no such file, or a folder.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"A model is a .tflite file. Received: {path}, which {what}.")
    from hwkeras.measure import analyze

    content = path.read_bytes()
    analyze(content)
    return content
