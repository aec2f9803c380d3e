"""A folder with one folder for each class."""

from __future__ import annotations

from hwkeras.errors import DataError


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
            raise DataError(
                f"Every class folder must hold {noun}s ({', '.join(suffixes)}). Received: {path / name} with none"
                f"{_what_else(path / name)}. Remove the folder, or add {noun}s."
            )
    return files


def _files_of(folder, suffixes):
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return sorted(file for file in files if file.suffix.lower() in suffixes)


def _what_else(folder):
    """What is there instead, where anything is."""
    others = [child for child in folder.iterdir() if not child.name.startswith(".")]
    folders = sum(child.is_dir() for child in others)
    kinds = sorted({child.suffix.lower() or "no suffix" for child in others if child.is_file()})
    told = [f"{folders} folder{'s' if folders > 1 else ''}"] if folders else []
    told += [f"files with {', '.join(kinds[:5])}"] if kinds else []
    return f", but {' and '.join(told)}" if told else ""
