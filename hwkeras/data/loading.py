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
from hwkeras.data.interactions import Interactions
from hwkeras.data.interactions import read_interactions
from hwkeras.data.labeled_table import read_table
from hwkeras.data.mask_folder import read_mask_folder
from hwkeras.data.masks import Masks
from hwkeras.data.masks import require_masks
from hwkeras.data.pixels import Pixels
from hwkeras.data.recognition import kind_of
from hwkeras.data.signals import Signals
from hwkeras.data.sound_folder import read_sounds
from hwkeras.data.sounds import PLACES
from hwkeras.data.sounds import Sounds
from hwkeras.data.sounds import front_end_of
from hwkeras.data.sounds import require_waveforms
from hwkeras.data.streaming import make_stored_dataset
from hwkeras.data.streaming import open_stored
from hwkeras.data.tables import Tables
from hwkeras.data.targets import REGRESSION
from hwkeras.data.text_file import read_text_file
from hwkeras.data.text_file import read_text_folder
from hwkeras.data.texts import Texts
from hwkeras.errors import DataError
from hwkeras.errors import UserError

KINDS = ("image", "masks", "sequence", "audio", "text", "table", "interactions")
_OF_TABLES = ("table", "interactions")


def load_dataset(
    source,
    *,
    kind=None,
    validation_share=0.2,
    seed=0,
    image_size=None,
    target=None,
    task=None,
    num_words=None,
    stream=False,
    front_end=None,
):
    """Loads images, sequences, sounds, texts or tables and their classes, or numbers to predict.

    Candidates are scored on a stratified part of the training data, held back by `seed`. Test data, where the source
    has them, are not looked at: they stay for one final independent score. Samples that are there twice, once to train
    on and once to judge by, and files that are passed over are told: in the `"notes"` of `Dataset.preprocessing`, and
    of images, sequences and sounds by a `data.DataWarning`.

    Args:
        source: str or path: `"digits"`, `"mnist"`, `"fashion_mnist"`, `"cifar10"`; an `.npz` file with `x_train`,
            `y_train` (or `x`, `y`) and perhaps `x_test`, `y_test`, and `groups_train` (or `groups`), whom each sample
            is of, so that nobody is in both the training and the validation part; or a folder of class folders with
            images. Images of shape (n, height, width) or (n, height, width, channels). Labels are whole numbers,
            strings, or one-hot.
        kind: str, `"image"`, or `"masks"`: an `.npz` whose labels are a class for every pixel, of shape (n, height,
            width), or a folder with `images/` and `masks/`, whose files are called the same and hold numbers of classes
            (`mask_folder.read_mask_folder`); or `"sequence"`: an `.npz` whose samples have the shape (n, steps) or (n,
            steps, channels) and are standardized channel by channel; or `"audio"`: an `.npz` of waveforms (n, samples)
            with `sample_rate`, or a folder of class folders with `.wav` files, which become pictures of log-mel
            energies (`data.LogMel`); or `"text"`: a `.tsv` or `.csv` of labels and texts in UTF-8, an `.npz` of
            strings, or a folder of class folders with `.txt` files, which become rows of token numbers
            (`data.Tokenizer`); or `"table"`: a `.csv` or `.parquet` file with named columns, or an `.npz` whose samples
            have the shape (n, columns), which become vectors (`data.TableEncoder`); or `"interactions"`: such a file of
            user, item and target, which become pairs of row numbers (`data.IdEncoder`). Defaults to `None`, what
            `data.kind_of` recognizes.
        validation_share: float in (0, 1). Defaults to `0.2`.
        seed: int. Defaults to `0`.
        image_size: tuple (height, width) that images of a folder are resized to. Defaults to `None`: the most common.
        target: str, the column of a table that is to be predicted. Defaults to `None`, the last one.
        task: str, `"classification"` or `"regression"`, whose targets are numbers, kept in their unit. Defaults to
            `None`: of tables what the targets suggest (words and up to 20 whole numbers are classes; of interactions
            two values), of everything else classification.
        num_words: int, the most words of texts that get a number of their own (`data.Tokenizer.fit`). Defaults to
            `None`, 4000.
        stream: bool, whether samples stay in files, for sets larger than memory: `x_train` is then a `StoredArray`,
            which reads and prepares those that are asked for. Of images and sounds in class folders, and of images and
            sequences in a folder of `x_train.npy` and `y_train.npy`, perhaps `x_test.npy` and so on, as an unzipped
            `.npz` is one. At most 2,000 validation samples, and 256 MiB of them, are kept in memory. Defaults to
            `False`.
        front_end: str, where the pictures of sounds are computed: `"outside"`, here, or `"inside"`, by the network's
            first layer (`spaces.Audio`); the samples then stay waveforms in [-1, 1], cut or padded to one length.
            Defaults to `None`, outside.

    Returns:
        Dataset; pixels are in [0, 1] where they were bytes, else as they came (see `Dataset.preprocessing`).

    Raises:
        DataError: the source is missing, unreadable, or not usable as it is.
        UserError: an unknown kind or task, a share outside (0, 1), an image size that is not two positive whole
            numbers, or a target of something else than a table, or words of something else than texts, or a kind that
            does not stream.
    """
    kind = kind_of(source) if kind is None else kind
    if kind not in KINDS:
        raise UserError(f"`kind` must be one of {', '.join(KINDS)}. Received: kind={kind!r}.")
    _require_image_size(image_size)
    options = {"validation_share": validation_share, "seed": seed}
    if kind in _OF_TABLES and not stream:
        return _load_table(source, kind, target, task, options)
    if target is not None and kind not in _OF_TABLES:
        raise UserError(
            f"`target` names a column of a table. Received: target={target!r} and kind={kind!r}. Pass kind='table' "
            "(`--kind table`), or leave it away."
        )
    options["task"] = task
    if num_words is not None and kind != "text":
        raise UserError(
            f"`num_words` is of texts. Received: num_words={num_words!r} and kind={kind!r}. Pass kind='text' "
            "(`--kind text`), or leave it away."
        )
    if front_end is not None and (kind != "audio" or front_end not in PLACES):
        raise UserError(
            f"`front_end` is where the pictures of sounds are computed, one of {', '.join(PLACES)}. Received: "
            f"front_end={front_end!r} and kind={kind!r}. Pass kind='audio' (`--kind audio`), or leave it away."
        )
    if stream:
        return make_stored_dataset(**open_stored(source, kind, image_size, front_end == "inside"), **options)
    if kind == "masks":
        return _load_masks(source, image_size, options)
    if kind == "audio":
        return _load_sounds(source, front_end == "inside", options)
    if kind == "text":
        return _load_texts(source, {} if num_words is None else {"num_words": num_words}, options)
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
        source,
        f"Data are one of {', '.join(BUILTIN_NAMES)}, an .npz, .csv, .tsv or .parquet file, or a folder of "
        "class folders",
    )
    return make_dataset(path.stem, *read_archive(path), reading=Pixels(), groups=read_groups(path), **options)


