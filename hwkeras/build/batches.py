"""Training data in batches that are made as they are asked for: shuffled anew each epoch, and changed on their way."""

from __future__ import annotations

import math

import keras
import numpy as np

from hwkeras.errors import DataError
from hwkeras.errors import UserError


class _Seeded(keras.utils.PyDataset):
    """Knows the epoch it is in, so that each batch has random numbers of its own, whoever asks for it and when."""

    def __init__(self, seed, **workers):
        super().__init__(**workers)
        self.epoch = 0
        self._seed = int(seed)
        self._is_within_epoch = False

    def on_epoch_begin(self):
        """Keras tells that an epoch begins."""
        self._is_within_epoch = True

    def on_epoch_end(self):
        """Keras tells that an epoch ended, and does so before the first one too."""
        # NOTE: by now the workers of this epoch are done, and those of the next one have not begun. Batches without an
        # end are read ahead into the next epoch: there the index goes on, and tells it.
        self.epoch += self._is_within_epoch and self.num_batches is not None
        self._is_within_epoch = False

    def _generator(self, epoch, number):
        return np.random.default_rng([self._seed, epoch, number])


class Batches(_Seeded):
    """Batches of arrays, or of what is read like an array, for `model.fit`.

    A batch depends on the seed, the epoch and its index alone: worker threads and batches read ahead change nothing.
    The last batch of an epoch is short where the batch size does not divide the samples.

    Args:
        x: inputs, array of shape (num_samples, ...), or any object with `shape`, `dtype`, `len` and `x[indices]`, which
            returns such an array for an int array of shape (batch_size,).
        y: array-like of shape (num_samples, ...), the targets. Defaults to `None`, none.
        batch_size: int. Defaults to `32`.
        sample_weight: array-like of shape (num_samples,). Defaults to `None`.
        change: function (x, y, rng) -> (x, y) of a batch, with `rng` a numpy Generator of this batch alone. Defaults to
            `None`.
        seed: int, 0 or more. Defaults to `0`.
        shuffle: bool, whether each epoch has another order. Defaults to `True`.
        endless: bool, whether one epoch follows another without an end; `model.fit` then needs `steps_per_epoch`, and
            indices beyond an epoch are those of the next ones. Defaults to `False`.
        workers: int, threads that make batches ahead. Defaults to `1`, none but Keras' own.

    Attributes:
        epoch: int, the epoch whose batches are given; set it to begin with another one than the first.
        batch_size: int.
        num_samples: int.

    Raises:
        UserError: a batch size or a seed that breaks its law.
        DataError: no samples, or targets or weights of another length.
    """

    def __init__(
        self,
        x,
        y=None,
        batch_size=32,
        *,
        sample_weight=None,
        change=None,
        seed=0,
        shuffle=True,
        endless=False,
        workers=1,
    ):
        if batch_size < 1 or seed < 0:
            raise UserError(
                f"`batch_size` must be 1 or more, and `seed` 0 or more. Received: batch_size={batch_size}, seed={seed}."
            )
        super().__init__(seed, workers=workers)
        self._x = np.asarray(x) if keras.ops.is_tensor(x) else x
        self._y = None if y is None else np.asarray(y)
        self._weights = None if sample_weight is None else np.asarray(sample_weight)
        self.num_samples = len(self._x)
        self._verify_lengths()
        self.batch_size = int(batch_size)
        self._change = change
        self._is_shuffled = shuffle
        self._is_endless = endless
        self._last_order = (None, None)

    def _verify_lengths(self):
        if self.num_samples == 0:
            raise DataError("Batches are made of one sample or more. Received: no samples.")
        for name, array in (("y", self._y), ("sample_weight", self._weights)):
            if array is not None and len(array) != self.num_samples:
                raise DataError(
                    f"x and {name} must have the same length. Received: {self.num_samples} inputs and {len(array)} in "
                    f"`{name}`."
                )

    def __len__(self):
        return math.ceil(self.num_samples / self.batch_size)

    @property
    def num_batches(self):
        """int, of an epoch; None of endless ones, as Keras asks for it."""
        return None if self._is_endless else len(self)

    def __getitem__(self, index):
        epochs, place = divmod(index, len(self))
        epoch = self.epoch + epochs
        chosen = self._order(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        x, y = np.asarray(self._x[chosen]), None if self._y is None else self._y[chosen]
        if self._change is not None:
            x, y = self._change(x, y, self._generator(epoch, place + 1))
        weights = () if self._weights is None else (self._weights[chosen],)
        return (x,) if y is None else (x, y, *weights)

    def _order(self, epoch):
        # One assignment of one tuple: threads see the old one or the new one.
        known, order = self._last_order
        if known != epoch:
            order = np.arange(self.num_samples)
            if self._is_shuffled:
                self._generator(epoch, 0).shuffle(order)
            self._last_order = (epoch, order)
        return order


class ChangedBatches(_Seeded):
    """The batches of another PyDataset, each one changed.

    Args:
        batches: keras.utils.PyDataset of `(x, y)` or `(x, y, sample_weight)`.
        change: function (x, y, rng) -> (x, y), see `Batches`.
        seed: int, 0 or more. Defaults to `0`.
    """

    def __init__(self, batches, change, seed=0):
        super().__init__(
            seed,
            workers=batches.workers,
            use_multiprocessing=batches.use_multiprocessing,
            max_queue_size=batches.max_queue_size,
        )
        self._batches = batches
        self._change = change

    @property
    def num_batches(self):
        """int, or None of endless ones."""
        return self._batches.num_batches

    def __getitem__(self, index):
        return _changed(self._batches[index], self._change, self._generator(self.epoch, index + 1))

    def on_epoch_begin(self):
        """Tells the batches too."""
        super().on_epoch_begin()
        self._batches.on_epoch_begin()

    def on_epoch_end(self):
        """Tells the batches too."""
        super().on_epoch_end()
        self._batches.on_epoch_end()


def change_batches(batches, change, seed=0):
    """Changes data that come in batches, as they come.

    Args:
        batches: keras.utils.PyDataset, tf.data.Dataset, or another iterable, of `(x, y)` or `(x, y, sample_weight)`,
            arrays each.
        change: function (x, y, rng) -> (x, y), see `Batches`. It keeps the shape and the type of `x`.
        seed: int, 0 or more. Defaults to `0`.

    Returns:
        PyDataset, tf.data.Dataset or generator, as was given.
    """
    if isinstance(batches, keras.utils.PyDataset):
        return ChangedBatches(batches, change, seed)
    if hasattr(batches, "element_spec"):
        return _changed_stream(batches, change, seed)
    rng = np.random.default_rng(seed)
    return (_changed(batch, change, rng) for batch in batches)


def _changed(batch, change, rng):
    x, y, *weights = batch if isinstance(batch, (tuple, list)) else (batch, None)
    x, y = change(np.asarray(x), None if y is None else np.asarray(y), rng)
    return (x,) if y is None else (x, y, *weights)


def _changed_stream(dataset, change, seed):
    import tensorflow as tf

    x_spec, y_spec, *_ = dataset.element_spec
    # The form of changed labels, told by a batch of nothing.
    inputs, labels = (np.zeros([1 if size is None else size for size in spec.shape]) for spec in (x_spec, y_spec))
    changed = change(inputs.astype(x_spec.dtype.as_numpy_dtype), labels, np.random.default_rng(seed))[1]
    y_dtype = tf.as_dtype(changed.dtype) if changed.dtype != labels.dtype else y_spec.dtype

    def change_arrays(x, y, number):
        x, y = change(x, y, np.random.default_rng([seed, int(number)]))
        return x, y.astype(y_dtype.as_numpy_dtype)

    def change_tensors(batch, number):
        x, y = tf.numpy_function(change_arrays, [*batch[:2], number], [x_spec.dtype, y_dtype])
        x.set_shape(x_spec.shape)
        y.set_shape([y_spec.shape[0], *changed.shape[1:]])
        return (x, y, *batch[2:])

    # Other numbers in each epoch, the same in each run.
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    return tf.data.Dataset.zip((dataset, numbers)).map(change_tensors)
