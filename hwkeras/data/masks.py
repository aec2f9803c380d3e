"""A class for every pixel: masks of whole numbers beside images of the same size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.errors import DataError

_MOST_OF_A_BYTE = 256
_SHOWN = 6


@dataclass(frozen=True)
class Masks:
    """The classes of pixels; the counterpart of `labels.Classes`.

    Args:
        num_classes: int.
    """

    num_classes: int

    @property
    def names(self):
        """The classes' names, tuple of str: their numbers."""
        return tuple(map(str, range(self.num_classes)))

    @classmethod
    def of(cls, y):
        """Finds the classes of masks.

        Args:
            y: array of whole numbers of shape (n, height, width).

        Returns:
            Masks.

        Raises:
            DataError: numbers that are not whole, or do not go from 0 up without a gap.
        """
        present = np.unique(_whole(y))
        gaps = np.flatnonzero(present != np.arange(len(present)))
        if len(gaps):
            shown = ", ".join(map(str, present[:_SHOWN].tolist())) + (", ..." if len(present) > _SHOWN else "")
            raise DataError(
                f"Classes of pixels must be numbered 0, 1, 2 ... without a gap. Received: masks of {shown}, without "
                f"{gaps[0]}. Number them anew (such as 255 as 1); make pixels of no class a class of their own."
            )
        return cls(len(present))

    def numbers(self, y):
        """Masks as training takes them.

        Args:
            y: array of whole numbers of shape (n, height, width).

        Returns:
            array of the same shape, uint8 of up to 256 classes, else int32.

        Raises:
            DataError: numbers that are not whole, or of no class.
        """
        y = _whole(y)
        if y.size and y.max() >= self.num_classes:
            raise DataError(
                f"Every pixel must be of one of the {self.num_classes} classes of the training masks, 0 to "
                f"{self.num_classes - 1}. Received: {y.max()}."
            )
        return y.astype(np.uint8 if self.num_classes <= _MOST_OF_A_BYTE else np.int32)


def require_masks(x, y, names):
    """Checks that there is a mask for every image, as large as it.

    Args:
        x: array of images of shape (n, height, width) or (n, height, width, channels).
        y: array of masks of shape (n, height, width) or (n, height, width, 1).
        names: tuple of two str, what messages call them.

    Returns:
        tuple of both as arrays, the masks of shape (n, height, width).

    Raises:
        DataError: masks of another form, number or size.
    """
    x, y = np.asarray(x), np.asarray(y)
    y = y[..., 0] if y.ndim == 4 and y.shape[-1] == 1 else y
    if y.dtype.kind not in "biuf" or y.ndim != 3:
        raise DataError(
            f"`{names[1]}` must hold a number for every pixel, of shape (n, height, width). Received: dtype {y.dtype}, "
            f"shape {y.shape}. For one class an image pass kind='image' (`--kind image`)."
        )
    if x.ndim in (3, 4) and x.shape[:3] != y.shape:
        raise DataError(
            f"There must be a mask for every image, as large as it. Received: `{names[0]}` of shape {x.shape}, "
            f"`{names[1]}` of shape {y.shape}."
        )
    return x, y


def _whole(y):
    if y.dtype.kind == "f":
        # NaN is not equal to itself, infinity is no number of a class.
        is_whole = np.isfinite(y) & (y == np.rint(y))
        if not is_whole.all():
            raise DataError(
                f"Masks must hold whole numbers. Received: dtype {y.dtype}, such as {y[~is_whole][0]}. Round them, or "
                "threshold probabilities."
            )
    y = y if y.dtype.kind in "iu" else y.astype(np.int64)
    if y.size and y.min() < 0:
        raise DataError(f"Masks must hold numbers of classes, 0 or more. Received: {y.min()}.")
    return y
