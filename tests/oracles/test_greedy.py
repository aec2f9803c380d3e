import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.greedy import GreedyOracle
from hwkeras.oracles.greedy import pairs
from hwkeras.oracles.greedy import single_edits
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import hill
from hwkeras.testing.toy_search import opened


class TestGreedyConformance(OracleConformance):
    oracle_class = GreedyOracle


def open_greedy(directory, **arguments):
    arguments = {"objectives": ["accuracy"], "seed": 0, "hyperparameters": gene_space(6), **arguments}
    return opened(GreedyOracle(**arguments), directory)


def distance(first, second):
    return sum(first[name] != second[name] for name in first)


@pytest.mark.parametrize("name", ["patience", "num_starts"])
def test_arguments_out_of_range(name):
    with pytest.raises(UserError, match=f"`{name}` must be an int of 1 or more. Received: {name}=0"):
        GreedyOracle("accuracy", **{name: 0})


def test_single_edits_of_a_conditional_space():
    values = {"kind": "conv", "depth": 2, "width": 8, "wide_kernel": True}
    edits = single_edits(toy_space(), values, np.random.default_rng(0))
    by_name = {name: [value for each, value in edits if each == name] for name in values}
    assert by_name == {"kind": ["dense"], "depth": [1, 3, 4], "width": [16, 24, 32, 48], "wide_kernel": [False]}
    dense = single_edits(toy_space(), {"kind": "dense", "depth": 1, "width": 8}, np.random.default_rng(0))
    assert "wide_kernel" not in dict(dense)


def test_numbers_with_many_options_move_nearby():
    space = kt.HyperParameters()
    space.Float("rate", 1e-4, 1e-1, sampling="log")
    space.Int("units", 1, 1000)
    edits = single_edits(space, {"rate": 1e-2, "units": 1000}, np.random.default_rng(0))
    assert 3 <= len(edits) <= 8 and {name for name, _ in edits} == {"rate", "units"}
    assert all(1e-4 <= value <= 1e-1 if name == "rate" else 1 <= value < 1000 for name, value in edits)


def test_fixed_values_have_no_edits():
    space = kt.HyperParameters()
    space.Fixed("kind", "conv")
    space.Int("depth", 3, 3)
    assert single_edits(space, {"kind": "conv", "depth": 3}, np.random.default_rng(0)) == []


def test_pairs_change_two_hyperparameters():
    found = pairs([("a", 1), ("a", 2), ("b", 3)], np.random.default_rng(0), 64)
    assert sorted(map(str, found)) == ["{'a': 1, 'b': 3}", "{'a': 2, 'b': 3}"]
    assert pairs([("a", 1)], np.random.default_rng(0), 64) == []


def test_climbs_from_the_best_start(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=3)
    drive(oracle, 2, hill)
    assert oracle.climb().incumbent is None
    trials = drive(oracle, 1, hill)
    accuracies = [each.metrics["accuracy"] for each in oracle.observations()]
    assert oracle.climb().incumbent.metrics["accuracy"] == max(accuracies)
    assert oracle.climb().starts[-1].trial_id == trials[0].trial_id


def test_tries_neighbors_and_moves_on_the_first_improvement(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=1, patience=100, max_trials=40)
    incumbent = drive(oracle, 1, hill)[0].hyperparameters
    for _ in range(30):
        tried = drive(oracle, 1, hill)[0].hyperparameters
        if hill(incumbent)["accuracy"] < 1.0:
            assert distance(tried.values, incumbent.values) == 1
        if hill(tried)["accuracy"] > hill(incumbent)["accuracy"]:
            incumbent = tried
        assert oracle.climb().incumbent.values == incumbent.values
    assert hill(incumbent)["accuracy"] == 1.0


def test_changes_two_genes_when_no_neighbor_is_left(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=1, patience=100)
    trials = drive(oracle, 20, lambda hp: {"accuracy": 0.5})
    distances = [distance(each.hyperparameters.values, trials[0].hyperparameters.values) for each in trials]
    assert distances == [0] + 12 * [1] + 7 * [2]


def test_begins_anew_when_patience_is_used_up(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=2, patience=3)
    numbers = []
    for _ in range(12):
        drive(oracle, 1, lambda hp: {"accuracy": 0.5})
        climb = oracle.climb()
        numbers.append((climb.number, climb.incumbent is not None, climb.num_failures))
    one_climb = [(False, 0), (True, 0), (True, 1), (True, 2)]
    # The trial that uses the patience up opens the next climb, which has no start yet.
    expected = (
        [(0, *each) for each in one_climb]
        + [(1, False, 0)]
        + [(1, *each) for each in one_climb]
        + [
            (2, False, 0),
            (2, False, 0),
            (2, True, 0),
        ]
    )
    assert numbers == expected


