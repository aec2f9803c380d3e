"""Data in batches, of a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator, as a search takes them."""

from __future__ import annotations

import itertools
import threading
import warnings

import keras
import numpy as np

from hwkeras.data import DataWarning
from hwkeras.data import fingerprint
from hwkeras.data import stored
from hwkeras.data.duplicates import sample_hashes
from hwkeras.errors import DataError
from hwkeras.units import format_quantity

# Enough of a tf.data.Dataset to know it again, without reading all of it twice.
_FINGERPRINT_SAMPLES = 256
# What `tf.data.Dataset.cardinality` says of one without an end.
_ENDLESS = -1


class Generated(keras.utils.PyDataset):
    """A generator as a data set without an end, that one training after the other goes on reading.

    Args:
        batches: iterator of `(x, y)` or `(x, y, sample_weight)`.

    Attributes:
        damage: `DataError` once the iterator ended; else None.
    """

    def __init__(self, batches):
        super().__init__()
        self._batches = batches
        self._lock = threading.Lock()
        self._number = 0
        self.damage = None

    @property
    def num_batches(self):
        """None, as Keras asks for it of what has no end."""

    def __getitem__(self, index):
        # NOTE: the thread that read ahead for the training before may still be at it.
        with self._lock:
            batch = next(self._batches, None)
            self._number += batch is not None
        if batch is None:
            self.damage = DataError(
                "A generator of training data must not end: a search trains many networks on it. Received: one that "
                f"ended after {self._number} batches. Let it go on (`while True:`), or pass a tf.data.Dataset, which "
                "can be read again."
            )
            raise self.damage
        return batch


def as_stream(x, y, num_steps):
    """Checks training data that come in batches.

    Args:
        x: tf.data.Dataset, PyDataset, iterator, or another iterable of batches.
        y: None: labels come with the batches.
        num_steps: int, the `steps_per_epoch` that were asked for, or None.

    Returns:
        The same; `Generated` of an iterator.

    Raises:
        DataError: labels beside it, single samples, or no end of an epoch.
    """
    if y is not None:
        raise DataError(
            f"Labels come with the batches. Received: x of type {type(x).__name__}, and y. Yield (x, y) and leave y "
            "away, or pass both as arrays."
        )
    if num_steps is None and (hasattr(x, "__next__") or num_batches_of(x) == _ENDLESS):
        raise DataError(
            f"An epoch must have an end. Received: x of type {type(x).__name__}, which has none, and "
            "steps_per_epoch=None. Pass steps_per_epoch=100, say."
        )
    if hasattr(x, "element_spec"):
        _require_batches(x.element_spec, "training data")
    return Generated(x) if hasattr(x, "__next__") else x


def num_batches_of(x):
    """How many batches a stream has.

    Args:
        x: as for `as_stream`.

    Returns:
        int; -1 for one without an end, None where it does not say.
    """
    if isinstance(x, keras.utils.PyDataset):
        return _ENDLESS if x.num_batches is None else x.num_batches
    if hasattr(x, "cardinality"):
        number = int(x.cardinality())
        return number if number >= _ENDLESS else None
    return len(x) if hasattr(x, "__len__") else None


def first_samples(x, max_samples=stored.MAX_HELD_SAMPLES, num_steps=None):
    """Reads samples from the front of a stream: at most so many, and at most 256 MiB.

    Args:
        x: as for `as_stream`.
        max_samples: int. Defaults to 2,000.
        num_steps: int, batches to read at most. Defaults to `None`, no bound.

    Returns:
        tuple: the batch joined of all that were read, `(x, y)` or `(x, y, sample_weight)` as they came, of arrays; and
        bool, whether that is the whole stream, or all of the steps.

    Raises:
        DataError: no batches, or no `(x, y)`.
    """
    batches, num_samples, num_bytes = [], 0, 0
    for batch in itertools.islice(_batches_of(x), num_steps):
        if num_samples >= max_samples or num_bytes >= stored.MAX_HELD_BYTES:
            return _joined(batches), False
        _require_batches(batch, "data")
        batches.append(keras.tree.map_structure(np.asarray, tuple(batch)))
        leaves = keras.tree.flatten(batches[-1])
        num_samples += len(leaves[0])
        num_bytes += sum(leaf.nbytes for leaf in leaves)
    return _joined(batches), True


