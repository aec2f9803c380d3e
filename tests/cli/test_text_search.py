"""`hwkeras search` on texts: one command from a table to a bundle that runs from raw text."""

import json
import pathlib

import numpy as np
import pytest

from hwkeras.cli.main import main
from hwkeras.convert import predict
from hwkeras.data import Tokenizer
from hwkeras.export import verify

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
WORDS = ("see you home dinner later".split(), "win prize claim free cash".split())


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{('ham', 'spam')[k % 2]}\t{' '.join([*rng.choice(WORDS[k % 2], 5), 'now'])}" for k in range(160)]
    path = tmp_path / "messages.tsv"
    path.write_text("\n".join(rows))
    return path


def test_from_a_table_to_a_bundle(table, tmp_path, capfd):
    out = tmp_path / "run"
    command = ["search", str(table), "--kind", "text", "--space", "text", "--objective", "f1", "--limit", "size=100KiB"]
    options = [
        "--words",
        "100",
        "--precision",
        "int8",
        "--device",
        "fake",
        "--trials",
        "2",
        "--epochs",
        "6",
        "--batch-size",
        "16",
    ]
    code = main([*command, *options, "--out", str(out), "--json"])
    printed, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(printed)
    assert document["best"]["metrics"]["f1"] > 0.6
    bundle = pathlib.Path(document["best"]["file"]).parent
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["class_names"] == ["ham", "spam"]
    assert manifest["preprocessing"]["tokenizer"] == {"file": "tokenizer.json"}
    rows = Tokenizer.read(bundle / "tokenizer.json")(["claim free cash prize now", "see you later"])
    assert predict((bundle / "model.tflite").read_bytes(), rows).shape == (2, 2)
    assert verify(bundle, remeasure=False).ok


def test_a_kind_that_is_not_the_space_s(table, tmp_path, capfd):
    command = ["search", str(table), "--space", "text", "--out", str(tmp_path / "run")]
    assert main([*command, "--kind", "image"]) == 2
    said = "must be the space's. Received: --kind image --space text, which takes text. Leave --kind away."
    assert said in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_bad_texts_are_one_line(tmp_path, capfd):
    path = tmp_path / "latin.tsv"
    path.write_bytes(b"ham\tcaf\xe9\n")
    assert main(["search", str(path), "--space", "text", "--out", str(tmp_path / "run")]) == 2
    err = capfd.readouterr().err.strip()
    assert err.startswith("error: A text file must be UTF-8. Received: byte 0xe9 in line 1 of ") and "\n" not in err
