"""The commands end to end: real search, real files, one JSON document on stdout and nothing else."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.cli.main import main

SPACE = pathlib.Path(__file__).with_name("tiny_space.py")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A search from the command line, in a process of its own: directory, stdout, stderr."""
    out = tmp_path_factory.mktemp("cli") / "run"
    command = [sys.executable, "-m", "hwkeras", "search", "digits", "--space", f"{SPACE}:space", "--trials", "2"]
    command += ["--epochs", "3", "--limit", "size=60KiB", "--seed", "0", "--out", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out, done.stdout, done.stderr


def test_search_prints_one_document(run):
    out, stdout, _ = run
    document = json.loads(stdout)
    assert {"front", "trials", "rejected", "best", "out"} <= set(document)
    assert document["trials"] == 2 and document["out"] == str(out)
    for member in document["front"]:
        assert {"trial", "architecture", "precision", "metrics", "file"} <= set(member)
        content = pathlib.Path(member["file"]).read_bytes()
        assert member["metrics"]["size_bytes"] == len(content) <= 60 * 1024
        assert hw.analyze(content).peak_ram_bytes == member["metrics"]["peak_ram_bytes"]
    assert document["best"]["file"] in [member["file"] for member in document["front"]]


def test_search_tells_its_trials_on_stderr(run):
    lines = [line for line in run[2].splitlines() if line.strip()]
    assert lines[0] == json.loads(run[1])["satisfiability"]["message"] and "of the space fits the limits" in lines[0]
    assert [line.split(":")[0] for line in lines[1:3]] == ["trial 1/2", "trial 2/2"]
    assert all("hypervolume 0." in line for line in lines[1:3])
    assert all("finalists measured again" in line for line in lines[3:]) and len(lines) <= 4


def test_every_front_member_is_a_bundle_that_verifies(run, capfd):
    out, stdout, _ = run
    for member in json.loads(stdout)["front"]:
        bundle = str(pathlib.Path(member["file"]).parent)
        code = main(["verify", bundle, "--latency-tolerance", "20", "--json"])
        document = json.loads(capfd.readouterr().out)
        assert code == 0, document
        assert document["ok"] is True


def test_verify_says_what_no_longer_holds(run, tmp_path, capfd):
    import shutil

    bundle = pathlib.Path(json.loads(run[1])["best"]["file"]).parent
    broken = shutil.copytree(bundle, tmp_path / "broken")
    content = bytearray((broken / "model.tflite").read_bytes())
    content[-1] ^= 1
    (broken / "model.tflite").write_bytes(content)
    assert main(["verify", str(broken)]) == 1
    assert "FAIL" in capfd.readouterr().out


def test_report(run, capfd):
    out, stdout, _ = run
    assert main(["report", str(out)]) == 0
    printed = capfd.readouterr().out
    assert "report.html" in printed
    page = (out / "report.html").read_text()
    assert "<svg" in page and json.loads(stdout)["front"][0]["architecture"] in page
    assert main(["report", str(out), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["trials"] == 2


def test_resume_of_a_finished_run(run, capfd):
    out, stdout, _ = run
    again = ["search", "digits", "--space", f"{SPACE}:space", "--trials", "2", "--epochs", "3", "--limit", "size=60KiB"]
    assert main([*again, "--seed", "0", "--out", str(out), "--resume", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["trials"] == 2
    assert [m["metrics"] for m in document["front"]] == [m["metrics"] for m in json.loads(stdout)["front"]]


def test_bench(run, capfd):
    files = [member["file"] for member in json.loads(run[1])["candidates"]][:2]
    assert main(["bench", *files, "--json"]) == 0
    results = json.loads(capfd.readouterr().out)["results"]
    assert [result["file"] for result in results] == files
    for result in results:
        assert len(result["rounds"]) >= 3
        assert 0 < result["low_ms"] <= result["latency_ms"] <= result["high_ms"]
        assert result["latency_ms"] <= result["sustained_ms"]
        assert result["source"] == "measured" and result["environment"]
    assert main(["bench", files[0]]) == 0
    assert "ms (sustained" in capfd.readouterr().out


def test_bench_compares_with_the_first_and_answers_one_from_the_cache(run, capfd):
    slow, fast = sorted((m["file"] for m in json.loads(run[1])["candidates"]), key=lambda file: -len(_bytes(file)))[:2]
    assert main(["bench", slow, slow, fast, "--json"]) == 0
    comparisons = json.loads(capfd.readouterr().out)["comparisons"]
    assert [(c["index"], c["with"]) for c in comparisons] == [(1, 0), (2, 0)]
    assert {c["verdict"] for c in comparisons} <= {"faster", "slower", "not distinguishable"}
    assert main(["bench", slow, fast]) == 0
    assert "the first" in capfd.readouterr().out
    assert main(["bench", fast, "--device", "stm32f746", "--json"]) == 0
    (estimated,) = json.loads(capfd.readouterr().out)["results"]
    assert estimated["source"] == "estimated" and estimated["rounds"] == []
    assert main(["bench", fast, "--device", "stm32f746"]) == 0
    assert "(estimated, never measured)" in capfd.readouterr().out


def _bytes(file):
    return pathlib.Path(file).read_bytes()


def test_analyze_and_devices(capfd, shared_data):
    file = shared_data / "tflite/mlperf_tiny/kws_ref_model.tflite"
    assert main(["analyze", str(file), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert (document["macs"], document["peak_ram_bytes"]) == (2656768, 16000)
    assert sum(op["macs"] for op in document["ops"]) == 2656768
    assert main(["analyze", str(file)]) == 0
    assert "2.657 M MACs" in capfd.readouterr().out
    assert main(["devices", "--json"]) == 0
    assert "local" in json.dumps(json.loads(capfd.readouterr().out)["devices"])


def test_an_impossible_limit(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("hwkeras.search.budget.FIRST_CANDIDATE_SECONDS", 4)
    code = main(
        [
            "search",
            "digits",
            "--space",
            f"{SPACE}:space",
            "--limit",
            "size=1KiB",
            "--out",
            str(tmp_path / "run"),
            "--json",
        ]
    )
    out, err = capfd.readouterr()
    assert code == 3
    assert out == "" and len(err.strip().splitlines()) == 2
    assert "random networks fits the limits; size=1KiB binds: size=1KiB -> " in err and "would admit" in err
    assert "size=1KiB" in err and "smallest" in err.lower()


def test_help_names_every_command(capfd):
    assert main(["--help"]) == 0
    printed = capfd.readouterr().out
    assert all(
        name in printed for name in ("search", "bench", "analyze", "profile", "devices", "boards", "verify", "report")
    )


def test_a_device_that_fails_is_exit_4_with_the_document(run, capfd, monkeypatch):
    from hwkeras.testing import FakeDevice

    monkeypatch.setattr("hwkeras.measure.open_meter", lambda *a, **k: FakeDevice(faults={0: "timeout"}), raising=False)
    file = json.loads(run[1])["candidates"][0]["file"]
    assert main(["bench", file, "--json"]) == 4
    out, err = capfd.readouterr()
    assert json.loads(out)["results"][0]["status"] == "timeout"
    assert err.strip() == f"error: Device 'local' gave no latency. Received: timeout for {file}. injected"


def test_a_folder_of_class_folders(tmp_path, capfd, digits):
    from PIL import Image

    for label in (0, 1):
        folder = tmp_path / "photos" / f"class_{label}"
        folder.mkdir(parents=True)
        for number, picture in enumerate(digits[0][digits[1] == label][:30]):
            Image.fromarray((picture[..., 0] * 255).astype("uint8")).save(folder / f"{number}.png")
    space = tmp_path / "space.py"
    space.write_text(SPACE.read_text().replace("num_classes=10", "num_classes=2"))
    options = ["--space", f"{space}:space", "--precision", "int8", "--trials", "1", "--epochs", "15"]
    code = main(["search", str(tmp_path / "photos"), *options, "--out", str(tmp_path / "run"), "--json"])
    out, err = capfd.readouterr()
    assert code == 0, err
    document = json.loads(out)
    assert document["data"]["class_names"] == ["class_0", "class_1"]
    assert document["best"]["metrics"]["accuracy"] > 0.8
    manifest = json.loads((pathlib.Path(document["best"]["file"]).parent / "manifest.json").read_text())
    assert manifest["class_names"] == ["class_0", "class_1"]


def test_what_is_to_be_known_of_data_is_told_once(tmp_path, capfd):
    np.savez(tmp_path / "twice.npz", **_with_duplicates())
    assert main(["search", str(tmp_path / "twice.npz"), "--space", f"{SPACE}:nothing"]) == 2
    note, error = capfd.readouterr().err.splitlines()
    assert note.startswith("Note: 5 of 5 test images are equal to a training or validation image: ")
    assert error.startswith("error: `--space` must name something that exists")


def test_a_warning_is_one_line_without_the_place_in_the_code(tmp_path):
    np.savez(tmp_path / "twice.npz", **_with_duplicates())
    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential(layers).save(tmp_path / "small.keras")
    command = [sys.executable, "-m", "hwkeras", "compress", "small.keras", "--data", "twice.npz", "--device", "fake"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    warning, error = done.stderr.splitlines()
    assert warning.startswith("warning: 5 of 5 test images are equal to a training or validation image: ")
    assert error.startswith("error: The samples must have the shape the model takes") and done.returncode == 2


def _with_duplicates():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (40, 8, 8), dtype=np.uint8), np.arange(40) % 2
    return {"x_train": x, "y_train": y, "x_test": x[:5], "y_test": y[:5]}
