"""A folder of class folders with sounds."""

from __future__ import annotations

import collections
import warnings

import numpy as np

from hwkeras.data.class_folder import files_by_class
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
    files = files_by_class(path, SUFFIXES, "sound")
    read = [(file, *_read(file)) for group in files.values() for file in group]
    rates = collections.Counter(rate for _, rate, _ in read)
    rate = max(rates, key=rates.get)
    if len(rates) > 1:
        other = next(file for file, found, _ in read if found != rate)
        found = next(found for file, found, _ in read if file == other)
        raise DataError(
            f"All sounds must have one sample rate. Received: {other} with {found} Hz, where {rates[rate]} of "
            f"{len(read)} have {rate} Hz. Resample it."
        )
    y = np.array([name for name, group in files.items() for _ in group])
    waveforms = [_mono(samples) for *_, samples in read]
    notes = {"num_mixed_to_mono": sum(samples.ndim > 1 for *_, samples in read)}
    equal = notes_of_equal_files([file for file, *_ in read], waveforms, y, "sound")
    return waveforms, y, rate, {**notes, "notes": equal} if equal else notes


def _read(file):
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
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
