"""The front of the room: a name, a file or a folder to a data set."""

from __future__ import annotations

import os
import pathlib

from hwkeras.data.archive import read_archive
from hwkeras.data.builtin import BUILTIN_NAMES
from hwkeras.data.builtin import read_builtin
from hwkeras.data.dataset import make_dataset
from hwkeras.data.image_folder import read_folder
from hwkeras.errors import DataError
from hwkeras.errors import UserError


def load_dataset(source, *, validation_share=0.2, seed=0, image_size=None):
    """Loads images and their classes.

    Candidates are scored on a stratified part of the training data, held back by `seed`. Test data, where the source
    has them, are not looked at: they stay for one final independent score.

    Args:
        source: str or path: `"digits"`, `"mnist"`, `"fashion_mnist"`, `"cifar10"`; an `.npz` file with `x_train`,
            `y_train` (or `x`, `y`) and perhaps `x_test`, `y_test`; or a folder of class folders with images. Images
            of shape (n, height, width) or (n, height, width, channels). Labels are whole numbers, strings, or one-hot.
        validation_share: float in (0, 1). Defaults to `0.2`.
        seed: int. Defaults to `0`.
        image_size: tuple (height, width) that images of a folder are resized to. Defaults to `None`: the most common.

    Returns:
        Dataset; pixels are in [0, 1] where they were bytes, else as they came (see `Dataset.preprocessing`).

    Raises:
        DataError: the source is missing, unreadable, or not usable as it is.
        UserError: a share outside (0, 1), or an image size that is not two positive whole numbers.
    """
    _require_image_size(image_size)
    options = {"validation_share": validation_share, "seed": seed}
    if isinstance(source, str) and source in BUILTIN_NAMES:
        train, test, scale = read_builtin(source)
        return make_dataset(source, train, test, scale=scale, **options)
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        x, y, notes = read_folder(path, image_size)
        return make_dataset(path.resolve().name, (x, y), notes=notes, **options)
    if not path.is_file():
        raise DataError(
            f"Data are one of {', '.join(BUILTIN_NAMES)}, an .npz file, or a folder of class folders. "
            f"Received: {str(source)!r}, and there is no such file or folder."
        )
    train, test = read_archive(path)
    return make_dataset(path.stem, train, test, **options)


def _require_image_size(image_size):
    if image_size is None:
        return
    sizes = tuple(image_size) if isinstance(image_size, (list, tuple)) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise UserError(f"`image_size` must be (height, width) in pixels. Received: {image_size!r}. Pass (32, 32).")
