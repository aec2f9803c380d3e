"""Who liked what: rows of (user, item, target) to pairs of numbers that look up rows of two embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwkeras.data.labeled_table import read_labeled_archive
from hwkeras.data.labeled_table import take_target
from hwkeras.data.table import words_of
from hwkeras.data.table_file import read_columns
from hwkeras.data.tables import note_of_equal_rows
from hwkeras.data.targets import CLASSIFICATION
from hwkeras.data.targets import REGRESSION
from hwkeras.data.targets import require_task
from hwkeras.data.targets import target_of
from hwkeras.errors import DataError

_FORMAT = 1
# An id seen less often has nothing of its own to be learned from.
_LEAST_SEEN = 2


@dataclass(frozen=True)
class IdEncoder:
    """Numbers of users and items: those of training from 1 on, 0 for every other.

    Row 0 of each embedding is reserved for ids never seen in training. Ids that training saw only once share it, so
    that the row is trained where there are such ids; it begins near zero, which says neither yes nor no.

    Args:
        users: tuple of str; the number of a user is its place from 1.
        items: tuple of str, likewise.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]

    def __post_init__(self):
        for name in ("users", "items"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        numbers = [{word: number for number, word in enumerate(ids, 1)} for ids in (self.users, self.items)]
        self.__dict__["_numbers"] = numbers

    @classmethod
    def fit(cls, pairs):
        """Learns the ids of the training rows.

        Args:
            pairs: str array of shape (n, 2).

        Returns:
            IdEncoder.
        """
        return cls(*(_often_seen(column) for column in pairs.T))

    @property
    def num_users(self):
        """int, rows of the users' embedding, the reserved one included."""
        return len(self.users) + 1

    @property
    def num_items(self):
        """int, rows of the items' embedding, the reserved one included."""
        return len(self.items) + 1

    def __call__(self, pairs):
        """Numbers pairs.

        Args:
            pairs: sequence of (user, item), as words or whole numbers.

        Returns:
            int32 array of shape (n, 2).

        Raises:
            DataError: no pairs.
        """
        words = Interactions().require(pairs, "pairs")
        columns = zip(words.T.tolist(), self._numbers, strict=True)
        return np.array([[numbers.get(word, 0) for word in column] for column, numbers in columns], np.int32).T

    def to_json(self):
        """The encoder as a dict of JSON values.

        Returns:
            dict with `format`, `users` and `items`.
        """
        return {"format": _FORMAT, "users": list(self.users), "items": list(self.items)}

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote, such as `preprocessing["ids"]` of a bundle's manifest.

        Args:
            document: dict.

        Returns:
            IdEncoder, equal to the one written.

        Raises:
            DataError: another format, or no ids.
        """
        if (
            not isinstance(document, Mapping)
            or document.get("format") != _FORMAT
            or not {"users", "items"} <= set(document)
        ):
            raise DataError(
                f"Ids in JSON must hold format={_FORMAT}, users and items. Received: {str(document)[:200]}. Write them "
                "by IdEncoder.to_json()."
            )
        return cls(tuple(document["users"]), tuple(document["items"]))


class Interactions:
    """How pairs of ids are read: see `IdEncoder`, which is fitted on the training part alone.

    Args:
        notes: sequence of str, notes that go before. Defaults to `()`.
    """

    noun = "pair"

    def __init__(self, notes=()):
        self._notes = list(notes)

    def require(self, x, name):
        """Checks the form of pairs.

        Args:
            x: array or sequence of shape (n, 2): words or whole numbers, (user, item).
            name: str, what messages call it.

        Returns:
            str array of shape (n, 2), empty where an id is missing.

        Raises:
            DataError: of another shape, or neither words nor whole numbers.
        """
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != 2 or not len(x) or x.dtype.kind not in "iuUSO":
            raise DataError(
                f"`{name}` must hold pairs (user, item) of words or whole numbers, shape (n, 2). Received: dtype "
                f"{x.dtype}, shape {x.shape}."
            )
        return np.array([words_of(column) for column in x.T.tolist()], np.str_).T

    def fit(self, raw, x, train):
        """Learns what to do to all pairs.

        Args:
            raw: array of pairs as they came.
            x: str array of shape (n, 2), the same checked.
            train: int array, places of those that candidates train on.

        Returns:
            tuple of an `IdEncoder`, and a dict of what it does.
        """
        encoder = IdEncoder.fit(x[train])
        held = np.setdiff1d(np.arange(len(x)), train)
        trained, judged = (list(map(tuple, x[part].tolist())) for part in (train, held))
        notes = [*self._notes, *note_of_equal_rows(trained, judged, "validation")]
        num_unknown = int((encoder(x[held]) == 0).any(axis=1).sum())
        if num_unknown:
            notes.append(f"{num_unknown} of {len(held)} validation rows hold an id that training saw once or never.")
        return encoder, {"ids": encoder.to_json(), "notes": notes}


def read_interactions(path, target=None, task=None):
    """Reads who liked what.

    Args:
        path: `pathlib.Path` of a CSV or Parquet file with three columns: user, item and target, the first two in this
            order; or of an `.npz` with `x_train` of shape (n, 2) and `y_train`, and perhaps `x_test`, `y_test`.
        target: str, name of the target's column. Defaults to `None`, the last one.
        task: `"classification"`, of two classes, or `"regression"`, of ratings. Defaults to `None`: two different
            values are classes, more are numbers.

    Returns:
        tuple `(train, test, task, notes)` as of `labeled_table.read_table`.

    Raises:
        DataError: a file that cannot be used as it is, or more than two classes.
        UserError: an unknown task, or a target of an `.npz`.
    """
    require_task(task)
    if path.suffix.lower() == ".npz":
        train, test = read_labeled_archive(path, target)
        notes = [] if test is None else note_of_equal_rows(_keys(train[0]), _keys(test[0]), "test")
        return train, test, _require_two_classes(train[1], task or _task_of(train[1]), path), notes
    columns = read_columns(path)
    values, name = take_target(columns, target, path)
    if len(columns) != 2:
        raise DataError(
            f"Interactions must have three columns: user, item and target. Received: {path} with "
            f"{', '.join([*columns, name])}. Leave the others out."
        )
    y, task = target_of(values, name, task or _task_of(words_of(values)))
    pairs = np.array([words_of(column) for column in columns.values()], np.str_).T
    return (pairs, y), None, _require_two_classes(y, task, path), []


def _task_of(y):
    return CLASSIFICATION if len(np.unique(y)) <= 2 else REGRESSION


def _require_two_classes(y, task, path):
    if task == CLASSIFICATION and len(np.unique(y)) > 2:
        raise DataError(
            f"A recommendation answers yes or no: it has two classes. Received: {path} with {len(np.unique(y))}. For "
            "ratings pass task='regression' (`--task regression`)."
        )
    return task


def _keys(pairs):
    return list(map(tuple, Interactions().require(pairs, "x").tolist()))


def _often_seen(column):
    words, counts = np.unique(column, return_counts=True)
    return tuple(word for word in words[counts >= _LEAST_SEEN].tolist() if word)
