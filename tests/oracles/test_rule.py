import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.rule import RuleOracle
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import opened


class TestRuleConformance(OracleConformance):
    oracle_class = RuleOracle


def network_space():
    space = kt.HyperParameters()
    space.Int("depth", 1, 5)
    space.Choice("width", [32, 8, 16, 24, 64])
    space.Choice("stride", [1, 2])
    space.Choice("activation", ["relu", "swish", "tanh"], default="swish")
    return space


def network_cost(hp):
    return {"size_bytes": 100.0 * hp.get("depth") * hp.get("width"), "latency_ms": 8.0 / hp.get("stride")}


def lock(hp):
    genes = list(hp.values.values())
    return {"accuracy": sum(gene == (2 * place + 1) % 4 for place, gene in enumerate(genes)) / len(genes)}


def open_rule(directory, **arguments):
    arguments = {"objectives": ["accuracy"], "seed": 0, "hyperparameters": network_space(), **arguments}
    return opened(RuleOracle(**arguments), directory)


def values_of(trials):
    return [dict(trial.hyperparameters.values) for trial in trials]


@pytest.mark.parametrize("name", ["patience", "num_levels"])
def test_arguments_out_of_range(name):
    with pytest.raises(UserError, match=f"`{name}` must be an int of 1 or more. Received: {name}=0"):
        RuleOracle("accuracy", **{name: 0})


def test_grows_all_ordered_ones_together(tmp_path):
    oracle = open_rule(tmp_path, num_levels=4)
    accuracies = iter([0.1, 0.2, 0.3, 0.4, 0.5])
    grown = values_of(drive(oracle, 5, lambda hp: {"accuracy": next(accuracies)}))
    assert [values["depth"] for values in grown] == [1, 2, 3, 4, 5]
    assert [values["width"] for values in grown] == [8, 16, 24, 32, 64]
    assert [values["stride"] for values in grown] == [1, 1, 1, 2, 2]
    assert {values["activation"] for values in grown} == {"swish"}
    assert oracle.grow(np.random.default_rng(0)) is None


def test_what_costs_less_when_it_grows_is_turned_around(tmp_path):
    oracle = open_rule(tmp_path, objectives=["accuracy", "latency_ms"], cost_model=network_cost, num_levels=1)
    grown = values_of(drive(oracle, 2, lambda hp: {"accuracy": 0.5, **network_cost(hp)}))
    assert [values["stride"] for values in grown] == [2, 1]
    assert [values["depth"] for values in grown] == [1, 5]


def test_stops_growing_when_a_limit_binds(tmp_path):
    oracle = open_rule(tmp_path, cost_model=network_cost, limits=["size=8kB"], num_levels=4)
    accuracies = iter([0.1, 0.2, 0.3, 0.4])
    trials = values_of(drive(oracle, 4, lambda hp: {"accuracy": next(accuracies)}))
    # 1 x 8, 2 x 16, 3 x 24 fit into 80; 4 x 32 does not.
    assert [(values["depth"], values["width"]) for values in trials[:3]] == [(1, 8), (2, 16), (3, 24)]
    assert 1 <= sum(trials[3][name] != trials[2][name] for name in trials[2]) <= 2
    assert oracle.grow(np.random.default_rng(0)) is None


def test_stops_growing_when_that_no_longer_helps(tmp_path):
    oracle = open_rule(tmp_path, num_levels=4)
    accuracies = iter([0.1, 0.3, 0.2, 0.1])
    trials = values_of(drive(oracle, 4, lambda hp: {"accuracy": next(accuracies)}))
    assert [values["depth"] for values in trials[:3]] == [1, 2, 3]
    assert trials[3] != {**trials[2], "depth": 4, "width": 32, "stride": 2}
    assert oracle.grow(np.random.default_rng(0)) is None
    assert oracle.climb().incumbent.metrics["accuracy"] == 0.3


def test_with_several_objectives_it_grows_to_the_end(tmp_path):
    oracle = open_rule(tmp_path, objectives=["accuracy", "size_bytes"], num_levels=4)
    trials = values_of(drive(oracle, 5, lambda hp: {"accuracy": 0.5, **network_cost(hp)}))
    assert [values["depth"] for values in trials] == [1, 2, 3, 4, 5]


def test_failed_levels_do_not_stop_the_growth(tmp_path):
    oracle = open_rule(tmp_path, num_levels=4, max_consecutive_failed_trials=100)
    trials = values_of(drive(oracle, 3, lambda hp: None))
    assert [values["depth"] for values in trials] == [1, 2, 3]


