"""Folders as they come: whatever is wrong with a file is one line that names it, whatever can be mended is noted."""

import random

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from hwkeras.data import load_dataset
from hwkeras.data.image_folder import SUFFIXES
from hwkeras.errors import DataError

RATE = 8000


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


@pytest.fixture
def sounds(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("high", "low"):
        (tmp_path / name).mkdir()
        for number in range(3):
            wave = (rng.normal(size=1600) * 3000).astype("int16")
            wavfile.write(tmp_path / name / f"{number}.wav", RATE, wave)
    return tmp_path


def refused(source, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(source, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(pictures, suffix):
    rng = np.random.default_rng(1)
    for name in ("cat", "dog"):
        pixels = rng.integers(0, 256, (5, 6), np.uint8)
        Image.fromarray(pixels).convert("L" if suffix == ".pgm" else "RGB").save(pictures / name / f"new{suffix}")
    dataset = load_dataset(pictures)
    assert len(dataset.x_train) + len(dataset.x_valid) == 10 and dataset.input_shape == (5, 6, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp", ".tif", ".ppm"])
def test_a_damaged_picture_is_read_or_named(pictures, suffix):
    path = pictures / "cat" / f"new{suffix}"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (5, 6, 3), np.uint8)).save(path)
    whole, rng, num_refused = path.read_bytes(), random.Random(0), 0
    for _ in range(40):
        damaged = bytearray(whole)[: rng.choice((len(whole), rng.randrange(len(whole))))]
        for _ in range(min(3, len(damaged))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            load_dataset(pictures)
        except DataError as error:
            assert f"new{suffix}" in str(error)
            num_refused += 1
    assert num_refused > 10


def test_a_picture_with_damaged_exif_is_read(pictures):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    path = pictures / "cat" / "photo.jpg"
    Image.new("RGB", (5, 6), (9, 200, 30)).save(path, exif=exif)
    assert load_dataset(pictures).preprocessing["num_resized"] == 0  # upright it is as wide as the others
    content = bytearray(path.read_bytes())
    at = content.index(b"Exif\x00\x00") + 14
    content[at : at + 2] = b"\x7f\x7f"  # so many entries are said to follow
    path.write_bytes(content)
    assert load_dataset(pictures).input_shape == (5, 6, 3)


def test_palettes_with_transparency_are_read(pictures):
    image = Image.new("P", (6, 5), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(pictures / "cat" / "palette.png", transparency=b"\x00\x80")
    assert load_dataset(pictures).input_shape == (5, 6, 3)


def test_pictures_of_several_sizes_and_modes_become_alike(pictures):
    for number, (mode, size) in enumerate([("L", (9, 9)), ("RGBA", (3, 2)), ("CMYK", (6, 5)), ("1", (600, 5))]):
        Image.new(mode, size, 1 if mode in "L1" else (1, 2, 3, 200)).save(
            pictures / "dog" / f"other{number}.{'tif' if mode == 'CMYK' else 'png'}"
        )
    dataset = load_dataset(pictures)
    assert dataset.input_shape == (5, 6, 3)
    assert dataset.preprocessing["num_resized"] == 3 and dataset.preprocessing["image_size"] == [5, 6]


def test_a_class_folder_says_what_it_holds_instead(pictures):
    emu = pictures / "emu"
    emu.mkdir()
    refused(pictures, r"Every class folder must hold images \(.png, .*\). Received: .*emu with none. Remove the folder")
    (emu / "train").mkdir()
    refused(
        pictures, "Received: .*emu with none, but 1 folder. Pass .*emu where its folders are the classes, or add im"
    )
    (emu / "a.HEIC").write_bytes(b"x")
    (emu / "README").write_text("x")
    refused(pictures, r"Received: .*emu with none, but 1 folder and files with .heic, no suffix. Remove the folder")


def test_a_damaged_sound_is_named(sounds):
    path = sounds / "low" / "new.wav"
    wavfile.write(path, RATE, np.arange(200, dtype="int16"))
    whole, rng = path.read_bytes(), random.Random(0)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refused(sounds, r"Every sound must be a readable .wav. Received: .*new.wav \(.*Remove it, or", kind="audio")
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.sample(range(44), 2):
            damaged[place] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            load_dataset(sounds, kind="audio")
        except DataError as error:
            assert "new.wav" in str(error)


def test_a_sound_that_is_cut_off_is_refused(sounds):
    path = sounds / "low" / "0.wav"
    path.write_bytes(path.read_bytes()[:-100])
    refused(sounds, r"Every sound must be a readable .wav. Received: .*0.wav \(Reached EOF prematurely", kind="audio")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sound_that_is_not_finite_is_named(sounds, value):
    wave = np.linspace(-1, 1, 1600, dtype="float32")
    wave[7] = value
    wavfile.write(sounds / "high" / "broken.wav", RATE, wave)
    refused(sounds, "Every sound must be finite. Received: .*broken.wav with NaN or infinite samples", kind="audio")


def test_an_empty_sound_is_named(sounds):
    wavfile.write(sounds / "high" / "empty.wav", RATE, np.zeros(0, "int16"))
    refused(sounds, "Every sound must hold samples. Received: .*empty.wav with none. Remove it.", kind="audio")


def test_a_sound_of_another_rate_is_named(sounds):
    wavfile.write(sounds / "high" / "fast.wav", 16000, np.arange(900, dtype="int16"))
    said = (
        "All sounds must have one sample rate. Received: .*fast.wav with 16000 Hz, where 6 of 7 have 8000 Hz. Resample"
    )
    refused(sounds, said, kind="audio")


def test_stereo_is_averaged_and_counted(sounds):
    left = np.random.default_rng(3).integers(-900, 900, 1600).astype("int16")
    wavfile.write(sounds / "high" / "stereo.wav", RATE, np.stack([left, -left], axis=1))
    dataset = load_dataset(sounds, kind="audio")
    assert dataset.preprocessing["num_mixed_to_mono"] == 1
    # Opposite channels are silence: every band of that picture is at its floor.
    pictures = np.concatenate([dataset.x_train, dataset.x_valid])
    spans = pictures.max(axis=(1, 2, 3)) - pictures.min(axis=(1, 2, 3))
    assert len(pictures) == 7 and (pictures.std(axis=1).max(axis=(1, 2)) < 1e-5).sum() == 1 and spans.max() > 1


def test_a_class_folder_without_sounds_is_named(sounds):
    (sounds / "none").mkdir()
    (sounds / "none" / "a.mp3").write_bytes(b"x")
    said = (
        r"Every class folder must hold sounds \(.wav\). Received: .*none with none, but files with .mp3. Remove the fo"
    )
    refused(sounds, said, kind="audio")
