"""Sounds searched with the front end inside the networks: bundles that take waveforms."""

import json
import pathlib

import numpy as np
import pytest
from keras_tuner import HyperParameters
from scipy.io import wavfile

from hwkeras import spaces
from hwkeras.cli.main import main
from hwkeras.cli.own_space import open_space
from hwkeras.convert import predict
from hwkeras.data import LogMel
from hwkeras.data import load_dataset
from hwkeras.errors import UserError
from hwkeras.export import verify
from hwkeras.search.space_lint import lint_space

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
RATE = 4000
SMALL = dict(stages=1, depths=1, widths=8, kernels=3, stem_widths=4, dense_units=0, layer_types="conv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("sounds")
    times = np.arange(800) / RATE
    for name, hertz in (("high", 1300), ("low", 250)):
        (root / name).mkdir()
        for number in range(40):
            sound = rng.uniform(0.05, 0.9) * np.sin(2 * np.pi * hertz * rng.uniform(0.9, 1.1) * times)
            sound += rng.normal(0, 0.02, len(times))
            wavfile.write(root / name / f"{number}.wav", RATE, (np.clip(sound, -1, 1) * 32000).astype("int16"))
    return root


def test_the_space_of_a_data_set(folder):
    outside, inside = (load_dataset(folder, kind="audio", front_end=place) for place in ("outside", "inside"))
    assert spaces.Audio.of(outside).input_shape == outside.input_shape == LogMel(RATE, 0.2).shape
    space = spaces.Audio.of(inside, **SMALL)
    assert space.input_shape == inside.input_shape == (800,)
    report = lint_space(space, 2, twins=False)
    assert report.ok, str(report)


def test_a_space_that_hears_frame_by_frame_by_its_name(folder):
    space = open_space("audio_streaming", load_dataset(folder, kind="audio"))
    assert space.space.streaming and not open_space("audio", load_dataset(folder, kind="audio")).space.streaming
    hp = HyperParameters()
    space.declare_hyperparameters(hp)
    assert "frames" in [layer.kind for layer in space.architecture(hp).layers]


def test_a_space_for_sounds_wants_sounds(tmp_path):
    x = np.random.default_rng(0).normal(size=(12, 8, 2))
    np.savez(tmp_path / "motion.npz", x=x, y=np.arange(12) % 2)
    with pytest.raises(UserError, match="An audio space is made for sounds. Received: data set 'motion' without a fro"):
        spaces.Audio.of(load_dataset(tmp_path / "motion.npz", kind="sequence"))


def test_from_wav_files_to_a_bundle_that_hears(folder, tmp_path, capfd):
    out = tmp_path / "run"
    command = ["search", str(folder), "--space", "audio", "--front-end", "inside", "--device", "fake", "--trials", "2"]
    code = main([*command, "--precision", "int8", "--epochs", "6", "--batch-size", "16", "--out", str(out), "--json"])
    printed, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(printed)
    bundle = pathlib.Path(document["best"]["file"]).parent
    manifest = json.loads((bundle / "manifest.json").read_text())
    told = manifest["preprocessing"]
    assert (told["sample_rate"], told["num_samples"]) == (RATE, 800)
    assert set(told["front_end_inside"]) >= {"num_mels", "mean", "deviation"}
    rate, samples = wavfile.read(folder / "low" / "0.wav")
    waveform = np.pad(samples / 32768, (0, 800 - len(samples))).astype("float32")
    assert predict((bundle / "model.tflite").read_bytes(), waveform[None]).shape == (1, 2)
    assert document["best"]["metrics"]["accuracy"] > 0.6
    assert verify(bundle, remeasure=False).ok


def test_a_front_end_is_of_sounds(tmp_path, capfd):
    assert main(["search", "digits", "--front-end", "inside", "--out", str(tmp_path / "run")]) == 2
    said = "Received: front_end='inside' and kind='image'. Pass kind='audio' (`--kind audio`), or leave it away."
    assert said in " ".join(capfd.readouterr().err.split())
