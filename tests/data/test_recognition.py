"""What a source is taken for when nobody says what it is."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from hwkeras.data import DataWarning
from hwkeras.data import kind_of
from hwkeras.data import load_dataset
from hwkeras.errors import DataError

Y = np.arange(24) % 2


def zeros(*shape, dtype="uint8"):
    return np.zeros((len(Y), *shape), dtype)


ARCHIVES = {
    "gray pictures": ("image", {"x": zeros(8, 8)}),
    "pictures with channels": ("image", {"x": zeros(8, 8, 3)}),
    "slim pictures": ("image", {"x": zeros(32, 9)}),
    "wide pictures": ("image", {"x": zeros(8, 128)}),
    "motion": ("sequence", {"x": zeros(128, 6)}),
    "just long enough": ("sequence", {"x": zeros(32, 8)}),
    "masks": ("masks", {"x": zeros(8, 8, 3), "y": zeros(8, 8)}),
    "masks of gray pictures": ("masks", {"x": zeros(8, 8), "y": zeros(8, 8)}),
    "labels for every class": ("image", {"x": zeros(8, 8), "y": zeros(8)}),
    "waveforms": ("audio", {"x": zeros(4000, dtype="int16"), "sample_rate": np.array(8000)}),
    "texts": ("text", {"x": np.array(["a word"] * len(Y))}),
    "parts": ("sequence", {"x_train": zeros(128, 6), "y_train": Y, "x_test": zeros(128, 6), "y_test": Y}),
    "no samples": ("image", {"z": zeros(8, 8)}),
    "an empty array": ("image", {"x": zeros(0)}),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_known_by_its_shapes(name, tmp_path):
    expected, arrays = ARCHIVES[name]
    arrays = arrays if "x_train" in arrays else {"y": Y} | arrays
    np.savez(tmp_path / "set.npz", **arrays)
    assert kind_of(tmp_path / "set.npz") == expected
    np.savez_compressed(tmp_path / "small.npz", **arrays)
    assert kind_of(str(tmp_path / "small.npz")) == expected


def test_arrays_in_a_folder_are_known_as_those_of_an_archive(tmp_path):
    np.save(tmp_path / "x_train.npy", zeros(128, 6))
    np.save(tmp_path / "y_train.npy", Y)
    assert kind_of(tmp_path) == "sequence"
    (tmp_path / "y_train.npy").write_bytes(b"junk")
    with pytest.raises(
        DataError, match="Every array must be a readable .npy of numbers or strings. Received: .*y_train"
    ):
        kind_of(tmp_path)


@pytest.mark.parametrize("shape", [(20,), (1,)])
def test_rows_of_numbers_must_be_told(shape, tmp_path):
    np.savez(tmp_path / "rows.npz", x=zeros(*shape), y=Y)
    said = (
        r"Rows of numbers may be a table or sequences: the kind must be told. Received: .*rows.npz with x of shape "
        rf"\(24, {shape[0]}\). Pass kind='table' or kind='sequence' \(`--kind`\)"
    )
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path / "rows.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive"])
def test_what_nothing_tells_of_is_left_to_the_reader_of_images(content, tmp_path):
    (tmp_path / "set.npz").write_bytes(content)
    assert kind_of(tmp_path / "set.npz") == "image"
    with pytest.raises(DataError, match="must be an .npz archive"):
        load_dataset(tmp_path / "set.npz")


def test_an_archive_cut_off(tmp_path):
    np.savez(tmp_path / "set.npz", x=zeros(128, 6), y=Y)
    content = bytearray((tmp_path / "set.npz").read_bytes())
    content[60:140] = b"\xff" * 80  # of the first array's header
    (tmp_path / "set.npz").write_bytes(content)
    assert kind_of(tmp_path / "set.npz") == "image"


def test_names_are_images_and_so_is_what_is_not_there(tmp_path):
    assert kind_of("digits") == kind_of(tmp_path / "nowhere") == kind_of(tmp_path) == "image"


def folder(path, suffixes):
    for name in ("a", "b"):
        (path / name).mkdir(parents=True)
        for number, suffix in enumerate(suffixes):
            (path / name / f"{number}{suffix}").write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("suffixes", "expected"),
    [
        ([".png", ".JPG"], "image"),
        ([".wav", ".WAV", ".txt"], "audio"),
        ([".txt", ".txt", ".png"], "text"),
        ([".mp3"], "image"),
    ],
)
def test_a_folder_is_what_most_of_its_files_are(suffixes, expected, tmp_path):
    assert kind_of(folder(tmp_path, suffixes)) == expected


def test_images_beside_masks(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "0.png")
    assert kind_of(tmp_path) == "masks"
    shutil.copytree(tmp_path / "masks", tmp_path / "more")
    assert kind_of(tmp_path) == "image"  # three classes


TABLES = {
    "text": [
        "ham\tsee you at home\nspam\twin a prize now\nham\tlater at home then\nspam\tclaim your prize now\n",
        "id\tlabel\ttext\n1\tham\tsee you at home\n2\tspam\twin a prize now\n",
    ],
    "table": [
        "age\tcity\ttarget\n1\tBern\tyes\n2\tBasel\tno\n",
        "city\tprice\nBern\t1\nNew York\t2\nBasel\t3\nLos Angeles\t4\n",
        "text\tlabel\nyes\t1\nno\t0\nyes\t1\n",
        "one column\n1\n2\n",
        "",
    ],
}


@pytest.mark.parametrize(("expected", "content"), [(kind, text) for kind, texts in TABLES.items() for text in texts])
def test_a_file_of_rows_is_a_table_unless_it_holds_sentences(expected, content, tmp_path):
    for suffix in (".tsv", ".tab", ".csv"):
        path = tmp_path / f"rows{suffix}"
        path.write_text(content.replace("\t", ",") if suffix == ".csv" else content)
        assert kind_of(path) == expected


def test_rows_that_are_not_utf_8_or_columnar_are_a_table(tmp_path):
    (tmp_path / "latin.tsv").write_bytes("ham\tsee you at the café\nspam\twin a prize now\n".encode("latin-1"))
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    assert kind_of(tmp_path / "latin.tsv") == kind_of(tmp_path / "rows.parquet") == "table"


def test_what_is_recognized_is_loaded_as_such(tmp_path):
    for name, step in (("high", 2), ("low", 9)):
        (tmp_path / name).mkdir()
        for number in range(4):
            sound = np.sin(np.arange(2000 + number) / step)
            wavfile.write(tmp_path / name / f"{number}.wav", 8000, (sound * 30000).astype("int16"))
    (tmp_path / "low" / "more.mp3").write_bytes(b"")
    (tmp_path / "low" / "again.mp3").write_bytes(b"")
    said = "2 files in class folders passed over, such as low/again.mp3: sounds are .wav."
    with pytest.warns(DataWarning, match=said):
        found = load_dataset(tmp_path)
    with pytest.warns(DataWarning, match=said):
        asked = load_dataset(tmp_path, kind="audio")
    assert found.fingerprint == asked.fingerprint and found.preprocessing == asked.preprocessing
    assert found.preprocessing["notes"] == [said]


def test_texts_in_folders_and_what_lies_beside_them(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(5):
            (tmp_path / name / f"{number}.txt").write_text(f"{name} and {number}")
    (tmp_path / "one" / "more.md").write_text("a text, too")
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == ("one", "two")
    assert (
        dataset.preprocessing["notes"][0] == "1 file in class folders passed over, such as one/more.md: texts are .txt."
    )
