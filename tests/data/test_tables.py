"""Tables as data sets: tasks, targets, the split, what is told, and the text of every refusal."""

import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.datasets import load_wine

from hwkeras.data import TableEncoder
from hwkeras.data import load_dataset
from hwkeras.errors import DataError
from hwkeras.errors import UserError

RNG = np.random.default_rng(0)


def write(tmp_path, **columns):
    path = tmp_path / "table.csv"
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines))
    return path


def load(path, **options):
    return load_dataset(path, kind="table", **options)


def test_real_numbers_are_a_regression_in_their_own_unit(tmp_path):
    bunch = load_diabetes(scaled=False)
    columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
    dataset = load(write(tmp_path, **columns, progress=bunch.target))
    assert (dataset.task, dataset.num_classes, dataset.class_names) == ("regression", 1, ())
    assert dataset.input_shape == (10,) and len(dataset.x_valid) == 88
    assert dataset.y_train.dtype == np.float32 and dataset.y_train.shape == (354,)
    everything = np.concatenate([dataset.y_train, dataset.y_valid])
    np.testing.assert_array_equal(np.sort(everything), np.sort(bunch.target.astype("float32")))
    # Held back from each tenth alike.
    tenths = np.quantile(everything, np.linspace(0, 1, 11)[1:-1])
    counts = np.bincount(np.searchsorted(tenths, dataset.y_valid), minlength=10)
    assert counts.min() >= 6 and counts.max() <= 12
    # Fitted on the training part alone.
    np.testing.assert_allclose(dataset.x_train.mean(axis=0), 0, atol=1e-5)
    assert np.abs(dataset.x_valid.mean(axis=0)).max() > 1e-3


def test_words_are_classes_and_the_manifest_can_do_it_again(tmp_path):
    bunch = load_wine()
    columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
    dataset = load(write(tmp_path, kind=bunch.target_names[bunch.target], **columns), target="kind")
    assert dataset.task == "classification" and dataset.class_names == ("class_0", "class_1", "class_2")
    assert dataset.y_train.dtype == np.int64 and np.bincount(dataset.y_valid).tolist() == [12, 14, 10]
    encoder = TableEncoder.from_json(json.loads(json.dumps(dataset.preprocessing))["encoder"])
    assert dataset.preprocessing["features"] == list(bunch.feature_names) == list(encoder.feature_names)
    vectors = encoder([dict(zip(bunch.feature_names, row, strict=True)) for row in bunch.data])
    known = {tuple(row) for row in np.concatenate([dataset.x_train, dataset.x_valid]).tolist()}
    assert {tuple(row) for row in vectors.tolist()} == known


@pytest.mark.parametrize(
    ("targets", "task", "num_classes"),
    [
        (["1", "0"] * 10, "classification", 2),
        (["1.0", "0.0"] * 10, "classification", 2),
        (list(range(20)) * 2, "classification", 20),
        (list(range(21)) * 2, "regression", 1),
        (["0.5", "1"] * 10, "regression", 1),
        (["yes", "no"] * 10, "classification", 2),
        (["1", "b"] * 10, "classification", 2),
        ([1e300, 2, 3], None, None),
    ],
)
def test_the_task_that_targets_suggest(tmp_path, targets, task, num_classes):
    path = write(tmp_path, a=RNG.normal(size=len(targets)), y=targets)
    if task is None:
        with pytest.raises(
            DataError, match="finite number for every sample. Received: 1 without, the first is number 0"
        ):
            load(path)
        return
    dataset = load(path)
    assert (dataset.task, dataset.num_classes) == (task, num_classes)


def test_the_task_can_be_said(tmp_path):
    path = write(tmp_path, a=RNG.normal(size=40), y=[0, 1, 2, 3] * 10)
    assert load(path).task == "classification"
    assert load(path, task="regression").y_valid.dtype == np.float32
    path = write(tmp_path, a=RNG.normal(size=40), y=[0.5, 1.5] * 20)
    assert load(path, task="classification").class_names == ("0.5", "1.5")
    with pytest.raises(UserError, match="`task` must be one of classification, regression. Received: task='ranking'"):
        load(path, task="ranking")


def test_arrays(tmp_path):
    path = tmp_path / "set.npz"
    x = RNG.normal(size=(40, 3))
    x[3, 1] = np.nan
    np.savez(path, x_train=x, y_train=x[:, 0] * 100, x_test=x[:4], y_test=x[:4, 0] * 100)
    dataset = load(path)
    assert (
        dataset.task == "regression" and dataset.y_test.dtype == np.float32 and dataset.x_test.shape[1:] in ((3,), (4,))
    )
    assert dataset.preprocessing["notes"][0].startswith("4 of 4 test rows are equal to a training row")
    np.savez(path, x=x, y=np.arange(40) % 3)
    assert load(path).num_classes == 3
    np.savez(path, x=x, y=np.arange(40))
    assert load(path).task == "regression"
    np.savez(path, x=x, y=np.array(["a", "b"] * 20))
    assert load(path).class_names == ("a", "b")
    np.savez(path, x=x, y=np.where(x[:, 0] > 0, np.nan, x[:, 0]))
    with pytest.raises(DataError, match="What is to be predicted must be a finite number for every sample. Received: "):
        load(path)
    with pytest.raises(
        UserError, match="`target` names a column of a CSV or Parquet file. Received: target='y' for .*np"
    ):
        load(path, target="y")


