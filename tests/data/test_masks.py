"""A class for every pixel: arrays and folders of images and masks."""

import numpy as np
import pytest
from PIL import Image

from hwkeras.data import load_dataset
from hwkeras.errors import DataError
from hwkeras.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::hwkeras.data.DataWarning")


def arrays(number=10, size=(6, 8), classes=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (number, *size, 3)).astype("uint8")
    y = rng.integers(0, classes, (number, *size))
    return x, y


def archive(tmp_path, **content):
    path = tmp_path / "shapes.npz"
    np.savez(path, **content)
    return str(path)


def folder(tmp_path, x, y, masks="png", images="png"):
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for number, (image, mask) in enumerate(zip(x, y, strict=True)):
        Image.fromarray(image).save(tmp_path / "set" / "images" / f"a{number}.{images}")
        Image.fromarray(mask.astype("uint8")).save(tmp_path / "set" / "masks" / f"a{number}.{masks}")
    return tmp_path / "set"


def test_arrays(tmp_path):
    x, y = arrays()
    x_test, y_test = arrays(4, seed=1)
    dataset = load_dataset(archive(tmp_path, x=x, y=y, x_test=x_test, y_test=y_test[..., None]), kind="masks")
    assert (dataset.input_shape, dataset.num_classes, dataset.class_names) == ((6, 8, 3), 3, ("0", "1", "2"))
    assert dataset.x_train.dtype == np.float32 and dataset.y_train.dtype == np.uint8
    assert (dataset.y_train.shape, dataset.y_valid.shape, dataset.y_test.shape) == ((8, 6, 8), (2, 6, 8), (4, 6, 8))
    np.testing.assert_array_equal(dataset.y_test, y_test)
    # Every mask stays with its image, and each is in one of the parts.
    for images, masks in ((dataset.x_train, dataset.y_train), (dataset.x_valid, dataset.y_valid)):
        for image, mask in zip(images, masks, strict=True):
            (place,) = [n for n in range(10) if np.allclose(x[n] / 255, image, atol=1e-6)]
            np.testing.assert_array_equal(y[place], mask)
    again = load_dataset(archive(tmp_path, x=x, y=y.astype("float64"), x_test=x_test, y_test=y_test), kind="masks")
    assert again.fingerprint == dataset.fingerprint
    other = load_dataset(archive(tmp_path, x=x, y=(y + 1) % 3), kind="masks")
    assert other.fingerprint != dataset.fingerprint