def test_grows_through_a_conditional_space(tmp_path):
    oracle = open_rule(tmp_path, hyperparameters=toy_space(), num_levels=4)
    accuracies = iter([0.1, 0.2, 0.3, 0.4, 0.5])
    trials = values_of(drive(oracle, 5, lambda hp: {"accuracy": next(accuracies)}))
    assert [(values["depth"], values["width"]) for values in trials] == [(1, 8), (2, 16), (3, 24), (3, 32), (4, 48)]
    assert all("wide_kernel" not in values for values in trials)


def test_a_value_is_worth_what_it_helped(tmp_path):
    space = kt.HyperParameters()
    space.Choice("kind", ["good", "bad"])
    space.Choice("other", ["x", "y", "z"])
    oracle = open_rule(tmp_path, hyperparameters=space)
    assert oracle.worth() == {}
    drive(oracle, 6, lambda hp: {"accuracy": 0.9 if hp.get("kind") == "good" else 0.1})
    worth = oracle.worth()
    assert worth["kind", "good"] > 0.15 and worth["kind", "bad"] < -0.15
    assert all(abs(worth["other", name]) < 0.05 for name in "xyz")


def test_the_most_promising_change_comes_first(tmp_path):
    oracle = open_rule(tmp_path, hyperparameters=gene_space(2, 4), max_trials=16)
    drive(oracle, 6, lambda hp: {"accuracy": 0.1 if hp.get("gene_0") in (0, 1) else 0.9})
    worth = oracle.worth()
    values = {"gene_0": 0, "gene_1": 0}
    moves = oracle.moves(values, np.random.default_rng(0))
    gains = [
        sum(worth.get((name, move[name]), 0.0) - worth.get((name, values[name]), 0.0) for name in move)
        for move in moves
    ]
    assert gains == sorted(gains, reverse=True)
    assert {len(move) for move in moves} == {1, 2}


def test_numbers_with_many_options_are_seen_in_steps(tmp_path):
    space = kt.HyperParameters()
    space.Float("rate", 1e-4, 1e-1, sampling="log")
    space.Int("units", 0, 1000)
    oracle = open_rule(tmp_path, hyperparameters=space, max_trials=40)
    drive(oracle, 40, lambda hp: {"accuracy": 1.0 - abs(hp.get("units") / 1000 - 0.6)})
    steps = {step for name, step in oracle.worth() if name == "units"}
    assert steps <= set(range(8))
    assert max(each.metrics["accuracy"] for each in oracle.observations()) > 0.95


def test_opens_a_lock_of_unordered_numbers(tmp_path):
    """Of 4096 candidates one is right; effects that add up are what the rule learns."""
    oracle = open_rule(tmp_path, hyperparameters=gene_space(6, 4), max_trials=60)
    drive(oracle, 60, lock)
    assert max(each.metrics["accuracy"] for each in oracle.observations()) == 1.0


def test_spends_no_trial_outside_the_limits_and_finds_the_best(tmp_path):
    arguments = {"hyperparameters": toy_space(), "cost_model": toy_cost, "limits": ["size=600B"], "max_trials": 20}
    oracle = open_rule(tmp_path, **arguments)
    trials = drive(oracle, 20)
    assert all(toy_cost(trial.hyperparameters)["size_bytes"] <= 600 for trial in trials)
    every = []
    for values in kt_values():
        hp = kt.HyperParameters()
        hp.values = values
        if toy_cost(hp)["size_bytes"] <= 600:
            every.append(toy_metrics(hp)["accuracy"])
    assert max(each.metrics["accuracy"] for each in oracle.observations()) == max(every)


def kt_values():
    for depth in (1, 2, 3, 4):
        for width in (8, 16, 24, 32, 48):
            yield {"kind": "dense", "depth": depth, "width": width}
            for wide_kernel in (False, True):
                yield {"kind": "conv", "depth": depth, "width": width, "wide_kernel": wide_kernel}


def test_reloaded_it_goes_on_with_what_it_learned(tmp_path):
    arguments = {"hyperparameters": gene_space(6, 4), "max_trials": 60}
    oracle = open_rule(tmp_path, **arguments)
    drive(oracle, 30, lock)
    again = open_rule(tmp_path, **arguments)
    again.reload()
    assert again.worth() == oracle.worth()
    assert again.climb() == oracle.climb()
