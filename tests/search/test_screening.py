"""What the screen does with networks that cannot be: it says why, and the search goes on."""

import re

import keras
import keras_tuner as kt
import pytest

import hwkeras as hw
from hwkeras.build import as_hypermodel
from hwkeras.objectives import Limit
from hwkeras.oracles import ParetoOracle
from hwkeras.search.journal import Journal
from hwkeras.search.latencies import Latencies
from hwkeras.search.screening import Screen
from hwkeras.search.stages import StageClock
from hwkeras.testing import FakeDevice
from hwkeras.testing import tiny_cnn


class Untraceable(keras.layers.Layer):
    def call(self, x):
        if x.shape[0] == 1:
            raise TypeError("one sample is not enough")
        return x


def build(hp):
    kind = hp.Choice("kind", ["fits", "misfit", "untraceable"])
    layers = [keras.Input((8, 8, 1))]
    if kind == "misfit":
        layers.append(keras.layers.Conv2D(4, 9, padding="valid"))
    if kind == "untraceable":
        layers.append(Untraceable())
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    ("kind", "said"), [("misfit", "conv2d|negative|Computed"), ("untraceable", "one sample is not")]
)
def test_a_network_that_cannot_be_is_told_and_passed_over(kind, said):
    told = []
    screen = Screen(
        as_hypermodel(build),
        ["float32"],
        [],
        Latencies(FakeDevice(), []),
        StageClock(),
        on_failure=lambda hp, m: told.append(m),
    )
    hp = kt.HyperParameters()
    hp.Choice("kind", ["fits", "misfit", "untraceable"])
    hp.values["kind"] = kind
    assert screen(hp) is None
    assert len(told) == 1 and re.search(said, told[0])


@pytest.mark.parametrize(("limits", "num_scored"), [([], 1), (["size=10B"], 0)])
def test_what_can_be_shipped_is_scored_untrained(limits, num_scored):
    scored = []

    def score(model):
        scored.append(model)
        return {"zero_cost_naswot": 7.5}

    limits = [Limit.parse(limit) for limit in limits]
    latencies = Latencies(FakeDevice(), limits)
    screen = Screen(
        as_hypermodel(lambda hp: tiny_cnn()), ["int8", "float32"], limits, latencies, StageClock(), zero_cost=score
    )
    oracle = ParetoOracle(["accuracy"], limits, cost_model=screen, hyperparameters=kt.HyperParameters())
    costs = [oracle.cost({}), oracle.cost({})]
    assert len(scored) == num_scored and costs[0] is costs[1]
    assert [cost.get("zero_cost_naswot") for cost in costs] == [7.5 if num_scored else None] * 2
    known = screen.screen(kt.HyperParameters()).metrics.values()
    assert all(("zero_cost_naswot" in metrics) == bool(num_scored) for metrics in known)
    assert all(isinstance(model, keras.Model) for model in scored)


def test_a_restart_deploys_as_it_was_accepted(tmp_path):
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    tuner = hw.HardwareTuner(lambda hp: tiny_cnn(), max_trials=1, meter=FakeDevice(), directory=tmp_path / "run")
    hp = kt.HyperParameters()
    tuner._screen.screen(hp)
    (accepted,) = journal.read("accepted")
    assert accepted["precisions"] == ["float32", "int8"]
    journal.write("accepted", **{**{k: v for k, v in accepted.items() if k != "event"}, "precisions": ["int8"]})
    again = hw.HardwareTuner(lambda hp: tiny_cnn(), max_trials=1, meter=FakeDevice(), directory=tmp_path / "run")
    assert again._admission.precisions(hp, again._screen) == ("int8",)


def test_no_precision_within_the_limits_fails_the_trial(tmp_path):
    tuner = hw.HardwareTuner(
        lambda hp: tiny_cnn(), limits=["size=10B"], max_trials=1, meter=FakeDevice(), directory=tmp_path / "run"
    )
    with pytest.raises(kt.errors.FailedTrialError, match="No precision of this network lies within the limits"):
        tuner._admission.precisions(kt.HyperParameters(), tuner._screen)
