"""Texts and their classes from a table of two columns, or from a folder of class folders."""

from __future__ import annotations

import collections
import csv
import io
import re

import numpy as np

from hwkeras.data.class_folder import files_by_class
from hwkeras.data.class_folder import labels_of
from hwkeras.data.class_folder import notes_of_passed_over
from hwkeras.errors import DataError

SUFFIXES = (".tsv", ".tab", ".csv", ".txt")
FOLDER_SUFFIXES = (".txt",)
_TEXT_NAMES = frozenset("text texts message messages sentence review content body document comment tweet sms".split())
_LABEL_NAMES = frozenset("label labels class classes category target sentiment topic intent y".split())
# What a table has in a column of words: names and places are of one or two.
_MOST_WORDS_OF_A_NAME = 2.5
_WHOLE = re.compile(r"[+-]?\d+")


def read_text_file(path):
    """Reads texts and labels of a table in UTF-8.

    In a `.csv` the columns are parted by commas (semicolons, where the first line has no comma) and may be quoted with
    `"`; in any other file they are parted by tabs, and a quote is a character like others.

    With a header that names both, any number of columns may stand in any order: a text column is called text, message,
    sentence, review, content, body, document, comment, tweet or sms, a label column label, class, category, target,
    sentiment, topic, intent or y. Otherwise there are two columns, and the labels are the one with fewer different
    values (the first, if both have as many); the first row is a header where its label is no other row's, and every
    other label is that of several rows.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        tuple `(texts, y, notes)`: list of str; array of int where all labels are whole numbers, else of str; dict of
        what was found: `"has_header"`, `"label_column"` and `"text_column"`, counted from 0.

    Raises:
        DataError: not UTF-8, no table, no rows, one column, columns nobody can tell apart, or an empty text or label.
    """
    rows = _rows(path, decoded(path.read_bytes(), path))
    label, text, has_header = _columns(rows, path)
    rows = rows[1:] if has_header else rows
    if not rows:
        raise DataError(f"A text file must hold rows of a label and a text. Received: {path} with its header alone.")
    for number, row in rows:
        for what, column in (("label", label), ("text", text)):
            if not row[column].strip():
                raise DataError(
                    f"Every row must hold a label and a text. Received: no {what} in line {number} of {path}. Fill or "
                    "remove it."
                )
    notes = {"has_header": has_header, "label_column": label, "text_column": text}
    return [row[text] for _, row in rows], _labels([row[label].strip() for _, row in rows]), notes


def holds_texts(path):
    """Whether a file is one of labels and sentences, and no table of columns to predict from.

    It is where `read_text_file` finds the two columns, and what it takes for texts has three words and more in the
    middle.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        bool; False for what cannot be read.
    """
    if path.suffix.lower() not in SUFFIXES:
        return False
    try:
        rows = _rows(path, decoded(path.read_bytes(), path))
        _, text, _ = _columns(rows, path)
    except (DataError, OSError):
        return False
    return np.median([len(row[text].split()) for _, row in rows]) > _MOST_WORDS_OF_A_NAME


def read_text_folder(path):
    """Reads texts whose class is the name of their folder.

    Args:
        path: `pathlib.Path` of a folder with one folder for each class, of `.txt` files in UTF-8.

    Returns:
        tuple `(texts, y, notes)`: list of str; array of str, the folders' names; dict of what was found, its `"notes"`
        the files that were passed over.

    Raises:
        DataError: no class folders, one without texts, or a text that is empty or not UTF-8.
    """
    files, y = labels_of(files_by_class(path, FOLDER_SUFFIXES, "text"))
    return [_text_of(file) for file in files], y, {"notes": notes_of_passed_over(path, FOLDER_SUFFIXES, "text")}


def decoded(content, path):
    """The text of a file's bytes, a byte order mark left away.

    Args:
        content: bytes.
        path: `pathlib.Path`, for the message.

    Returns:
        str.

    Raises:
        DataError: not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Counted in what was decoded, which may be without its mark.
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"A text file must be UTF-8. Received: byte 0x{error.object[error.start]:02x} in line {line} of {path}. "
            "Save it as UTF-8, from Latin-1 for example by `iconv -f latin1 -t utf-8`."
        ) from error


def _text_of(file):
    text = decoded(file.read_bytes(), file)
    if not text.strip():
        raise DataError(f"Every text must hold a word. Received: {file}, which is empty. Remove it.")
    return text


def _rows(path, text):
    """Rows that are not blank, each with the number of its last line."""
    is_csv = path.suffix.lower() == ".csv"
    if is_csv:
        first = text.partition("\n")[0]
        options = {"delimiter": ";" if ";" in first and "," not in first else ",", "strict": True}
    else:
        options = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(text, newline=""), **options)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"A text file must be a readable table. Received: {path}, line {reader.line_num}: {error}. Quote a text "
            "that holds quotes or line ends, and double the quotes in it."
        ) from error
    if not rows:
        raise DataError(f"A text file must hold rows of a label and a text. Received: {path}, which is empty.")
    _require_columns(rows, path, "comma" if is_csv else "tab")
    return rows


def _require_columns(rows, path, parted_by):
    width = len(rows[0][1])
    if width < 2:
        raise DataError(
            f"A text file must have a column of labels and one of texts, parted by a {parted_by}. Received: {path} "
            "with one column."
        )
    for number, row in rows:
        if len(row) != width:
            raise DataError(
                f"Every row must have as many columns as the first, {width}. Received: {len(row)} in line {number} of "
                f"{path}. Quote a text that holds the sign between columns, in a .csv."
            )


def _columns(rows, path):
    """Which column holds the labels, which the texts, and whether the first row is a header."""
    names = [cell.strip().lower() for cell in rows[0][1]]
    labels = [place for place, name in enumerate(names) if name in _LABEL_NAMES]
    texts = [place for place, name in enumerate(names) if name in _TEXT_NAMES]
    if len(labels) == len(texts) == 1:
        return labels[0], texts[0], True
    if len(names) > 2:
        raise DataError(
            "Of more than two columns a header must name one as label and one as text. Received: "
            f"{', '.join(map(repr, names[:6]))} in {path}."
        )
    counts = [collections.Counter(row[column].strip() for _, row in rows[1:]) for column in (0, 1)]
    label = 0 if len(counts[0]) <= len(counts[1]) else 1
    has_header = rows[0][1][label].strip() not in counts[label] and min(counts[label].values(), default=1) > 1
    return label, 1 - label, has_header


def _labels(labels):
    if all(_WHOLE.fullmatch(label) for label in labels):
        return np.array([int(label) for label in labels])
    return np.array(labels)