def validation_arrays(valid, num_steps):
    """Reads validation data that come in batches: what scores candidates is in memory.

    Args:
        valid: as for `as_stream`, of `(x, y)` or `(x, y, sample_weight)`.
        num_steps: int, the `validation_steps` that were asked for, or None for all of it.

    Returns:
        tuple: `(x, y)` or `(x, y, sample_weight)` of arrays, or dicts of them for several inputs; and an array for a
        fingerprint, the same in whatever order the samples come.

    Raises:
        DataError: empty, no `(x, y)`, single samples, or no end.
    """
    if num_steps is None and num_batches_of(valid) == _ENDLESS:
        raise DataError(
            f"Validation data must have an end. Received: {type(valid).__name__}, which has none, and "
            "validation_steps=None. Pass validation_steps=10, say."
        )
    batch, is_whole = first_samples(valid, np.inf, num_steps)
    if not is_whole:
        note = (
            f"Candidates are scored on the first {len(keras.tree.flatten(batch)[0])} validation samples, the "
            f"{format_quantity(stored.MAX_HELD_BYTES, 'bytes')} that are kept in memory. If they are in an order, "
            "shuffle them."
        )
        warnings.warn(note, DataWarning, stacklevel=5)
        return batch, np.array(_form_of(batch))
    hashes = zip(*(sample_hashes(leaf) for leaf in keras.tree.flatten(batch[:2])), strict=True)
    content = b"".join(sorted(b"".join(each) for each in hashes))
    return batch, np.frombuffer(content, np.uint8)


def identity_of(x):
    """What tells a stream of training data from others, and is the same when the search goes on in another process.

    Of a tf.data.Dataset whose first 256 samples are the same in two passes these are it. Where they are not, as of one
    that is shuffled or augmented, and of PyDatasets and generators, whose order may be another one in each process, it
    is the form of a batch and the number of batches. (A tf.data.Dataset that is shuffled once for all epochs, without a
    seed, is another one in each process: give it a seed.)

    Args:
        x: as for `as_stream`.

    Returns:
        array for `data.fingerprint`.
    """
    is_read_twice = hasattr(x, "element_spec")
    batch, _ = first_samples(x, _FINGERPRINT_SAMPLES if is_read_twice else 1)
    if is_read_twice:
        again, _ = first_samples(x, _FINGERPRINT_SAMPLES)
        once, twice = (fingerprint(*keras.tree.flatten(each)) for each in (batch, again))
        if once == twice:
            return np.array(once)
    return np.array(f"{num_batches_of(x)} {_form_of(batch)}")


def _form_of(batch):
    return " ".join(f"{leaf.dtype.name}{list(leaf.shape[1:])}" for leaf in keras.tree.flatten(batch))


def _batches_of(x):
    if isinstance(x, keras.utils.PyDataset):
        number = x.num_batches
        return (x[index] for index in (itertools.count() if number is None else range(number)))
    return iter(x)


def _require_batches(batch, noun):
    """Law of a batch, or of its `element_spec`."""
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise DataError(
            f"Batches must be (x, y), or (x, y, sample_weight). Received: {noun} of {type(batch).__name__}"
            f"{f' of {len(batch)}' if isinstance(batch, (tuple, list)) else ''}."
        )
    if any(_rank(leaf) == 0 for leaf in keras.tree.flatten(list(batch[:2]))):
        raise DataError(f"Data must come in batches. Received: {noun} of single samples. Call `.batch(32)` on it.")


def _rank(leaf):
    """int, axes; None of a spec that does not say."""
    shape = getattr(leaf, "shape", None)
    return shape.rank if hasattr(shape, "rank") else np.ndim(leaf)


def _joined(batches):
    if not batches:
        raise DataError("Data must have at least one batch. Received: an empty dataset.")
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
