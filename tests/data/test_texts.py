"""Texts of every source as rows of numbers, the vocabulary of the training part alone."""

import pathlib

import numpy as np
import pytest

from hwkeras.data import Tokenizer
from hwkeras.data import load_dataset
from hwkeras.data.texts import Texts
from hwkeras.errors import DataError
from hwkeras.errors import UserError

SMS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "sms_spam.tsv"
GOOD = ["see you at home", "you are at home now", "home now, see you", "are you there now"]
BAD = ["win a prize now", "a prize! win a prize", "claim a prize now", "win now, claim it"]


def table(tmp_path, rows, name="set.tsv"):
    path = tmp_path / name
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
    return path


def rows_of(times=3):
    return [("ham", text) for text in GOOD] * times + [("spam", text) for text in BAD] * times


def test_a_table_becomes_rows_of_numbers(tmp_path):
    dataset = load_dataset(table(tmp_path, rows_of()), kind="text")
    tokenizer = Tokenizer.from_json(dataset.preprocessing["tokenizer"])
    assert dataset.name == "set" and dataset.class_names == ("ham", "spam") and dataset.num_classes == 2
    assert dataset.x_train.dtype == dataset.x_valid.dtype == np.int32
    assert dataset.input_shape == (tokenizer.length,)
    assert len(dataset.x_train) == 19 and len(dataset.x_valid) == 5
    every = {tuple(row) for row in tokenizer(GOOD + BAD)}
    assert {tuple(row) for row in [*dataset.x_train, *dataset.x_valid]} == every
    again = load_dataset(table(tmp_path, rows_of()), kind="text")
    assert again.fingerprint == dataset.fingerprint != load_dataset(tmp_path / "set.tsv", kind="text", seed=1)


def test_the_vocabulary_is_of_the_training_part_alone():
    texts = np.array([f"word{'abcdefghij'[k]} word{'abcdefghij'[k]}" for k in range(10)])
    reading = Texts(length=2)
    prepared, facts = reading.fit(texts, reading.require(texts, "x_train"), np.arange(6))
    assert sorted(facts["tokenizer"]["words"]) == [f"word{letter}" for letter in "abcdef"]
    unknown = prepared(texts[6:])
    assert (unknown == 1).all()
    assert facts["longest_tokens"] == 2 and facts["notes"] == []


def test_no_text_held_back_is_in_the_vocabulary(tmp_path):
    # Each text has a word of its own, twice, so that it would be learned.
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    path = table(tmp_path, [(number % 2, f"{word} {word} all") for number, word in enumerate(words)])
    dataset = load_dataset(path, kind="text")
    assert (dataset.x_valid[:, :2] == 1).all()
    assert (dataset.x_train[:, :2] > 1).all()


def test_texts_that_are_trained_on_and_held_back_are_told(tmp_path):
    dataset = load_dataset(table(tmp_path, rows_of(5)), kind="text")
    (note,) = dataset.preprocessing["notes"]
    assert note.startswith("8 of 8 validation texts are, word for word, training texts too")
    x, y = np.array((GOOD + BAD) * 2), np.arange(16) // 4 % 2
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=np.array([GOOD[0], "a new one"]), y_test=y[:2])
    *_, note = load_dataset(tmp_path / "set.npz", kind="text").preprocessing["notes"]
    assert note.startswith("1 of 2 test texts are, word for word, training texts too")


def test_an_archive_of_strings_with_a_test_part(tmp_path):
    x, y = np.array((GOOD + BAD) * 2), np.array((["ham"] * 4 + ["spam"] * 4) * 2)
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x[:5] + np.array([" again"]), y_test=y[:5])
    dataset = load_dataset(tmp_path / "set.npz", kind="text")
    tokenizer = Tokenizer.from_json(dataset.preprocessing["tokenizer"])
    np.testing.assert_array_equal(dataset.x_test, tokenizer([f"{text} again" for text in x[:5]]))
    assert dataset.y_test.tolist() == [0, 0, 0, 0, 1]


def test_bytes_are_read_as_utf8(tmp_path):
    x = np.array([text.encode() for text in GOOD + BAD])
    np.savez(tmp_path / "set.npz", x=x, y=np.arange(8) // 4, groups=np.arange(8) % 4)
    assert load_dataset(tmp_path / "set.npz", kind="text").num_classes == 2


def test_a_folder_of_class_folders(tmp_path):
    for name, texts in (("ham", GOOD), ("spam", BAD)):
        (tmp_path / name).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / name / f"{number}.txt").write_text(text, encoding="utf-8")
    dataset = load_dataset(tmp_path, kind="text")
    assert dataset.class_names == ("ham", "spam") and len(dataset.x_train) + len(dataset.x_valid) == 8


@pytest.mark.skipif(not SMS.is_file(), reason="the data are not beside the repository")
def test_real_messages():
    dataset = load_dataset(SMS, kind="text")
    assert dataset.class_names == ("ham", "spam")
    assert len(dataset.x_train) + len(dataset.x_valid) == 5574  # quotes in messages merge no rows
    assert (dataset.y_train.sum() + dataset.y_valid.sum()) == 747
    assert 3000 < len(dataset.preprocessing["tokenizer"]["words"]) <= 4000
    assert 0.03 < (dataset.x_valid == 1).sum() / (dataset.x_valid > 0).sum() < 0.12  # unknown words


def test_a_label_of_the_test_part_that_is_not_trained(tmp_path):
    x, y = np.array(GOOD + BAD), np.array(["ham"] * 4 + ["spam"] * 4)
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x[:1], y_test=np.array(["eggs"]))
    with pytest.raises(
        DataError, match=r"one of the 2 classes of the training labels \(ham, spam\)\. Received: 'eggs'"
    ):
        load_dataset(tmp_path / "set.npz", kind="text")


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((4, 3)), r"`x_train` must hold texts, in the shape \(n,\)\. Received: shape \(4, 3\)"),
        (np.zeros(4), r"`x_train` must hold texts\. Received: dtype float64, 0\.0 among them\. .* kind='sequence'"),
        (np.array([], str), r"`x_train` must hold at least one text\. Received: none"),
        (
            np.array(["a", " \t", "b", ""]),
            r"Every text of `x_train` must hold a word\. Received: 2 empty, the first at",
        ),
        (np.array([b"a", b"caf\xe9"]), r"`x_train` must be UTF-8\. Received: byte 0xe9 in the text at index 1"),
    ],
)
def test_what_is_no_text_is_refused(x, said):
    with pytest.raises(DataError, match=said):
        Texts().require(x, "x_train")


def test_the_number_of_words_is_asked_for(tmp_path):
    dataset = load_dataset(table(tmp_path, rows_of()), kind="text", num_words=3)
    assert len(dataset.preprocessing["tokenizer"]["words"]) == 3
    with pytest.raises(UserError, match="`num_words` is of texts. Received: num_words=3 and kind='image'. Pass kind="):
        load_dataset("digits", num_words=3)


def test_what_is_refused_when_it_is_loaded(tmp_path):
    with pytest.raises(DataError, match="At least two classes are needed. Received: only 'ham' in 12 labels"):
        load_dataset(table(tmp_path, rows_of()[:12]), kind="text")
    with pytest.raises(DataError, match=r"Texts are read from a \.tsv, .* Received: '.*nowhere', and there is no such"):
        load_dataset(str(tmp_path / "nowhere"), kind="text")
    with pytest.raises(UserError, match="`kind` must be one of image, masks, .*text.*Received: kind='words'"):
        load_dataset("digits", kind="words")