def test_what_lies_within_the_limits_is_better(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=1, limits=["latency=3ms"])
    metrics = iter([(0.9, 9.0), (0.1, 2.0), (0.8, 4.0), (0.2, 1.0)])
    drive(oracle, 4, lambda hp: dict(zip(("accuracy", "latency_ms"), next(metrics), strict=True)))
    assert oracle.climb().incumbent.metrics["accuracy"] == 0.2


def test_neighbors_outside_the_limits_are_passed_over(tmp_path):
    arguments = {"hyperparameters": toy_space(), "cost_model": toy_cost, "limits": ["size=800B"]}
    oracle = open_greedy(tmp_path, num_starts=1, **arguments)
    drive(oracle, 1)
    for seed in range(20):
        values = oracle.propose(np.random.default_rng(seed))
        hp = kt.HyperParameters()
        hp.values = values
        assert toy_cost(hp)["size_bytes"] <= 800
        assert oracle.is_worth_a_trial(values)
    assert not oracle.is_worth_a_trial(dict(oracle.observations()[0].values))


def test_a_candidate_that_cannot_be_built_is_worth_no_trial(tmp_path):
    oracle = open_greedy(tmp_path, cost_model=lambda hp: None)
    assert not oracle.is_worth_a_trial({f"gene_{position}": 0 for position in range(6)})


def test_knows_architectures_by_their_identity(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=1)
    oracle.identity = lambda hp: str(sorted(hp.values.values()))
    trials = drive(oracle, 10, hill)
    turned = dict(zip(gene_space(6).values, reversed(trials[0].hyperparameters.values.values()), strict=True))
    assert not oracle.is_worth_a_trial(turned)


def test_failed_neighbors_are_not_tried_again(tmp_path):
    oracle = open_greedy(tmp_path, num_starts=1, patience=100, max_consecutive_failed_trials=1000)
    drive(oracle, 1, hill)
    drive(oracle, 15, lambda hp: None)
    assert oracle.climb().num_failures == 0
    start = oracle.observations()[0].values
    assert all(distance(oracle.propose(np.random.default_rng(seed)), start) == 2 for seed in range(5))


def test_a_climb_on_several_objectives_starts_from_the_best_under_its_weights(tmp_path):
    oracle = open_greedy(tmp_path, objectives=["accuracy", "latency_ms"], num_starts=1, patience=2)
    drive(oracle, 12, hill)
    climb = oracle.climb()
    scores = oracle.scores(climb.number)
    assert climb.number > 0
    assert scores.shape == (12, 2) and not scores[:, 0].any()
    place = [each.trial_id for each in oracle.observations()].index(climb.incumbent.trial_id)
    assert scores[place, 1] <= np.median(scores[:, 1])


def test_equal_weights_first_and_the_largest_loss_decides(tmp_path):
    oracle = open_greedy(tmp_path, objectives=["accuracy", "latency_ms"], num_starts=4)
    metrics = iter([(1.0, 5.0), (0.0, 1.0), (0.5, 3.0), (0.75, 4.0)])
    drive(oracle, 4, lambda hp: dict(zip(("accuracy", "latency_ms"), next(metrics), strict=True)))
    # Scaled losses (0, 1), (1, 0), (.5, .5), (.25, .75): half the largest, and a twentieth of half the sum.
    np.testing.assert_allclose(oracle.scores(0)[:, 1], [0.525, 0.525, 0.275, 0.4])
    assert oracle.climb().incumbent.metrics["accuracy"] == 0.5


def test_scores_of_nothing(tmp_path):
    assert open_greedy(tmp_path, objectives=["accuracy", "latency_ms"]).scores(0).shape == (0, 2)


def test_metrics_that_are_missing_never_win(tmp_path):
    oracle = open_greedy(tmp_path, objectives=["accuracy", "latency_ms"], num_starts=1)
    metrics = iter([{"accuracy": 0.9}, {"accuracy": 0.5, "latency_ms": 2.0}, {"accuracy": 0.9}])
    drive(oracle, 3, lambda hp: next(metrics))
    assert oracle.climb().incumbent.metrics["accuracy"] == 0.5


def test_reloaded_it_stands_where_it_stood(tmp_path):
    arguments = {"objectives": ["accuracy", "latency_ms"], "patience": 4, "max_trials": 60}
    oracle = open_greedy(tmp_path, **arguments)
    drive(oracle, 30, hill)
    before = oracle.climb()
    again = open_greedy(tmp_path, **arguments)
    again.reload()
    oracle.reload()
    assert again.climb() == before == oracle.climb()


def test_climbs_a_hill_with_continuous_genes(tmp_path):
    space = kt.HyperParameters()
    space.Float("x", 0.0, 1.0)
    space.Int("y", 0, 1000)
    oracle = open_greedy(tmp_path, hyperparameters=space, max_trials=60)
    trials = drive(oracle, 60, lambda hp: {"accuracy": 1.0 - abs(hp.get("x") - 0.7) - abs(hp.get("y") / 1000 - 0.3)})
    assert len(trials) == 60
    assert max(each.metrics["accuracy"] for each in oracle.observations()) > 0.95
