"""Data sets larger than memory: what candidates train on stays in files, what scores them is read."""

from __future__ import annotations

import functools
import os
import pathlib

import numpy as np

from hwkeras.data.array_folder import holds_arrays
from hwkeras.data.array_folder import open_arrays
from hwkeras.data.dataset import assembled
from hwkeras.data.dataset import classes_of
from hwkeras.data.duplicates import with_duplicates_told
from hwkeras.data.image_folder import find_images
from hwkeras.data.pixels import Pixels
from hwkeras.data.signals import Signals
from hwkeras.data.sound_folder import find_sounds
from hwkeras.data.sounds import Sounds
from hwkeras.data.sounds import front_end_of
from hwkeras.data.splitting import split_indices
from hwkeras.data.stored import StoredArray
from hwkeras.data.stored import places_held
from hwkeras.errors import DataError
from hwkeras.errors import UserError

KINDS = ("image", "audio", "sequence")


def open_stored(source, kind, image_size=None, inside=False):
    """Opens data that stay in files.

    Args:
        source: str or path of a folder: of class folders with images, or with `.wav` files; or of `.npy` arrays, images
            or sequences.
        kind: str, `"image"`, `"audio"` or `"sequence"`.
        image_size: tuple (height, width) that images of class folders are resized to. Defaults to `None`: the most
            common.
        inside: bool, whether sounds stay waveforms (see `Sounds`). Defaults to `False`.

    Returns:
        dict of arguments for `make_stored_dataset`.

    Raises:
        UserError: another kind.
        DataError: something else than such a folder, or damaged files in it.
    """
    if kind not in KINDS:
        raise UserError(
            f"What streams are {', '.join(KINDS)}. Received: stream=True and kind={kind!r}. Leave `stream` "
            "(`--stream`) away."
        )
    path = pathlib.Path(os.fspath(source))
    if not path.is_dir():
        raise DataError(
            "What streams is a folder: of class folders with images, or with .wav files for kind='audio'; or one that "
            f"holds x_train.npy and y_train.npy. Received: {str(source)!r}. Unzip an .npz to get such a folder, or "
            "leave `stream` (`--stream`) away."
        )
    opened = {"name": path.resolve().name, "test": None, "groups": None, "notes": None}
    if kind == "audio":
        sounds, y, rate, notes = find_sounds(path)
        notes["longest_seconds"] = max(sounds.lengths) / rate
        reading = Sounds(front_end_of(sounds.lengths, rate), inside)
        return opened | {"train": (sounds, y), "reading": reading, "notes": notes}
    if kind == "image" and not holds_arrays(path):
        images, y, notes = find_images(path, image_size)
        return opened | {"train": (images, y), "reading": Pixels(), "notes": notes}
    if not holds_arrays(path):
        raise DataError(
            f"Sequences stream from a folder that holds x_train.npy and y_train.npy. Received: {path} without. Unzip "
            "an .npz to get such a folder."
        )
    train, test, groups = open_arrays(path)
    reading = Pixels() if kind == "image" else Signals()
    return opened | {"train": train, "test": test, "groups": groups, "reading": reading}


def make_stored_dataset(
    name,
    train,
    test=None,
    *,
    reading,
    validation_share=0.2,
    seed=0,
    groups=None,
    notes=None,
    task=None,
):
    """Makes a data set of samples that stay in files; the counterpart of `make_dataset`.

    The split, the labels and each sample are those of `make_dataset`, with two exceptions for sets that are large. What
    is learned from the training part (the scale of pixels that are no bytes, the mean and deviation of sounds and
    sequences) is learned from at most 2,000 samples of it and 256 MiB, drawn by class; and of the validation part as
    much is kept, in memory, because every candidate is scored on it. Both draws are the same for the same seed.

    Args:
        name: str.
        train: tuple `(source, y)` of a `stored.Source` and an array of labels.
        test: tuple as `train`, kept untouched. Defaults to `None`.
        reading: as for `make_dataset`.
        validation_share: float in (0, 1). Defaults to `0.2`.
        seed: int. Defaults to `0`.
        groups: array of shape (n,), as for `make_dataset`. Defaults to `None`.
        notes: dict that joins `preprocessing`. Defaults to `None`.
        task: as for `make_dataset`. Defaults to `None`.

    Returns:
        Dataset, whose `x_train` and `x_test` are `StoredArray`s. Its fingerprint hashes the contents of the files.

    Raises:
        DataError: as for `make_dataset`, or a file that cannot be read.
        UserError: a share outside (0, 1), or an unknown task.
    """
    source, y = _paired(*train, ("x_train", "y_train"), reading)
    task, classes, y = classes_of(y, task)
    seen, judged = split_indices(y, validation_share, seed, groups)
    prepared, facts = _learned(source, seen, y, reading, seed)
    x = StoredArray(source, lambda raw: prepared(reading.require(raw, "x_train")))
    x_train, y_train = x.at(seen), y[seen]
    held = judged[places_held(x.at(judged), y[judged], seed)]
    x_valid, y_valid = x[held], y[held]
    x_test, y_test = _test_part(test, x, classes, reading, prepared)
    digests = [part if part is None else part.digests for part in (x_train, x.at(held), x_test)]
    told = with_duplicates_told(facts, notes, reading.noun, *digests)
    if len(held) < len(judged):
        note = (
            f"Candidates are scored on {len(held)} of {len(judged)} validation {reading.noun}s, drawn by class: as "
            "many as are kept in memory."
        )
        told = {**told, "notes": [*told.get("notes", ()), note]}
    return assembled(name, (x_train, y_train), (x_valid, y_valid), (x_test, y_test), classes, task, told)


def _paired(source, y, names, reading):
    if y.ndim == 0 or len(source) != len(y):
        raise DataError(
            f"`{names[0]}` and `{names[1]}` must have the same length. Received: {len(source)} {reading.noun}s, "
            f"{y.size} labels."
        )
    return source, y


def _learned(source, seen, y, reading, seed):
    """What is done to every sample, learned from some of those to train on."""
    checked = StoredArray(source, functools.partial(reading.require, name="x_train"))
    # Of bytes the scale is known by their type: one is enough to see it.
    some = seen[:1] if checked.dtype == np.uint8 else seen[places_held(checked.at(seen), y[seen], seed)]
    return reading.fit(source.read(some[:1]), checked[some], np.arange(len(some)))


def _test_part(test, x, classes, reading, prepared):
    if test is None:
        return None, None
    source, y = _paired(*test, ("x_test", "y_test"), reading)
    x_test = StoredArray(source, lambda raw: prepared(reading.require(raw, "x_test")))
    if x_test.shape[1:] != x.shape[1:]:
        raise DataError(
            f"`x_test` must have {reading.noun}s of the shape of `x_train`, {x.shape[1:]}. Received: "
            f"{x_test.shape[1:]}."
        )
    return x_test, classes.numbers(y)
