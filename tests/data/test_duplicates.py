"""Samples that are there twice are told: by a warning, and by a note that goes into manifests."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from hwkeras.data import DataWarning
from hwkeras.data import load_dataset
from hwkeras.data.duplicates import notes_of_equal_files
from hwkeras.data.duplicates import notes_of_equal_samples
from hwkeras.data.duplicates import sample_hashes

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 4, 5), np.uint8)
Y = np.arange(40) % 2


def save(folder, **arrays):
    np.savez(folder / "set.npz", **arrays)
    return folder / "set.npz"


def test_a_set_without_duplicates_has_no_note(tmp_path):
    dataset = load_dataset(save(tmp_path, x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=Y[30:]))
    assert "notes" not in dataset.preprocessing


def test_test_images_that_were_trained_on_are_told(tmp_path):
    path = save(tmp_path, x_train=X[:30], y_train=Y[:30], x_test=X[27:], y_test=Y[27:])
    with pytest.warns(DataWarning) as caught:
        dataset = load_dataset(path)
    note = (
        "3 of 13 test images are equal to a training or validation image: what they say of new images is too good. "
        "Remove them, or keep equal images on one side."
    )
    assert [str(warning.message) for warning in caught] == dataset.preprocessing["notes"] == [note]
    assert caught[0].filename == __file__  # the line of whoever loaded the data
    assert json.loads(json.dumps(dict(dataset.preprocessing)))["notes"] == [note]
    assert len(dataset.x_test) == 13  # nothing is removed


def test_validation_images_that_are_trained_on_are_told(tmp_path):
    x = np.concatenate([X[:10]] * 4)
    with pytest.warns(DataWarning, match=r"\d of 8 validation images are equal to a training image"):
        load_dataset(save(tmp_path, x=x, y=Y))


def test_groups_keep_equal_samples_on_one_side(tmp_path):
    x, groups = np.concatenate([X[:10]] * 4), np.tile(np.arange(10), 4)
    assert "notes" not in load_dataset(save(tmp_path, x=x, y=Y, groups=groups)).preprocessing


def test_sequences_and_sounds_are_looked_at_too(tmp_path):
    signals = RNG.normal(size=(20, 12, 2))
    path = save(tmp_path, x_train=signals, y_train=Y[:20], x_test=signals[:5], y_test=Y[:5])
    with pytest.warns(DataWarning, match="5 of 5 test sequences are equal to a training or validation sequence: "):
        load_dataset(path, kind="sequence")
    sounds = RNG.normal(size=(20, 4000)).astype("float32") / 9
    path = save(tmp_path, x_train=sounds, y_train=Y[:20], x_test=sounds[3:4], y_test=Y[3:4], sample_rate=8000)
    with pytest.warns(DataWarning, match="1 of 1 test sounds are equal to a training or validation sound: "):
        load_dataset(path, kind="audio")


def folder_of(root, values):
    """Pictures of one color by class and number."""
    for name, colors in values.items():
        (root / name).mkdir(parents=True)
        for number, color in enumerate(colors):
            Image.new("L", (4, 4), color).save(root / name / f"{number}.png")
    return root


def test_equal_files_of_a_folder_are_named(tmp_path):
    root = folder_of(tmp_path / "pets", {"cat": [1, 2, 3, 1], "dog": [5, 6, 2]})
    with pytest.warns(DataWarning) as caught:
        notes = load_dataset(root).preprocessing["notes"]
    assert notes[:2] == [
        "1 of 7 images are equal to one in the same class, such as cat/0.png and cat/3.png.",
        "1 of 7 images are equal to one in another class, one of which is wrong, such as cat/1.png and dog/2.png.",
    ]
    assert [str(warning.message) for warning in caught] == notes


def test_equal_sounds_of_a_folder_are_named(tmp_path):
    for name, pitch in (("high", 0.9), ("low", 0.1)):
        (tmp_path / name).mkdir()
        for number in range(3):
            wave = np.sin(np.arange(4000) * pitch * (1 + number % 2)).astype("float32")
            wavfile.write(tmp_path / name / f"{number}.wav", 8000, wave)
    with pytest.warns(DataWarning):
        notes = load_dataset(tmp_path, kind="audio").preprocessing["notes"]
    assert notes[0] == "2 of 6 sounds are equal to one in the same class, such as high/0.wav and high/2.wav."


def test_hashes_tell_values_shapes_and_dtypes():
    one = np.arange(6, dtype=np.int32)
    same, *others = sample_hashes([one.copy(), one + 1, one.reshape(2, 3), one.astype(np.int64), one.astype("f4")])
    assert [same] == sample_hashes(one[np.newaxis]) and len({same, *others}) == 5
    grid = np.arange(24).reshape(4, 2, 3)
    assert sample_hashes(np.asfortranarray(grid)) == sample_hashes(grid)
    assert sample_hashes(grid[::2]) == sample_hashes(grid)[::2]


def test_each_part_is_compared_with_what_came_before():
    one, two, three = (np.full((1, 2), value) for value in (1, 2, 3))
    assert notes_of_equal_samples("row", one, two, three) == []
    assert [note[:19] for note in notes_of_equal_samples("row", one, np.concatenate([one, two]), two)] == [
        "1 of 2 validation r", "1 of 1 test rows ar",
    ]  # fmt: skip


def test_files_that_differ_give_no_note():
    files = [pathlib.Path(f"a/{number}.png") for number in range(3)]
    assert notes_of_equal_files(files, X[:3], ["a", "a", "b"], "image") == []
