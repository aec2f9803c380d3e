"""Every source that loads, and the text of every refusal."""

import dataclasses
import hashlib
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from hwkeras.data import DataWarning
from hwkeras.data import fingerprint
from hwkeras.data import load_dataset
from hwkeras.errors import DataError
from hwkeras.errors import UserError

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (20, 4, 5), np.uint8)
Y = np.arange(20) % 2


def _save(folder, **arrays):
    path = folder / "set.npz"
    np.savez(path, **arrays)
    return str(path)


def _image(path, size=(6, 4), mode="RGB", value=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    color = value if mode in ("L", "I;16") else (value,) * len(mode)
    Image.new(mode, size, color).save(path)


def _folder(root, mode="RGB", suffixes=(".png",)):
    for number, name in enumerate(("cat", "dog")):
        for index in range(4):
            path = root / name / f"{index}{suffixes[index % len(suffixes)]}"
            _image(path, mode=mode, value=124 + 4 * number + index)
    return root


def test_digits():
    dataset = load_dataset("digits")
    assert dataset.input_shape == (8, 8, 1) and dataset.num_classes == 10 and dataset.name == "digits"
    assert len(dataset.x_train) + len(dataset.x_valid) == 1797 and len(dataset.x_valid) == 359
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0.0, 1.0)
    assert dataset.x_train.dtype == np.float32 and dataset.y_train.dtype == np.int64
    assert dataset.x_test is None and dataset.y_test is None
    assert dataset.class_names == tuple("0123456789") and dataset.preprocessing["scale"] == 1 / 16


def test_the_same_arguments_give_the_same_data_and_another_seed_another_split():
    first, again, other = load_dataset("digits"), load_dataset("digits"), load_dataset("digits", seed=1)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert np.array_equal(first.x_valid, again.x_valid)


def test_real_fashion_mnist():
    path = SHARED / "fashion_mnist_20k.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    dataset = load_dataset(str(path))
    assert dataset.x_train.shape == (16000, 28, 28, 1) and dataset.x_valid.shape == (4000, 28, 28, 1)
    assert dataset.x_test.shape == (10000, 28, 28, 1) and dataset.name == "fashion_mnist_20k"
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0.0, 1.0)
    assert np.bincount(dataset.y_valid).tolist() == [400] * 10
    with np.load(path) as raw:
        assert np.array_equal(np.rint(dataset.x_test[..., 0] * 255).astype(np.uint8), raw["x_test"])
    assert dataset.fingerprint == load_dataset(path).fingerprint


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("x", "y")])
def test_archive_of_bytes(tmp_path, names):
    dataset = load_dataset(_save(tmp_path, **dict(zip(names, (X, Y), strict=True))))
    assert dataset.x_train.shape == (16, 4, 5, 1) and dataset.x_valid.shape == (4, 4, 5, 1)
    assert dataset.preprocessing == {"scale": 1 / 255, "channel_axis_added": True}
    assert 0.9 < dataset.x_train.max() <= 1.0


def test_archive_with_a_test_part_which_is_not_used_for_validation(tmp_path):
    other = X[:6] ^ 1
    dataset = load_dataset(_save(tmp_path, x_train=X, y_train=Y, x_test=other, y_test=Y[:6]))
    assert len(dataset.x_train) + len(dataset.x_valid) == 20
    assert np.allclose(dataset.x_test[..., 0], other / 255) and dataset.y_test.tolist() == Y[:6].tolist()


@pytest.mark.parametrize(
    "x, scale",
    [
        (X / 255, 1.0),
        (X.astype(np.float64), 1 / 255),
        (X.astype(np.int32), 1 / 255),
        (X / 255 * 2 - 1, 1.0),
        (X.astype(np.float32) + 0.5, 1.0),
        (X > 128, 1.0),
        ((X > 128).astype(np.uint8), 1 / 255),
        (X.astype(np.uint16) * 257, 1.0),
    ],
    ids=["unit", "float bytes", "int32 bytes", "centered", "halves", "bool", "uint8 of 0 and 1", "uint16"],
)
def test_scale_of_pixels(tmp_path, x, scale):
    dataset = load_dataset(_save(tmp_path, x=x, y=Y))
    assert dataset.preprocessing["scale"] == scale and dataset.x_train.dtype == np.float32


def test_color_images_and_string_labels_that_do_not_start_from_zero(tmp_path):
    dataset = load_dataset(_save(tmp_path, x=np.stack([X] * 3, axis=-1), y=np.array(["dog", "cat"])[Y]))
    assert dataset.input_shape == (4, 5, 3) and dataset.class_names == ("cat", "dog")
    assert dataset.preprocessing["channel_axis_added"] is False
    assert load_dataset(_save(tmp_path, x=X, y=Y + 5)).class_names == ("5", "6")


