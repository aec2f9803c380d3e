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


def test_what_was_done_to_the_bands_is_known_to_loudness(tmp_path):
    import numpy as np

    from hwkeras.build.augment import augment
    from hwkeras.data import load_dataset
    from hwkeras.space import AudioSpace

    rng = np.random.default_rng(0)
    noise = rng.normal(size=(24, 1600)) * rng.uniform(0.05, 0.2, (24, 1))
    file = tmp_path / "noise.npz"
    np.savez(file, x_train=noise.astype("float32"), y_train=np.arange(24) % 2, sample_rate=8000)
    data = load_dataset(file)
    hypermodel = augmented(AudioSpace(data.input_shape, 2), ("loudness",), "audio", data.preprocessing)
    mean, deviation = hypermodel.augment.standardization
    assert len(mean) == data.input_shape[1] and hypermodel.augment.choices == (("loudness", (0.0, 20.0)),)

    louder, _ = augment(data.x_train, None, {"loudness": 6.0}, rng, standardization=(mean, deviation))
    # All bands at all times, far above the floor, by one number of decibels for each sample.
    decibels = 10 / np.log(10) * (louder - data.x_train) * np.array(deviation)[:, None]
    assert decibels.std(axis=(1, 2, 3)).max() < 0.05 and decibels.mean(axis=(1, 2, 3)).std() > 1
    assert np.abs(decibels.mean(axis=(1, 2, 3))).max() < 6.05


def test_a_picture_that_is_no_sound_has_no_loudness(tmp_path, capfd):
    assert search(tmp_path / "run", "--augment", "loudness", "--space", f"{SPACE}:space") == 2
    assert "`loudness` is for log-mel pictures of sounds" in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "run" / "search.json").exists()
