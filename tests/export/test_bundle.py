"""A bundle as written: what is in it, and what it will not write over."""

import hashlib
import importlib.metadata
import json
import math
import shutil
import subprocess

import numpy as np
import pytest

from hwkeras.convert import predict
from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from hwkeras.export import BundleSource
from hwkeras.export import read_manifest
from hwkeras.export import write_bundle
from hwkeras.measure import Measurement
from hwkeras.measure import analyze
from hwkeras.space import Architecture

# Keras 3 reads TensorFlow's variables for NumPy 2 in a way that NumPy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

FILES = ["check.npz", "manifest.json", "model.keras", "model.tflite", "model_data.cc", "model_data.h"]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_file_is_there_and_hashed(bundle, source):
    assert names_in(bundle) == FILES
    assert names_in(bundle.parent) == ["bundle"]
    assert (bundle / "model.tflite").read_bytes() == source.flatbuffer
    files = read_manifest(bundle)["files"]
    assert sorted(files) == [name for name in FILES if name != "manifest.json"]
    for name, entry in files.items():
        content = (bundle / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_the_manifest_tells_everything(bundle, source):
    manifest = read_manifest(bundle)
    assert manifest["created"] == "2026-01-02T12:00:00+00:00"
    assert manifest["metrics"] == {**source.metrics, "val_accuracy": 0.5}
    assert Measurement.from_json(manifest["measurement"]) == source.measurement
    assert manifest["environment"] == source.measurement.environment
    assert manifest["analysis"] == json.loads(json.dumps(analyze(source.flatbuffer).to_json()))
    assert Architecture.from_json(manifest["architecture"]) == source.architecture
    assert manifest["architecture_hash"] == source.architecture.hash
    assert manifest["hyperparameters"] == {"width": 4, "activation": "relu", "se": False}
    assert manifest["limits"][0] == {"metric": "latency_ms", "bound": 5.0, "text": "latency=5ms"}
    assert manifest["limits"][1] == {"metric": "size_bytes", "bound": 204800.0, "text": "size=200KiB"}
    assert manifest["class_names"] == ["top", "middle", "bottom"]
    told = {name: manifest[name] for name in ("seed", "data_fingerprint", "preprocessing", "precision", "device")}
    assert told == {
        "seed": 0,
        "data_fingerprint": "8f3a91c2",
        "preprocessing": {"scale": 1 / 255},
        "precision": "int8",
        "device": "local",
    }
    assert manifest["versions"]["tensorflow"] == importlib.metadata.version("tensorflow")
    assert sorted(manifest["versions"]) == sorted(
        ["hwkeras", "tensorflow", "keras", "keras-tuner", "ai-edge-litert", "numpy"]
    )


def test_the_manifest_tells_how_to_feed_the_file(bundle, source, trained):
    manifest = read_manifest(bundle)
    (entry,), (answer,) = manifest["inputs"], manifest["outputs"]
    assert (entry["shape"], entry["dtype"], answer["shape"], answer["dtype"]) == ([1, 6, 6, 1], "int8", [1, 3], "int8")
    # A softmax is quantized to 1/256 steps from -128; inputs in [0, 1] reach from about -128 to about 127.
    assert answer["scale"] == 1 / 256 and answer["zero_point"] == -128
    assert entry["scale"] * (127 - entry["zero_point"]) == pytest.approx(float(trained[1].max()), rel=0.02)


def test_a_float_file_has_no_scale(variant, converted, tmp_path):
    source = variant(flatbuffer=converted["float32"], precision="float32", measurement=None, analysis=None, model=None)
    manifest = read_manifest(write_bundle(tmp_path / "b", source))
    assert {key: manifest["inputs"][0][key] for key in ("dtype", "scale", "zero_point")} == {
        "dtype": "float32",
        "scale": None,
        "zero_point": None,
    }
    assert manifest["measurement"] is None and manifest["environment"] is None


def test_samples_are_spread_over_the_data(bundle, source, trained):
    with np.load(bundle / "check.npz", allow_pickle=False) as arrays:
        x, y, outputs = arrays["x"], arrays["y"], arrays["outputs"]
    assert x.shape == (64, 6, 6, 1) and outputs.shape == (64, 3)
    assert set(y) == {0, 1, 2}
    np.testing.assert_array_equal(outputs, predict(source.flatbuffer, x))
    accuracy = float((outputs.argmax(axis=1) == y).mean())
    assert read_manifest(bundle)["check"] == {"num_samples": 64, "accuracy": accuracy}
    assert accuracy > 0.6, "the tiny network must have learned something for the test to say anything"


def test_the_keras_model_is_the_one_given(bundle, trained):
    import keras

    model, x, _ = trained
    loaded = keras.saving.load_model(bundle / "model.keras")
    np.testing.assert_allclose(loaded.predict(x[:4], verbose=0), model.predict(x[:4], verbose=0), atol=1e-6)


def test_the_keras_model_may_be_a_file_or_bytes(bundle, variant, tmp_path):
    content = (bundle / "model.keras").read_bytes()
    for number, model in enumerate([content, bundle / "model.keras", str(bundle / "model.keras")]):
        written = write_bundle(tmp_path / str(number), variant(model=model))
        assert (written / "model.keras").read_bytes() == content


def test_the_least_source_makes_a_bundle(source, tmp_path):
    bundle = write_bundle(tmp_path / "deep" / "er", BundleSource(source.flatbuffer, "int8"))
    assert names_in(bundle) == ["manifest.json", "model.tflite", "model_data.cc", "model_data.h"]
    manifest = read_manifest(bundle)
    assert manifest["check"] is None and manifest["architecture"] is None and manifest["seed"] is None


def test_a_metric_that_is_not_a_number_becomes_null(variant, tmp_path):
    bundle = write_bundle(tmp_path / "b", variant(model=None, metrics={"accuracy": math.nan, "val_loss": math.inf}))
    assert read_manifest(bundle)["metrics"] == {"accuracy": None, "val_loss": None}


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_c_array_compiles(bundle, source, tmp_path):
    subprocess.run(["g++", "-c", bundle / "model_data.cc", "-o", tmp_path / "a.o"], check=True)
    # The object file holds the model byte for byte.
    assert source.flatbuffer in (tmp_path / "a.o").read_bytes()


def test_an_empty_directory_is_filled(source, tmp_path):
    (tmp_path / "b").mkdir()
    assert names_in(write_bundle(tmp_path / "b", source)) == FILES


def test_a_bundle_is_replaced_only_when_asked(bundle, variant):
    before = (bundle / "manifest.json").read_bytes()
    with pytest.raises(UserError, match="replaced only when asked. Received: .*bundle, which is one. Pass overwrite=T"):
        write_bundle(bundle, variant(seed=7))
    assert (bundle / "manifest.json").read_bytes() == before
    write_bundle(bundle, variant(seed=7, model=None), overwrite=True)
    assert read_manifest(bundle)["seed"] == 7
    assert "model.keras" not in names_in(bundle)
    assert names_in(bundle.parent) == ["bundle"]


def test_a_bundle_with_other_files_is_not_replaced(bundle, source):
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="replaced as a whole. Received: .*which also holds notes.txt. Move that"):
        write_bundle(bundle, source, overwrite=True)
    assert (bundle / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_that_is_no_bundle_is_refused(source, tmp_path, overwrite):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="a new or empty directory, or over a bundle. Received: .* which is neither"):
        write_bundle(tmp_path, source, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_file_is_refused(source, tmp_path):
    (tmp_path / "b").write_text("a file")
    with pytest.raises(UserError, match="A bundle is a directory. Received: .*b, which is something else"):
        write_bundle(tmp_path / "b", source, overwrite=True)


def test_nothing_is_left_when_writing_fails(variant, tmp_path):
    with pytest.raises(UserError, match="A manifest holds numbers, text, lists and dicts. Received: object"):
        write_bundle(tmp_path / "b", variant(model=None, preprocessing=object()))
    assert names_in(tmp_path) == []


def test_the_old_bundle_stays_when_writing_fails(bundle, variant):
    with pytest.raises(UserError, match="Received: complex"):
        write_bundle(bundle, variant(hyperparameters={"width": 1j}), overwrite=True)
    assert read_manifest(bundle)["seed"] == 0
    assert names_in(bundle.parent) == ["bundle"]


def test_bytes_that_are_no_model_are_refused(tmp_path):
    with pytest.raises(ModelFileError):
        write_bundle(
            tmp_path / "b", BundleSource(b"not a model", "int8", check_x=np.zeros((1, 2)), check_y=np.zeros(1))
        )
    assert names_in(tmp_path) == []


def test_a_measurement_of_another_file_is_refused(variant, measured):
    with pytest.raises(UserError, match="`measurement` must be of the bytes that ship .* Measure these bytes"):
        variant(measurement=measured(b"another file"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"flatbuffer": b""}, "`flatbuffer` must be the bytes of a .tflite file. Received: nothing"),
        ({"flatbuffer": "model.tflite"}, "Received: str"),
        ({"check_y": None}, "`check_x` and `check_y` go together"),
        ({"check_y": np.zeros(5, int)}, "must have one length. Received: 120 samples and 5 classes"),
        ({"model": 5}, "`model` must be a Keras model, the path of a .keras file, or its bytes. Received: int"),
        ({"limits": ("latency=5parsec",)}, "unknown unit"),
    ],
)
def test_a_source_that_does_not_fit_together_is_refused(variant, changes, said):
    with pytest.raises(UserError, match=said):
        variant(**changes)