def test_one_hot_labels(tmp_path):
    dataset = load_dataset(_save(tmp_path, x_train=X, y_train=np.eye(2)[Y], x_test=X ^ 1, y_test=np.eye(2)[Y]))
    assert np.bincount(dataset.y_train).tolist() == [8, 8] and dataset.y_test.tolist() == Y.tolist()


def test_values_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_dataset("digits").name = "other"


def test_folder_of_images_of_all_formats(tmp_path):
    dataset = load_dataset(_folder(tmp_path / "pets", suffixes=(".png", ".JPG", ".bmp", ".gif")))
    assert dataset.input_shape == (4, 6, 3) and dataset.class_names == ("cat", "dog") and dataset.name == "pets"
    assert np.allclose(dataset.x_train, 128 / 255, atol=0.02)
    notes = {"image_size": [4, 6], "color": "rgb", "num_resized": 0}
    assert dataset.preprocessing == {"scale": 1 / 255, "channel_axis_added": False, **notes}


def test_folder_of_gray_images(tmp_path):
    root = _folder(tmp_path, mode="L")
    assert load_dataset(root).input_shape == (4, 6, 1)
    _image(root / "cat" / "color.png", value=90)
    assert load_dataset(root).input_shape == (4, 6, 3)


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    for number, name in enumerate(("a", "b")):
        for index in range(3):
            _image(tmp_path / name / f"{index}.png", mode="I;16", value=0x7D00 + 0x100 * (3 * number + index))
    assert np.allclose(load_dataset(tmp_path).x_train, 128 / 255, atol=0.02)


def test_sizes_become_the_most_common_or_the_wanted(tmp_path):
    root = _folder(tmp_path)
    _image(root / "cat" / "large.png", size=(30, 20), value=90)
    dataset = load_dataset(root)
    assert dataset.input_shape == (4, 6, 3) and dataset.preprocessing["num_resized"] == 1
    assert load_dataset(root, image_size=(8, 9)).input_shape == (8, 9, 3)


def test_other_files_and_hidden_folders_are_passed_over(tmp_path):
    root = _folder(tmp_path)
    (root / "cat" / "notes.txt").write_text("no image")
    (root / ".cache").mkdir()
    (root / "README").write_text("no class")
    with pytest.warns(DataWarning, match="1 file in class folders passed over, such as cat/notes.txt: images are .png"):
        dataset = load_dataset(root)
    assert dataset.num_classes == 2 and len(dataset.preprocessing["notes"]) == 1


def _raises(source, message, error=DataError, **options):
    with pytest.raises(error, match=message) as caught:
        load_dataset(source, **options)
    assert "\n" not in str(caught.value)


def test_missing_source(tmp_path):
    _raises(str(tmp_path / "no.npz"), r"Data are one of digits, mnist, .*no\.npz', and there is no such file or folder")
    _raises("digitz", "Received: 'digitz', and there is no such file or folder")


def test_folder_without_class_folders(tmp_path):
    _image(tmp_path / "a.png")
    _raises(tmp_path, "must hold one folder for each class, with its images. Received: .* without folders")


def test_class_folder_without_images(tmp_path):
    root = _folder(tmp_path)
    (root / "emu").mkdir()
    (root / "emu" / "notes.txt").write_text("no image")
    _raises(root, r"Every class folder must hold images \(.png, .*Received: .*emu with none")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_image(tmp_path, content):
    root = _folder(tmp_path)
    (root / "dog" / "broken.png").write_bytes(content)
    _raises(root, r"Every image must be readable. Received: .*broken\.png \(.*Remove it, or save it again")


def test_truncated_image(tmp_path):
    root = _folder(tmp_path)
    path = root / "dog" / "0.png"
    path.write_bytes(path.read_bytes()[:-30])
    _raises(root, r"Every image must be readable. Received: .*0\.png")


def test_one_class_only(tmp_path):
    _raises(_save(tmp_path, x=X, y=np.full(20, 7)), "At least two classes are needed. Received: only '7' in 20 labels")


def test_lengths_that_differ(tmp_path):
    _raises(_save(tmp_path, x=X, y=Y[1:]), "must have the same length. Received: 20 images, 19 labels")
    _raises(_save(tmp_path, x=X, y=np.array(1)), "Received: 20 images, 0 labels")
    _raises(_save(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y[1:]), "`x_test` and `y_test` must have the same")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite(tmp_path, value):
    x = X / 255
    x[0, 0, :2] = value
    _raises(
        _save(tmp_path, x=x, y=Y), "Pixels of `x_train` must be finite. Received: 2 values that are NaN or infinite"
    )


