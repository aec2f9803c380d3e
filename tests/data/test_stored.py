"""Samples that stay in files are the samples that are read, number for number, and never all at a time."""

import threading
import warnings

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from hwkeras.data import DataWarning
from hwkeras.data import StoredArray
from hwkeras.data import fingerprint
from hwkeras.data import load_dataset
from hwkeras.data import stored
from hwkeras.data.array_folder import MappedArray
from hwkeras.data.digest import digests_of_files
from hwkeras.data.stored import errors_of
from hwkeras.data.stored import is_stored
from hwkeras.data.stored import places_held
from hwkeras.errors import DataError
from hwkeras.errors import UserError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (30, 4, 5), np.uint8)
Y = np.arange(30) % 3


class CountingSource:
    """Numbers that stand for files; keeps how many were read at a time."""

    def __init__(self, number):
        self._number = number
        self.reads = []
        self.digests = np.arange(number, dtype=np.uint8)[:, None]

    def __len__(self):
        return self._number

    def read(self, places):
        self.reads.append(len(places))
        return np.stack([np.full(2, place, np.int32) for place in places])


class BrokenSource(CountingSource):
    def read(self, places):
        if 7 in places:
            raise DataError("Received: seven.wav")
        return super().read(places)


def halved(raw):
    return (raw / 2).astype(np.float32)


def pictures(root, number=6, size=(6, 5), suffix=".png"):
    """A folder of 3 classes of noise, all different."""
    for name in "abc":
        (root / name).mkdir(parents=True)
        for index in range(number):
            noise(*size).save(root / name / f"{index}{suffix}")
    return root


def noise(width, height):
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8))


def sounds(root, number=5, rate=4000):
    for name in "ab":
        (root / name).mkdir(parents=True)
        for index in range(number):
            samples = RNG.integers(-20000, 20000, 3600 + 80 * index).astype(np.int16)
            wavfile.write(root / name / f"{index}.wav", rate, samples)
    return root


def arrays(root, **named):
    root.mkdir()
    for name, array in named.items():
        np.save(root / f"{name}.npy", array)
    return root


def same(streamed, whole):
    """The same data set, but for who keeps it."""
    assert is_stored(streamed.x_train) and streamed.x_train.shape == whole.x_train.shape
    assert streamed.x_train.dtype == whole.x_train.dtype == np.float32
    for place, sample in enumerate(whole.x_train):
        assert np.array_equal(streamed.x_train[place], sample)
    assert np.array_equal(streamed.x_train[:], whole.x_train)
    for name in ("y_train", "x_valid", "y_valid"):
        assert np.array_equal(getattr(streamed, name), getattr(whole, name))
        assert getattr(streamed, name).dtype == getattr(whole, name).dtype
    for name in ("class_names", "num_classes", "name", "preprocessing", "task", "input_shape"):
        assert getattr(streamed, name) == getattr(whole, name)


def test_it_is_taken_from_as_numpy_takes():
    x = StoredArray(CountingSource(10), halved, np.arange(9, -1, -1))
    whole = halved(np.repeat(np.arange(9, -1, -1)[:, None], 2, axis=1))
    assert x.shape == (10, 2) and x.dtype == np.float32 and x.ndim == 2 and len(x) == 10 and x.nbytes == 80
    mask = np.arange(10) % 3 == 0
    for key in (
        0,
        -1,
        np.int64(3),
        slice(2, 7),
        slice(None, None, -2),
        slice(5, 5),
        [1, 1, 0],
        np.array([-1, 4]),
        mask,
    ):
        assert np.array_equal(x[key], whole[key]) and x[key].shape == whole[key].shape
    assert np.array_equal(np.stack(list(x)), whole)
    assert "(10, 2)" in repr(x) and "float32" in repr(x)


@pytest.mark.parametrize("key", [10, -11, [3, 10], (0, 0), np.zeros(9, bool), None, [[1, 2]]])
def test_keys_beyond_it_are_refused(key):
    with pytest.raises(IndexError):
        StoredArray(CountingSource(10), halved)[key]


def test_a_part_of_it_is_not_read():
    source = CountingSource(100)
    x = StoredArray(source, halved)
    part = x.at(np.arange(90, 40, -1)).at(np.arange(50) % 2 == 0)
    assert source.reads == [1] and part.shape == (25, 2)
    assert part[:2].tolist() == [[45, 45], [44, 44]]
    assert part.digests[:, 0].tolist() == list(range(90, 40, -2))


