"""`hwkeras search` and `compress` on data of which nobody says what they are."""

import json
import pathlib

import numpy as np
import pytest
from scipy.io import wavfile

from hwkeras.cli.main import main

QUICK = ["--precision", "int8", "--device", "fake", "--trials", "1", "--epochs", "1", "--batch-size", "8", "--json"]


@pytest.fixture
def sounds(tmp_path):
    """Forty sounds of two classes, a tone and noise."""
    rng = np.random.default_rng(0)
    for name in ("noise", "tone"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(20):
            sound = rng.normal(0, 0.2, 4000) if name == "noise" else np.sin(np.arange(4000) / rng.uniform(3, 6)) * 0.6
            wavfile.write(tmp_path / "sounds" / name / f"{number}.wav", 8000, (sound * 32000).astype("int16"))
    return tmp_path / "sounds"


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(rng.normal(k % 2, 0.3), rng.choice(["Bern", "Basel"]), ("no", "yes")[k % 2]) for k in range(120)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["size,city,target", *(",".join(map(str, row)) for row in rows)]))
    return path


def searched(capfd, data, *options):
    """The lines on stderr, the document, and the manifest of the best bundle."""
    code = main(["search", str(data), "--out", str(data.parent / "run"), *QUICK, *options])
    printed, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(printed)
    bundle = pathlib.Path(document["best"]["file"]).parent
    return " ".join(err.split()), document, json.loads((bundle / "manifest.json").read_text())


@pytest.mark.parametrize("space", [None, "ds_cnn"])
def test_a_folder_of_sounds(sounds, space, capfd):
    err, document, manifest = searched(capfd, sounds, *([] if space is None else ["--space", space]))
    assert f"Note: Read as --kind audio, searched as --space {space or 'audio'}." in err
    assert document["best"]["architecture"] and manifest["class_names"] == ["noise", "tone"]
    assert manifest["preprocessing"]["front_end"]["sample_rate"] == 8000


def test_a_table(table, capfd):
    err, _, manifest = searched(capfd, table)
    assert "Note: Read as --kind table, searched as --space tabular." in err
    assert manifest["class_names"] == ["no", "yes"] and "encoder" in manifest["preprocessing"]


def test_a_kind_brings_its_space(table, capfd):
    err, _, manifest = searched(capfd, table, "--kind", "table")
    assert "Note: Read as" not in err
    assert "encoder" in manifest["preprocessing"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Rows of numbers may be a table or sequences: the kind must be told. Received: "),
        (
            ("--kind", "rows"),
            "`--kind` is one of image, masks, sequence, audio, text, table, interactions. Received: -",
        ),
    ],
)
def test_what_cannot_be_told_is_one_line_and_exit_2(tmp_path, capfd, options, said):
    np.savez(tmp_path / "rows.npz", x=np.zeros((20, 7)), y=np.arange(20) % 2)
    assert main(["search", str(tmp_path / "rows.npz"), "--out", str(tmp_path / "run"), *options]) == 2
    err = capfd.readouterr().err.strip()
    assert said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_recognized_source_that_is_bad_is_one_line(sounds, capfd):
    (sounds / "tone" / "junk.wav").write_bytes(b"junk")
    assert main(["search", str(sounds), "--out", str(sounds.parent / "run")]) == 2
    err = capfd.readouterr().err.strip()
    assert err.startswith("error: Every sound must be a readable .wav. Received: ") and len(err.splitlines()) == 1
