"""A folder of class folders with sounds."""

from __future__ import annotations

import collections
import warnings

import numpy as np

from hwkeras.data.class_folder import files_by_class
from hwkeras.data.class_folder import labels_of
from hwkeras.data.class_folder import notes_of_passed_over
from hwkeras.data.class_folder import own_warning_filters
from hwkeras.data.digest import digests_of_files
from hwkeras.data.duplicates import notes_of_equal_files
from hwkeras.errors import DataError

SUFFIXES = (".wav",)


def read_sounds(path):
    """Reads sounds whose class is the name of their folder.

    Args:
        path: `pathlib.Path` of a folder with one folder for each class, of `.wav` files of one sample rate. Several
            channels are averaged.

    Returns:
        tuple `(waveforms, y, sample_rate, notes)`: list of float32 arrays in [-1, 1], of their own lengths; array of
        str, the folders' names; int; dict of what was done, with `"notes"` of files that hold the same.

    Raises:
        DataError: no class folders, one without sounds, a sound that is unreadable, cut off, empty or not finite, or
            several sample rates.
    """
    files, y = labels_of(files_by_class(path, SUFFIXES, "sound"))
    read = [_read(file) for file in files]
    rate = _one_rate(files, [rate for rate, _ in read])
    waveforms = [_mono(samples) for _, samples in read]
    notes = {"num_mixed_to_mono": sum(samples.ndim > 1 for _, samples in read)}
    told = [*notes_of_passed_over(path, SUFFIXES, "sound"), *notes_of_equal_files(files, waveforms, y, "sound")]
    return waveforms, y, rate, {**notes, "notes": told} if told else notes


def find_sounds(path):
    """Finds sounds whose class is the name of their folder, and leaves them there; each is read once to be checked.

    Args:
        path: as for `read_sounds`.

    Returns:
        tuple `(sounds, y, sample_rate, notes)`: `SoundFiles`, which reads what `read_sounds` does; the others as of it,
        but that files hold the same where all their bytes are equal.

    Raises:
        DataError: as for `read_sounds`.
    """
    files, y = labels_of(files_by_class(path, SUFFIXES, "sound"))
    facts = [(rate, *samples.shape) for rate, samples in map(_read, files)]
    rate = _one_rate(files, [rate for rate, *_ in facts])
    sounds = SoundFiles(files, [length for _, length, *_ in facts])
    notes = {"num_mixed_to_mono": sum(len(channels) > 0 for _, _, *channels in facts)}
    told = [*notes_of_passed_over(path, SUFFIXES, "sound"), *notes_of_equal_files(files, sounds.digests, y, "sound")]
    return sounds, y, rate, {**notes, "notes": told} if told else notes


class SoundFiles:
    """Sounds that are read when they are asked for: a `stored.Source`.

    Args:
        files: sequence of `pathlib.Path`.
        lengths: sequence of int, samples of each.

    Attributes:
        lengths: as given.
    """

    def __init__(self, files, lengths):
        self._files = files
        self.lengths = lengths
        self.digests = digests_of_files(files)

    def __len__(self):
        return len(self._files)

    def read(self, places):
        """Reads sounds.

        Args:
            places: int array of shape (k,).

        Returns:
            list of k float32 arrays in [-1, 1], of their own lengths.

        Raises:
            DataError: an unreadable sound.
        """
        return [_mono(_read(self._files[place])[1]) for place in places]


def _one_rate(files, found):
    rates = collections.Counter(found)
    rate = max(rates, key=rates.get)
    if len(rates) > 1:
        file, other = next((file, other) for file, other in zip(files, found, strict=True) if other != rate)
        raise DataError(
            f"All sounds must have one sample rate. Received: {file} with {other} Hz, where {rates[rate]} of "
            f"{len(found)} have {rate} Hz. Resample it."
        )
    return rate


def _read(file):
    from scipy.io import wavfile

    try:
        with own_warning_filters():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks of notes beside the samples
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, samples = wavfile.read(file)
    except Exception as error:  # SciPy trips over damaged headers in many ways, UnboundLocalError among them.
        raise DataError(
            f"Every sound must be a readable .wav. Received: {file} ({error}). Remove it, or save it again."
        ) from error
    if len(samples) == 0:
        raise DataError(f"Every sound must hold samples. Received: {file} with none. Remove it.")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise DataError(f"Every sound must be finite. Received: {file} with NaN or infinite samples. Save it again.")
    if rate < 1:
        raise DataError(f"Every sound must have a sample rate. Received: {file} with {rate} Hz. Save it again.")
    return rate, samples


def _mono(samples):
    waveform = to_waveform(samples)
    return waveform if waveform.ndim == 1 else waveform.mean(axis=1)


def to_waveform(samples):
    """Samples of any usual form in [-1, 1].

    Args:
        samples: array of whole numbers of 8 (unsigned), 16 or 32 bits, or of floats in [-1, 1].

    Returns:
        float32 array of the same shape.
    """
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)
