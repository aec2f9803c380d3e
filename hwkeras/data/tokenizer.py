"""Texts to rows of token numbers: a vocabulary learned once, written as JSON, the same on every machine."""

from __future__ import annotations

import collections
import functools
import itertools
import json
import math
import pathlib
import re
import zlib
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.errors import DataError
from hwkeras.errors import UserError

KIND = "hwkeras-tokenizer"
VERSION = 1
PADDING = 0
_TOKEN = re.compile(r"\w+(?:'\w+)*|[^\w\s]")
_DIGIT = re.compile(r"\d")
_ENCODED = ("length", "words", "num_buckets", "lower", "masks_digits")


@dataclass(frozen=True)
class Tokenizer:
    """Cuts texts into words and numbers them.

    A token is a run of letters, digits, underscores and inner apostrophes, or a single other character that is no
    space. Its number is `1 + num_buckets + its place in words`; a token that is not among the words falls into one of
    the buckets, number `1 + crc32(its UTF-8 bytes) % num_buckets`. With one bucket that is the usual "unknown word";
    with many buckets and no words it is the hashing trick (Weinberger et al., 10.1145/1553374.1553516), which needs no
    vocabulary on the device. Number 0 fills a row up behind its last token; what does not fit into a row is cut off.

    Args:
        length: int, tokens in a row.
        words: tuple of str, each once, the most frequent first. Defaults to `()`, hashing alone.
        num_buckets: int, for tokens that are not among the words. Defaults to `1`.
        lower: bool, whether letters are made lower-case first. Defaults to `True`.
        masks_digits: bool, whether every digit becomes `0`, so that a number is known by its length. Defaults to
            `True`.

    Raises:
        UserError: an argument breaks its law.

    Example:
        ```python
        from hwkeras.data import Tokenizer

        tokenizer = Tokenizer.fit(["Win a PRIZE now!", "see you now", "a prize, a prize"], length=5)
        rows = tokenizer(["Now a pony!"])
        ```
    """

    length: int
    words: tuple[str, ...] = field(default=(), repr=False)
    num_buckets: int = 1
    lower: bool = True
    masks_digits: bool = True

    def __post_init__(self):
        _require_count("length", self.length, 1)
        _require_count("num_buckets", self.num_buckets, 1)
        for name in ("lower", "masks_digits"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"`{name}` must be True or False. Received: {name}={getattr(self, name)!r}.")
        object.__setattr__(self, "words", tuple(self.words))
        if not all(isinstance(word, str) and word for word in self.words):
            wrong = next(word for word in self.words if not (isinstance(word, str) and word))
            raise UserError(f"`words` must be texts of a letter at least. Received: {wrong!r} among them.")
        if len(set(self.words)) < len(self.words):
            twice = collections.Counter(self.words).most_common(1)[0][0]
            raise UserError(f"`words` must hold each word once. Received: {twice!r} several times.")

    @classmethod
    def fit(
        cls,
        texts,
        *,
        num_words=4000,
        min_count=2,
        num_buckets=1,
        length=None,
        quantile=0.95,
        lower=True,
        masks_digits=True,
    ):
        """Learns a vocabulary; of equal texts in any order it is the same one.

        Args:
            texts: sequence of str, those that are trained on and no others.
            num_words: int, the most words to keep: the most frequent ones, among equals the first of the alphabet.
                `0` for hashing alone. Defaults to `4000`.
            min_count: int, how often a word must occur to be kept. Words seen once teach nothing but themselves; left
                out, they teach what an unknown word is like. Defaults to `2`.
            num_buckets: int, see `Tokenizer`. Defaults to `1`.
            length: int, tokens in a row. Defaults to `None`: by `quantile`.
            quantile: float in (0, 1], the share of the texts that fit into a row whole. Defaults to `0.95`.
            lower: see `Tokenizer`. Defaults to `True`.
            masks_digits: see `Tokenizer`. Defaults to `True`.

        Returns:
            Tokenizer.

        Raises:
            UserError: an argument breaks its law.
            DataError: no texts, or no word that occurs often enough.
        """
        _require_count("num_words", num_words, 0)
        _require_count("min_count", min_count, 1)
        if not 0 < quantile <= 1:
            raise UserError(f"`quantile` must be in (0, 1]. Received: quantile={quantile!r}. For all texts pass 1.0.")
        if num_words == 0 and num_buckets == 1:
            raise UserError(
                "A tokenizer must tell tokens apart, by words or by buckets. Received: num_words=0, num_buckets=1. "
                "For hashing alone pass num_buckets=2000, say."
            )
        plain = cls(length or 1, (), num_buckets, lower, masks_digits)
        rows = [plain.tokens(text) for text in _require_texts(texts)]
        counts = collections.Counter(itertools.chain.from_iterable(rows))
        frequent = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        if num_words and not frequent:
            raise DataError(
                f"Some word must occur {min_count} times to be learned. Received: {len(rows)} texts without such a "
                "word. Pass more texts, or min_count=1."
            )
        if length is None:
            length = max(1, math.ceil(np.quantile([len(row) for row in rows], quantile)))
        return cls(length, tuple(word for _, word in frequent[:num_words]), num_buckets, lower, masks_digits)

    @property
    def num_ids(self):
        """int, how many numbers there are: rows of an embedding."""
        return 1 + self.num_buckets + len(self.words)

    @functools.cached_property
    def _numbers(self):
        return {word: 1 + self.num_buckets + place for place, word in enumerate(self.words)}

    def tokens(self, text):
        """Cuts one text.

        Args:
            text: str.

        Returns:
            list of str, all its tokens.
        """
        text = text.lower() if self.lower else text
        return _TOKEN.findall(_DIGIT.sub("0", text) if self.masks_digits else text)

    def __call__(self, texts):
        """Numbers texts.

        Args:
            texts: sequence of n str.

        Returns:
            int32 array of shape (n, length), numbers in [0, num_ids).

        Raises:
            DataError: a single text, none, or something that is no text.
        """
        texts = _require_texts(texts)
        rows = np.full((len(texts), self.length), PADDING, np.int32)
        for row, text in zip(rows, texts, strict=True):
            numbers = [self._number(token) for token in self.tokens(text)[: self.length]]
            row[: len(numbers)] = numbers
        return rows

    def _number(self, token):
        number = self._numbers.get(token)
        if number is not None:
            return number
        return 1 + zlib.crc32(token.encode("utf-8", "surrogatepass")) % self.num_buckets

    def to_json(self):
        """The tokenizer as plain data, complete.

        Returns:
            dict of JSON values.
        """
        values = {name: getattr(self, name) for name in _ENCODED}
        return {"kind": KIND, "version": VERSION, **values, "words": list(self.words)}

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote.

        Args:
            document: dict.

        Returns:
            Tokenizer, equal to the one written.

        Raises:
            UserError: another kind of document, another version, a key missing, or a value that breaks its law.
        """
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise UserError(f"A tokenizer in JSON must have kind={KIND!r}. Received: {str(document)[:80]}.")
        if document.get("version") != VERSION:
            raise UserError(
                f"This version of hwkeras reads tokenizers of version {VERSION}. Received: "
                f"version={document.get('version')!r}. Use the version that wrote it."
            )
        missing = [name for name in _ENCODED if name not in document]
        if missing or not isinstance(document["words"], list):
            wrong = f"{missing[0]!r} missing" if missing else f"words={document['words']!r:.80}"
            raise UserError(f"A tokenizer in JSON must hold {', '.join(_ENCODED)}, words a list. Received: {wrong}.")
        return cls(**{name: document[name] for name in _ENCODED})

    @classmethod
    def read(cls, path):
        """Reads the file of a tokenizer, such as `tokenizer.json` of a bundle.

        Args:
            path: str or PathLike.

        Returns:
            Tokenizer.

        Raises:
            UserError: no such file, no JSON, or no tokenizer.
        """
        try:
            document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"A tokenizer is read from its JSON file. Received: {path} ({error}).") from error
        return cls.from_json(document)


def _require_count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise UserError(f"`{name}` must be a whole number of {least} or more. Received: {name}={value!r}.")


def _require_texts(texts):
    if isinstance(texts, (str, bytes)):
        raise DataError(f"`texts` must be a list of texts. Received: one text, {texts[:40]!r}. Pass [text].")
    texts = list(texts)
    if not texts:
        raise DataError("`texts` must hold a text at least. Received: none.")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"`texts` must hold texts. Received: {text!r:.40} at index {place}. Decode bytes first.")
    return texts
