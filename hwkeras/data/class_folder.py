"""A folder with one folder for each class."""

from __future__ import annotations

import contextlib
import threading
import warnings

import numpy as np

from hwkeras.errors import DataError

_FILTERS = threading.Lock()


def files_by_class(path, suffixes, noun):
    """Finds the files of each class.

    Args:
        path: `pathlib.Path` of the folder; what begins with a dot is passed over.
        suffixes: sequence of str, lower case, such as `".png"`.
        noun: str, what messages call a file.

    Returns:
        dict of folder name to sorted list of `pathlib.Path`, sorted by name.

    Raises:
        DataError: no class folders, or one without files.
    """
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    if not folders:
        raise DataError(
            f"A data folder must hold one folder for each class, with its {noun}s. Received: {path} without folders."
        )
    files = {folder.name: _files_of(folder, suffixes) for folder in folders}
    for name, group in files.items():
        if not group:
            others, is_of_folders = _what_else(path / name)
            advice = f"Pass {path / name} where its folders are the classes" if is_of_folders else "Remove the folder"
            raise DataError(
                f"Every class folder must hold {noun}s ({', '.join(suffixes)}). Received: {path / name} with none"
                f"{others}. {advice}, or add {noun}s."
            )
    return files


def notes_of_passed_over(path, suffixes, noun):
    """Looks for files in class folders that `files_by_class` leaves out.

    Args:
        path: as for `files_by_class`.
        suffixes: as for `files_by_class`.
        noun: as for `files_by_class`.

    Returns:
        list of str: none, or one that tells how many and names the first.
    """
    others = [
        file
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".") and file.suffix.lower() not in suffixes
    ]
    if not others:
        return []
    number, first = f"{len(others)} file{'s' if len(others) > 1 else ''}", "/".join(others[0].parts[-2:])
    return [f"{number} in class folders passed over, such as {first}: {noun}s are {', '.join(suffixes)}."]


def labels_of(files):
    """The class of each file.

    Args:
        files: dict of `files_by_class`.

    Returns:
        tuple of the list of `pathlib.Path` in its order, and array of str of the same length.
    """
    labels = np.array([name for name, group in files.items() for _ in group])
    return [file for group in files.values() for file in group], labels


@contextlib.contextmanager
def own_warning_filters():
    """Within, filters of warnings can be set for one file. Threads that read files at a time wait for each other."""
    # NOTE: filters are the process's: of two threads that restore them, the second restores those of the first.
    with _FILTERS, warnings.catch_warnings():
        yield


def _files_of(folder, suffixes):
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in suffixes)


def _what_else(folder):
    """What is there instead, where anything is, and whether that is folders alone."""
    others = [child for child in folder.iterdir() if not child.name.startswith(".")]
    folders = sum(child.is_dir() for child in others)
    kinds = sorted({child.suffix.lower() or "no suffix" for child in others if child.is_file()})
    told = [f"{folders} folder{'s' if folders > 1 else ''}"] if folders else []
    told += [f"files with {', '.join(kinds[:5])}"] if kinds else []
    return f", but {' and '.join(told)}" if told else "", folders > 0 and not kinds
