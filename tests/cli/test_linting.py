import json

import pytest

from hwkeras.cli.main import main

GOOD = """
import keras

def build(hp):
    layers = [keras.Input((4,)), keras.layers.Dense(hp.Choice("units", [2, 3]), activation="relu")]
    return keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])

def looped(hp):
    hp.Choice("units", [2, 3])
    return keras.Sequential([keras.Input((4, 2)), keras.layers.GRU(2), keras.layers.Dense(3)])
"""


@pytest.fixture
def space(tmp_path):
    (tmp_path / "my_space.py").write_text(GOOD)
    return str(tmp_path / "my_space.py")


def test_a_good_space_passes(space, capsys):
    assert main(["lint-space", f"{space}:build", "--samples", "2", "--precision", "float32,int8", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["num_samples"] == len(report["sizes"]) == 2


def test_what_is_found_is_told_and_the_exit_code_is_1(space, capsys):
    assert main(["lint-space", f"{space}:looped", "--samples", "1", "--precision", "int8", "--no-twins"]) == 1
    assert "convert: int8 calibration cannot enter a loop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ["image2"],
            "`--space` is one of image, cells, nasnet, segmentation, sequence, audio, audio_streaming, text, tabular, "
            "two_tower",
        ),
        (["nowhere.py:build"], "`--space` must name Python code that can be imported. Received: --space nowhere.py"),
        (["json:nothing"], "`--space` must name something that exists. Received: --space json:nothing; json has no"),
    ],
)
def test_no_space_is_one_line_and_exit_2(asked, said, capsys):
    assert main(["lint-space", *asked]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not captured.out
