"""Words to numbers: by hand, by law, and the text of every refusal."""

import json
import random
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.data import Tokenizer
from hwkeras.errors import DataError
from hwkeras.errors import UserError

TEXTS = ["Win a PRIZE now!", "see you now", "a prize, a prize"]
# Words that collide, repeat and are unusual, and texts of anything.
SOME_TEXT = st.one_of(
    st.text(max_size=30), st.lists(st.sampled_from("a B cd don't 12 ! £ ümlaut".split())).map(" ".join)
)


def test_words_are_numbered_by_how_often_they_occur():
    tokenizer = Tokenizer.fit(TEXTS, length=6)
    # a: 3, prize: 3, now: 2; what occurs once is left out and teaches the unknown number.
    assert tokenizer.words == ("a", "prize", "now")
    assert tokenizer.num_ids == 5
    np.testing.assert_array_equal(
        tokenizer(["Now a pony, a NEW pony for you", "now"]), [[4, 2, 1, 1, 2, 1], [4, 0, 0, 0, 0, 0]]
    )
    assert tokenizer(TEXTS).dtype == np.int32


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I don't; you'll see...", ["i", "don't", ";", "you'll", "see", ".", ".", "."]),
        ("'quoted' £1,000.50", ["'", "quoted", "'", "£", "0", ",", "000", ".", "00"]),
        ("call 07732584351\tNOW\n", ["call", "00000000000", "now"]),
        ("Ça va 😀", ["ça", "va", "😀"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_tokens(text, tokens):
    assert Tokenizer(3).tokens(text) == tokens


def test_letters_and_digits_stay_where_asked():
    assert Tokenizer(3, lower=False, masks_digits=False).tokens("Call 07") == ["Call", "07"]


def test_a_word_outside_the_vocabulary_falls_into_its_bucket():
    hashing = Tokenizer.fit(TEXTS, num_words=0, num_buckets=50, length=3)
    assert hashing.words == () and hashing.num_ids == 51
    expected = [1 + zlib.crc32(word.encode()) % 50 for word in ("never", "seen", "prize")]
    np.testing.assert_array_equal(hashing(["never seen PRIZE"]), [expected])
    both = Tokenizer(2, ("prize",), num_buckets=50)
    assert both(["prize pony"]).tolist() == [[51, 1 + zlib.crc32(b"pony") % 50]]


def test_the_length_holds_the_share_of_texts_asked_for():
    texts = ["word " * number for number in range(1, 101)]
    assert Tokenizer.fit(texts).length == 96  # numpy's quantile of 1..100 is 95.05
    assert Tokenizer.fit(texts, quantile=1.0).length == 100
    assert Tokenizer.fit(texts, length=7).length == 7


def test_most_words_are_kept_and_equals_go_by_the_alphabet():
    assert Tokenizer.fit(["b a c c"], num_words=2, min_count=1).words == ("c", "a")


@given(st.lists(SOME_TEXT, min_size=1, max_size=8), st.integers(0, 5), st.integers(1, 9), st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_tokenizer_read_back_is_the_same(texts, num_words, num_buckets, lower, masks_digits):
    try:
        tokenizer = Tokenizer.fit(
            texts, num_words=num_words, min_count=1, num_buckets=num_buckets, lower=lower, masks_digits=masks_digits
        )
    except UserError:  # neither words nor buckets, or no word at all
        return
    again = Tokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    rows = again([*texts, "Another 7 words, unknown"])
    np.testing.assert_array_equal(rows, tokenizer([*texts, "Another 7 words, unknown"]))
    assert rows.shape == (len(texts) + 1, tokenizer.length)
    assert rows.min() >= 0 and rows.max() < tokenizer.num_ids


@given(st.lists(SOME_TEXT.filter(str.strip), min_size=1, max_size=8), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_the_order_of_texts_does_not_matter(texts, seed):
    shuffled = random.Random(seed).sample(texts, len(texts))
    assert Tokenizer.fit(texts, min_count=1) == Tokenizer.fit(shuffled, min_count=1)


@given(st.lists(SOME_TEXT, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_rows_are_filled_up_behind_the_last_token(texts):
    tokenizer = Tokenizer(4, ("a", "b"))
    for text, row in zip(texts, tokenizer(texts), strict=True):
        num_tokens = min(len(tokenizer.tokens(text)), 4)
        assert (row[:num_tokens] > 0).all() and (row[num_tokens:] == 0).all()


def test_the_file_of_a_tokenizer(tmp_path):
    tokenizer = Tokenizer.fit(TEXTS)
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer.to_json()), encoding="utf-8")
    assert Tokenizer.read(tmp_path / "tokenizer.json") == tokenizer
    with pytest.raises(UserError, match=r"read from its JSON file\. Received: .*absent\.json \(.*No such file"):
        Tokenizer.read(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match=r"read from its JSON file\. Received: .*broken\.json \(Expecting"):
        Tokenizer.read(tmp_path / "broken.json")


DOCUMENT = Tokenizer(3, ("a",)).to_json()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], r"must have kind='hwkeras-tokenizer'\. Received: \[\]"),
        ({"kind": "other"}, r"must have kind='hwkeras-tokenizer'\. Received: \{'kind': 'other'\}"),
        (DOCUMENT | {"version": 2}, r"reads tokenizers of version 1\. Received: version=2\. Use the version that"),
        ({k: v for k, v in DOCUMENT.items() if k != "lower"}, r"must hold length, words, .* Received: 'lower' missing"),
        (DOCUMENT | {"words": "abc"}, r"words a list\. Received: words='abc'"),
        (DOCUMENT | {"words": ["a", 3]}, r"`words` must be texts of a letter at least\. Received: 3 among them"),
        (DOCUMENT | {"words": ["a", ""]}, r"`words` must be texts of a letter at least\. Received: '' among them"),
        (DOCUMENT | {"words": ["a", "b", "b"]}, r"`words` must hold each word once\. Received: 'b' several times"),
        (DOCUMENT | {"length": 0}, r"`length` must be a whole number of 1 or more\. Received: length=0"),
        (DOCUMENT | {"length": True}, r"`length` must be a whole number of 1 or more\. Received: length=True"),
        (DOCUMENT | {"num_buckets": 1.5}, r"`num_buckets` must be a whole number of 1 or more\. Received: .*=1\.5"),
        (DOCUMENT | {"lower": 1}, r"`lower` must be True or False\. Received: lower=1"),
    ],
)
def test_a_document_that_is_no_tokenizer(document, said):
    with pytest.raises(UserError, match=said):
        Tokenizer.from_json(document)


