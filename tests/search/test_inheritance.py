"""Children begin with the weights of a trained network: which, and how much of them."""

import os
import pathlib

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import hwkeras as hw
from hwkeras.oracles.asha import AshaOracle
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.search.economy import Economy
from hwkeras.search.inheritance import MIN_SHARE
from hwkeras.search.inheritance import LayerShape
from hwkeras.search.inheritance import align
from hwkeras.search.inheritance import inherit
from hwkeras.search.inheritance import share_of
from hwkeras.search.inheritance import weighted_layers
from hwkeras.search.journal import Journal

shapes = st.builds(
    LayerShape,
    kind=st.sampled_from(["Conv2D", "Dense"]),
    shapes=st.sampled_from([((3, 3),), ((2, 5), (5,)), ((4,),)]),
    name=st.sampled_from(["a", "b", "c"]),
)
networks = st.lists(shapes, max_size=7)


def build(hp):
    """The last block is wide or narrow; all before it is the same."""
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(24, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(hp.Choice("units", [4, 6, 8, 12]), activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_alike(hp):
    """Networks of the same weights: only the activation differs."""
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(16, activation=hp.Choice("activation", ["relu", "tanh"])),
    ]
    layers += [keras.layers.BatchNormalization(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Watch(keras.callbacks.Callback):
    """Sees what each training begins with."""

    def __init__(self, killed_in=None):
        super().__init__()
        self.begun = []
        self.killed_in = killed_in

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, logs=None):
        if len(self.begun) == self.killed_in:
            raise KeyboardInterrupt
        self.begun.append([layer.get_weights() for layer in self.model.layers])


def open_tuner(directory, hypermodel=build_alike, oracle="random", **arguments):
    return hw.HardwareTuner(
        hypermodel,
        oracle=oracle,
        objectives=["accuracy"],
        device="raspberry_pi_4",
        precision="float32",
        max_trials=arguments.pop("max_trials", 2),
        seed=0,
        directory=directory,
        economy=Economy(inherit_weights=True),
        progress=arguments.pop("progress", None),
    )


def search(tuner, digits, watch=None, epochs=1):
    x, y = digits
    callbacks = [] if watch is None else [watch]
    tuner.search(
        x[:300], y[:300], validation_data=(x[300:500], y[300:500]), batch_size=20, epochs=epochs, callbacks=callbacks
    )
    return tuner


def events(tuner, name):
    return Journal(tuner.run.directory / "journal.jsonl").read(name)


@given(child=networks, parent=networks)
def test_pairs_are_of_a_kind_in_order_and_each_layer_once(child, parent):
    pairs = align(child, parent)
    assert all(child[i].key == parent[j].key for i, j in pairs)
    for ends in zip(*pairs, strict=True):
        assert list(ends) == sorted(set(ends))
    assert 0.0 <= share_of(child, pairs) <= 1.0


@given(child=networks)
def test_a_network_shares_all_with_itself(child):
    assert align(child, child) == [(i, i) for i in range(len(child))]
    assert share_of(child, align(child, child)) == (1.0 if child else 0.0)


@given(child=networks, inserted=shapes, place=st.integers(0, 7))
def test_a_layer_put_in_costs_no_other_one_its_partner(child, inserted, place):
    parent = [*child[:place], inserted, *child[place:]]
    assert len(align(child, parent)) == len(align(parent, child)) == len(child)


@settings(max_examples=60, deadline=None)
@given(child=st.lists(shapes, max_size=4), parent=st.lists(shapes, max_size=4))
def test_no_other_pairing_in_order_shares_more(child, parent):
    def most(i, j):
        if i == len(child) or j == len(parent):
            return 0
        paired = child[i].num_parameters + most(i + 1, j + 1) if child[i].key == parent[j].key else 0
        return max(paired, most(i + 1, j), most(i, j + 1))

    total = sum(layer.num_parameters for layer in child)
    assert share_of(child, align(child, parent)) * total == pytest.approx(most(0, 0))


def test_of_equal_layers_those_of_one_name_are_paired():
    blocks = [LayerShape("Dense", ((4, 4),), f"block_{k}") for k in range(4)]
    assert align([blocks[1], blocks[3]], blocks) == [(0, 1), (1, 3)]


def test_weights_are_copied_where_layers_agree_also_within_models():
    def model(units, inner):
        block = keras.Sequential([keras.Input((6,)), keras.layers.Dense(inner), keras.layers.BatchNormalization()])
        last = keras.layers.Dense(3)
        built = keras.Sequential([keras.Input((5,)), keras.layers.Dense(6), block, keras.layers.Dense(units), last])
        for layer in weighted_layers(built):
            layer.set_weights([np.random.default_rng(units).normal(size=w.shape) for w in layer.get_weights()])
        return built

    child, parent = model(7, inner=4), model(9, inner=4)
    before = [layer.get_weights() for layer in weighted_layers(child)]
    share = inherit(child, parent)
    alike = [True, True, True, False, False]
    pairs = zip(weighted_layers(child), weighted_layers(parent), before, alike, strict=True)
    for ours, theirs, ours_before, is_alike in pairs:
        for now, then in zip(ours.get_weights(), theirs.get_weights() if is_alike else ours_before, strict=True):
            np.testing.assert_array_equal(now, then)
    assert share == pytest.approx((36 + 28 + 16) / (36 + 28 + 16 + 35 + 24))
    assert inherit(model(7, inner=4), model(7, inner=4)) == 1.0
    assert inherit(keras.Sequential([keras.Input((2,)), keras.layers.ReLU()]), parent) == 0.0


def test_a_child_begins_where_its_parent_ended(tmp_path, digits):
    told = []
    tuner = open_tuner(tmp_path / "run", progress=lambda event, facts: told.append((event, facts)))
    watch = Watch()
    search(tuner, digits, watch)
    (event,) = events(tuner, "inherited")
    assert (event["trial"], event["parent"], event["share"]) == ("1", "0", 1.0)
    parent = tuner.load_model(tuner.oracle.trials["0"])
    for layer, begun in zip(parent.layers, watch.begun[1], strict=True):
        for now, then in zip(begun, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(now, then)
    finished = [facts["inherited"] for event, facts in told if event == "trial_finished"]
    assert finished == [None, {"trial": "1", "parent": "0", "share": 1.0}]
    assert tuner.results()["inherited_weights"] == [finished[1]]
    assert tuner.run.settings()["economy"]["inherit_weights"] is True


def test_the_parent_shares_the_most_and_then_is_the_best(tmp_path, digits):
    tuner = search(open_tuner(tmp_path / "run", build, max_trials=4), digits)
    inherited = events(tuner, "inherited")
    layers = {
        event["trial"]: [LayerShape.from_json(layer) for layer in event["layers"]] for event in events(tuner, "layers")
    }
    ended = tuner.oracle.end_order
    for trial_id in ended[1:]:
        shares = {
            other: share_of(layers[trial_id], align(layers[trial_id], layers[other]))
            for other in ended[: ended.index(trial_id)]
        }
        most = max(shares.values())
        told = [event for event in inherited if event["trial"] == trial_id]
        assert len(told) == (most >= MIN_SHARE)
        if told:
            assert told[0]["share"] == pytest.approx(most)
            alike = [other for other, share in shares.items() if share == most]
            assert told[0]["parent"] == max(alike, key=lambda other: tuner.oracle.trials[other].score)


def test_killed_in_a_child_it_goes_on_the_same(tmp_path, digits):
    whole = search(open_tuner(tmp_path / "whole"), digits)
    with pytest.raises(KeyboardInterrupt):
        search(open_tuner(tmp_path / "run"), digits, Watch(killed_in=1))
    resumed = search(open_tuner(tmp_path / "run"), digits)
    assert [c.metrics for c in resumed.candidates()] == [c.metrics for c in whole.candidates()]
    assert events(resumed, "inherited")[-1] == events(whole, "inherited")[-1]
    assert resumed.results()["inherited_weights"] == whole.results()["inherited_weights"]


def test_weights_that_cannot_be_inherited_are_told_and_done_without(tmp_path, digits):
    with pytest.raises(KeyboardInterrupt):
        search(open_tuner(tmp_path / "run"), digits, Watch(killed_in=1))
    (tmp_path / "run" / "journal.jsonl").write_text(
        "".join(
            line
            for line in pathlib.Path(tmp_path / "run" / "journal.jsonl").read_text().splitlines(keepends=True)
            if '"inherited"' not in line
        )
    )
    file = tmp_path / "run" / "trial_0" / "deployed.weights.h5"
    os.truncate(file, file.stat().st_size // 2)
    tuner = search(open_tuner(tmp_path / "run"), digits)
    (event,) = events(tuner, "restarted")
    assert event["trial"] == "1" and event["message"].startswith("The weights of trial 0 cannot be inherited: ")
    assert events(tuner, "inherited") == [] and len(tuner.candidates()) == 2


def test_a_continuation_inherits_from_nobody_else_and_its_parent_bequeaths_no_more(tmp_path, digits):
    oracle = AshaOracle(["accuracy"], inner="random", max_epochs=2, reduction=2, max_trials=4, seed=0)
    tuner = open_tuner(tmp_path / "run", build, oracle)
    watch = Watch()
    search(tuner, digits, watch, epochs=2)
    fidelities = [Fidelity.of(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()]
    continued = {str(number) for number, fidelity in enumerate(fidelities) if fidelity.parent is not None}
    assert continued
    heirs = {event["trial"]: event["parent"] for event in events(tuner, "inherited")}
    assert not continued & set(heirs)
    last = max(continued, key=int)
    retired = fidelities[int(last)].parent
    assert all(parent != retired for heir, parent in heirs.items() if int(heir) > int(last))
    assert all(layers for layers in (event["layers"] for event in events(tuner, "layers")))
    assert {event["trial"] for event in events(tuner, "layers")} == set(tuner.oracle.trials)
