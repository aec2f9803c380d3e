"""`--augment`, from the command line to the candidates."""

import json
import pathlib

import pytest

from hwkeras.cli.augmenting import augmented
from hwkeras.cli.main import main
from hwkeras.errors import UserError

SPACE = pathlib.Path(__file__).with_name("tiny_space.py")


def search(out, *options):
    command = ["search", "digits", "--out", str(out), "--precision", "int8", "--device", "fake", "--json"]
    return main([*command, "--trials", "1", "--epochs", "1", *options])


def test_a_search_takes_augmentations(tmp_path, capfd):
    asked = ["--space", f"{SPACE}:space", "--augment", "noise=0.1", "--augment", "mixup"]
    assert search(tmp_path / "run", *asked) == 0
    (candidate,) = json.loads(capfd.readouterr().out)["candidates"]
    trial = json.loads((tmp_path / "run" / f"trial_{candidate['trial']}" / "trial.json").read_text())
    values = trial["hyperparameters"]["values"]
    assert values["augment/noise"] in (0.0, 0.1) and values["augment/mixup"] in (0.0, 0.2)
    told = "".join(f", {n} {values[f'augment/{n}']}" for n in ("noise", "mixup") if values[f"augment/{n}"])
    assert candidate["architecture"].endswith(told.replace(", ", " + ", 1))


def test_what_cannot_be_augmented_is_said_before_anything_is_written(tmp_path, capfd):
    (tmp_path / "own.py").write_text("def build(hp):\n    return None\n")
    for asked, said in (
        (["--augment", "turn"], "The augmentations are flip, crop, cutout, mixup, time_mask, frequency_mask"),
        (["--augment", "mixup=x"], "NAME=V1,V2 with numbers. Received: 'mixup=x'."),
        (["--augment", "crop=0.7"], "`crop` must be a share in [0, 0.5]. Received: crop=0.7."),
        (
            ["--augment", "flip", "--space", f"{tmp_path / 'own.py'}:build"],
            "`--augment` is for spaces, which leave the training to the search. Received: --augment flip --space",
        ),
    ):
        assert search(tmp_path / "run", *asked) == 2
        assert said in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "run" / "search.json").exists()


def test_a_plain_space_is_augmented_too():
    from hwkeras.space import Augmentation
    from hwkeras.space import ImageSpace
    from hwkeras.space import SequenceSpace

    plain = ImageSpace((8, 8, 1), 10)
    assert augmented(plain, (), "image", {}) is plain
    assert augmented(plain, ("flip",), "image", {}).augment == Augmentation({"flip": (False, True)})
    with pytest.raises(UserError, match=r"Received: 'flip' for inputs of shape \(32, 3\)"):
        augmented(SequenceSpace((32, 3), 2), ("flip",), "sequence", {})


def test_what_was_done_to_the_channels_is_known_to_a_rotation():
    from hwkeras.space import SequenceSpace

    known = {"mean": [0.0, 1.0, 0.0], "deviation": [1.0, 2.0, 1.0], "channel_axis_added": False}
    hypermodel = augmented(SequenceSpace((32, 3), 2), ("rotate",), "sequence", known)
    assert hypermodel.augment.standardization == ((0.0, 1.0, 0.0), (1.0, 2.0, 1.0))
    assert augmented(SequenceSpace((32, 3), 2), ("rotate",), "sequence", {}).augment.standardization is None


def test_a_search_makes_sounds_louder_and_quieter(tmp_path, capfd):
    import numpy as np

    rng = np.random.default_rng(0)
    tones = np.sin(np.arange(1600) * np.where(np.arange(24) % 2, 0.3, 0.9)[:, None]) * rng.uniform(0.1, 1, (24, 1))
    np.savez(tmp_path / "tones.npz", x_train=tones.astype("float32"), y_train=np.arange(24) % 2, sample_rate=8000)
    command = ["search", str(tmp_path / "tones.npz"), "--out", str(tmp_path / "run"), "--precision", "int8", "--json"]
    options = ["--space", "audio", "--device", "fake", "--trials", "1", "--epochs", "1", "--augment", "loudness=12,20"]
    assert main([*command, *options]) == 0
    (candidate,) = json.loads(capfd.readouterr().out)["candidates"]
    trial = json.loads((tmp_path / "run" / f"trial_{candidate['trial']}" / "trial.json").read_text())
    assert trial["hyperparameters"]["values"]["augment/loudness"] in (0.0, 12.0, 20.0)
