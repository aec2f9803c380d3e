"""Texts of every usual form to int32 arrays of token numbers."""

from __future__ import annotations

import numpy as np

from hwkeras.data.tokenizer import Tokenizer
from hwkeras.errors import DataError


class Texts:
    """How texts are read: cut into words, each a number, by a vocabulary of the training part alone.

    Texts stay texts until `fit`: what a word's number is depends on which texts candidates train on.

    Args:
        num_words: int, see `Tokenizer.fit`. Defaults to `4000`.
        num_buckets: int, see `Tokenizer`. Defaults to `1`.
        length: int, tokens in a row. Defaults to `None`: what holds 95% of the training texts whole.
        test: texts of the test part, of which is only told how many are trained on as well. Defaults to `None`.
    """

    noun = "text"

    def __init__(self, num_words=4000, num_buckets=1, length=None, test=None):
        self._test = test
        self._options = {"num_words": num_words, "num_buckets": num_buckets, "length": length}

    def require(self, x, name):
        """Checks the form of texts.

        Args:
            x: array of shape (n,) of strings or of UTF-8 bytes, or list of n str.
            name: str, what messages call it.

        Returns:
            array of shape (n,) of str objects.

        Raises:
            DataError: none, of another rank, no texts, not UTF-8, or an empty one.
        """
        array = x if isinstance(x, np.ndarray) else np.array(x, object)
        if array.ndim != 1:
            raise DataError(f"`{name}` must hold texts, in the shape (n,). Received: shape {array.shape}.")
        if array.dtype.kind == "S":
            array = np.array([_decoded(content, name, place) for place, content in enumerate(array.tolist())], object)
        strangers = [value for value in array.tolist() if not isinstance(value, str)]
        if strangers:
            raise DataError(
                f"`{name}` must hold texts. Received: dtype {array.dtype}, {strangers[0]!r:.40} among them. Rows of "
                "numbers are read with kind='sequence'."
            )
        if not len(array):
            raise DataError(f"`{name}` must hold at least one text. Received: none.")
        empty = [place for place, text in enumerate(array.tolist()) if not text.strip()]
        if empty:
            raise DataError(
                f"Every text of `{name}` must hold a word. Received: {len(empty)} empty, the first at index "
                f"{empty[0]}. Remove them, with their labels."
            )
        return array.astype(object)

    def fit(self, raw, x, train):
        """Learns the vocabulary.

        Args:
            raw: texts as they came.
            x: array of shape (n,) of str objects, the same checked.
            train: int array, places of those that candidates train on; no other text is looked at for the vocabulary.

        Returns:
            tuple of a function from texts to int32 rows of token numbers, and a dict of what it does: `"tokenizer"`
            (its JSON), `"longest_tokens"` of a training text, and `"notes"` for a person, of texts held back and of
            test texts that are trained on as well.
        """
        seen = x[train].tolist()
        tokenizer = Tokenizer.fit(seen, **self._options)
        notes = _note_of_repeated(set(seen), np.delete(x, train).tolist(), "validation")
        if self._test is not None:
            notes += _note_of_repeated(set(x.tolist()), self.require(self._test, "x_test").tolist(), "test")
        facts = {
            "tokenizer": tokenizer.to_json(),
            "longest_tokens": max(len(tokenizer.tokens(text)) for text in seen),
            "notes": notes,
        }
        return tokenizer, facts


def _note_of_repeated(trained, held, part):
    number = sum(text in trained for text in held)
    if not number:
        return []
    return [
        f"{number} of {len(held)} {part} texts are, word for word, training texts too: what they say of new texts is "
        "too good."
    ]


def _decoded(content, name, place):
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"Texts of `{name}` must be UTF-8. Received: byte 0x{content[error.start]:02x} in the text at index "
            f"{place}. Decode them with their own encoding first."
        ) from error
