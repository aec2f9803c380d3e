import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.arguments import check_chance
from hwkeras.oracles.nsga2 import Nsga2Oracle
from hwkeras.oracles.nsga2 import mutate_one_on_average
from hwkeras.oracles.nsga2 import mutate_until_new
from hwkeras.oracles.pareto import crowded_places
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import hill
from hwkeras.testing.toy_search import opened


class TestNsga2Conformance(OracleConformance):
    oracle_class = Nsga2Oracle


def open_nsga2(directory, **arguments):
    arguments = {"objectives": ["accuracy", "latency_ms"], "seed": 0, "hyperparameters": gene_space(), **arguments}
    return opened(Nsga2Oracle(**arguments), directory)


@pytest.mark.parametrize(("max_trials", "size"), [(20, 4), (60, 5), (100, 8), (200, 16), (1000, 16), (None, 16)])
def test_population_suits_the_budget(max_trials, size):
    assert Nsga2Oracle("accuracy", max_trials=max_trials).population_size == size


def test_population_out_of_range():
    with pytest.raises(UserError, match="`population_size` must be an int of 2 or more. Received: population_size=1"):
        Nsga2Oracle("accuracy", population_size=1)


@pytest.mark.parametrize("value", [-0.1, 1.5, "0.5", True, float("nan")])
def test_chance_out_of_range(value):
    with pytest.raises(UserError, match="`crossover_chance` must be a number from 0 to 1. Received: crossover_chance="):
        Nsga2Oracle("accuracy", crossover_chance=value)


def test_chance_at_the_ends():
    assert (check_chance("c", 0), check_chance("c", 1)) == (0.0, 1.0)


def test_places_by_front_then_crowding():
    losses = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0], [4.0, 4.0]])
    # The ends of the front are infinitely alone and share a place; the inner two are equally crowded.
    assert crowded_places(losses, np.zeros(5)).tolist() == [0, 1, 1, 0, 2]


def test_places_of_equal_points_are_equal():
    losses = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0], [2.0, 0.0]])
    assert crowded_places(losses, np.zeros(4)).tolist() == [1, 1, 0, 0]


def test_places_within_the_limits_come_first():
    assert crowded_places(np.array([[0.0], [5.0], [1.0]]), [0.5, 0.0, 0.1]).tolist() == [2, 0, 1]


def test_places_of_one_objective_are_its_order():
    assert crowded_places(np.array([[3.0], [1.0], [2.0], [1.0]]), np.zeros(4)).tolist() == [2, 0, 1, 0]


def test_places_of_nothing():
    assert crowded_places(np.zeros((0, 2)), []).tolist() == []


def test_no_parents_before_two_generations(tmp_path):
    oracle = open_nsga2(tmp_path, population_size=4)
    drive(oracle, 7, hill)
    assert oracle.parents() == []
    drive(oracle, 1, hill)
    assert len(oracle.parents()) == 4


def test_the_best_of_parents_and_children_survive(tmp_path):
    oracle = open_nsga2(tmp_path, population_size=2, objectives=["accuracy"])
    accuracies = iter([0.1, 0.5, 0.3, 0.2, 0.4, 0.9, 0.6, 0.7])
    expected = [["1", "2"], ["1", "2"], ["5", "1"], ["5", "1"], ["5", "7"]]
    for position in range(8):
        drive(oracle, 1, lambda hp: {"accuracy": next(accuracies)})
        if position >= 3:
            assert [each.trial_id.lstrip("0") for each in oracle.parents()] == expected[position - 3]


def test_of_equal_survivors_the_younger_stay(tmp_path):
    oracle = open_nsga2(tmp_path, population_size=2, objectives=["accuracy"])
    trials = drive(oracle, 4, lambda hp: {"accuracy": 0.5})
    assert [each.trial_id for each in oracle.parents()] == [trials[3].trial_id, trials[2].trial_id]


def test_parents_lie_within_the_limits_when_any_does(tmp_path):
    oracle = open_nsga2(tmp_path, population_size=2, objectives=["accuracy"], limits=["latency=3ms"])
    metrics = iter([(0.9, 9.0), (0.1, 2.0), (0.8, 4.0), (0.2, 1.0)])
    drive(oracle, 4, lambda hp: dict(zip(("accuracy", "latency_ms"), next(metrics), strict=True)))
    assert [each.metrics["accuracy"] for each in oracle.parents()] == [0.2, 0.1]


def test_children_of_twins_are_close_to_them(tmp_path):
    oracle = open_nsga2(tmp_path, population_size=2, crossover_chance=0.0)
    drive(oracle, 4, hill)
    parents = [each.values for each in oracle.parents()]
    for seed in range(20):
        child = oracle.propose(np.random.default_rng(seed))
        assert min(sum(child[name] != parent[name] for name in child) for parent in parents) == 1


def test_one_value_mutates_on_average():
    space = gene_space()
    values = {gene.name: 0 for gene in space.space}
    rng = np.random.default_rng(0)
    changed = [sum(mutate_one_on_average(space, values, rng).values()) > 0 for _ in range(300)]
    # No mutation at all has the chance (7/8)^8 = 0.34.
    assert 0.56 < np.mean(changed) < 0.76
    assert mutate_one_on_average(kt.HyperParameters(), {}, rng) == {}


def test_a_repeat_is_mutated_until_it_is_new(tmp_path):
    oracle = open_nsga2(tmp_path, hyperparameters=gene_space(2, 3))
    trials = drive(oracle, 4, lambda hp: {"accuracy": 0.5, "latency_ms": 1.0})
    tried = [dict(trial.hyperparameters.values) for trial in trials]
    assert mutate_until_new(oracle, tried[0], np.random.default_rng(1)) not in tried
    new = mutate_until_new(oracle, tried[0], np.random.default_rng(1))
    assert mutate_until_new(oracle, new, np.random.default_rng(2)) == new


def test_reloaded_in_a_generation_it_has_the_same_parents(tmp_path):
    arguments = {"population_size": 4, "max_trials": 40}
    oracle = open_nsga2(tmp_path, **arguments)
    drive(oracle, 18, hill)
    again = open_nsga2(tmp_path, **arguments)
    again.reload()
    assert [each.trial_id for each in again.parents()] == [each.trial_id for each in oracle.parents()]
    oracle.reload()
    assert [each.trial_id for each in again.parents()] == [each.trial_id for each in oracle.parents()]


def test_nearer_to_the_front_than_random_search(tmp_path):
    """Of 6561 candidates the front has nine: the accuracy that a latency allows."""
    oracle = open_nsga2(tmp_path, max_trials=80)
    metrics = [hill(trial.hyperparameters) for trial in drive(oracle, 80, hill)]
    gaps = [(8 + each["latency_ms"] - 1) / 16 - each["accuracy"] for each in metrics]
    assert np.mean(gaps[60:]) < 0.6 * np.mean(gaps[:12])
