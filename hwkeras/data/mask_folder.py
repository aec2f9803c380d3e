"""A folder of images beside a folder of masks; two files belong together that are called the same."""

from __future__ import annotations

import collections

import numpy as np

from hwkeras.data.duplicates import notes_of_equal_files
from hwkeras.data.image_folder import SUFFIXES
from hwkeras.data.image_folder import read_image
from hwkeras.data.image_folder import stack_images
from hwkeras.data.image_folder import upright
from hwkeras.errors import DataError

IMAGES, MASKS = "images", "masks"
# Formats that keep every number as it is.
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".pgm")


def read_mask_folder(path, image_size=None):
    """Reads images and their masks.

    Args:
        path: `pathlib.Path` of a folder with the folders `images`, of files with one of `image_folder.SUFFIXES`, and
            `masks`, of files with one of `MASK_SUFFIXES` whose pixels are the numbers of classes: gray, or with a
            palette, whose places count. A mask has the name of its image, and its size.
        image_size: tuple (height, width) to resize to. Defaults to `None`: the most common size. Masks are resized
            without mixing numbers.

    Returns:
        tuple `(x, y, notes)`: uint8 array of shape (n, height, width, channels), with one channel where every image
        is gray, else three; int array of shape (n, height, width); dict of what was done.

    Raises:
        DataError: no such folders, a file without the other, an unreadable file, a mask with colors, or of another size
            than its image.
    """
    pairs = _pairs(path)
    images = [read_image(image, upright) for image, _ in pairs]
    masks = [_numbers(mask, image.size) for (_, mask), image in zip(pairs, images, strict=True)]
    x, notes = stack_images(images, image_size)
    y = np.stack([_resized(mask, x.shape[1:3]) for mask in masks])
    files = [image for image, _ in pairs]
    equal = notes_of_equal_files(files, x, [IMAGES] * len(files), "image")
    return x, y, {**notes, "notes": equal} if equal else notes


def _pairs(path):
    found = {name: _by_stem(path / name, suffixes) for name, suffixes in ((IMAGES, SUFFIXES), (MASKS, MASK_SUFFIXES))}
    for name, other, suffixes in ((IMAGES, MASKS, MASK_SUFFIXES), (MASKS, IMAGES, SUFFIXES)):
        alone = sorted(set(found[name]) - set(found[other]))
        if alone:
            raise DataError(
                f"An image and its mask must be called the same. Received: {len(alone)} of {len(found[name])} files of "
                f"{path / name} without one in {other}/ ({', '.join(suffixes)}), such as {found[name][alone[0]].name}."
            )
    return [(found[IMAGES][stem], found[MASKS][stem]) for stem in sorted(found[IMAGES])]


def _by_stem(folder, suffixes):
    """Dict of stem to file."""
    is_there = folder.is_dir()
    files = [file for file in (folder.iterdir() if is_there else ()) if not file.name.startswith(".")]
    files = sorted(file for file in files if file.is_file() and file.suffix.lower() in suffixes)
    if not files:
        raise DataError(
            f"A folder of masks must hold {IMAGES}/ and {MASKS}/, with files of the same names ({', '.join(suffixes)} "
            f"in {folder.name}/). Received: {folder}, {'with none' if is_there else 'which is not there'}."
        )
    stem, number = collections.Counter(file.stem for file in files).most_common(1)[0]
    if number > 1:
        twice = ", ".join(file.name for file in files if file.stem == stem)
        raise DataError(
            f"Files of one folder must differ in more than their suffix. Received: {twice} in {folder}. Remove all but "
            "one."
        )
    return {file.stem: file for file in files}


def _numbers(file, size):
    """The numbers of a mask, for an image of a size (width, height)."""
    mode, numbers = read_image(file, _as_it_is)
    if numbers.ndim != 2:
        raise DataError(
            f"A mask must have one number for each pixel: gray, or with a palette. Received: {file} of mode {mode}. "
            "Save the numbers of the classes instead of their colors."
        )
    if numbers.shape != size[::-1]:
        raise DataError(
            f"A mask must be as large as its image. Received: {file} of {numbers.shape[1]}x{numbers.shape[0]}, for an "
            f"image of {size[0]}x{size[1]}."
        )
    return numbers


def _as_it_is(file):
    """A mask upright, its numbers not scaled; of one with a palette the places there."""
    from PIL import Image
    from PIL import ImageOps

    with Image.open(file) as opened:
        opened.load()
        mask = ImageOps.exif_transpose(opened)
    numbers = np.asarray(mask)
    return mask.mode, numbers if numbers.dtype.kind == "f" else numbers.astype(np.int64)


def _resized(numbers, shape):
    """The number at the middle of what each new pixel covers."""
    if numbers.shape == shape:
        return numbers
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for old, new in zip(numbers.shape, shape, strict=True)
    )
    return numbers[rows][:, columns]
