"""The front of the room: a name, a file or a folder to a data set."""

from __future__ import annotations

import os
import pathlib

from hwkeras.data.archive import read_archive
from hwkeras.data.archive import read_groups
from hwkeras.data.archive import read_sample_rate
from hwkeras.data.builtin import BUILTIN_NAMES
from hwkeras.data.builtin import read_builtin
from hwkeras.data.dataset import make_dataset
from hwkeras.data.image_folder import read_folder
from hwkeras.data.pixels import Pixels
from hwkeras.data.signals import Signals
from hwkeras.data.sound_folder import read_sounds
from hwkeras.data.sounds import Sounds
from hwkeras.data.sounds import front_end_of
from hwkeras.data.sounds import require_waveforms
from hwkeras.errors import DataError
from hwkeras.errors import UserError

KINDS = ("image", "sequence", "audio")


def load_dataset(source, *, kind="image", validation_share=0.2, seed=0, image_size=None):
    """Loads images, sequences or sounds and their classes.

    Candidates are scored on a stratified part of the training data, held back by `seed`. Test data, where the source
    has them, are not looked at: they stay for one final independent score.

    Args:
        source: str or path: `"digits"`, `"mnist"`, `"fashion_mnist"`, `"cifar10"`; an `.npz` file with `x_train`,
            `y_train` (or `x`, `y`) and perhaps `x_test`, `y_test`, and `groups_train` (or `groups`), whom each sample
            is of, so that nobody is in both the training and the validation part; or a folder of class folders with
            images. Images of shape (n, height, width) or (n, height, width, channels). Labels are whole numbers,
            strings, or one-hot.
        kind: str, `"image"`, or `"sequence"`: an `.npz` whose samples have the shape (n, steps) or (n, steps, channels)
            and are standardized channel by channel; or `"audio"`: an `.npz` of waveforms (n, samples) with
            `sample_rate`, or a folder of class folders with `.wav` files, which become pictures of log-mel energies
            (`data.LogMel`). Defaults to `"image"`.
        validation_share: float in (0, 1). Defaults to `0.2`.
        seed: int. Defaults to `0`.
        image_size: tuple (height, width) that images of a folder are resized to. Defaults to `None`: the most common.

    Returns:
        Dataset; pixels are in [0, 1] where they were bytes, else as they came (see `Dataset.preprocessing`).

    Raises:
        DataError: the source is missing, unreadable, or not usable as it is.
        UserError: an unknown kind, a share outside (0, 1), or an image size that is not two positive whole numbers.
    """
    if kind not in KINDS:
        raise UserError(f"`kind` must be one of {', '.join(KINDS)}. Received: kind={kind!r}.")
    _require_image_size(image_size)
    options = {"validation_share": validation_share, "seed": seed}
    if kind == "audio":
        return _load_sounds(source, options)
    if kind == "sequence":
        path = _require_file(source, "Sequences are read from an .npz file")
        return make_dataset(path.stem, *read_archive(path), reading=Signals(), groups=read_groups(path), **options)
    if isinstance(source, str) and source in BUILTIN_NAMES:
        train, test, scale = read_builtin(source)
        return make_dataset(source, train, test, reading=Pixels(scale), **options)
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        x, y, notes = read_folder(path, image_size)
        return make_dataset(path.resolve().name, (x, y), reading=Pixels(), notes=notes, **options)
    path = _require_file(
        source, f"Data are one of {', '.join(BUILTIN_NAMES)}, an .npz file, or a folder of class folders"
    )
    return make_dataset(path.stem, *read_archive(path), reading=Pixels(), groups=read_groups(path), **options)


def _load_sounds(source, options):
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        waveforms, y, sample_rate, notes = read_sounds(path)
        train, test, groups = (waveforms, y), None, None
    else:
        path = _require_file(source, "Sounds are read from an .npz file, or a folder of class folders with .wav files")
        (train, test), groups, notes = read_archive(path), read_groups(path), None
        sample_rate = read_sample_rate(path)
    lengths = [len(sound) for sound in require_waveforms(train[0], "x_train")]
    reading = Sounds(front_end_of(lengths, sample_rate))
    return make_dataset(path.resolve().stem, train, test, reading=reading, groups=groups, notes=notes, **options)


def _require_file(source, law):
    path = pathlib.Path(os.fspath(source))
    if not path.is_file():
        raise DataError(f"{law}. Received: {str(source)!r}, and there is no such file or folder.")
    return path


def _require_image_size(image_size):
    if image_size is None:
        return
    sizes = tuple(image_size) if isinstance(image_size, (list, tuple)) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise UserError(f"`image_size` must be (height, width) in pixels. Received: {image_size!r}. Pass (32, 32).")
