"""`hwkeras search` on tables: one command from a CSV file to a bundle that answers raw rows."""

import json
import pathlib

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.datasets import load_wine

from hwkeras.cli.main import main
from hwkeras.convert import predict
from hwkeras.data import IdEncoder
from hwkeras.data import TableEncoder
from hwkeras.export import verify


def write(path, columns):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines))
    return path


def search(path, out, *options):
    usual = ["--precision", "int8", "--device", "fake", "--trials", "2", "--batch-size", "16", "--json"]
    return main(["search", str(path), "--out", str(out), *usual, *options])


def opened(document):
    """The manifest of the best candidate's bundle, and its file."""
    bundle = pathlib.Path(document["best"]["file"]).parent
    assert verify(bundle, remeasure=False).ok
    return json.loads((bundle / "manifest.json").read_text()), (bundle / "model.tflite").read_bytes()


@pytest.fixture(scope="module")
def wine():
    """Wine with a tenth of the values missing, a column of words, one that never changes, and the cultivar by name."""
    bunch, rng = load_wine(), np.random.default_rng(0)
    columns = {name: values.astype(object) for name, values in zip(bunch.feature_names, bunch.data.T, strict=True)}
    for values in columns.values():
        values[rng.random(len(values)) < 0.1] = ""
    columns = {name.replace("/", " of "): values for name, values in columns.items()}
    columns["strength"] = np.where(bunch.data[:, 0] > 13, "strong", "light")
    columns["country"] = ["Italy"] * len(bunch.target)
    return {"cultivar": bunch.target_names[bunch.target], **columns}


def test_classes_of_a_table_with_missing_values(wine, tmp_path, capfd):
    path = write(tmp_path / "wine.csv", wine)
    asked = ["--kind", "table", "--target", "cultivar", "--space", "tabular", "--epochs", "40", "--limit", "size=64KiB"]
    code = search(path, tmp_path / "run", *asked)
    printed, err = capfd.readouterr()
    assert code == 0, err
    assert "Note: Column 'country' is left out: the same value in every row." in " ".join(err.split())
    document = json.loads(printed)
    assert document["best"]["metrics"]["accuracy"] >= 0.9
    manifest, content = opened(document)
    assert manifest["class_names"] == ["class_0", "class_1", "class_2"]
    encoder = TableEncoder.from_json(manifest["preprocessing"]["encoder"])
    rows = [dict(zip(wine, row, strict=True)) for row in zip(*wine.values(), strict=True)]
    answers = predict(content, encoder(rows)).argmax(axis=1)
    names = np.array(manifest["class_names"])[answers]
    assert (names == wine["cultivar"]).mean() >= 0.9
    stranger = {**rows[0], "strength": "never seen", "alcohol": ""}
    assert predict(content, encoder([stranger])).shape == (1, 3)


def test_numbers_in_their_own_unit(tmp_path, capfd):
    bunch = load_diabetes(scaled=False)
    columns = dict(zip(bunch.feature_names, bunch.data.T, strict=True))
    path = write(tmp_path / "diabetes.csv", columns | {"progress": bunch.target})
    code = search(path, tmp_path / "run", "--space", "tabular", "--epochs", "30")
    printed, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(printed)
    assert document["objectives"][0] == "rmse"
    # The spread of the progress is 77, a ridge regression is off by 54.
    assert 40 < document["best"]["metrics"]["rmse"] < 65
    manifest, content = opened(document)
    encoder = TableEncoder.from_json(manifest["preprocessing"]["encoder"])
    answers = predict(content, encoder(columns))[:, 0]
    assert np.sqrt(np.mean((answers - bunch.target) ** 2)) < 65
    assert abs(answers.mean() - bunch.target.mean()) < 20


def test_users_and_items(tmp_path, capfd):
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 20, 600), rng.integers(0, 10, 600)
    liked = ((users + items) % 2 == 0).astype(int)
    path = write(tmp_path / "liked.csv", {"user": [f"u{user}" for user in users], "item": items, "liked": liked})
    code = search(path, tmp_path / "run", "--space", "two_tower", "--epochs", "15", "--objective", "auc")
    printed, err = capfd.readouterr()
    assert code == 0, err
    assert "validation rows are equal to a training row (the target aside)" in " ".join(err.split())
    document = json.loads(printed)
    assert document["best"]["metrics"]["auc"] > 0.7
    manifest, content = opened(document)
    ids = IdEncoder.from_json(manifest["preprocessing"]["ids"])
    assert predict(content, ids([("u3", 4), ("nobody", 4)])).shape == (2, 1)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("a,b\n1,x\n2\n", (), "Every row must have a value for each of the 2 columns. Received: "),
        ("1.5,2.5\n1,2\n", (), "The first line of a table must name its columns. Received: "),
        ("a,a\n1,2\n", (), "Column names must differ. Received: "),
        ("a,b\n1,x\n2,y\n", ("--target", "c"), "The target must be a column of the table. Received: target='c' for "),
        (
            "a,b\n1,x\n2,\n",
            (),
            "Every row must have a value in the target column 'b'. Received: 1 without, the first in",
        ),
        ("a,b\n1,x\n2,y\n", ("--task", "regression"), "A number to predict must be a number. Received: 'x' in column"),
        ("a,b\n1,x\n2,y\n", ("--task", "ranking"), "`task` must be one of classification, regression. Received: task="),
        ("a,b\n1,x\n2,y\n", ("--kind", "image"), "The kind of the data must be the space's. Received: --kind image"),
    ],
)
def test_bad_tables_are_one_line_and_exit_2(tmp_path, capfd, text, options, said):
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert search(path, tmp_path / "run", "--space", "tabular", *options) == 2
    err = capfd.readouterr().err.strip()
    assert said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_table_is_not_for_an_image_space(tmp_path, capfd):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    assert main(["search", str(path), "--space", "image", "--target", "b", "--out", str(tmp_path / "run")]) == 2
    said = (
        "`target` names a column of a table. Received: target='b' and kind='image'. Pass kind='table' (`--kind table`)"
    )
    assert said in capfd.readouterr().err
