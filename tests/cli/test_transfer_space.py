"""`--space transfer:BACKBONE` from the command line."""

import json

import keras
import pytest
from keras import layers

from hwkeras.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture
def backbone(tmp_path):
    convolutions = [layers.Conv2D(4, 3, name="early"), layers.Conv2D(6, 3, 2, name="late")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *convolutions, layers.Flatten(), layers.Dense(3)], name="tiny")
    model.save(tmp_path / "a@b.keras")
    return tmp_path / "a@b.keras"


def search(space, out, *options):
    return main(
        ["search", "digits", "--space", space, "--precision", "int8", "--device", "fake", "--out", out, *options]
    )


def test_from_a_file_to_a_bundle(backbone, tmp_path, capfd):
    out = tmp_path / "run"
    assert search(f"transfer:{backbone}", str(out), "--trials", "1", "--epochs", "1", "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["trials"] == 1
    assert "transfer/backbone=tiny@" in document["best"]["architecture"]
    manifest = json.loads((out / "front" / "0-int8" / "manifest.json").read_text())
    assert manifest["hyperparameters"]["transfer/cut"] in ("early", "late")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("transfer:lenet", "`backbone` must be a .keras or .h5 file, or one of ConvNeXtBase, "),
        ("transfer:lenet.keras", "`backbone` must be a file that exists. Received: lenet.keras."),
        ("transfer:mobilenet_v2@none.h5", "for mobilenet_v2 without its classifier. Received: weights='none.h5' ("),
        ("transfers", ", transfer:BACKBONE, or your own as FILE.py:NAME or MODULE:NAME. Received: --space transfers."),
    ],
)
def test_what_is_no_backbone_is_told_in_a_line(space, said, tmp_path, capfd):
    assert search(space, str(tmp_path / "run")) == 2
    err = capfd.readouterr().err.strip().splitlines()[-1]
    assert err.startswith("error: ") and said in err
    assert not (tmp_path / "run").exists()
