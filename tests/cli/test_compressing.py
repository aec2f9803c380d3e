"""`hwkeras compress` end to end: real files from real models, and each bad input in one clear line."""

import io
import json
import pathlib
import re
import zipfile

import numpy as np
import pytest

import hwkeras as hw
from hwkeras.cli.main import main
from hwkeras.errors import UserError

RECIPES = ("int8", "prune=0.5+int8", "distill+prune=2:4")


def build(side=8, classes=10, activation="softmax", trained_on=None):
    from hwkeras import keras

    keras.utils.set_random_seed(0)
    layers = [keras.Input((side, side, 1)), keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="stem")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(classes, activation=activation, name="head")]
    model = keras.Sequential(layers)
    if trained_on is not None:
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(*trained_on, epochs=8, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory, digits):
    """A trained model and its data, with test data, as files."""
    folder = tmp_path_factory.mktemp("compress")
    (x, y), test = (digits[0][:1200], digits[1][:1200]), (digits[0][1200:], digits[1][1200:])
    build(trained_on=(x, y)).save(folder / "model.keras")
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=test[0], y_test=test[1])
    return folder


@pytest.fixture(scope="module")
def run(files):
    """Three recipes from the command line: exit code, stdout, stderr, the directory."""
    import subprocess
    import sys

    out = files / "out"
    options = ["--data", str(files / "data.npz"), "--device", "fake", "--epochs", "2", "--out", str(out), "--json"]
    options += ["--teacher", str(files / "model.keras")]
    asked = [argument for recipe in RECIPES for argument in ("--recipe", recipe)]
    command = [sys.executable, "-m", "hwkeras", "compress", str(files / "model.keras"), *options, *asked]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr, out


def test_one_document_and_one_file_a_recipe(run, files):
    code, stdout, stderr, out = run
    assert code == 0, stderr
    document = json.loads(stdout)
    assert [one["recipe"] for one in document["results"]] == list(RECIPES) and document["failed"] == []
    assert document["data"]["has_test"] and document["data"]["num_held_out"] == 597
    with np.load(files / "data.npz") as data:
        x, y = data["x_test"], data["y_test"]
    from hwkeras.convert import score

    for result in document["results"]:
        content = pathlib.Path(result["file"]).read_bytes()
        metrics = result["metrics"]
        assert metrics["size_bytes"] == len(content) == hw.analyze(content).size_bytes
        assert metrics["accuracy"] == score(content, x, y) > 0.8
        assert metrics["latency_ms"] == result["measurement"]["latency_ms"] > 0
        assert result["report"]["size_bytes"] == len(content)
    assert document["results"][1]["metrics"]["sparsity"] > 0.45
    assert document["results"][1]["metrics"]["gzip_bytes"] < document["results"][0]["metrics"]["gzip_bytes"]
    assert {path.name for path in out.iterdir()} == {
        "int8.tflite", "prune=0.5+int8.tflite", "distill+prune=2-4.tflite", "report.json",
    }  # fmt: skip
    assert json.loads((out / "report.json").read_text()) == document


def test_progress_goes_to_stderr_and_nothing_else_does(run):
    lines = [line for line in run[2].splitlines() if line.strip()]
    assert lines == [f"recipe {number}/3: {recipe}" for number, recipe in enumerate(RECIPES, 1)]


def compressed(files, *options, model="model.keras", data="data.npz", out="table"):
    asked = ["--data", str(files / data), "--epochs", "1", "--device", "fake", "--out", str(files / out)]
    return main(["compress", str(files / model), *asked, *options])


def test_the_table(files, capfd):
    assert compressed(files, "--recipe", "float32", "--recipe", "int8") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["Recipe", "Size", "Gzip", "Latency", "Accuracy", "Zeros"]
    assert re.match(r"float32 +\d.* KiB +\d.* KiB +\d.* ms +0\.\d{4} +0\.\d{4}", lines[1])
    assert lines[2].startswith("int8 ") and lines[3].startswith("Files and report: ")
    assert len({len(line) for line in lines[:3]}) == 1


