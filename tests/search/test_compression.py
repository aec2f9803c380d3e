"""Recipes in a search, with the real compression on digits."""

import json

import keras
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.convert import score
from hwkeras.errors import UserError
from hwkeras.search import Compression
from hwkeras.search.journal import Journal
from hwkeras.search.progress import progress_line

RECIPE = "prune=0.5+int8_qat"


def searched(space, digits, directory, recipes, **arguments):
    x, y = digits
    arguments = {"max_trials": 2, "precision": ("int8",), "device": "fake", "seed": 0} | arguments
    tuner = hw.HardwareTuner(space, compression=recipes, directory=directory, **arguments)
    tuner.search(x[:600], y[:600], validation_data=(x[600:900], y[600:900]), epochs=3, batch_size=32)
    return tuner


@pytest.fixture(scope="module")
def compressed(small_space, digits, tmp_path_factory):
    directory = tmp_path_factory.mktemp("compressed") / "run"
    objectives = ["accuracy", "gzip_bytes"]
    return searched(small_space(depths=(1, 2)), digits, directory, [RECIPE], objectives=objectives)


def test_the_networks_near_the_front_are_compressed_and_are_what_they_claim(compressed, digits):
    x, y = digits
    found = [candidate for candidate in compressed.candidates() if candidate.precision == RECIPE]
    assert found, [candidate.precision for candidate in compressed.candidates()]
    for candidate in found:
        content = (compressed.run.directory / candidate.file).read_bytes()
        assert candidate.metrics["accuracy"] == score(content, x[600:900], y[600:900])
        largest = max(constant_tensors(content), key=lambda tensor: tensor.values.size)
        assert np.mean(largest.values == 0) > 0.45
        plain = next(c for c in compressed.candidates() if c.trial == candidate.trial and c.precision == "int8")
        assert candidate.metrics["gzip_bytes"] < 0.9 * plain.metrics["gzip_bytes"]
        assert candidate.architecture_hash == plain.architecture_hash
    # What is smaller to download and hardly worse lies on the front.
    assert RECIPE in {candidate.precision for candidate in compressed.front()}


def test_the_epochs_of_recipes_count(compressed):
    num_recipes = len(Journal(compressed.run.directory / "journal.jsonl").read("compressed"))
    ended = Journal(compressed.run.directory / "journal.jsonl").read("finished")
    # Pruning and quantization-aware training, an epoch each.
    assert num_recipes >= 1 and sum(event["epochs"] for event in ended) == 2 * 3 + 2 * num_recipes


def test_a_search_that_goes_on_with_another_recipe_completes_the_front_as_far_as_epochs_go(
    small_space, compressed, digits
):
    before, told = list(dict.fromkeys(candidate.trial for candidate in compressed.front())), []
    arguments = {
        "space": small_space(depths=(1, 2)),
        "digits": digits,
        "directory": compressed.run.directory,
        "recipes": [RECIPE, "int16x8"],
        "objectives": ["accuracy", "gzip_bytes"],
    }
    spent = Journal(compressed.run.directory / "journal.jsonl").read("finished")
    num_epochs = sum(event["epochs"] for event in spent)

    stingy = searched(
        **arguments, max_total_epochs=num_epochs, progress=lambda *event: told.append(progress_line(*event))
    )
    left = stingy.results()["recipes_left"]
    assert left and {each["trial"] for each in left} <= set(before)
    assert all(each["recipes"] == ["int16x8"] for each in left)
    said = f"no epochs of the budget are left to compress trial {left[0]['trial']} (int16x8)"
    assert any(line and line.startswith(said) for line in told), told
    assert "int16x8" not in {candidate.precision for candidate in stingy.candidates()}

    again = searched(**arguments)
    completed = {candidate.trial for candidate in again.candidates() if candidate.precision == "int16x8"}
    assert {each["trial"] for each in left} <= completed and again.results()["recipes_left"] == []
    kept = {candidate.file for candidate in compressed.candidates()}
    assert kept <= {candidate.file for candidate in again.candidates()}


def build_without_twin(hp):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.RMSNormalization()])
    model.add(keras.layers.Dense(hp.Choice("units", [10]), activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_recipe_that_fails_does_not_fail_its_trial(digits, tmp_path):
    tuner = searched(build_without_twin, digits, tmp_path / "run", [RECIPE], precision=("float32",), max_trials=1)
    assert [candidate.precision for candidate in tuner.front()] == ["float32"]
    (failure,) = tuner.results()["failed_recipes"]
    assert failure["recipe"] == RECIPE and "RMSNormalization" in failure["message"]
    assert json.loads(json.dumps(tuner.results()))["compression"]["recipes"] == [RECIPE]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((["int8"],), "'int8' is a precision: every network is deployed in it"),
        ((["int8_qat", " int8_qat"],), "Each recipe is asked for once. Received: 'int8_qat' twice"),
        ((["qat"],), "Received: .*'qat'"),
        ((["int8_qat"], 0), "`epochs` of a recipe must be at least 1. Received: epochs=0"),
        ((["int8_qat"], 1, 1.0), r"`margin` must be in \[0, 1\). Received: margin=1.0"),
    ],
)
def test_what_cannot_be_asked_for(arguments, said):
    with pytest.raises(UserError, match=said):
        Compression(*arguments)


def test_recipes_need_labels(digits, tmp_path):
    x, y = digits
    tuner = hw.HardwareTuner(
        build_without_twin, compression=["int8_qat"], directory=tmp_path / "run", device="fake", max_trials=1
    )
    with pytest.raises(UserError, match="Recipes fine-tune on x and y. Received: recipe 'int8_qat' and y=None"):
        tuner.search(x[:64], validation_data=(x[:64], y[:64]), epochs=1)
