"""The manifest of a bundle: what is recorded, how it is read back, and what makes one unreadable."""

import hashlib
import importlib.metadata
import json
import math
import pathlib

import numpy as np

from hwkeras.errors import UserError
from hwkeras.measure import Measurement
from hwkeras.objectives import Limit

MANIFEST_NAME = "manifest.json"
KIND = "hwkeras-bundle"
SCHEMA = 1
_PACKAGES = ("hwkeras", "tensorflow", "keras", "keras-tuner", "ai-edge-litert", "numpy")
_REQUIRED = {
    "files": dict,
    "metrics": dict,
    "analysis": dict,
    "limits": list,
    "inputs": list,
    "outputs": list,
    "precision": str,
    "device": str,
}


def package_versions(names=_PACKAGES):
    """Looks up the installed versions of the packages a bundle depends on.

    Args:
        names: sequence of str, distribution names. Defaults to the packages that make a bundle.

    Returns:
        dict of name to version str, or to None where the package is not installed.
    """
    return {name: _version(name) for name in names}


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def plain(value):
    """Turns a value into what strict JSON can hold; NaN and infinities become None.

    Args:
        value: numbers (NumPy's too), str, None, and dicts, lists, tuples and arrays of them.

    Returns:
        the same in dict, list, str, int, float, bool and None.

    Raises:
        UserError: anything else.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise UserError(
        f"A manifest holds numbers, text, lists and dicts. Received: {type(value).__name__} ({value!r:.80}). "
        "Pass something JSON can hold."
    )


def seal(content):
    """Adds the digest of everything else, so that an edit of the manifest itself shows.

    The digest tells damage and careless edits; it is no signature.

    Args:
        content: dict of plain values.

    Returns:
        dict, a copy with `digest`.
    """
    return {**content, "digest": digest(content)}


def digest(content):
    """Returns the sha256 hex digest of a manifest's canonical JSON, `digest` itself left out."""
    rest = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(directory):
    """Reads and checks the manifest of a bundle.

    Args:
        directory: path of the bundle.

    Returns:
        dict, with every path in it proved to lie inside the bundle.

    Raises:
        UserError: no bundle, an unreadable manifest, another schema version, or a path that leaves the bundle.
    """
    directory = pathlib.Path(directory)
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise UserError(f"A bundle is a directory with a {MANIFEST_NAME}. Received: {directory}, which has none.")
    content = _parse(path)
    if content.get("kind") != KIND:
        raise UserError(f"A bundle's manifest has kind={KIND!r}. Received: kind={content.get('kind')!r} in {path}.")
    if content.get("schema") != SCHEMA:
        raise UserError(
            f"This version of hwkeras reads bundles of schema {SCHEMA}. Received: schema={content.get('schema')!r} in "
            f"{path}. Use the version that wrote it: {_writer(content)}."
        )
    _require_fields(content, path)
    recorded_limits(content)
    recorded_measurement(content)
    for name, entry in content["files"].items():
        _require_inside(directory, name)
        _require_entry(name, entry)
    return content


def _parse(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"A manifest must be JSON. Received: {path}, which is not ({error}).") from error
    if not isinstance(content, dict):
        raise UserError(f"A manifest must be a JSON object. Received: a {type(content).__name__} in {path}.")
    return content


def _writer(content):
    versions = content.get("versions")
    version = versions.get("hwkeras") if isinstance(versions, dict) else None
    return f"hwkeras {version}" if version else "not recorded"


def _require_fields(content, path):
    for name, kind in _REQUIRED.items():
        if not isinstance(content.get(name), kind):
            raise UserError(
                f"A manifest of schema {SCHEMA} needs {name!r} as a {kind.__name__}. "
                f"Received: {type(content.get(name)).__name__} in {path}."
            )


def _require_inside(directory, name):
    # NOTE: Windows reads a backslash as a separator, so it is refused everywhere: a bundle means one thing.
    inside = not {"\\", "\0"} & set(name) and (directory / name).resolve().is_relative_to(directory.resolve())
    if not name or not inside or pathlib.PurePosixPath(name).is_absolute() or ".." in pathlib.PurePosixPath(name).parts:
        raise UserError(f"A path in a manifest must stay inside the bundle. Received: {name!r} in {directory}.")


def _require_entry(name, entry):
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("sha256"), str)
        or not isinstance(entry.get("size"), int)
    ):
        raise UserError(f"A manifest records sha256 and size of every file. Received: {entry!r} for {name!r}.")


def recorded_limits(content):
    """Returns the limits in a manifest, as a list of `Limit`.

    Args:
        content: dict, the manifest.

    Raises:
        UserError: an entry is no limit.
    """
    try:
        return [Limit(entry["metric"], entry["bound"]) for entry in content["limits"]]
    except (TypeError, KeyError) as error:
        raise UserError(
            f"A manifest's limits each have a metric and a bound. Received: {content['limits']}."
        ) from error


def recorded_measurement(content):
    """Returns the `Measurement` in a manifest; None where there is none.

    Args:
        content: dict, the manifest.

    Raises:
        UserError: it is no measurement.
    """
    entry = content.get("measurement")
    try:
        return None if entry is None else Measurement.from_json(entry)
    except (TypeError, AttributeError, UserError) as error:
        raise UserError(f"A manifest's measurement must be one. Received: a broken one ({error}).") from error


def describe_file(path):
    """Returns sha256 (hex) and size (bytes) of a file, as a manifest records them."""
    content = pathlib.Path(path).read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
