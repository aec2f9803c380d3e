"""Arrays of an `.npz` file. Nothing pickled is ever read."""

from __future__ import annotations

import zipfile
import zlib

import numpy as np

from hwkeras.errors import DataError


def read_archive(path):
    """Reads the training and test arrays of an `.npz`.

    Args:
        path: `pathlib.Path` of a file with `x_train` and `y_train` (or `x` and `y`), and perhaps `x_test`, `y_test`.

    Returns:
        tuple `(train, test)` of tuples `(x, y)`; `test` is None where the file has none.

    Raises:
        DataError: no `.npz`, corrupt, with pickled objects, or without the keys.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"A data file must be an .npz archive (numpy.savez). Received: {path}, which is not one.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return _train(archive, path), _test(archive, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"The archive must be readable. Received: {path}, corrupt ({error}). Save it again.") from error


def read_groups(path):
    """Reads whom the training samples of an `.npz` are of, where it says so.

    Args:
        path: `pathlib.Path` of a file that `read_archive` reads.

    Returns:
        array of `groups_train` (or `groups`), or None.
    """
    with np.load(path, allow_pickle=False) as archive:
        for name in ("groups_train", "groups"):
            if name in archive.files:
                return _array(archive, name, path)
    return None


def read_sample_rate(path):
    """Reads how many samples a second the sounds of an `.npz` have.

    Args:
        path: `pathlib.Path` of a file that `read_archive` reads.

    Returns:
        int.

    Raises:
        DataError: it does not say so.
    """
    with np.load(path, allow_pickle=False) as archive:
        if "sample_rate" not in archive.files:
            raise DataError(
                f"An .npz of sounds must hold `sample_rate`, samples a second. Received: {path} without. "
                "Save it with sample_rate=16000, say."
            )
        rate = _array(archive, "sample_rate", path)
        if rate.size != 1 or rate.dtype.kind not in "iuf" or not rate.item() >= 1:
            raise DataError(
                f"`sample_rate` must be one positive number. Received: {path} with {rate.tolist()}. "
                "Save it with sample_rate=16000, say."
            )
        return int(rate.item())


def shapes_of(path):
    """Reads the shape and dtype of each array of an `.npz`, and none of the arrays.

    Args:
        path: `pathlib.Path` of a zip file.

    Returns:
        dict of name to tuple `(shape, dtype)`; none where one cannot be read: `read_archive` tells why.
    """
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as file:
                        shapes[name.removesuffix(".npy")] = _header(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
        return {}
    return shapes


def _header(file):
    """Shape and dtype in front of an array."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _train(archive, path):
    for names in (("x_train", "y_train"), ("x", "y")):
        if all(name in archive.files for name in names):
            return tuple(_array(archive, name, path) for name in names)
    raise DataError(
        f"An .npz must hold x_train and y_train (or x and y). Received: {path} with "
        f"{', '.join(sorted(archive.files)) or 'no arrays'}."
    )


def _test(archive, path):
    present = [name for name in ("x_test", "y_test") if name in archive.files]
    if len(present) == 1:
        raise DataError(f"x_test and y_test belong together. Received: {path} with {present[0]} only.")
    return tuple(_array(archive, name, path) for name in present) or None


def _array(archive, name, path):
    try:
        return archive[name]
    except ValueError as error:
        if "pickle" not in str(error):
            raise DataError(f"The archive must be readable. Received: {path}, corrupt {name!r} ({error}).") from error
        raise DataError(
            f"Arrays must be of numbers or strings; pickled objects are never loaded. Received: {name!r} of dtype "
            f"object in {path}. Save it as a regular array, for strings with dtype str."
        ) from error
