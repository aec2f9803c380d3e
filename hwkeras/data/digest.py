"""A name for the exact content of arrays."""

from __future__ import annotations

import hashlib

import numpy as np

from hwkeras.errors import DataError


def fingerprint(*arrays):
    """Hashes arrays: equal for equal dtype, shape and values in the same order, whatever their memory layout.

    Args:
        *arrays: array-likes, or None for one that is absent.

    Returns:
        str, SHA-256 in 64 hexadecimal digits.

    Raises:
        DataError: an array of Python objects, which has no bytes of its own.
    """
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none;")
            continue
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        if array.dtype.hasobject:
            raise DataError(f"A fingerprint needs arrays of numbers or strings. Received: dtype {array.dtype}.")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
