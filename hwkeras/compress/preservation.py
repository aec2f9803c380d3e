"""Keeps the zeros and the clusters of weights while a model trains.

tfmot does this inside its quantizers, for two kinds of layers. Its cluster-preserving one takes the few weights per
output channel of a 1x1 convolution for clusters of that channel, and sets the smallest of each channel to zero in
every step, whether it was zero or not (tensorflow/model-optimization#979). Here any weight of any layer is put back
onto the pattern it had, after every step: its zeros are zero again, and weights that had one value share their mean.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hwkeras.compress.legacy import tf_keras


class Preservation(tf_keras.callbacks.Callback):
    """Puts the kernels of a model back onto their pattern after every training step.

    Biases, and other variables of one axis, are left alone.

    Args:
        variables: iterable of tf variables, with the pattern to keep.
        keeps_zeros: bool, whether what is zero stays zero.
        keeps_clusters: bool, whether what is equal within one variable stays equal.
    """

    def __init__(self, variables, *, keeps_zeros, keeps_clusters):
        super().__init__()
        # A recurrent or attention layer has biases of two axes.
        chosen = [one for one in variables if len(one.shape) > 1 and "bias" not in one.name.rpartition("/")[-1]]
        kernels = {id(variable): variable for variable in chosen}.values()
        self._patterns = [_Pattern(kernel, keeps_zeros, keeps_clusters) for kernel in kernels]
        self._patterns = [pattern for pattern in self._patterns if not pattern.is_free]

    def on_train_batch_end(self, batch, logs=None):
        """Restores every pattern.

        Args:
            batch: not used.
            logs: not used.
        """
        for pattern in self._patterns:
            pattern.restore()


class _Pattern:
    """The zeros and equal values of one variable."""

    def __init__(self, variable, keeps_zeros, keeps_clusters):
        self._variable = variable
        values = variable.numpy()
        self._mask = (values != 0).astype(values.dtype) if keeps_zeros and not values.all() else None
        self._labels, self._num_labels = None, 0
        if keeps_clusters:
            distinct, labels = np.unique(values, return_inverse=True)
            if len(distinct) < values.size:
                self._labels, self._num_labels = labels.reshape(-1).astype(np.int32), len(distinct)

    @property
    def is_free(self):
        """bool, whether there is nothing to keep."""
        return self._mask is None and self._labels is None

    def restore(self):
        values = tf.convert_to_tensor(self._variable)
        if self._labels is not None:
            means = tf.math.unsorted_segment_mean(tf.reshape(values, [-1]), self._labels, self._num_labels)
            values = tf.reshape(tf.gather(means, self._labels), self._variable.shape)
        if self._mask is not None:
            values = values * self._mask
        self._variable.assign(values)