def _load_masks(source, image_size, options):
    if options["task"] == REGRESSION:
        raise UserError(
            "Masks are of classes. Received: kind='masks' and task='regression'. Leave the task (`--task`) away."
        )
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        x, y, notes = read_mask_folder(path, image_size)
        return make_dataset(path.resolve().name, (x, y), reading=Pixels(), labels=Masks, notes=notes, **options)
    path = _require_file(source, "Masks are read from an .npz file, or a folder that holds images/ and masks/")
    train, test = read_archive(path)
    train, test = (
        arrays and require_masks(*arrays, (f"x_{part}", f"y_{part}"))
        for part, arrays in (("train", train), ("test", test))
    )
    return make_dataset(path.stem, train, test, reading=Pixels(), labels=Masks, groups=read_groups(path), **options)


def _load_sounds(source, inside, options):
    path = pathlib.Path(os.fspath(source))
    if path.is_dir():
        waveforms, y, sample_rate, notes = read_sounds(path)
        train, test, groups = (waveforms, y), None, None
    else:
        path = _require_file(source, "Sounds are read from an .npz file, or a folder of class folders with .wav files")
        (train, test), groups, notes = read_archive(path), read_groups(path), None
        sample_rate = read_sample_rate(path)
    lengths = [len(sound) for sound in require_waveforms(train[0], "x_train")]
    reading = Sounds(front_end_of(lengths, sample_rate), inside)
    return make_dataset(path.resolve().stem, train, test, reading=reading, groups=groups, notes=notes, **options)


def _load_texts(source, settings, options):
    path = pathlib.Path(os.fspath(source))
    test = groups = notes = None
    if path.is_dir():
        *train, notes = read_text_folder(path)
    else:
        law = "Texts are read from a .tsv, .csv or .npz file, or a folder of class folders with .txt files"
        path = _require_file(source, law)
        if path.suffix.lower() == ".npz":
            (train, test), groups = read_archive(path), read_groups(path)
        else:
            *train, notes = read_text_file(path)
    reading = Texts(**settings, test=None if test is None else test[0])
    return make_dataset(path.resolve().stem, train, test, reading=reading, groups=groups, notes=notes, **options)


def _load_table(source, kind, target, task, options):
    path = _require_file(source, "Tables are read from a .csv, .parquet or .npz file")
    read = read_table if kind == "table" else read_interactions
    train, test, task, notes = read(path, target, task)
    groups = read_groups(path) if path.suffix.lower() == ".npz" else None
    reading = Tables(notes) if kind == "table" else Interactions(notes)
    return make_dataset(path.stem, train, test, reading=reading, groups=groups, task=task, **options)


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
