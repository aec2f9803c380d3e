"""`hwkeras stream`: from a searched bundle to a file that hears frame by frame, fed as a device would."""

import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from scipy.io import wavfile

from hwkeras.cli.main import main
from hwkeras.convert import predict
from hwkeras.convert.interpreter import Runner
from hwkeras.export.samples import Samples

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
RATE = 4000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Of a search over sounds that rise or fall, so that their order matters."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("stream")
    times = np.arange(1600) / RATE
    for name, sign in (("rising", 1), ("falling", -1)):
        (root / "sounds" / name).mkdir(parents=True)
        for number in range(40):
            hertz = 700 + sign * 2000 * (times - times.mean())
            sound = rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * hertz * times) + rng.normal(0, 0.02, len(times))
            wavfile.write(
                root / "sounds" / name / f"{number}.wav", RATE, (np.clip(sound, -1, 1) * 32000).astype("int16")
            )
    asked = ["--space", "audio_streaming", "--precision", "int8", "--device", "fake", "--trials", "2", "--epochs", "6"]
    asked += ["--batch-size", "16", "--objective", "accuracy", "--out", str(root / "run")]
    assert main(["search", str(root / "sounds"), *asked]) == 0
    return next((root / "run" / "front").iterdir())


def test_a_bundle_streams_as_a_device_would_feed_it(bundle, tmp_path, capfd):
    assert main(["stream", str(bundle), "--out", str(tmp_path / "new" / "streaming"), "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    folder = pathlib.Path(facts.pop("directory"))
    assert sorted(path.name for path in folder.iterdir()) == ["streaming.json", "streaming.tflite"]
    assert json.loads((folder / "streaming.json").read_text()) == facts
    assert facts["macs_per_step"] < facts["macs_per_window"] and facts["num_frames"] < facts["window_frames"]
    content = (folder / "streaming.tflite").read_bytes()
    assert len(content) == facts["size_bytes"]
    samples = Samples.from_bytes((bundle / "check.npz").read_bytes())
    # Raw bytes alone: frames are quantized by what the facts say, states go back as they came.
    runner = Runner(content)
    assert [detail["name"] for detail in runner.inputs] == [each["name"] for each in facts["inputs"]]
    assert facts["states"] and all(state["copy_bytes"] for state in facts["states"])
    answers = [_heard(runner, facts, window) for window in samples.x]
    shown = facts["check"]
    assert shown["num_samples"] == len(samples.x)
    assert shown["accuracy"] == np.mean(np.argmax(answers, axis=1) == samples.y.reshape(-1))
    windows = predict((bundle / "model.tflite").read_bytes(), samples.x)
    assert shown["accuracy_of_windows"] == np.mean(np.argmax(windows, axis=1) == samples.y.reshape(-1))
    assert np.max(np.abs(np.array(answers) - windows)) == pytest.approx(shown["max_difference"], abs=0.02)
    assert shown["max_difference"] < 0.2


def _heard(runner, facts, window):
    """The answer after a window, in C's manner: int8 in, int8 out."""
    interpreter, (first, *states) = runner._interpreter, facts["inputs"]
    held = [np.full(state["shape"], state["zero_point"], state["dtype"]) for state in states]
    window = np.pad(window, ((0, -len(window) % facts["num_frames"]), (0, 0), (0, 0)))
    for start in range(0, len(window), facts["num_frames"]):
        frames = np.rint(window[None, start : start + facts["num_frames"]] / first["scale"]) + first["zero_point"]
        for detail, values in zip(runner.inputs, [np.clip(frames, -128, 127).astype("int8"), *held], strict=True):
            interpreter.set_tensor(detail["index"], values)
        interpreter.invoke()
        answer, *held = (interpreter.get_tensor(detail["index"]).copy() for detail in runner.outputs)
    return (answer[0].astype(float) - facts["outputs"][0]["zero_point"]) * facts["outputs"][0]["scale"]


def test_it_is_told_in_words_beside_the_bundle(bundle, capfd):
    assert main(["stream", str(bundle)]) == 0
    said = capfd.readouterr().out
    assert "MACs" in said and "step by step" in said and f"Written: {bundle}-streaming" in said
    assert main(["stream", str(bundle)]) == 2
    error = capfd.readouterr().err
    assert f"is written into a new directory. Received: {bundle}-streaming, which is there already." in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda known: known["files"].pop("model.keras"),
            "A bundle of a search streams. Received: .*without model.keras",
        ),
        (
            lambda known: known.update(architecture=None),
            "A bundle of a search streams. Received: .*without an architect",
        ),
        (
            lambda known: known.update(precision="int8_qat"),
            "'int8_qat', whose weights were compressed after the search",
        ),
    ],
)
def test_what_does_not_stream_is_said(bundle, tmp_path, capfd, change, said):
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    change(manifest)
    manifest.pop("manifest_sha256", None)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert main(["stream", str(copy)]) == 2
    assert re.search(said, " ".join(capfd.readouterr().err.split()))
    assert not (tmp_path / "copy-streaming").exists()


def test_a_damaged_bundle_is_told_in_one_line(bundle, tmp_path, capfd):
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    content = (copy / "model.keras").read_bytes()
    for damage, said in (
        (lambda: (copy / "model.keras").write_bytes(content[:-9]), "file model.keras changed: "),
        (lambda: (copy / "model.keras").unlink(), "file model.keras missing. Copy the bundle again"),
    ):
        damage()
        assert main(["stream", str(copy)]) == 2
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1 and said in lines[0]
    assert main(["stream", str(tmp_path / "nothing")]) == 2
    assert "A bundle is a directory with a manifest.json" in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]
