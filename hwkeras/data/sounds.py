"""Sounds of every usual form to pictures of log-mel energies, each band standardized, or to waveforms of one length."""

from __future__ import annotations

import numpy as np

from hwkeras.data.log_mel import LogMel
from hwkeras.data.sound_folder import to_waveform
from hwkeras.errors import DataError

PLACES = ("outside", "inside")


class Sounds:
    """How sounds are read: waveforms of one length become pictures (`LogMel`), standardized band by band.

    Args:
        front_end: `LogMel`.
        inside: bool, whether the network computes the pictures: waveforms stay waveforms then, and what standardizes
            the bands is handed on in what `fit` tells. Defaults to `False`.
    """

    noun = "sound"

    def __init__(self, front_end, inside=False):
        self._front_end = front_end
        self._inside = inside

    def require(self, x, name):
        """Checks waveforms and computes their pictures, unless the network does.

        Args:
            x: array of shape (n, samples), or list of n arrays of their own lengths: whole numbers of 8 (unsigned), 16
                or 32 bits, or floats in [-1, 1].
            name: str, what messages call it.

        Returns:
            float32 array of shape (n, frames, bands, 1), or (n, samples) of waveforms in [-1, 1].

        Raises:
            DataError: empty, of another rank, not numbers, not finite.
        """
        waveforms = [self._front_end.fit_length(to_waveform(sound)) for sound in require_waveforms(x, name)]
        if not all(np.isfinite(waveform).all() for waveform in waveforms):
            raise DataError(f"Samples of `{name}` must be finite. Received: some that are NaN or infinite.")
        return np.stack(waveforms) if self._inside else self._front_end(waveforms)

    def fit(self, raw, x, train):
        """Learns what to do to all pictures.

        Args:
            raw: the waveforms as they came.
            x: float32 array, what `require` made of them.
            train: int array, places of those that candidates train on.

        Returns:
            tuple of a function from pictures to standardized ones, and a dict of what it does. Of waveforms the
            function changes nothing, and the dict holds under `"front_end_inside"` the numbers of `LogMel`, and
            `"mean"` and `"deviation"` of each band.
        """
        seen = (self._front_end(x[train]) if self._inside else x[train]).astype(np.float64)
        mean = seen.mean(axis=(0, 1), keepdims=True)[0]
        deviation = seen.std(axis=(0, 1), keepdims=True)[0]
        deviation = np.where(deviation > 0, deviation, 1.0)
        longest = {"longest_seconds": max(len(sound) for sound in raw) / self._front_end.sample_rate}
        standard = {
            "mean": [float(value) for value in mean[0, :, 0]],
            "deviation": [float(value) for value in deviation[0, :, 0]],
        }
        numbers = self._front_end.to_json()
        if self._inside:
            # Nothing of it is a device's business but the rate and the length.
            told = {"sample_rate": self._front_end.sample_rate, "num_samples": self._front_end.num_samples}
            return lambda waveforms: waveforms, {**told, "front_end_inside": {**numbers, **standard}, **longest}
        facts = {"front_end": numbers, **standard, **longest}
        return lambda pictures: ((pictures - mean) / deviation).astype(np.float32), facts


def require_waveforms(x, name):
    """Checks the form of waveforms.

    Args:
        x: array of shape (n, samples), or list of n arrays of their own lengths.
        name: str, what messages call it.

    Returns:
        list of n arrays of shape (samples,).

    Raises:
        DataError: none, several channels, or no numbers.
    """
    sounds = [np.asarray(sound) for sound in (x if isinstance(x, list) else np.atleast_1d(x))]
    if not sounds:
        raise DataError(f"`{name}` must hold at least one sound. Received: none.")
    for sound in sounds:
        if sound.ndim != 1 or sound.dtype.kind not in "iuf":
            raise DataError(
                f"`{name}` must hold waveforms of one channel, shape (n, samples). Received: a sound of shape "
                f"{sound.shape} and dtype {sound.dtype}."
            )
    return sounds


def front_end_of(lengths, sample_rate, seconds=None):
    """A front end for sounds of some lengths.

    Args:
        lengths: sequence of int, samples.
        sample_rate: int.
        seconds: float, the length of what is classified. Defaults to `None`: what holds 95% of the sounds whole, in
            tenths of a second.

    Returns:
        LogMel.
    """
    if seconds is None:
        seconds = np.ceil(np.quantile(lengths, 0.95) / sample_rate * 10) / 10
    return LogMel(int(sample_rate), float(seconds))
