"""Signals of every usual form to float32 arrays of shape (n, steps, channels), each channel standardized."""

from __future__ import annotations

import numpy as np

from hwkeras.errors import DataError


class Signals:
    """How sequences are read: a channel axis where there is none, zero mean and unit deviation in each channel.

    The mean and the deviation are those of the training part alone and go into the manifest: a device applies the same.
    """

    noun = "sequence"

    def require(self, x, name):
        """Checks the form of sequences and adds a channel axis where there is none.

        Args:
            x: array of shape (n, steps) or (n, steps, channels).
            name: str, what messages call it.

        Returns:
            float32 array of shape (n, steps, channels).

        Raises:
            DataError: empty, of another rank, not numbers, or not finite.
        """
        x = np.asarray(x)
        if x.dtype.kind not in "biuf":
            raise DataError(f"`{name}` must hold numbers. Received: dtype {x.dtype}.")
        if x.ndim not in (2, 3):
            raise DataError(f"`{name}` must have the shape (n, steps) or (n, steps, channels). Received: {x.shape}.")
        if x.size == 0:
            raise DataError(f"`{name}` must hold at least one sequence. Received: shape {x.shape}.")
        if not np.isfinite(x).all():
            count = int((~np.isfinite(x)).sum())
            raise DataError(
                f"Values of `{name}` must be finite. Received: {count} that are NaN or infinite. Fill or drop them."
            )
        x = x.astype(np.float32)
        return x if x.ndim == 3 else x[..., np.newaxis]

    def fit(self, raw, x, train):
        """Learns what to do to all sequences.

        Args:
            raw: array of sequences as they came.
            x: float32 array of shape (n, steps, channels), the same checked.
            train: int array, places of those that candidates train on.

        Returns:
            tuple of a function from sequences to standardized ones, and a dict of what it does.
        """
        seen = x[train].astype(np.float64)
        mean, deviation = seen.mean(axis=(0, 1)), seen.std(axis=(0, 1))
        deviation = np.where(deviation > 0, deviation, 1.0)  # a channel that never changes stays at zero
        facts = {
            "mean": [float(value) for value in mean],
            "deviation": [float(value) for value in deviation],
            "channel_axis_added": np.ndim(raw) == 2,
        }
        return lambda values: ((values - mean) / deviation).astype(np.float32), facts
