"""A bundle that runs from raw text: its tokenizer is a file, named, hashed and checked."""

import json

import keras
import numpy as np
import pytest

from hwkeras.build import build_model
from hwkeras.convert import convert
from hwkeras.convert import predict
from hwkeras.data import Tokenizer
from hwkeras.errors import UserError
from hwkeras.export import BundleSource
from hwkeras.export import read_manifest
from hwkeras.export import verify
from hwkeras.export import write_bundle
from hwkeras.export.manifest import seal
from hwkeras.space import Draft

# Keras 3 reads TensorFlow's variables for NumPy 2 in a way that NumPy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
RNG = np.random.default_rng(0)
WORDS = {0: "see you home dinner later".split(), 1: "win prize claim free cash".split()}


def messages(number):
    labels = np.arange(number) % 2
    return [" ".join([*RNG.choice(WORDS[label], 4), "now"]) for label in labels], labels


@pytest.fixture(scope="module")
def source():
    """A network of two classes trained on messages, with everything a search knows of it."""
    keras.utils.set_random_seed(0)
    texts, y = messages(200)
    tokenizer = Tokenizer.fit(texts)
    draft = Draft((tokenizer.length,), dtype="int32")
    draft.append("words", "embedding", vocabulary=tokenizer.num_ids, units=4)
    draft.append("row", "reshape", shape=(1, *draft.shape))
    draft.append("pool", "global_average_pool")
    draft.append_head(2)
    architecture = draft.finish()
    model, x = build_model(architecture), tokenizer(texts)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=4, batch_size=16, verbose=0)
    return BundleSource(
        flatbuffer=convert(model, "int8", x).flatbuffer,
        precision="int8",
        model=model,
        architecture=architecture,
        preprocessing={"tokenizer": tokenizer.to_json(), "notes": ["of texts"]},
        class_names=("ham", "spam"),
        check_x=x,
        check_y=y,
    )


@pytest.fixture
def bundle(source, tmp_path):
    return write_bundle(tmp_path / "bundle", source)


def found(bundle):
    verification = verify(bundle, remeasure=False)
    return {check.name: check for check in verification.checks}, [check.name for check in verification.failed]


def test_the_bundle_runs_from_raw_text(bundle):
    tokenizer = Tokenizer.read(bundle / "tokenizer.json")
    names = read_manifest(bundle)["class_names"]
    outputs = predict((bundle / "model.tflite").read_bytes(), tokenizer(["CLAIM your prize", "Home for dinner?"]))
    assert [names[index] for index in outputs.argmax(axis=1)] == ["spam", "ham"]


def test_the_manifest_names_and_hashes_the_tokenizer(bundle, source):
    manifest = read_manifest(bundle)
    assert manifest["preprocessing"] == {"tokenizer": {"file": "tokenizer.json"}, "notes": ["of texts"]}
    assert manifest["files"]["tokenizer.json"]["size"] == (bundle / "tokenizer.json").stat().st_size
    (entry,) = manifest["inputs"]
    assert entry["dtype"] == "int32" and entry["scale"] is None
    assert json.loads((bundle / "tokenizer.json").read_text()) == source.preprocessing["tokenizer"]
    checks, failed = found(bundle)
    assert failed == [] and checks["tokenizer"].message == "13 numbers, 5 a text"
    assert checks["file tokenizer.json"].ok and checks["outputs"].ok and checks["accuracy"].ok


def test_a_changed_word_is_seen(bundle):
    path = bundle / "tokenizer.json"
    path.write_text(path.read_text().replace("prize", "price"))
    assert found(bundle)[1] == ["file tokenizer.json"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"length": 4}, "makes rows of 4 numbers"),
        ({"num_buckets": 9}, "has 21 numbers, the model's table 13 rows"),
        ({"version": 9}, "cannot be read: This version of hwkeras reads tokenizers of version 1"),
    ],
)
def test_a_tokenizer_of_another_model_is_seen_even_with_its_hash_mended(bundle, change, said):
    from hwkeras.export.manifest import describe_file

    path, manifest = bundle / "tokenizer.json", read_manifest(bundle)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    manifest["files"]["tokenizer.json"] = describe_file(path)
    (bundle / "manifest.json").write_text(json.dumps(seal(manifest)))
    checks, failed = found(bundle)
    assert failed == ["tokenizer"]
    assert checks["tokenizer"].message.startswith(said)


def test_a_lost_tokenizer_is_seen(bundle):
    (bundle / "tokenizer.json").unlink()
    assert found(bundle)[1] == ["file tokenizer.json", "tokenizer"]


def test_a_bundle_is_not_written_with_what_is_no_tokenizer(source, tmp_path):
    import dataclasses

    broken = dataclasses.replace(source, preprocessing={"tokenizer": {"kind": "bpe"}})
    with pytest.raises(UserError, match="A tokenizer in JSON must have kind='hwkeras-tokenizer'"):
        write_bundle(tmp_path / "bundle", broken)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("preprocessing", [None, "lower-cased", {"scale": 0.5}])
def test_other_preprocessing_stays_as_it_is(source, tmp_path, preprocessing):
    import dataclasses

    bundle = write_bundle(tmp_path / "bundle", dataclasses.replace(source, preprocessing=preprocessing))
    assert read_manifest(bundle)["preprocessing"] == preprocessing
    assert not (bundle / "tokenizer.json").exists()
    assert "tokenizer" not in found(bundle)[0]
