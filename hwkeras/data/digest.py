"""A name for the exact content of arrays."""

from __future__ import annotations

import hashlib

import numpy as np

from hwkeras.errors import DataError

NUM_DIGEST_BYTES = 16
_CHUNK_BYTES = 2**20


def fingerprint(*arrays):
    """Hashes arrays: equal for equal dtype, shape and values in the same order, whatever their memory layout.

    Args:
        *arrays: array-likes, or None for one that is absent; of a `StoredArray` the contents of its files count.

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
        if hasattr(array, "digests"):
            digest.update(f"stored{array.shape};".encode())
            array = array.digests
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        if array.dtype.hasobject:
            raise DataError(f"A fingerprint needs arrays of numbers or strings. Received: dtype {array.dtype}.")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def digests_of_files(files):
    """Hashes what files hold, none of them in memory as a whole.

    Args:
        files: sequence of `pathlib.Path`.

    Returns:
        uint8 array of shape (num_files, 16), equal rows for equal contents.
    """
    digests = np.empty((len(files), NUM_DIGEST_BYTES), np.uint8)
    for place, file in enumerate(files):
        digest = hashlib.blake2b(digest_size=NUM_DIGEST_BYTES)
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
        digests[place] = np.frombuffer(digest.digest(), np.uint8)
    return digests
