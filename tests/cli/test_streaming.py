"""`hwkeras search FOLDER --stream`, on pictures in files."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from hwkeras.cli.main import main

SPACE = pathlib.Path(__file__).with_name("tiny_space.py")
# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    root, (x, y) = tmp_path_factory.mktemp("data") / "written", digits
    for place in range(120):
        path = root / str(y[place]) / f"{place}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray((x[place, ..., 0] * 255).astype(np.uint8)).save(path)
    return root


def search(folder, out, *more):
    command = ["search", str(folder), "--stream", "--space", f"{SPACE}:space", "--device", "stm32f746", "--trials", "2"]
    return main([*command, "--epochs", "1", "--precision", "int8", "--out", str(out), "--json", *more])


def test_a_folder_streams_end_to_end(folder, tmp_path, capfd):
    assert search(folder, tmp_path / "run") == 0
    document = json.loads(capfd.readouterr().out)
    assert len(document["candidates"]) == 2 and document["best"] is not None
    manifest = json.loads((pathlib.Path(document["best"]["file"]).parent / "manifest.json").read_text())
    told = json.dumps(manifest)
    assert '"color": "grayscale"' in told
    assert search(folder, tmp_path / "run", "--resume") == 0
    again = json.loads(capfd.readouterr().out)
    assert [c["metrics"] for c in again["candidates"]] == [c["metrics"] for c in document["candidates"]]


def test_what_does_not_stream_is_one_line(tmp_path, capfd):
    assert main(["search", "digits", "--stream", "--out", str(tmp_path / "run"), "--json"]) == 2
    error = capfd.readouterr()
    assert "What streams is a folder" in error.err + error.out
    assert not (tmp_path / "run").exists()
