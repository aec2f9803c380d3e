"""The command `analyze`: its document, its lines, and one clear error for a broken file."""

import json
import random

import pytest

from hwkeras.cli.analyzing import analyze
from hwkeras.cli.output import run
from hwkeras.measure import analyze as analyze_file


@pytest.fixture
def kws(shared_data):
    return shared_data / "tflite/mlperf_tiny/kws_ref_model.tflite"


def document_of(capfd, *arguments):
    assert run(analyze, [*map(str, arguments), "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_the_document(capfd, kws):
    document = document_of(capfd, kws)
    assert document["file"] == str(kws)
    assert (document["macs"], document["peak_ram_bytes"]) == (2656768, 16000)
    assert {"size_bytes", "params", "weight_bytes", "ops", "uncounted"} <= set(document)
    assert document["op_histogram"]["CONV_2D"] == 5
    assert len(document["weights"]["tensors"]) == 20 and 0 < document["weights"]["sparsity"] < 0.01
    assert document["quantization"]["schemes"] == {"int8 activations, int8 weights": 10}
    assert document["delegation"]["xnnpack_partitions"] == 2
    assert document["arena"] is None
    figures = {**document, "op_histogram": None}
    assert figures["ops"] == json.loads(json.dumps(analyze_file(kws).to_json()))["ops"]


def test_the_lines(capfd, kws):
    assert run(analyze, [str(kws)]) == 0
    printed = capfd.readouterr().out
    assert "2.657 M MACs" in printed and "operators: 5 CONV_2D, 4 DEPTHWISE_CONV_2D" in printed
    assert "weights: 0.7% zeros, at most 252 distinct values" in printed
    assert "quantization: 10 int8 activations, int8 weights" in printed
    assert "XNNPACK: 2 partitions, 2 of 13 operators left out" in printed
    assert "1 SOFTMAX: int8 input; it takes float32 only" in printed
    assert "TFLite-Micro" not in printed and "distinct  int8" not in printed


def test_one_line_for_each_tensor(capfd, kws):
    assert run(analyze, [str(kws), "--tensors"]) == 0
    lines = [line for line in capfd.readouterr().out.splitlines() if " distinct  " in line]
    assert len(lines) == 20 and any("int8 per-channel symmetric, axis 3" in line for line in lines)


def test_what_is_not_counted(capfd, shared_data):
    assert run(analyze, [str(shared_data / "tflite/tflm/keyword_scrambled.tflite")]) == 0
    assert "not counted in MACs: SVDF, variable tensors: 10240 bytes" in capfd.readouterr().out


def test_the_arena(capfd, kws):
    pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    assert document_of(capfd, kws, "--arena")["arena"]["head_bytes"] == 16000
    assert run(analyze, [str(kws), "--arena"]) == 0
    assert "TFLite-Micro arena: 24,272 B (16,000 head, 8,272 tail)" in capfd.readouterr().out


def test_an_arena_that_cannot_be_had(capfd, kws, monkeypatch):
    monkeypatch.setattr("hwkeras.measure.arena.TFLITE_MICRO", "no_such_package")
    assert run(analyze, [str(kws), "--arena"]) == 0
    assert "arena: unavailable. TFLite-Micro is not installed: pip install hwkeras[arena]." in capfd.readouterr().out


def test_a_missing_file_and_a_folder(capfd, tmp_path):
    assert run(analyze, [str(tmp_path / "none.tflite")]) == 2
    assert "error: A model is a .tflite file." in capfd.readouterr().err
    assert run(analyze, [str(tmp_path)]) == 2
    assert "which is a folder" in capfd.readouterr().err


def test_corrupt_copies_end_with_a_document_or_exit_2(capfd, kws, tmp_path):
    rng, content = random.Random(0), kws.read_bytes()
    path, codes = tmp_path / "copy.tflite", set()
    for _ in range(25):
        copy = bytearray(content)
        for _ in range(3):
            copy[len(copy) - 1 - rng.randrange(8192)] ^= 1 << rng.randrange(8)
        path.write_bytes(copy)
        code = run(analyze, [str(path), "--json"])
        out, err = capfd.readouterr()
        codes.add(code)
        if code:
            assert (code, out) == (2, "") and err.startswith(f"error: {path}: ") and err.count("\n") == 1
        else:
            assert json.loads(out)["size_bytes"] == len(content)
    assert codes == {0, 2}