def test_groups_stay_together(tmp_path):
    x, y = arrays()
    dataset = load_dataset(archive(tmp_path, x=x[..., 0], y=y, groups=np.arange(10) // 2), kind="masks")
    assert dataset.input_shape == (6, 8, 1)
    places = [int(np.flatnonzero([np.array_equal(mask, other) for other in y])[0]) for mask in dataset.y_valid]
    assert len(places) == 2 and places[0] // 2 == places[1] // 2


def test_many_classes_are_wider_numbers(tmp_path):
    x = np.zeros((4, 20, 20), "uint8")
    y = np.arange(1600).reshape(4, 20, 20) % 400
    dataset = load_dataset(archive(tmp_path, x=x, y=y), kind="masks")
    assert dataset.num_classes == 400 and dataset.y_train.dtype == np.int32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda x, y: (x, y[:9]),
            r"a mask for every image, as large as it. Received: `x_train` of shape \(10, 6, 8",
        ),
        (lambda x, y: (x, y[:, :5]), r"as large as it. Received: .* `y_train` of shape \(10, 5, 8\)"),
        (lambda x, y: (x, y[:, 0, 0]), r"a number for every pixel, of shape \(n, height, width\).*shape \(10,\). For"),
        (lambda x, y: (x, y.astype(str)), "a number for every pixel.* Received: dtype <U"),
        (lambda x, y: (x, y * 0.5), "Masks must hold whole numbers. Received: dtype float64, such as 0.5. Round them"),
        (lambda x, y: (x, y / 0.0 * 0), "Masks must hold whole numbers. Received: dtype float64, such as nan"),
        (lambda x, y: (x, y - 1), "Masks must hold numbers of classes, 0 or more. Received: -1."),
        (lambda x, y: (x, (y > 0) * 255), "without a gap. Received: masks of 0, 255, without 1. Number them anew"),
        (
            lambda x, y: (x, y * 40 + np.arange(8)),
            "without a gap. Received: masks of 0, 1, 2, 3, 4, 5, ..., without 8",
        ),
        (lambda x, y: (x, y * 0), "At least two classes are needed. Received: only '0' in 10 labels."),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_masks_that_cannot_be_used(tmp_path, change, said):
    x, y = change(*arrays())
    with pytest.raises(DataError, match=said):
        load_dataset(archive(tmp_path, x=x, y=y), kind="masks")


def test_a_class_that_is_tested_alone(tmp_path):
    x, y = arrays()
    path = archive(tmp_path, x=x, y=y, x_test=x, y_test=y + 1)
    with pytest.raises(DataError, match="of one of the 3 classes of the training masks, 0 to 2. Received: 3."):
        load_dataset(path, kind="masks")


def test_masks_are_no_numbers_to_predict(tmp_path):
    with pytest.raises(UserError, match="Masks are of classes. Received: kind='masks' and task='regression'."):
        load_dataset("any.npz", kind="masks", task="regression")
    with pytest.raises(DataError, match="Masks are read from an .npz file, or a folder that holds images/ and masks/"):
        load_dataset(str(tmp_path / "none.npz"), kind="masks")
    with pytest.raises(UserError, match="What streams are image, audio, sequence. Received: .*kind='masks'"):
        load_dataset(str(tmp_path), kind="masks", stream=True)


def test_a_folder_is_the_arrays_it_holds(tmp_path):
    x, y = arrays()
    of_files = load_dataset(folder(tmp_path, x, y, masks="bmp"), kind="masks")
    of_arrays = load_dataset(archive(tmp_path, x=x, y=y), kind="masks")
    assert of_files.fingerprint == of_arrays.fingerprint
    assert of_files.preprocessing["image_size"] == [6, 8]


def test_palettes_bits_and_wide_numbers_are_taken_as_they_are(tmp_path):
    x, y = arrays(4, classes=2)
    path = folder(tmp_path, x, y)
    masks = sorted((path / "masks").iterdir())
    palette = Image.fromarray(y[0].astype("uint8"))
    palette = Image.frombytes("P", palette.size, palette.tobytes())
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(masks[0])
    Image.fromarray(y[1].astype(bool)).save(masks[1])
    Image.fromarray(y[2].astype("uint16")).save(masks[2])
    dataset = load_dataset(path, kind="masks")
    found = np.concatenate([dataset.y_train, dataset.y_valid])
    assert sorted(mask.tobytes() for mask in found) == sorted(mask.astype("uint8").tobytes() for mask in y)


def test_pairs_of_other_sizes_are_resized_without_mixing_classes(tmp_path):
    x, y = arrays(4)
    path = folder(tmp_path, x, y)
    Image.fromarray(x[0]).resize((16, 12)).save(path / "images" / "a0.png")
    large = np.repeat(np.repeat(y[0] * 2 % 3, 2, axis=0), 2, axis=1).astype("uint8")
    Image.fromarray(large).save(path / "masks" / "a0.png")
    dataset = load_dataset(path, kind="masks")
    assert dataset.preprocessing["num_resized"] == 1
    masks = [mask.tobytes() for mask in np.concatenate([dataset.y_train, dataset.y_valid])]
    assert (y[0] * 2 % 3).astype("uint8").tobytes() in masks
    smaller = load_dataset(path, kind="masks", image_size=(3, 4))
    assert smaller.input_shape == (3, 4, 3) and smaller.y_train.shape[1:] == (3, 4)
    assert set(np.unique(smaller.y_train)) <= {0, 1, 2}


def test_images_that_are_there_twice_are_told(tmp_path):
    x, y = arrays(6)
    x[3] = x[1]
    dataset = load_dataset(folder(tmp_path, x, y), kind="masks")
    assert any("are equal to one" in note and "images/a1.png" in note for note in dataset.preprocessing["notes"])


def spoil_stem(path):
    (path / "masks" / "a1.png").rename(path / "masks" / "b1.png")


def spoil_extra(path):
    Image.new("L", (8, 6)).save(path / "masks" / "c.png")


def spoil_twice(path):
    Image.new("L", (8, 6)).save(path / "masks" / "a1.bmp")


def spoil_size(path):
    Image.new("L", (8, 7)).save(path / "masks" / "a1.png")


def spoil_colors(path):
    Image.new("RGB", (8, 6)).save(path / "masks" / "a1.png")


def spoil_content(path):
    (path / "masks" / "a1.png").write_bytes(b"none")


def spoil_suffixes(path):
    for file in (path / "masks").iterdir():
        file.rename(file.with_suffix(".jpg"))


def spoil_folder(path):
    (path / "masks").rename(path / "labels")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_stem, r"called the same. Received: 1 of 4 files of .*images without one in masks/ .*such as a1.png"),
        (spoil_extra, r"called the same. Received: 1 of 5 files of .*masks without one in images/ .*such as c.png"),
        (spoil_twice, "must differ in more than their suffix. Received: a1.bmp, a1.png in .*masks. Remove all but one"),
        (spoil_size, "as large as its image. Received: .*a1.png of 8x7, for an image of 8x6."),
        (spoil_colors, "one number for each pixel: gray, or with a palette. Received: .*a1.png of mode RGB. Save"),
        (spoil_content, "Every image must be readable. Received: .*masks/a1.png"),
        (
            spoil_suffixes,
            r"must hold images/ and masks/, .* \(.png, .bmp, .*in masks/\). Received: .*masks, with none",
        ),
        (spoil_folder, "must hold images/ and masks/, .* Received: .*masks, which is not there."),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, spoil, said):
    path = folder(tmp_path, *arrays(4))
    load_dataset(path, kind="masks")
    spoil(path)
    with pytest.raises(DataError, match=said):
        load_dataset(path, kind="masks")
