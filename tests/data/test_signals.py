import pathlib

import numpy as np
import pytest

from hwkeras.data import load_dataset
from hwkeras.errors import DataError
from hwkeras.errors import UserError

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
RNG = np.random.default_rng(0)
X = RNG.normal((1.0, -50.0, 0.0), (0.1, 20.0, 0.0), size=(30, 12, 3)).astype("float16")
Y = np.arange(30) % 3


def save(tmp_path, **arrays):
    np.savez(tmp_path / "signals.npz", **arrays)
    return tmp_path / "signals.npz"


def load(tmp_path, **arrays):
    return load_dataset(save(tmp_path, **arrays), kind="sequence")


def test_each_channel_is_standardized_by_the_training_part(tmp_path):
    dataset = load(tmp_path, x_train=X, y_train=Y, x_test=X[:6] + 1, y_test=Y[:6])
    assert dataset.input_shape == (12, 3)
    assert dataset.x_train.dtype == np.float32
    np.testing.assert_allclose(dataset.x_train.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(dataset.x_train.std(axis=(0, 1)), [1, 1, 0], atol=1e-5)
    mean, deviation = (np.array(dataset.preprocessing[name]) for name in ("mean", "deviation"))
    assert deviation[2] == 1.0  # a channel that never changes is not blown up
    np.testing.assert_allclose(dataset.x_test * deviation + mean, X[:6].astype("float32") + 1, atol=0.1)


def test_a_channel_axis_is_added_and_told(tmp_path):
    dataset = load(tmp_path, x=X[..., 0], y=Y)
    assert dataset.input_shape == (12, 1)
    assert dataset.preprocessing["channel_axis_added"] is True


def test_nobody_is_on_both_sides_of_the_split(tmp_path):
    # Each sample says whom it is of.
    groups = np.repeat(np.arange(5), 6)
    x = np.broadcast_to(groups[:, None, None], (30, 12, 1)).astype("float32")
    dataset = load(tmp_path, x_train=x, y_train=Y, groups_train=groups)
    trained, held = (set(np.round(part[:, 0, 0], 4)) for part in (dataset.x_train, dataset.x_valid))
    assert not trained & held
    assert len(trained) == 4
    assert len(held) == 1


@pytest.mark.skipif(not (SHARED / "GunPoint.npz").is_file(), reason="the data are not beside the repository")
@pytest.mark.parametrize(("name", "shape", "num_classes"), [("GunPoint", (150, 1), 2), ("BasicMotions", (100, 6), 4)])
def test_real_series_are_read(name, shape, num_classes):
    dataset = load_dataset(SHARED / f"{name}.npz", kind="sequence")
    assert dataset.input_shape == shape
    assert dataset.num_classes == num_classes
    assert len(dataset.x_test) == len(dataset.y_test) > 0


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X[0, 0], r"`x_train` must have the shape \(n, steps\) or \(n, steps, channels\). Received: \(3,\)"),
        (X[:0], r"`x_train` must hold at least one sequence. Received: shape \(0, 12, 3\)"),
        (np.where(X > 0, np.nan, X), "Values of `x_train` must be finite. Received: .* NaN or infinite. Fill or drop"),
        (X.astype(str), "`x_train` must hold numbers. Received: dtype <U"),
        (X[:9], "`x_train` and `y_train` must have the same length. Received: 9 sequences, 30 labels"),
    ],
)
def test_other_arrays_are_refused(tmp_path, x, said):
    with pytest.raises(DataError, match=said):
        load(tmp_path, x_train=x, y_train=Y)


def test_groups_of_another_length_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"There must be a group for each sample, and two .* groups of shape \(4,\)"):
        load(tmp_path, x_train=X, y_train=Y, groups_train=np.arange(4))


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match="`kind` must be one of image, masks, sequence.* Received: kind='video'"):
        load_dataset(save(tmp_path, x=X, y=Y), kind="video")


def test_sequences_in_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="Sequences are read from an .npz file. Received: "):
        load_dataset(tmp_path, kind="sequence")