def test_numbers_of_other_kinds_of_data(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x=RNG.normal(size=(20, 12)), y=np.linspace(0, 1, 20))
    dataset = load_dataset(path, kind="sequence", task="regression")
    assert dataset.task == "regression" and dataset.num_classes == 1
    with pytest.raises(
        UserError, match="`target` names a column of a table. Received: target='y' and kind='sequence'."
    ):
        load_dataset(path, kind="sequence", target="y")
    np.savez(path, x=RNG.normal(size=(20, 12)), y=np.array(["a", "b"] * 10))
    with pytest.raises(
        DataError, match=r"must be one number a sample. Received: dtype <U1, shape \(20,\). For classes"
    ):
        load_dataset(path, kind="sequence", task="regression")


def test_what_is_told(tmp_path):
    rows = 40
    path = write(tmp_path, same=[1] * rows, a=[1, 2] * 20, b=["x", "y"] * 20, y=["p", "q"] * 20)
    notes = load(path).preprocessing["notes"]
    assert notes[0] == "Column 'same' is left out: the same value in every row."
    assert notes[1].startswith("8 of 8 validation rows are equal to a training row (the target aside)")
    path = write(tmp_path, a=RNG.normal(size=rows), y=["p", "q"] * 20)
    assert load(path).preprocessing["notes"] == []


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        (
            {"a": [1, 2], "y": [1, 2]},
            {"target": "z"},
            "The target must be a column of the table. Received: target='z' f",
        ),
        ({"y": [1, 2]}, {}, "A table must hold a column beside the target. Received: .*table.csv with 'y' alone."),
        (
            {"a": [1, 2, 3], "y": [1, "", "NaN"]},
            {},
            r"Every row must have a value in the target column 'y'. Received: 2 without, the first in row 1 .from 0",
        ),
        (
            {"a": [1, 2, 3], "y": ["1", "red", "2"]},
            {"task": "regression"},
            r"A number to predict must be a number. Received: 'red' in column 'y', row 1 \(from 0\). Pass task='class",
        ),
        (
            {"a": [1, 2, 3], "y": ["k1", "k2", "k3"]},
            {},
            "A class must have several rows. Received: column 'y' with another value in each of 3 rows. Pass another",
        ),
        ({"a": [1, 2, 3], "y": [5, 5, 5]}, {}, "At least two classes are needed. Received: only '5' in 3 labels."),
        (
            {"a": [1, 2, 3], "y": [5, 5, 5]},
            {"task": "regression"},
            "Numbers to be predicted must differ. Received: 5 for all of 3 samples.",
        ),
        (
            {"a": [1, 1, 1], "y": ["p", "q", "p"]},
            {},
            r"One column at least must tell rows apart. Received: a \(the same",
        ),
    ],
)
def test_tables_that_cannot_be_learned_from(tmp_path, columns, options, said):
    with pytest.raises(DataError, match=said) as caught:
        load(write(tmp_path, **columns), **options)
    assert "\n" not in str(caught.value)


def test_arrays_that_are_no_table(tmp_path):
    path = tmp_path / "set.npz"
    for x, said in (
        (
            np.zeros((4, 2, 2)),
            r"`x_train` must hold numbers of shape \(n, columns\). Received: dtype float64, shape \(4, 2",
        ),
        (np.full((4, 2), "a"), "must hold numbers of shape .* Columns of words are read from a CSV or Parquet file."),
        (np.zeros((4, 0)), r"`x_train` must hold at least one row and one column. Received: shape \(4, 0\)."),
        (np.full((4, 2), np.inf), "Numbers of column 'x0' must be finite"),
    ):
        np.savez(path, x=x, y=[0, 1, 0, 1])
        with pytest.raises(DataError, match=said):
            load(path)
    np.savez(path, x_train=np.arange(8.0).reshape(4, 2), y_train=[0, 1, 0, 1], x_test=np.zeros((2, 3)), y_test=[0, 1])
    with pytest.raises(DataError, match=r"`x_test` must have rows of the shape of `x_train`, \(2,\). Received: \(3,\)"):
        load_dataset(path, kind="table")
    with pytest.raises(DataError, match="Tables are read from a .csv, .parquet or .npz file. Received: .*none.csv"):
        load(tmp_path / "none.csv")


def test_reading_tables_imports_nothing_heavy(tmp_path):
    path = write(tmp_path, a=RNG.normal(size=40), y=["p", "q"] * 20)
    code = f"""
import sys
from hwkeras.data import load_dataset
load_dataset({str(path)!r}, kind="table")
print([name for name in ("tensorflow", "keras", "pandas", "pyarrow", "sklearn", "scipy") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
