"""`hwkeras search --space segmentation`: one command from masks to a bundle."""

import json
import pathlib

import numpy as np
import pytest

from hwkeras.cli.main import main
from hwkeras.data import load_dataset
from hwkeras.export import verify


def scenes(number, side):
    """Two kinds of rectangles: bright ones of class 1, half bright ones of class 2."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 60, (number, side, side)).astype("uint8"), np.zeros((number, side, side), "uint8")
    for image, mask in zip(x, y, strict=True):
        for kind, gray in ((1, 220), (2, 130)):
            top, left = rng.integers(0, side // 2, 2)
            place = np.s_[top : top + side // 3, left : left + side // 2]
            mask[place], image[place] = kind, gray
    return x, y


@pytest.mark.slow
def test_one_command_from_masks_to_a_bundle(tmp_path, capfd):
    x, y = scenes(150, 32)
    np.savez(tmp_path / "shapes.npz", x=x, y=y)
    asked = ["--space", "segmentation", "--precision", "int8", "--device", "fake", "--trials", "2", "--epochs", "12"]
    asked += ["--batch-size", "16", "--seed", "1", "--recipe", "int8_qat", "--limit", "mean_iou=0.3"]
    code = main(["search", str(tmp_path / "shapes.npz"), "--out", str(tmp_path / "run"), *asked, "--json"])
    printed, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(printed)
    assert document["objectives"][0] == "mean_iou"
    valid = load_dataset(str(tmp_path / "shapes.npz"), kind="masks").y_valid
    constant = np.bincount(valid.reshape(-1)).max() / valid.size / 3
    assert document["best"]["metrics"]["mean_iou"] > constant + 0.3
    bundle = pathlib.Path(document["best"]["file"]).parent
    assert verify(bundle, remeasure=False).ok
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["class_names"] == ["0", "1", "2"]
    assert manifest["outputs"][0]["shape"] == [1, 32, 32, 3]
    assert "Mean IoU" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (
            lambda y: y * 100,
            (),
            "Classes of pixels must be numbered 0, 1, 2 ... without a gap. Received: masks of 0, 100",
        ),
        (lambda y: y[:, :-1], (), "There must be a mask for every image, as large as it. Received: `x_train` of"),
        (lambda y: y, ("--kind", "image"), "The kind of the data must be the space's. Received: --kind image"),
        (lambda y: y, ("--task", "regression"), "Masks are of classes. Received: kind='masks' and task='regression'"),
        (lambda y: y, ("--class-weight", "balanced"), "Class weights are for one class a sample. Received: labels"),
    ],
)
def test_bad_masks_are_one_line_and_exit_2(tmp_path, capfd, change, options, said):
    x, y = scenes(10, 8)
    np.savez(tmp_path / "shapes.npz", x=x, y=change(y))
    asked = ["search", str(tmp_path / "shapes.npz"), "--space", "segmentation", "--out", str(tmp_path / "run")]
    assert main([*asked, *options]) == 2
    err = capfd.readouterr().err.strip()
    assert said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