def test_wrong_rank_and_empty(tmp_path):
    _raises(
        _save(tmp_path, x=X.reshape(20, 20), y=Y),
        r"must have the shape \(n, height, width\).*Received: \(20, 20\)",
        kind="image",
    )
    _raises(_save(tmp_path, x=X[:0], y=Y[:0]), r"at least one image. Received: shape \(0, 4, 5\)")
    _raises(_save(tmp_path, x=X[:, :0], y=Y), r"at least one image. Received: shape \(20, 0, 5\)")


def test_pixels_that_are_no_numbers(tmp_path):
    _raises(_save(tmp_path, x=X.astype(str), y=Y), "`x_train` must hold numbers. Received: dtype <U3")


def test_float_labels(tmp_path):
    _raises(
        _save(tmp_path, x=X, y=Y + 0.5), r"Labels must be whole numbers, strings or one-hot. Received: dtype float64"
    )


def test_labels_of_the_test_part_that_training_does_not_know(tmp_path):
    _raises(_save(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y + 1), r"classes of the training labels \(0, 1\)")


def test_test_images_of_another_shape(tmp_path):
    arrays = {"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y}
    _raises(_save(tmp_path, **arrays), r"shape of `x_train`, \(4, 5, 1\). Received: \(3, 5, 1\)")


def test_pickled_objects_are_never_loaded(tmp_path):
    _raises(
        _save(tmp_path, x=X, y=np.array([{}] * 20)), "pickled objects are never loaded. Received: 'y' of dtype object"
    )


def test_missing_keys(tmp_path):
    _raises(_save(tmp_path, images=X, y_train=Y), r"must hold x_train and y_train.*with images, y_train")
    _raises(
        _save(tmp_path, x_train=X, y_train=Y, x_test=X), "x_test and y_test belong together. Received: .* x_test only"
    )


def test_not_an_archive(tmp_path):
    path = tmp_path / "text.npz"
    path.write_text("not a zip")
    _raises(path, "must be an .npz archive .*text.npz, which is not one")
    np.save(tmp_path / "a.npy", X)
    _raises(tmp_path / "a.npy", "must be an .npz archive")


def test_corrupt_archive(tmp_path):
    path = pathlib.Path(_save(tmp_path, x=X, y=Y))
    content = bytearray(path.read_bytes())
    content[150:300] = b"\xff" * 150
    path.write_bytes(bytes(content))
    _raises(path, r"The archive must be readable. Received: .*set\.npz, corrupt")


@pytest.mark.parametrize("size", [8, (8,), (0, 8), (8.0, 8), "8x8"])
def test_image_size_that_is_none(size):
    _raises("digits", r"`image_size` must be \(height, width\) in pixels. Received: ", UserError, image_size=size)


def test_share_outside_its_range():
    _raises("digits", r"must be in \(0, 1\). Received: 1.5", UserError, validation_share=1.5)


def test_a_keras_data_set(monkeypatch, capsys):
    import keras

    def load_data():
        print("Downloading data from ...")
        return (X, Y[:, None]), (X[:5] ^ 1, Y[:5, None])

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    dataset = load_dataset("cifar10")
    assert dataset.name == "cifar10" and dataset.preprocessing["scale"] == 1 / 255 and len(dataset.y_test) == 5
    assert capsys.readouterr().out == ""


def test_a_keras_data_set_without_a_network(monkeypatch):
    import keras

    def load_data():
        raise Exception("URL fetch failure on https://...: None -- unreachable\nmore")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
    _raises(
        "mnist", "'mnist' must be downloaded once. Received: URL fetch failure.*Without a network pass your own .npz"
    )


def test_fingerprint_tells_values_dtypes_shapes_and_order():
    x = np.arange(6, dtype=np.int32)
    assert fingerprint(x) == fingerprint(x.copy()) and len(fingerprint(x)) == 64
    variants = [(x,), (x + 1,), (x.astype(np.int64),), (x.reshape(2, 3),), (x, x), (x, None), (None, x), ()]
    assert len({fingerprint(*variant) for variant in variants}) == len(variants)
    grid = x.reshape(2, 3)
    assert fingerprint(np.asfortranarray(grid)) == fingerprint(grid) == fingerprint(grid.astype(">i4"))
    assert fingerprint(np.array([1, 2], "<i4")) == hashlib.sha256(b"<i4(2,);\1\0\0\0\2\0\0\0").hexdigest()


def test_fingerprint_of_objects():
    with pytest.raises(DataError, match="arrays of numbers or strings. Received: dtype object"):
        fingerprint(np.array([None]))


def test_no_tensorflow_is_imported():
    program = (
        "import sys\nfrom hwkeras.data import load_dataset\nload_dataset('digits')\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
