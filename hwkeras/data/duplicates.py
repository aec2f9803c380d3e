"""Samples that are there twice: trained on and judged by as well, or in two classes. They are told, not removed."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np


class DataWarning(UserWarning):
    """Something about a data set that a person should know before believing a score."""


def with_duplicates_told(facts, notes, noun, x_train, x_valid, x_test):
    """What was done to the raw data, with a note on samples held back that are equal to one trained on.

    Every note is told by a `DataWarning`, too. What a reading found out about equal samples by itself, as those of
    tables and texts do, is left as it is.

    Args:
        facts: dict, what the reading does to a sample.
        notes: dict of what was done before, its `"notes"` such as `notes_of_equal_files`; or None.
        noun: str, what a sample is called.
        x_train: array of shape (n, ...).
        x_valid: array of shape (m, ...).
        x_test: array of shape (k, ...), or None.

    Returns:
        dict, both joined; the list of str `"notes"` has one more for each part that holds duplicates.
    """
    told = {**facts, **(notes or {})}
    if "notes" in facts:
        return {**told, "notes": [*(notes or {}).get("notes", ()), *facts["notes"]]}
    found = [*told.get("notes", ()), *notes_of_equal_samples(noun, x_train, x_valid, x_test)]
    for note in found:
        warnings.warn(note, DataWarning, stacklevel=4)
    return {**told, "notes": found} if found else told


def notes_of_equal_samples(noun, x_train, x_valid, x_test=None):
    """Looks for samples of the validation and the test part that are equal to one that was seen before.

    Args:
        noun: str, what a sample is called.
        x_train: array of shape (n, ...), or sequence of arrays of their own shapes.
        x_valid: the same.
        x_test: the same, or None. Defaults to `None`.

    Returns:
        list of str, one for each part that holds such samples.
    """
    seen, notes = set(sample_hashes(x_train)), []
    for part, x, sources in (("validation", x_valid, "training"), ("test", x_test, "training or validation")):
        hashes = [] if x is None else sample_hashes(x)
        number = sum(one in seen for one in hashes)
        if number:
            notes.append(
                f"{number} of {len(hashes)} {part} {noun}s are equal to a {sources} {noun}: what they say of new "
                f"{noun}s is too good. Remove them, or keep equal {noun}s on one side."
            )
        seen.update(hashes)
    return notes


def notes_of_equal_files(files, samples, classes, noun):
    """Looks for files that hold the same, before they are split.

    Args:
        files: sequence of `pathlib.Path`.
        samples: sequence of arrays, what each file holds.
        classes: sequence of str, the class of each.
        noun: str, what a file is called.

    Returns:
        list of str: none, or one that names the first two files; a second where equal ones are in different classes.
    """
    first, equal, apart = {}, [], []
    for file, one, name in zip(files, sample_hashes(samples), classes, strict=True):
        other, other_name = first.setdefault(one, (file, name))
        if other is not file:
            (equal if name == other_name else apart).append((other, file))
    notes = []
    for pairs, where in ((equal, "the same class"), (apart, "another class, one of which is wrong")):
        if pairs:
            names = " and ".join("/".join(file.parts[-2:]) for file in pairs[0])
            notes.append(f"{len(pairs)} of {len(files)} {noun}s are equal to one in {where}, such as {names}.")
    return notes


def sample_hashes(x):
    """A name for the content of each sample.

    Args:
        x: array of shape (n, ...), or sequence of arrays of their own shapes.

    Returns:
        list of n bytes; equal for equal dtype, shape and values.
    """
    return [_hash(np.ascontiguousarray(sample)) for sample in x]


def _hash(sample):
    digest = hashlib.blake2b(f"{sample.dtype.str}{sample.shape};".encode(), digest_size=16)
    digest.update(sample)
    return digest.digest()