@pytest.mark.parametrize(
    ("texts", "options", "error", "said"),
    [
        (TEXTS, {"num_words": -1}, UserError, r"`num_words` must be a whole number of 0 or more\. Received: .*=-1"),
        (TEXTS, {"min_count": 0}, UserError, r"`min_count` must be a whole number of 1 or more\. Received: .*=0"),
        (TEXTS, {"quantile": 0}, UserError, r"`quantile` must be in \(0, 1\]\. Received: quantile=0\. For all texts"),
        (TEXTS, {"num_words": 0}, UserError, r"tell tokens apart.*Received: num_words=0, num_buckets=1\. For hashing"),
        (["a b", "c d"], {}, DataError, r"Some word must occur 2 times.*Received: 2 texts without.*min_count=1"),
        ([], {}, DataError, r"`texts` must hold a text at least\. Received: none"),
        ("a prize", {}, DataError, r"`texts` must be a list of texts\. Received: one text, 'a prize'\. Pass \[text\]"),
        (["a", b"a"], {}, DataError, r"`texts` must hold texts\. Received: b'a' at index 1\. Decode bytes first"),
    ],
)
def test_nothing_is_learned_of_what_cannot_teach(texts, options, error, said):
    with pytest.raises(error, match=said):
        Tokenizer.fit(texts, **options)
