"""The files a model will become once it is trained, made before any training: to refuse what could never be shipped."""

from __future__ import annotations

import numpy as np

from hwkeras.convert.calibration import random_samples
from hwkeras.convert.converter import flatbuffer_of
from hwkeras.convert.converter import require_precisions
from hwkeras.convert.frozen import freeze

_NUM_SAMPLES = 4
_MOVING_STATISTICS = ("moving_mean", "moving_variance")


def convert_untrained(model, precisions, seed=0):
    """Converts a model that is not trained yet into files as large as those of the trained one.

    The converter stores equal constants once, and a fresh model is full of them (zero biases, unit scales), so its own
    file is up to a fifth too small. Here every weight that training moves is given a distinct value for the
    conversion. The model itself is only read: the values go into the traced graph.

    How equal: the sizes of all four precisions, and the static analysis of the files, are the same to the byte for
    networks whose trained weights are all distinct tensors; calibration ranges do not change a size, also not those of
    concatenated branches that saturate. Frozen layers keep their values, as training does. The one difference left is
    what training leaves *equal*: a bias that never moved from zero is dropped, and equal tensors are stored once (in
    int8, 1x1 kernels of one input channel hold nothing but signs and may coincide). Then the shipped file is smaller,
    by at most those tensors and their quantization parameters (16 bytes an element in int8, 256 a tensor): what passes
    a size limit here passes it shipped.

    Args:
        model: built Keras 3 model, as for `convert`.
        precisions: str or sequence of str, of `PRECISIONS`.
        seed: int, for the weights and the samples. Defaults to `0`.

    Returns:
        dict of precision to bytes. The files answer nonsense: analyze or time them, never ship them.

    Raises:
        UserError: an unknown precision, or a model of the wrong kind.
        ConversionError: the model needs operators beyond TFLite's own.
    """
    precisions = require_precisions(precisions)
    untrained = Untrained(model, seed)
    return {precision: untrained.convert(precision) for precision in precisions}


class Untrained:
    """A model that is not trained yet, traced once: its files are made one by one, see `convert_untrained`.

    Args:
        model: built Keras 3 model, as for `convert`.
        seed: int, for the weights and the samples. Defaults to `0`.

    Raises:
        UserError: a model of the wrong kind.
        ConversionError: a model that cannot be traced.
    """

    def __init__(self, model, seed=0):
        self._frozen = freeze(model, _distinct_weights(model, np.random.default_rng(seed)))
        self._samples = random_samples(self._frozen, _NUM_SAMPLES, seed)

    def convert(self, precision):
        """Makes the file of a precision.

        Args:
            precision: str, of `PRECISIONS`.

        Returns:
            bytes.

        Raises:
            ConversionError: the model needs operators beyond TFLite's own.
        """
        return flatbuffer_of(self._frozen, precision, self._samples)


def _distinct_weights(model, rng):
    """Values for the variables that training moves, by `id`: near their own, of the same sign where that matters."""
    siblings = {}
    for variable in model.weights:
        siblings.setdefault(_layer_path(variable), []).append(variable)
    return {
        id(variable): _shaken(variable.numpy(), rng)
        for variable in model.weights
        if _is_moved(variable, siblings[_layer_path(variable)])
    }


def _layer_path(variable):
    return variable.path.rpartition("/")[0]


def _is_moved(variable, siblings):
    if variable.trainable:
        return True
    if variable.name not in _MOVING_STATISTICS:
        return False
    others = [sibling for sibling in siblings if sibling.name not in _MOVING_STATISTICS]
    return not others or any(sibling.trainable for sibling in others)


def _shaken(array, rng):
    """A kernel with noise of a tenth of its spread; a constant (bias, scale, variance) raised by 0.05 to 0.15."""
    if array.dtype.kind != "f":
        return array
    if array.size > 1 and array.min() < array.max():
        shaken = array + rng.normal(size=array.shape) * 0.1 * array.std()
        # NOTE: what is never negative, such as a variance, must stay so.
        shaken = np.abs(shaken) if array.min() >= 0 else shaken
    else:
        shaken = array + rng.uniform(0.05, 0.15, size=array.shape)
    return shaken.astype(array.dtype)
