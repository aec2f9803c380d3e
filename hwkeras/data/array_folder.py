"""A folder of `.npy` arrays that may be larger than memory: they are mapped, and read where they are asked for."""

from __future__ import annotations

import functools

import numpy as np

from hwkeras.data.digest import NUM_DIGEST_BYTES
from hwkeras.data.duplicates import sample_hashes
from hwkeras.errors import DataError

_NAMES = (("x_train", "y_train"), ("x", "y"))


class MappedArray:
    """Samples of an array on the disk: a `stored.Source`.

    Args:
        array: numpy memmap of shape (num_samples, ...).
    """

    def __init__(self, array):
        self._array = array

    def __len__(self):
        return len(self._array)

    @functools.cached_property
    def digests(self):
        """uint8 array of shape (num_samples, 16), equal rows for equal samples."""
        hashes = b"".join(sample_hashes(self._array))
        return np.frombuffer(hashes, np.uint8).reshape(-1, NUM_DIGEST_BYTES)

    def read(self, places):
        """Reads samples.

        Args:
            places: int array of shape (k,).

        Returns:
            array of shape (k, ...), in memory.
        """
        return np.array(self._array[places])


def holds_arrays(path):
    """Whether a folder holds the samples as an array.

    Args:
        path: `pathlib.Path` of a folder.

    Returns:
        bool.
    """
    return any((path / f"{x}.npy").is_file() for x, _ in _NAMES)


def mapped_shapes(path):
    """Reads the shape and dtype of each array of a folder.

    Args:
        path: `pathlib.Path` of a folder.

    Returns:
        dict of name to tuple `(shape, dtype)`.

    Raises:
        DataError: a file that is damaged, or of Python objects.
    """
    arrays = {file.stem: _opened(path, file.stem) for file in sorted(path.glob("*.npy"))}
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def open_arrays(path):
    """Opens the arrays of a folder, such as an `.npz` leaves when it is unzipped.

    Args:
        path: `pathlib.Path` of a folder with `x_train.npy` and `y_train.npy` (or `x.npy` and `y.npy`), and perhaps
            `x_test.npy` and `y_test.npy`, and `groups_train.npy` (or `groups.npy`).

    Returns:
        tuple `(train, test, groups)`: tuples of a `MappedArray` and the array of its labels, `test` None where there is
        none; array, or None.

    Raises:
        DataError: a file that is missing, damaged, or of Python objects.
    """
    names = next(pair for pair in _NAMES if (path / f"{pair[0]}.npy").is_file())
    test = [(path / f"{name}.npy").is_file() for name in ("x_test", "y_test")]
    groups = [name for name in ("groups_train", "groups") if (path / f"{name}.npy").is_file()]
    return (
        _pair(path, *names),
        _pair(path, "x_test", "y_test") if any(test) else None,
        np.array(_opened(path, groups[0])) if groups else None,
    )


def _pair(path, x, y):
    return MappedArray(_opened(path, x)), np.array(_opened(path, y))


def _opened(path, name):
    file = path / f"{name}.npy"
    if not file.is_file():
        raise DataError(
            f"Samples and labels belong together. Received: {path} without {file.name}. Save it with numpy.save."
        )
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(
            f"Every array must be a readable .npy of numbers or strings. Received: {file} ({error}). Save it again "
            "with numpy.save."
        ) from error
    if array.ndim == 0:
        raise DataError(f"Arrays must have the shape (n, ...). Received: {file} of one value. Save one row a sample.")
    return array
