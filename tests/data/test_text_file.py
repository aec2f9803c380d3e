"""Tables and folders of texts: what is read, how columns are told apart, and one line for everything else."""

import pathlib

import numpy as np
import pytest

from hwkeras.data.text_file import read_text_file
from hwkeras.data.text_file import read_text_folder
from hwkeras.errors import DataError

SMS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "sms_spam.tsv"


def read(tmp_path, content, name="set.tsv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_text_file(path)


def test_label_and_text(tmp_path):
    texts, y, notes = read(tmp_path, "ham\tsee you\nspam\twin\n\nham\tgood  day \n")
    assert texts == ["see you", "win", "good  day "]
    assert y.tolist() == ["ham", "spam", "ham"]
    assert notes == {"has_header": False, "label_column": 0, "text_column": 1}


def test_the_column_with_fewer_values_holds_the_labels(tmp_path):
    texts, y, notes = read(tmp_path, "see you\t0\nwin\t1\ngood day\t0\n10 more\t1\n")
    assert texts[0] == "see you" and y.tolist() == [0, 1, 0, 1]
    assert y.dtype.kind == "i"
    assert notes["label_column"] == 1


@pytest.mark.parametrize(
    ("header", "label", "text"),
    [("Label,Message", 0, 1), ("text,class", 1, 0), ("is_spam,subject", 0, 1), ("number,review,sentiment,by", 2, 1)],
)
def test_headers(tmp_path, header, label, text):
    width = header.count(",") + 1
    rows = []
    for number in range(6):
        row = [f"x{number}"] * width
        row[label], row[text] = ("yes", "no")[number % 2], f"text {number}"
        rows.append(",".join(row))
    texts, y, notes = read(tmp_path, "\n".join([header, *rows]), "set.csv")
    assert notes == {"has_header": True, "label_column": label, "text_column": text}
    assert texts == [f"text {number}" for number in range(6)]
    assert sorted(set(y.tolist())) == ["no", "yes"]


def test_quotes_belong_to_a_csv_and_are_text_in_a_tsv(tmp_path):
    texts, _, _ = read(tmp_path, 'a,"one, ""two""\nthree"\nb,four\n', "set.csv")
    assert texts == ['one, "two"\nthree', "four"]
    texts, _, _ = read(tmp_path, 'a\t"one\nb\ttwo" three\n')
    assert texts == ['"one', 'two" three']


def test_semicolons_and_a_byte_order_mark(tmp_path):
    texts, y, _ = read(tmp_path, "\ufeffa;one\nb;two, three\n", "set.csv")
    assert texts == ["one", "two, three"] and y.tolist() == ["a", "b"]


@pytest.mark.skipif(not SMS.is_file(), reason="the data are not beside the repository")
def test_real_messages():
    texts, y, notes = read_text_file(SMS)
    assert len(texts) == len(y) == 5574 and (y == "spam").sum() == 747
    assert texts[0].startswith("Go until jurong point")
    assert notes["has_header"] is False


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"a\tone\nb\tcaf\xe9\n", "set.tsv", r"must be UTF-8\. Received: byte 0xe9 in line 2 of .*set\.tsv\. .*iconv"),
        (b"\xef\xbb\xbfa\tone\n\nb\t\x80\n", "set.tsv", r"must be UTF-8\. Received: byte 0x80 in line 3 of"),
        ("a\tone\n".encode("utf-16"), "set.tsv", r"must be UTF-8\. Received: byte 0xff in line 1 of"),
        (b"", "set.tsv", r"must hold rows of a label and a text\. Received: .*set\.tsv, which is empty"),
        (b"\n \n\n", "set.csv", r"must hold rows of a label and a text\. Received: .*set\.csv, which is empty"),
        (b"label\ttext\n", "set.tsv", r"must hold rows of a label and a text\. Received: .* with its header alone"),
        (b"one\ntwo\n", "set.tsv", r"parted by a tab\. Received: .*set\.tsv with one column"),
        (b"one\ttwo\n", "set.csv", r"parted by a comma\. Received: .*set\.csv with one column"),
        (b"a\tone\nb\ttwo\tthree\n", "set.tsv", r"as many columns as the first, 2\. Received: 3 in line 2 of .*Quote"),
        (b"a\tone\nb\t\n", "set.tsv", r"hold a label and a text\. Received: no text in line 2 of .*Fill or remove it"),
        (b"a\tone\n \ttwo\na\tthree\n", "set.tsv", r"hold a label and a text\. Received: no label in line 2 of"),
        (b"a,b,c\n1,2,3\n", "set.csv", r"header must name one as label and one as text\. Received: 'a', 'b', 'c' in"),
        (
            b'a,"one\nb,two\n',
            "set.csv",
            r"must be a readable table\. Received: .*set\.csv, line 2: .*double the quotes",
        ),
    ],
)
def test_what_is_no_table_of_texts(tmp_path, content, name, said):
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, content, name)
    assert "\n" not in str(caught.value)


def test_class_folders(tmp_path):
    for name, text in (("b/2.txt", "two"), ("a/1.txt", "\ufeffone"), ("b/3.TXT", "three"), ("b/notes.md", "no")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    texts, y, _ = read_text_folder(tmp_path)
    assert texts == ["one", "two", "three"]
    np.testing.assert_array_equal(y, ["a", "b", "b"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"caf\xe9", r"must be UTF-8\. Received: byte 0xe9 in line 1 of .*1\.txt"),
        (b" \n", r"Every text must hold a word\. Received: .*1\.txt, which is empty\. Remove it"),
        (None, r"Every class folder must hold texts \(\.txt\)\. Received: .*a with none"),
    ],
)
def test_folders_that_cannot_be_read(tmp_path, content, said):
    (tmp_path / "a").mkdir()
    if content is not None:
        (tmp_path / "a" / "1.txt").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_text_folder(tmp_path)


def test_a_folder_without_class_folders(tmp_path):
    with pytest.raises(DataError, match="must hold one folder for each class, with its texts. Received: .* without"):
        read_text_folder(tmp_path)