def test_the_raw_form_of_a_few_is_in_memory_at_a_time():
    source = CountingSource(1000)
    assert StoredArray(source, halved)[:].shape == (1000, 2)
    assert max(source.reads) == 64 and sum(source.reads) == 1001


def test_it_does_not_become_one_array_by_itself():
    source = CountingSource(10)
    x = StoredArray(source, halved)
    for convert in (np.asarray, np.array, np.mean, lambda x: x[:2] + x):
        with pytest.raises(DataError, match=r"StoredArray of shape \(10, 2\), 80 B in memory. Take some .* x\[:100\]"):
            convert(x)
    assert not hasattr(x, "__array__") and sum(source.reads) == 3


def test_its_fingerprint_is_of_contents_and_order():
    x, other = StoredArray(CountingSource(10), halved), StoredArray(CountingSource(10), halved)
    assert fingerprint(x, Y) == fingerprint(other, Y)
    different = [x.at(np.arange(9)), x.at(np.arange(10)[::-1]), StoredArray(CountingSource(11), halved), x.digests]
    assert len({fingerprint(each) for each in [x, *different]}) == 5


def test_the_error_of_a_file_comes_out_as_it_was():
    x = StoredArray(BrokenSource(10), halved)
    with pytest.raises(DataError, match="seven.wav") as caught, errors_of(x):
        try:
            x[5:9]
        except DataError as error:
            raise RuntimeError("a generator failed") from error
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(RuntimeError, match="another"), errors_of(x):
        raise RuntimeError("another one")  # the damage was of an earlier reading
    with pytest.raises(DataError, match="seven.wav"), errors_of(x):
        x[7]
    with pytest.raises(RuntimeError), errors_of(X):
        raise RuntimeError


