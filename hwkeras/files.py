"""The only place that writes files: whole or not at all, whatever kills the process."""

import json
import os
import pathlib
import tempfile


def write_atomically(path, content, is_awaited=True):
    """Writes a file under a temporary name in its own folder, then renames it.

    Args:
        path: str or PathLike; missing parent folders are made.
        content: bytes or str (written as UTF-8).
        is_awaited: bool, whether to wait for the disk. Without, a power failure may take the file, a killed process
            still does not. Defaults to `True`.

    Returns:
        pathlib.Path of the file.
    """
    path = pathlib.Path(path)
    data = content.encode() if isinstance(content, str) else bytes(content)
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if is_awaited:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path, document):
    """Writes a document as indented JSON, atomically.

    Args:
        path: str or PathLike.
        document: JSON-able value; NaN and infinities are refused.

    Returns:
        pathlib.Path of the file.

    Raises:
        ValueError: a value JSON cannot hold.
    """
    return write_atomically(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
