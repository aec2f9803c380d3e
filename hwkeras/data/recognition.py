"""What kind of data a source holds, as far as that can be seen from outside."""

from __future__ import annotations

import collections
import os
import pathlib
import zipfile

import numpy as np

from hwkeras.data import image_folder
from hwkeras.data import mask_folder
from hwkeras.data import sound_folder
from hwkeras.data import text_file
from hwkeras.data.archive import shapes_of
from hwkeras.data.array_folder import holds_arrays
from hwkeras.data.array_folder import mapped_shapes
from hwkeras.data.builtin import BUILTIN_NAMES
from hwkeras.data.table_file import SUFFIXES as TABLE_SUFFIXES
from hwkeras.errors import DataError

_SUFFIXES = {
    "image": image_folder.SUFFIXES,
    "audio": sound_folder.SUFFIXES,
    "text": text_file.FOLDER_SUFFIXES,
}
# Of three axes the last are channels where there are so many times more steps: no picture is as slim.
_STEPS_A_CHANNEL = 4


def kind_of(source):
    """Recognizes the kind of a data source; nothing is read but names, the shapes of arrays and the rows of a table.

    - A folder is what most files of its class folders are: images, sounds or texts; with `images/` and `masks/` it is
      masks.
    - A `.csv`, `.tsv`, `.tab` or `.txt` file holds texts where its columns are a label and sentences
      (`text_file.holds_texts`), else it is a table; a `.parquet` file is a table.
    - An `.npz`, or a folder of `.npy` arrays, holds sounds where it tells `sample_rate`, texts where its samples are
      strings, masks where there is a label for every pixel, sequences where samples are of two axes of which the first
      is four times as long as the second, or longer; else images.

    Interactions are never recognized: they are tables that somebody wants recommendations of.

    Args:
        source: str or path, as for `load_dataset`.

    Returns:
        str, one of `KINDS`; `"image"` where nothing tells, so that the reader of images says what is missing.

    Raises:
        DataError: rows of numbers without names, which may be a table or sequences.
    """
    if isinstance(source, str) and source in BUILTIN_NAMES:
        return "image"
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        return _of_arrays(mapped_shapes(path), path) if holds_arrays(path) else _of_folder(path)
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
        return "text" if text_file.holds_texts(path) else "table"
    return _of_arrays(shapes_of(path), path) if zipfile.is_zipfile(path) else "image"


def _of_folder(path):
    folders = [child for child in path.iterdir() if child.is_dir()]
    if {folder.name for folder in folders} == {mask_folder.IMAGES, mask_folder.MASKS}:
        return "masks"
    suffixes = collections.Counter(file.suffix.lower() for folder in folders for file in folder.iterdir())
    numbers = {kind: sum(suffixes[suffix] for suffix in of_kind) for kind, of_kind in _SUFFIXES.items()}
    return max(numbers, key=numbers.get)


def _of_arrays(arrays, path):
    """Of what is known of each array, its shape and dtype."""
    names = next((names for names in (("x_train", "y_train"), ("x", "y")) if set(names) <= set(arrays)), None)
    if names is None:
        return "image"
    (shape, dtype), (of_labels, _) = (arrays[name] for name in names)
    if "sample_rate" in arrays:
        return "audio"
    if len(shape) == 1 and np.dtype(dtype).kind in "US":
        return "text"
    if len(shape) == 2 and min(shape) > 0:
        raise DataError(
            f"Rows of numbers may be a table or sequences: the kind must be told. Received: {path} with {names[0]} of "
            f"shape {shape}. Pass kind='table' or kind='sequence' (`--kind`); sounds come with `sample_rate` in the "
            "file."
        )
    if len(of_labels) >= 3 and of_labels[1:3] == shape[1:3]:
        return "masks"
    if len(shape) == 3 and 0 < shape[2] * _STEPS_A_CHANNEL <= shape[1]:
        return "sequence"
    return "image"
