"""Samples that stay in files: an array to whoever takes a few of them at a time."""

from __future__ import annotations

import contextlib
import copy
from typing import Protocol

import numpy as np

from hwkeras.data.splitting import split_indices
from hwkeras.errors import DataError
from hwkeras.units import format_quantity

# What is read into memory of a set that is larger: enough to score by, to calibrate and to learn a scale from.
MAX_HELD_SAMPLES = 2000
MAX_HELD_BYTES = 256 * 2**20
# Samples whose raw form, which may be much larger than the prepared one, is in memory at a time.
_NUM_READ_AT_ONCE = 64


class Source(Protocol):
    """Where samples lie.

    Attributes:
        digests: uint8 array of shape (num_samples, num_bytes), equal rows for equal contents.
    """

    digests: np.ndarray

    def __len__(self):
        """int, samples."""

    def read(self, places):
        """Reads samples as they are stored.

        Args:
            places: int array of shape (k,).

        Returns:
            array of shape (k, ...), or list of k arrays of their own shapes.

        Raises:
            DataError: one of them cannot be read; the message names the file.
        """


class StoredArray:
    """An array whose samples are read and prepared when they are asked for, and not kept.

    It has what a numpy array has for taking samples: `shape`, `dtype`, `ndim`, `nbytes`, `len(x)`, and `x[key]` with a
    whole number, a slice, an int array or a bool mask of the first axis, which returns a numpy array. It is not
    convertible as a whole: `np.asarray(x)` is refused. The same sample is the same numbers each time.

    Args:
        source: `Source`.
        prepare: function from raw samples, as `source.read` returns them, to an array of shape (k, ...).
        places: int array of shape (num_samples,), at least one, which samples of the source. Defaults to `None`, all.

    Attributes:
        shape: tuple of int, (num_samples, ...).
        dtype: numpy dtype.
        damage: `DataError` of the last sample that could not be read; None where there is none.
    """

    def __init__(self, source, prepare, places=None):
        self._source = source
        self._prepare = prepare
        self._places = np.arange(len(source)) if places is None else np.asarray(places, np.int64)
        first = prepare(source.read(self._places[:1]))
        self.shape, self.dtype = (len(self._places), *first.shape[1:]), first.dtype
        self.damage = None

    @property
    def ndim(self):
        """int, axes, that of the samples included."""
        return len(self.shape)

    @property
    def nbytes(self):
        """int, what all of it would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def digests(self):
        """uint8 array of shape (num_samples, num_bytes), equal rows for equal contents of the files."""
        return self._source.digests[self._places]

    def at(self, places):
        """The samples at some places, without reading them.

        Args:
            places: int array of shape (k,), or bool mask of shape (num_samples,).

        Returns:
            StoredArray of shape (k, ...).
        """
        part = copy.copy(self)
        part._places = self._places[places]
        part.shape, part.damage = (len(part._places), *self.shape[1:]), None
        return part

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"StoredArray(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key):
        chosen = np.arange(len(self))[key]
        if chosen.ndim > 1:
            raise IndexError(f"Stored samples are taken along the first axis. Received: a key of {chosen.ndim} axes.")
        read = self._read(self._places[np.atleast_1d(chosen)])
        return read if chosen.ndim else read[0]

    def _read(self, places):
        samples = np.empty((len(places), *self.shape[1:]), self.dtype)
        try:
            for start in range(0, len(places), _NUM_READ_AT_ONCE):
                part = slice(start, start + _NUM_READ_AT_ONCE)
                samples[part] = self._prepare(self._source.read(places[part]))
        except DataError as error:
            self.damage = error
            raise
        return samples

    @property
    def __array_interface__(self):
        # NOTE: without it, numpy would take this for a sequence and read it sample by sample, all of it.
        raise DataError(
            "Samples that stay in files do not become one array by themselves. Received: a StoredArray of shape "
            f"{self.shape}, {format_quantity(self.nbytes, 'bytes')} in memory. Take some of them, such as x[:100], or "
            "load the data without stream=True."
        )


def is_stored(x):
    """Whether an object is an array whose samples stay in files.

    Args:
        x: any object.

    Returns:
        bool.
    """
    return isinstance(x, StoredArray)


def places_held(x, y, seed=0):
    """Chooses samples that fit into memory: at most 2,000, and at most 256 MiB of them.

    Args:
        x: array of shape (num_samples, ...), or `StoredArray`.
        y: array of shape (num_samples, ...), the labels or numbers, which are kept in proportion as by `split`.
        seed: int. Defaults to `0`.

    Returns:
        int64 array, ascending; all places where all fit.
    """
    most = max(1, min(MAX_HELD_SAMPLES, int(MAX_HELD_BYTES * len(x) // max(1, x.nbytes))))
    return np.arange(len(x)) if len(x) <= most else split_indices(y, most / len(x), seed)[1]


@contextlib.contextmanager
def errors_of(x):
    """Within, a file that cannot be read is told by its own error, whatever library that error went through.

    Keras reads batches in threads of TensorFlow, which makes errors of its own of those it meets there.

    Args:
        x: `StoredArray` or another object with an attribute `damage`; of anything else errors pass as they are.

    Raises:
        DataError: that of the file.
    """
    if not hasattr(x, "damage"):
        yield
        return
    x.damage = None
    try:
        yield
    except Exception as error:
        if x.damage is None or x.damage is error:
            raise
        raise x.damage from error