def test_a_recipe_that_fails_costs_the_others_nothing(files, capfd, monkeypatch):
    import hwkeras.compress
    from hwkeras.errors import CompressionError

    whole = hwkeras.compress.compress

    def broken(model, recipe, *args, **options):
        if recipe.precision == "float16":
            raise CompressionError("A step must take. Received: none.")
        return whole(model, recipe, *args, **options)

    monkeypatch.setattr(hwkeras.compress, "compress", broken, raising=False)
    code = compressed(files, "--recipe", "float16", "--recipe", "int8", "--json", out="some")
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert code == 1 and err.splitlines()[-1] == "error: A step must take. Received: none."
    assert [one["recipe"] for one in document["results"]] == ["int8"]
    assert document["failed"] == [{"recipe": "float16", "error": "A step must take. Received: none."}]
    assert json.loads((files / "some" / "report.json").read_text()) == document


def test_a_device_that_fails_is_exit_4_with_the_files(files, capfd, monkeypatch):
    from hwkeras.testing import FakeDevice

    monkeypatch.setattr("hwkeras.measure.open_meter", lambda *a, **k: FakeDevice(faults={0: "timeout"}), raising=False)
    assert compressed(files, "--recipe", "int8", "--json", out="late") == 4
    out, err = capfd.readouterr()
    assert json.loads(out)["results"][0]["metrics"]["latency_ms"] is None
    assert "Device 'fake' gave no latency for 1 of 1 files. Received: timeout" in err
    assert (files / "late" / "int8.tflite").is_file() and (files / "late" / "report.json").is_file()


def test_pixels_are_scaled_unless_raw_is_asked(files, tmp_path):
    from hwkeras.cli.model_data import load_model_data

    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype("uint8")
    np.savez(tmp_path / "bytes.npz", x_train=pixels, y_train=np.arange(40) % 10)
    model = build()
    scaled = load_model_data(str(tmp_path / "bytes.npz"), model)
    raw = load_model_data(str(tmp_path / "bytes.npz"), model, raw=True)
    assert scaled.train[0].max() <= 1.0 and raw.train[0].max() > 200
    assert set(np.unique(raw.train[0])) <= set(range(256)) and raw.train[0].dtype == np.float32
    np.testing.assert_allclose(raw.valid[0], scaled.valid[0] * 255, atol=1e-3)
    assert (scaled.facts["num_train"], scaled.facts["num_held_out"], raw.facts["scale"]) == (32, 8, 1.0)


