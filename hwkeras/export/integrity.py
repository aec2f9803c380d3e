"""Whether a bundle's files are the ones its manifest was written with."""

from __future__ import annotations

import hashlib

from hwkeras.errors import UserError
from hwkeras.export.c_array import SOURCE_NAME
from hwkeras.export.c_array import read_c_source
from hwkeras.export.check import Check
from hwkeras.export.manifest import MANIFEST_NAME
from hwkeras.export.manifest import describe_file
from hwkeras.export.manifest import digest
from hwkeras.export.source import MODEL_NAME


def check_manifest(manifest):
    """Checks a manifest against its own digest.

    Args:
        manifest: dict.

    Returns:
        Check.
    """
    expected, received = manifest.get("digest"), digest(manifest)
    ok = expected == received
    message = "as written" if ok else "edited since it was written: its digest is that of other content"
    return Check("manifest", ok, expected, received, message)


def check_files(directory, manifest):
    """Hashes every file of the manifest.

    Args:
        directory: pathlib.Path of the bundle.
        manifest: dict.

    Returns:
        list of Check, one a file, named `"file NAME"`.
    """
    return [_check_file(directory / name, name, entry) for name, entry in sorted(manifest["files"].items())]


def _check_file(path, name, entry):
    if not path.is_file():
        return Check(f"file {name}", False, entry["sha256"], None, "missing")
    found = describe_file(path)
    if found == entry:
        return Check(f"file {name}", True, entry["sha256"], found["sha256"], f"{entry['size']} bytes as written")
    if found["size"] != entry["size"]:
        message = f"changed: {found['size']} bytes, {entry['size']} when written"
    else:
        message = f"changed: still {entry['size']} bytes, but others"
    return Check(f"file {name}", False, entry["sha256"], found["sha256"], message)


def check_extra(directory, manifest):
    """Looks for files that the manifest does not know.

    Args:
        directory: pathlib.Path of the bundle.
        manifest: dict.

    Returns:
        Check.
    """
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    extra = sorted(found - set(manifest["files"]) - {MANIFEST_NAME})
    message = f"not in the manifest: {', '.join(extra)}" if extra else "none"
    return Check("extra files", not extra, [], extra, message)


def check_c_array(directory, manifest):
    """Compares the bytes of the C array with the file that ships, as the manifest hashes it.

    Args:
        directory: pathlib.Path of the bundle.
        manifest: dict.

    Returns:
        Check.
    """
    expected = manifest["files"].get(MODEL_NAME, {}).get("sha256")
    path = directory / SOURCE_NAME
    if not path.is_file():
        return Check("C array", False, expected, None, f"{SOURCE_NAME} is missing")
    try:
        content = read_c_source(path.read_text(encoding="utf-8"))
    except (UserError, UnicodeDecodeError) as error:
        return Check("C array", False, expected, None, f"cannot be read: {error}")
    received = hashlib.sha256(content).hexdigest()
    ok = received == expected
    message = f"holds the bytes of {MODEL_NAME}" if ok else f"holds other bytes than {MODEL_NAME}"
    return Check("C array", ok, expected, received, message)
