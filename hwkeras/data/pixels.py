"""Images of every usual form to float32 arrays of shape (n, height, width, channels)."""

from __future__ import annotations

import functools

import numpy as np

from hwkeras.errors import DataError

_BYTE = 255


class Pixels:
    """How images are read: a channel axis where there is none, pixels in [0, 1].

    Args:
        scale: float, factor of the pixels. Defaults to `None`: found from the training pixels.
    """

    noun = "image"

    def __init__(self, scale=None):
        self._scale = scale

    def require(self, x, name):
        """See `require_images`."""
        return require_images(x, name)

    def fit(self, raw, x, train):
        """Learns what to do to all images.

        Args:
            raw: array of images as they came.
            x: array of shape (n, height, width, channels), the same checked.
            train: int array, places of those that candidates train on; not looked at.

        Returns:
            tuple of a function from images to float32 images, and a dict of what it does.
        """
        scale = find_scale(x) if self._scale is None else self._scale
        facts = {"scale": scale, "channel_axis_added": np.ndim(raw) == 3}
        return functools.partial(scaled, scale=scale), facts


def require_images(x, name):
    """Checks the form of images and adds a channel axis where there is none.

    Args:
        x: array of shape (n, height, width) or (n, height, width, channels).
        name: str, what messages call it.

    Returns:
        array of shape (n, height, width, channels), of the given dtype.

    Raises:
        DataError: empty, of another rank, not numbers, or not finite.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise DataError(f"`{name}` must hold numbers. Received: dtype {x.dtype}.")
    if x.ndim not in (3, 4):
        raise DataError(
            f"`{name}` must have the shape (n, height, width) or (n, height, width, channels). Received: {x.shape}."
        )
    if x.size == 0:
        raise DataError(f"`{name}` must hold at least one image. Received: shape {x.shape}.")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        count = int((~np.isfinite(x)).sum())
        raise DataError(f"Pixels of `{name}` must be finite. Received: {count} values that are NaN or infinite.")
    return x if x.ndim == 4 else x[..., np.newaxis]


def find_scale(x):
    """The factor that brings pixels into [0, 1].

    Args:
        x: array of images.

    Returns:
        float: 1/255 for uint8, and for other numbers that are whole, in 0..255, and not all 0 or 1; else 1.0.
    """
    if x.dtype == np.uint8:
        return 1 / _BYTE
    low, high = x.min(), x.max()
    looks_like_bytes = low >= 0 and 1.5 < high <= _BYTE and (x.dtype.kind != "f" or bool((x == np.rint(x)).all()))
    return 1 / _BYTE if looks_like_bytes else 1.0


def scaled(x, scale):
    """Pixels as float32, multiplied by `scale`.

    Args:
        x: array of images.
        scale: float.

    Returns:
        float32 array of the same shape.
    """
    x = np.asarray(x, np.float32)
    return x if scale == 1.0 else x * np.float32(scale)
