"""A folder of class folders with images."""

from __future__ import annotations

import collections
import warnings

import numpy as np

from hwkeras.data.class_folder import files_by_class
from hwkeras.data.duplicates import notes_of_equal_files
from hwkeras.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_GRAY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})


def read_folder(path, image_size=None):
    """Reads images whose class is the name of their folder.

    Args:
        path: `pathlib.Path` of a folder with one folder for each class, of files with one of `SUFFIXES` (first frame).
        image_size: tuple (height, width) to resize to. Defaults to `None`: the most common size; images of that size
            are not touched.

    Returns:
        tuple `(x, y, notes)`: uint8 array of shape (n, height, width, channels), with one channel where every image
        is gray, else three; array of str, the folders' names; dict of what was done, with `"notes"` of files that
        hold the same.

    Raises:
        DataError: no class folders, a class folder without images, or an unreadable image.
    """
    files = files_by_class(path, SUFFIXES, "image")
    images = [_read(file) for group in files.values() for file in group]
    sizes = collections.Counter(image.size for image in images)
    common = min(sizes, key=lambda size: (-sizes[size], size))
    width, height = common if image_size is None else (image_size[1], image_size[0])
    gray = all(image.mode == "L" for image in images)
    x = np.stack([_pixels(image, (width, height), gray) for image in images])
    y = np.array([name for name, group in files.items() for _ in group])
    resized = sum(count for size, count in sizes.items() if size != (width, height))
    notes = {"image_size": [height, width], "color": "grayscale" if gray else "rgb", "num_resized": resized}
    equal = notes_of_equal_files([file for group in files.values() for file in group], x, y, "image")
    return x, y, {**notes, "notes": equal} if equal else notes


def _read(file):
    """An image upright, of mode L or RGB."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # What is wrong beside the pixels, in the EXIF block say; a bomb is none of that.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _upright(file)
    except (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise DataError(
            f"Every image must be readable. Received: {file} ({error}). Remove it, or save it again."
        ) from error


def _upright(file):
    from PIL import Image
    from PIL import ImageOps

    with Image.open(file) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip at 255 instead of scaling.
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("L" if image.mode in _GRAY_MODES else "RGB")


def _pixels(image, size, gray):
    from PIL import Image

    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(image if gray else image.convert("RGB"), np.uint8)
    return pixels[..., np.newaxis] if gray else pixels