def test_what_is_held_is_in_proportion_and_within_bounds(monkeypatch):
    y = np.repeat([0, 1], [900, 100])
    x = np.zeros((1000, 4), np.float32)
    assert np.array_equal(places_held(x, y), np.arange(1000))
    monkeypatch.setattr(stored, "MAX_HELD_SAMPLES", 50)
    held = places_held(x, y)
    assert np.bincount(y[held]).tolist() == [45, 5] and np.array_equal(held, np.unique(held))
    assert np.array_equal(held, places_held(x, y)) and not np.array_equal(held, places_held(x, y, seed=1))
    monkeypatch.setattr(stored, "MAX_HELD_BYTES", 16 * 20)
    assert np.bincount(y[places_held(StoredArray(CountingSource(1000 // 8), np.float32), y[::8])]).sum() == 40


def test_pictures_are_those_that_are_read(tmp_path):
    root = pictures(tmp_path / "set")
    same(load_dataset(root, stream=True), load_dataset(root))
    same(load_dataset(root, stream=True, image_size=(8, 9), seed=3), load_dataset(root, image_size=(8, 9), seed=3))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGBA", "CMYK"])
def test_colors_are_told_without_the_pixels(tmp_path, mode):
    suffix = {"CMYK": ".jpg"}.get(mode, ".png")
    for number, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for index in range(3):
            image = Image.new(mode, (5, 3))
            image.putpixel((index, number), image.getpixel((0, 0)) if mode == "P" else _white(mode))
            image.save(tmp_path / name / f"{index}{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        streamed, whole = load_dataset(tmp_path, stream=True), load_dataset(tmp_path)
    assert np.array_equal(streamed.x_train[:], whole.x_train)
    assert {**streamed.preprocessing, "notes": 0} == {**whole.preprocessing, "notes": 0}


def _white(mode):
    return {"LA": (255, 255), "RGBA": (255,) * 4, "CMYK": (255,) * 4, "I;16": 65535}.get(mode, 255)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".bmp", ".ppm"])
def test_sizes_and_orientations_are_those_of_upright_pictures(tmp_path, suffix):
    root = pictures(tmp_path / "set", suffix=suffix)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    for name in "abc":
        noise(6, 5).save(root / name / f"turned{suffix}", exif=exif)
        noise(7, 9).save(root / name / f"large{suffix}")
    same(load_dataset(root, stream=True), load_dataset(root))


def test_a_png_with_its_orientation_behind_the_pixels(tmp_path):
    root = pictures(tmp_path / "set", number=2)
    exif = Image.Exif()
    exif[0x0112] = 8
    for file in sorted(root.rglob("*.png")):
        noise(6, 5).save(file, exif=exif)
        content = file.read_bytes()
        start = content.index(b"eXIf") - 4
        size = int.from_bytes(content[start : start + 4], "big") + 12
        end = content.index(b"IEND") - 4
        chunk = content[start : start + size]
        file.write_bytes(content[:start] + content[start + size : end] + chunk + content[end:])
    whole = load_dataset(root)
    assert whole.input_shape == (6, 5, 3)
    same(load_dataset(root, stream=True), whole)


def test_sounds_are_those_that_are_read(tmp_path):
    root = sounds(tmp_path / "set")
    stereo = RNG.integers(-9000, 9000, (6000, 2)).astype(np.int16)
    wavfile.write(root / "a" / "stereo.wav", 4000, stereo)
    wavfile.write(root / "b" / "float.wav", 4000, RNG.uniform(-1, 1, 3200).astype(np.float32))
    whole = load_dataset(root, kind="audio")
    assert whole.preprocessing["longest_seconds"] == 1.5 and whole.preprocessing["num_mixed_to_mono"] == 1
    same(load_dataset(root, kind="audio", stream=True), whole)
    inside = {"kind": "audio", "front_end": "inside"}
    same(load_dataset(root, stream=True, **inside), load_dataset(root, **inside))


@pytest.mark.parametrize("x", [X, np.stack([X] * 3, axis=-1) / 255, X.astype(np.int32)], ids=["bytes", "rgb", "int32"])
def test_arrays_of_images_are_those_of_an_archive(tmp_path, x):
    np.savez(tmp_path / "set.npz", x_train=x, y_train=Y)
    same(load_dataset(arrays(tmp_path / "set", x_train=x, y_train=Y), stream=True), load_dataset(tmp_path / "set.npz"))


def test_arrays_of_sequences_with_a_test_part_and_groups(tmp_path):
    named = {"x_train": RNG.normal(size=(30, 7, 2)), "y_train": Y, "groups": np.arange(30) // 3}
    named |= {"x_test": RNG.normal(size=(4, 7, 2)), "y_test": Y[:4]}
    np.savez(tmp_path / "set.npz", **named)
    whole = load_dataset(tmp_path / "set.npz", kind="sequence")
    streamed = load_dataset(arrays(tmp_path / "set", **named), kind="sequence", stream=True)
    same(streamed, whole)
    assert np.array_equal(streamed.x_test[:], whole.x_test) and np.array_equal(streamed.y_test, whole.y_test)


def test_numbers_to_predict_stream(tmp_path):
    named = {"x": RNG.normal(size=(30, 7, 2)), "y": RNG.normal(size=30)}
    np.savez(tmp_path / "set.npz", **named)
    options = {"kind": "sequence", "task": "regression"}
    same(
        load_dataset(arrays(tmp_path / "set", **named), stream=True, **options),
        load_dataset(tmp_path / "set.npz", **options),
    )


def test_an_unzipped_archive_streams(tmp_path):
    import zipfile

    np.savez(tmp_path / "set.npz", x=X, y=Y)
    zipfile.ZipFile(tmp_path / "set.npz").extractall(tmp_path / "set")
    same(load_dataset(tmp_path / "set", stream=True), load_dataset(tmp_path / "set.npz"))


def test_what_is_held_of_a_large_set_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "MAX_HELD_SAMPLES", 3)
    root = pictures(tmp_path / "set", number=10)
    dataset = load_dataset(root, stream=True)
    assert len(dataset.x_train) == 24 and sorted(dataset.y_valid) == [0, 1, 2] == sorted(set(dataset.y_valid))
    note = "Candidates are scored on 3 of 6 validation images, drawn by class: as many as are kept in memory."
    assert dataset.preprocessing["notes"] == [note]


def test_the_scale_of_sounds_is_of_some_of_those_trained_on(tmp_path, monkeypatch):
    root = sounds(tmp_path / "set", number=10)
    whole = load_dataset(root, kind="audio")
    monkeypatch.setattr(stored, "MAX_HELD_SAMPLES", 8)
    streamed = load_dataset(root, kind="audio", stream=True)
    assert streamed.preprocessing["mean"] != whole.preprocessing["mean"]
    assert np.allclose(streamed.preprocessing["mean"], whole.preprocessing["mean"], rtol=0.1)
    again = load_dataset(root, kind="audio", stream=True)
    assert again.fingerprint == streamed.fingerprint and again.preprocessing == streamed.preprocessing


def test_the_fingerprint_is_of_the_contents(tmp_path):
    root = pictures(tmp_path / "set")
    first = load_dataset(root, stream=True)
    file = root / "a" / "0.png"
    content, stamp = file.read_bytes(), file.stat()
    file.touch()
    assert load_dataset(root, stream=True).fingerprint == first.fingerprint
    Image.new("RGB", (6, 5)).save(file)
    assert load_dataset(root, stream=True).fingerprint != first.fingerprint
    file.write_bytes(content)
    assert load_dataset(root, stream=True).fingerprint == first.fingerprint and stamp.st_size == len(content)
    assert load_dataset(root, stream=True, image_size=(5, 5)).fingerprint != first.fingerprint


def test_equal_files_are_told(tmp_path):
    root = pictures(tmp_path / "set")
    for index in range(6):
        (root / "a" / f"copy{index}.png").write_bytes((root / "a" / f"{index}.png").read_bytes())
    with pytest.warns(DataWarning):
        notes = load_dataset(root, stream=True).preprocessing["notes"]
    with pytest.warns(DataWarning):
        assert load_dataset(root).preprocessing["notes"] == notes
    assert any("equal to one in the same class, such as a/0.png and a/copy0.png" in note for note in notes)


def test_the_warning_points_at_whoever_loads(tmp_path):
    root = pictures(tmp_path / "set")
    (root / "b" / "copy.png").write_bytes((root / "a" / "0.png").read_bytes())
    with pytest.warns(DataWarning) as caught:
        load_dataset(root, stream=True)
    assert {warning.filename for warning in caught} == {__file__}


def test_a_file_damaged_behind_its_header_is_told_when_it_is_read(tmp_path):
    root = pictures(tmp_path / "set", number=30, size=(20, 20))
    for file in root.rglob("*.png"):
        if file.stem != "0":  # the first of each class is looked at to see the shape
            file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"Every image must be readable\. Received: .*\.png \(.*Remove it, or save it"):
        load_dataset(root, stream=True)  # the validation part is read
    files = sorted(root.rglob("*.png"))
    pictures(tmp_path / "other", number=30, size=(20, 20))
    dataset = load_dataset(tmp_path / "other", stream=True)
    for file in sorted((tmp_path / "other").rglob("*.png")):
        file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"Every image must be readable\. Received: .*other.*\.png"):
        dataset.x_train[3:5]
    assert "other" in str(dataset.x_train.damage) and len(files) == 90


def test_a_file_that_is_gone_is_told(tmp_path):
    dataset = load_dataset(sounds(tmp_path / "set"), kind="audio", stream=True)
    for file in (tmp_path / "set").rglob("*.wav"):
        file.unlink()
    with pytest.raises(DataError, match=r"Every sound must be a readable \.wav\. Received: .*\.wav \(.*No such file"):
        dataset.x_train[0]


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_damaged_header_is_told_at_the_door(tmp_path, content):
    root = pictures(tmp_path / "set")
    (root / "c" / "broken.png").write_bytes(content)
    with pytest.raises(DataError, match=r"Every image must be readable\. Received: .*broken\.png"):
        load_dataset(root, stream=True)


def test_a_damaged_sound_is_told_at_the_door(tmp_path):
    root = sounds(tmp_path / "set")
    file = root / "b" / "4.wav"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"Every sound must be a readable \.wav\. Received: .*4\.wav"):
        load_dataset(root, kind="audio", stream=True)


def test_sounds_of_several_rates(tmp_path):
    root = sounds(tmp_path / "set")
    wavfile.write(root / "b" / "fast.wav", 8000, np.ones(8000, np.int16))
    for stream in (False, True):
        with pytest.raises(
            DataError, match=r"one sample rate\. Received: .*fast\.wav with 8000 Hz, where 10 of 11 have"
        ):
            load_dataset(root, kind="audio", stream=stream)


def _raises(error, message, source, **options):
    with pytest.raises(error, match=message) as caught:
        load_dataset(source, stream=True, **options)
    assert "\n" not in str(caught.value)


def test_what_does_not_stream_is_said(tmp_path):
    np.savez(tmp_path / "set.npz", x=X, y=Y)
    for source in ("digits", tmp_path / "set.npz", tmp_path / "nothing"):
        _raises(DataError, "What streams is a folder: .*Received: .*Unzip an .npz to get such a folder", source)
    for kind in ("table", "text", "interactions"):
        _raises(UserError, rf"What streams are image, audio, sequence\. Received: .*kind='{kind}'", tmp_path, kind=kind)
    _raises(DataError, "Sequences stream from a folder that holds x_train.npy", tmp_path, kind="sequence")
    _raises(UserError, "What streams are", tmp_path, kind="table", target="price")


def test_arrays_that_cannot_be_used_are_said(tmp_path):
    folder = arrays(tmp_path / "a", x_train=X)
    _raises(DataError, r"Samples and labels belong together\. Received: .* without y_train\.npy", folder)
    folder = arrays(tmp_path / "b", x=X, y=Y, x_test=X)
    _raises(DataError, r"Received: .* without y_test\.npy", folder)
    (folder / "x.npy").write_bytes(b"nothing")
    _raises(DataError, r"must be a readable \.npy .*Received: .*x\.npy \(.*numpy\.save", folder)
    folder = arrays(tmp_path / "c", x=np.float32(1), y=Y)
    _raises(DataError, r"shape \(n, \.\.\.\)\. Received: .*x\.npy of one value", folder)
    folder = arrays(tmp_path / "d", x=X, y=Y[1:])
    _raises(DataError, r"must have the same length\. Received: 30 images, 29 labels", folder)
    folder = arrays(tmp_path / "e", x=X, y=Y * 0)
    _raises(DataError, "At least two classes are needed", folder)
    folder = arrays(tmp_path / "f", x=X, y=Y, x_test=X[:, :3], y_test=Y)
    _raises(DataError, r"shape of `x_train`, \(4, 5, 1\)\. Received: \(3, 5, 1\)", folder)
    (folder / "x.npy").write_bytes((folder / "x.npy").read_bytes()[:-50])
    _raises(DataError, r"must be a readable \.npy", folder)


def test_pickled_objects_are_never_loaded(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", np.array([{}] * 30), allow_pickle=True)
    _raises(DataError, r"of numbers or strings\. Received: .*y\.npy", folder)


def test_mapped_samples_have_digests_of_their_own():
    digests = MappedArray(np.stack([X[0], X[1], X[0]])).digests
    assert digests.shape == (3, 16) and (digests[0] == digests[2]).all() and (digests[0] != digests[1]).any()


def test_files_are_hashed_by_their_content(tmp_path):
    contents = [b"", b"one", b"one", b"x" * 3_000_000]
    files = [tmp_path / str(number) for number in range(4)]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    digests = digests_of_files(files)
    assert len(np.unique(digests, axis=0)) == 3 and (digests[1] == digests[2]).all()


def test_threads_read_at_a_time_and_leave_the_filters_of_warnings(tmp_path):
    dataset = load_dataset(pictures(tmp_path / "set", number=10), stream=True)
    before, whole, found = list(warnings.filters), dataset.x_train[:], []
    threads = [threading.Thread(target=lambda: found.append(dataset.x_train[:])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(np.array_equal(each, whole) for each in found)
    assert list(warnings.filters) == before


def test_real_sounds_stream(shared_data, tmp_path):
    with np.load(shared_data / "fsdd.npz") as raw:
        audio, offsets, labels = (raw[name] for name in ("audio", "offsets", "label"))
    for index in range(0, 3000, 100):
        folder = tmp_path / str(labels[index] % 3)
        folder.mkdir(exist_ok=True)
        wavfile.write(folder / f"{index}.wav", 8000, audio[offsets[index] : offsets[index + 1]])
    same(load_dataset(tmp_path, kind="audio", stream=True), load_dataset(tmp_path, kind="audio"))
