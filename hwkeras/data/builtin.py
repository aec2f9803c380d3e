"""Data sets known by name."""

from __future__ import annotations

import contextlib
import importlib
import sys

from hwkeras.errors import DataError

BUILTIN_NAMES = ("digits", "mnist", "fashion_mnist", "cifar10")
_LARGEST_DIGIT_PIXEL = 16


def read_builtin(name):
    """Reads a data set by name; all but `digits` are downloaded by Keras once and then kept in its cache.

    Args:
        name: str, one of `BUILTIN_NAMES`.

    Returns:
        tuple `(train, test, scale)`: tuples `(x, y)`, `test` perhaps None; the factor of the pixels, or None where it
        is to be found from them.

    Raises:
        DataError: the download failed.
    """
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        return (digits.images, digits.target), None, 1 / _LARGEST_DIGIT_PIXEL
    module = importlib.import_module("keras").datasets
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras prints its progress on stdout, which is for results.
            train, test = getattr(module, name).load_data()
    except Exception as error:  # Keras raises a bare Exception for a failed download.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{name!r} must be downloaded once. Received: {reason}. Without a network pass your own .npz with "
            "x_train and y_train, or 'digits', which comes with scikit-learn."
        ) from error
    return train, test, None
