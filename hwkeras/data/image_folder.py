"""A folder of class folders with images."""

from __future__ import annotations

import collections
import io
import warnings
from dataclasses import dataclass

import numpy as np

from hwkeras.data.class_folder import files_by_class
from hwkeras.data.class_folder import labels_of
from hwkeras.data.class_folder import notes_of_passed_over
from hwkeras.data.class_folder import own_warning_filters
from hwkeras.data.digest import digests_of_files
from hwkeras.data.duplicates import notes_of_equal_files
from hwkeras.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_GRAY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})
# Formats whose size and mode are in front of the pixels, and what an orientation anywhere in a PNG begins with.
_TOLD_IN_FRONT = frozenset({"BMP", "JPEG", "PNG", "PPM", "WEBP"})
_ORIENTATIONS = (b"eXIf", b"exif", b"XML:com.adobe.xmp")
_ORIENTATION_TAG = 0x0112
_LYING = (5, 6, 7, 8)


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
    files, y = labels_of(files_by_class(path, SUFFIXES, "image"))
    x, notes = stack_images([read_image(file, upright) for file in files], image_size)
    told = [*notes_of_passed_over(path, SUFFIXES, "image"), *notes_of_equal_files(files, x, y, "image")]
    return x, y, {**notes, "notes": told} if told else notes


def stack_images(images, image_size=None):
    """Brings images to one size and one number of channels.

    Args:
        images: sequence of PIL images of mode L or RGB, such as `upright` gives.
        image_size: as for `read_folder`.

    Returns:
        tuple `(x, notes)`: uint8 array of shape (n, height, width, channels), and a dict of what was done.
    """
    form, notes = _Form.of([(image.size, image.mode == "L") for image in images], image_size)
    return np.stack([form.pixels(image) for image in images]), notes


def find_images(path, image_size=None):
    """Finds images whose class is the name of their folder, and leaves them there.

    Of most formats only what is in front of the pixels is looked at: a file that is damaged behind is found when it is
    read.

    Args:
        path: as for `read_folder`.
        image_size: as for `read_folder`.

    Returns:
        tuple `(images, y, notes)`: `ImageFiles`, which reads what `read_folder` does; the others as of it, but that
        files hold the same where all their bytes are equal.

    Raises:
        DataError: no class folders, a class folder without images, or a file that is no image.
    """
    files, y = labels_of(files_by_class(path, SUFFIXES, "image"))
    form, notes = _Form.of([read_image(file, _size_and_grayness) for file in files], image_size)
    images = ImageFiles(files, form)
    told = [*notes_of_passed_over(path, SUFFIXES, "image"), *notes_of_equal_files(files, images.digests, y, "image")]
    return images, y, {**notes, "notes": told} if told else notes


@dataclass(frozen=True)
class _Form:
    """What all images are brought to.

    Args:
        size: tuple (width, height).
        is_gray: bool, one channel instead of three.
    """

    size: tuple
    is_gray: bool

    @classmethod
    def of(cls, found, image_size):
        """The form of images of given sizes and grayness, and a dict that tells it."""
        sizes = collections.Counter(size for size, _ in found)
        common = min(sizes, key=lambda size: (-sizes[size], size))
        form = cls(common if image_size is None else (image_size[1], image_size[0]), all(gray for _, gray in found))
        resized = sum(count for size, count in sizes.items() if size != form.size)
        color = "grayscale" if form.is_gray else "rgb"
        return form, {"image_size": [form.size[1], form.size[0]], "color": color, "num_resized": resized}

    def pixels(self, image):
        """uint8 array of shape (height, width, channels) of an image of mode L or RGB."""
        from PIL import Image

        if image.size != self.size:
            image = image.resize(self.size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image if self.is_gray else image.convert("RGB"), np.uint8)
        return pixels[..., np.newaxis] if self.is_gray else pixels


class ImageFiles:
    """Images that are read when they are asked for: a `stored.Source`.

    Args:
        files: sequence of `pathlib.Path`.
        form: `_Form`.
    """

    def __init__(self, files, form):
        self._files = files
        self._form = form
        self.digests = digests_of_files(files)

    def __len__(self):
        return len(self._files)

    def read(self, places):
        """Reads and resizes images.

        Args:
            places: int array of shape (k,).

        Returns:
            uint8 array of shape (k, height, width, channels).

        Raises:
            DataError: an unreadable image.
        """
        return np.stack([self._form.pixels(read_image(self._files[place], upright)) for place in places])


def read_image(file, how):
    """Reads a file of a user's.

    Args:
        file: `pathlib.Path`.
        how: function of the file that opens it with Pillow, such as `upright`.

    Returns:
        what the function returns.

    Raises:
        DataError: the file is damaged, or no image.
    """
    from PIL import Image

    try:
        with own_warning_filters():
            # What is wrong beside the pixels, in the EXIF block say; a bomb is none of that.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return how(file)
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


def upright(file):
    """Opens an image.

    Args:
        file: path, or binary file.

    Returns:
        PIL image, turned as its EXIF block says, of mode L or RGB.
    """
    from PIL import Image
    from PIL import ImageOps

    with Image.open(file) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip at 255 instead of scaling.
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("L" if image.mode in _GRAY_MODES else "RGB")


def _size_and_grayness(file):
    """What `upright` would return the size of, and whether it would be gray, without its pixels where that can be."""
    from PIL import Image

    content = file.read_bytes()
    with Image.open(io.BytesIO(content)) as opened:
        is_turned_behind = opened.format == "PNG" and any(mark in content for mark in _ORIENTATIONS)
        if opened.format in _TOLD_IN_FRONT and not is_turned_behind:
            # NOTE: of a PNG Pillow would read all pixels to look for an orientation behind them.
            is_lying = opened.format != "PNG" and opened.getexif().get(_ORIENTATION_TAG) in _LYING
            size = opened.size[::-1] if is_lying else opened.size
            return size, opened.mode in _GRAY_MODES or opened.mode.startswith("I")
    image = upright(io.BytesIO(content))
    return image.size, image.mode == "L"