def test_rows_signals_and_two_classes(tmp_path, capfd):
    from hwkeras import keras
    from hwkeras.cli.model_data import load_model_data

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)).astype("float32"), np.array(["no", "yes"])[np.arange(60) % 2]
    x[:, 0] += 4 * (y == "yes")
    np.savez(tmp_path / "rows.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, activation="sigmoid", name="only")])
    model.save(tmp_path / "binary.keras")
    data = load_model_data(str(tmp_path / "rows.npz"), model)
    assert data.train[1].shape == (48, 1) and data.held_out[1].dtype == np.float32 and len(data.held_out[1]) == 20
    options = ["--recipe", "prune=0.4", "--learning-rate", "0.1", "--epochs", "20", "--json"]
    assert compressed(tmp_path, *options, model="binary.keras", data="rows.npz") == 0
    (result,) = json.loads(capfd.readouterr().out)["results"]
    assert result["metrics"]["accuracy"] > 0.9 and result["metrics"]["sparsity"] >= 0.4

    signals = rng.normal(size=(20, 6, 3)).astype("float32")
    np.savez(tmp_path / "signals.npz", x_train=signals, y_train=np.arange(20) % 2)
    one = keras.Sequential([keras.Input((6, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert load_model_data(str(tmp_path / "signals.npz"), one).train[0].shape == (16, 6, 3)


def test_a_network_with_its_front_end_inside(tmp_path, capfd):
    """A network of the space for sounds, whose first layer is one of hwkeras, from its file."""
    import keras_tuner as kt

    rng, rate = np.random.default_rng(0), 4000
    y = np.arange(60) % 2
    hertz = np.where(y, 1300, 250) * rng.uniform(0.9, 1.1, 60)
    x = 0.5 * np.sin(2 * np.pi * hertz[:, None] * np.arange(800) / rate) + rng.normal(0, 0.02, (60, 800))
    np.savez(tmp_path / "sounds.npz", x_train=x.astype("float32"), y_train=y, sample_rate=rate)
    heard = hw.load_dataset(tmp_path / "sounds.npz", kind="audio", front_end="inside")
    small = dict(stages=1, depths=1, widths=8, stem_widths=8, dense_units=0, layer_types="conv")
    hw.spaces.Audio.of(heard, **small).build(kt.HyperParameters()).save(tmp_path / "heard.keras")
    options = ["--kind", "audio", "--front-end", "inside", "--recipe", "prune=0.5+int8_qat", "--epochs", "2", "--json"]
    assert compressed(tmp_path, *options, "--batch-size", "16", model="heard.keras", data="sounds.npz") == 0
    (result,) = json.loads(capfd.readouterr().out)["results"]
    assert result["report"]["layers"] and result["metrics"]["size_bytes"] > 0
    layers = [one for one in result["report"]["layers"] if one["sparsity_in_file"] is not None]
    assert layers and all(one["sparsity_in_file"] >= 0.5 for one in layers)


def test_sequences_are_prepared_as_a_search_prepares_them(tmp_path):
    from hwkeras import keras
    from hwkeras.cli.model_data import load_model_data

    rng = np.random.default_rng(0)
    np.savez(tmp_path / "motion.npz", x=rng.normal(5, 3, (40, 6, 2)).astype("float32"), y=np.arange(40) % 2)
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Flatten(), keras.layers.Dense(2)])
    data = load_model_data(str(tmp_path / "motion.npz"), model, kind="sequence")
    searched = hw.load_dataset(tmp_path / "motion.npz", kind="sequence")
    np.testing.assert_array_equal(data.train[0], searched.x_train)
    np.testing.assert_array_equal(data.valid[1], searched.y_valid)
    with pytest.raises(UserError, match="`--raw` is of images. Received: --raw and --kind sequence. Leave --raw away."):
        load_model_data(str(tmp_path / "motion.npz"), model, kind="sequence", raw=True)


def test_numbers_to_predict_are_refused(tmp_path):
    from hwkeras import keras
    from hwkeras.cli.model_data import load_model_data

    rows = "\n".join(f"{number},{number * 1.7}" for number in range(40))
    (tmp_path / "prices.csv").write_text(f"size,price\n{rows}\n")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(
        UserError, match="compresses classifiers. Received: .*prices.csv, numbers to predict. In Python"
    ):
        load_model_data(str(tmp_path / "prices.csv"), model, kind="table")


def saved(path, model):
    model.save(path)
    return str(path)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def with_lambda(path):
    from hwkeras import keras

    return saved(path, keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Lambda(lambda x: x, name="code")]))


def with_unknown_layer(path):
    from hwkeras import keras

    layers = [keras.Input((8, 8, 1)), keras.layers.RMSNormalization(name="rms"), keras.layers.Flatten()]
    return saved(path, keras.Sequential([*layers, keras.layers.Dense(10)]))


def with_two_inputs(path):
    from hwkeras import keras

    inputs = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    return saved(path, keras.Model(inputs, keras.layers.Flatten()(keras.layers.Add()(inputs))))


def quantized(path):
    model = build()
    model.get_layer("head").quantize("int8")
    return saved(path, model)


def text(path):
    path.write_text("TFL3")
    return str(path)


def pickled(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", buffer.getvalue())
        archive.writestr("y_train.npy", buffer.getvalue())
    return str(path)


X = np.random.default_rng(0).random((40, 8, 8, 1)).astype("float32")
Y = np.arange(40) % 10
ROWS = np.zeros((40, 5), "float32")
# name -> (model, data, options); None for those that are right.
BAD = {
    "a recipe with a typo": lambda t: (None, None, ["--recipe", "prun=0.5"], "prun=0.5"),
    "a recipe that contradicts itself": lambda t: (None, None, ["--recipe", "int8+float16"], "int8.*float16"),
    "a recipe twice": lambda t: (None, None, ["--recipe", "int8+prune=0.5", "--recipe", "prune=0.5+int8"], "once"),
    "too sparse": lambda t: (None, None, ["--recipe", "prune=1.5"], r"\[0, 1\)"),
    "nothing to distill into": lambda t: (None, None, ["--recipe", "distill+int8"], "needs a step that trains"),
    "a teacher nobody asks": lambda t: (None, None, ["--teacher", build_file(t)], "asked by 'distill' alone"),
    "no such model": lambda t: (str(t / "nowhere.keras"), None, [], "nowhere.keras, which does not exist"),
    "a .tflite": lambda t: (text(t / "model.tflite"), None, [], "converted already and cannot be trained"),
    "no model": lambda t: (text(t / "model.h5"), None, [], "none of them, or truncated"),
    "a Lambda": lambda t: (with_lambda(t / "lambda.keras"), None, [], "--allow-lambda code"),
    "an unknown layer": lambda t: (with_unknown_layer(t / "rms.keras"), None, [], "layer 'rms' of class RMSNorm"),
    "a quantized model": lambda t: (quantized(t / "quantized.keras"), None, [], "already quantized"),
    "two inputs": lambda t: (with_two_inputs(t / "two.keras"), None, [], "classifiers with one input"),
    "no data": lambda t: (None, str(t / "nowhere.npz"), [], "nowhere.npz"),
    "no labels": lambda t: (None, npz(t / "a.npz", x_train=X), ["--recipe", "distill+int8_qat"], "x_train and y_train"),
    "another shape": lambda t: (None, npz(t / "a.npz", x_train=X[:, :6], y_train=Y), [], r"\(8, 8, 1\).*\(6, 8, 1\)"),
    "rows for an image model": lambda t: (None, npz(t / "a.npz", x_train=ROWS, y_train=Y), [], r"Received: \(5,\)"),
    "rows with NaN": lambda t: (None, npz(t / "a.npz", x_train=ROWS / 0, y_train=Y), [], "must be finite"),
    "more classes": lambda t: (None, npz(t / "a.npz", x_train=X, y_train=np.arange(40) % 12), [], "12 classes"),
    "pickled": lambda t: (None, pickled(t / "a.npz"), [], "pickle|object"),
    "no device": lambda t: (None, None, ["--device", "toaster"], "toaster"),
    "no number": lambda t: (None, None, ["--epochs", "many"], "many"),
    "a file in the way": lambda t: (None, None, ["--out", text(t / "file")], "--out names a directory"),
    "files in the way": lambda t: (None, None, ["--out", str(t)], "must be new or empty"),
}


def build_file(folder):
    return saved(folder / "teacher.keras", build())


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_input(name, files, tmp_path, capfd):
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "something").write_text("")
    model, data, options, said = BAD[name](tmp_path / "input")
    command = ["compress", model or str(files / "model.keras"), "--data", data or str(files / "data.npz")]
    code = main([*command, "--out", str(tmp_path / "run"), "--epochs", "1", "--device", "fake", *options, "--json"])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("error: "), err
    assert re.search(said, lines[0]), err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side", "classes", "recipes"),
    [
        ("vww_96.h5", 96, 2, ("int8", "int8_qat", "prune=0.5+int8_qat")),
        ("pretrainedResnet.h5", 32, 10, ("int8", "int8_qat", "prune=0.5+int8_qat")),
    ],
)
def test_real_legacy_files(name, side, classes, recipes, shared_data, tmp_path, capfd):
    rng = np.random.default_rng(0)
    y = np.arange(40) % classes
    x = (rng.integers(0, 100, (40, side, side, 3)) + 15 * y[:, None, None, None]).astype("uint8")
    data = npz(tmp_path / "data.npz", x_train=x, y_train=y)
    asked = [argument for recipe in recipes for argument in ("--recipe", recipe)]
    options = ["--data", data, "--epochs", "1", "--batch-size", "16", "--device", "fake", "--json"]
    assert main(["compress", str(shared_data / name), *options, *asked, "--out", str(tmp_path / "out")]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [one["recipe"] for one in document["results"]] == list(recipes)
    params = {"vww_96.h5": 221794, "pretrainedResnet.h5": 78666}[name]
    assert all(one["metrics"]["size_bytes"] > 0.9 * params for one in document["results"])
    assert document["results"][2]["metrics"]["sparsity"] > 0.45
