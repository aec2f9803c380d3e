"""Each bad input: one clear line on stderr, exit 2, no traceback, nothing half-written."""

import io
import os
import re
import zipfile

import numpy as np
import pytest

from hwkeras.cli.main import main

X = np.random.default_rng(0).random((40, 8, 8, 1)).astype("float32")
Y = np.arange(40) % 4


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def pickled(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", buffer.getvalue())
        archive.writestr("y_train.npy", buffer.getvalue())
    return str(path)


def nan_pixels(path):
    broken = X.copy()
    broken[3, 2, 1] = np.nan
    return npz(path, x_train=broken, y_train=Y)


def truncated(path, content):
    path.write_bytes(content[: len(content) // 2])
    return str(path)


def build_file(path):
    path.write_text("def build(hp):\n    hp.Int('depth', 1, 3)\n")
    return f"{path}:build"


BAD_SEARCH = {
    "missing file": lambda t: ([str(t / "nowhere.npz")], "nowhere.npz"),
    "a folder without class folders": lambda t: ([str(t)], "one folder for each class"),
    "different length": lambda t: ([npz(t / "a.npz", x_train=X, y_train=Y[:-1])], "40.*39|39.*40"),
    "NaN pixels": lambda t: ([nan_pixels(t / "a.npz")], "NaN|finite"),
    "one class": lambda t: ([npz(t / "a.npz", x_train=X, y_train=Y * 0)], "class"),
    "pickled": lambda t: ([pickled(t / "a.npz")], "pickle|object"),
    "unknown limit": lambda t: (["--limit", "speed=3ms"], "speed=3ms"),
    "unknown unit": lambda t: (["--limit", "latency=3parsec"], "parsec"),
    "unknown space": lambda t: (["--space", "hyperspace"], "hyperspace"),
    "unknown function": lambda t: (["--space", "os.path:nothing"], "nothing"),
    "unknown precision": lambda t: (["--precision", "int4"], "int4"),
    "unknown oracle": lambda t: (["--oracle", "delphi"], "delphi"),
    "unknown device": lambda t: (["--device", "toaster"], "toaster"),
    "unknown objective": lambda t: (["--objective", "beauty"], "beauty"),
    "unknown option": lambda t: (["--beauty"], "--beauty"),
    "no number": lambda t: (["--trials", "many"], "many"),
    "build returns None": lambda t: (["--space", build_file(t / "space.py"), "--trials", "1"], "None"),
}


@pytest.mark.parametrize("name", sorted(BAD_SEARCH))
def test_search(name, tmp_path, capfd):
    (tmp_path / "input").mkdir()
    arguments, said = BAD_SEARCH[name](tmp_path / "input")
    code = main(["search", *arguments, "--out", str(tmp_path / "run"), "--json"])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert re.search(said, lines[0])
    assert not (tmp_path / "run").exists()


def test_a_directory_of_another_data_set(tmp_path, capfd):
    space = tmp_path / "space.py"
    space.write_text(
        "import keras\n"
        "def build(hp):\n"
        "    units = hp.Choice('units', [4, 8])\n"
        "    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(units),\n"
        "                              keras.layers.Dense(4, activation='softmax')])\n"
        "    model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    first, second = npz(tmp_path / "a.npz", x_train=X, y_train=Y), npz(tmp_path / "b.npz", x_train=X[::-1], y_train=Y)
    options = ["--space", f"{space}:build", "--precision", "float32", "--trials", "1", "--epochs", "1", "--json"]
    out = str(tmp_path / "run")
    assert main(["search", first, "--out", out, *options]) == 0
    capfd.readouterr()
    before = sorted(os.listdir(out))

    assert main(["search", first, "--out", out, *options]) == 2
    assert "Pass --resume to go on" in capfd.readouterr().err
    assert main(["search", second, "--out", out, "--resume", *options]) == 2
    stdout, err = capfd.readouterr()
    assert stdout == "" and "belongs to another data set" in err and len(err.strip().splitlines()) == 1
    assert sorted(os.listdir(out)) == before


@pytest.mark.parametrize("command", ["bench", "analyze"])
def test_a_truncated_model(command, tmp_path, capfd, shared_data):
    content = (shared_data / "tflite/tflm/hello_world_int8.tflite").read_bytes()
    path = truncated(tmp_path / "half.tflite", content)
    assert main([command, path]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "half.tflite" not in out
    assert len(err.strip().splitlines()) == 1 and "truncated" in err.lower(), err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bench", "nowhere.tflite"], "nowhere.tflite, which does not exist"),
        (["analyze", "nowhere.tflite"], "nowhere.tflite, which does not exist"),
        (["bench", "."], "which is a folder"),
        (["verify", "nowhere"], "nowhere"),
        (["report", "nowhere"], "hwkeras search"),
        (["search", "--resume", "--out", "nowhere"], "--resume goes on with a run"),
        (["nonsense"], "nonsense"),
    ],
)
def test_other_commands(arguments, said, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err and len(err.strip().splitlines()) == 1, err
    assert os.listdir(tmp_path) == []
