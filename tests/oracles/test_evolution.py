import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import EvolutionOracle
from hwkeras.oracles import Observation
from hwkeras.testing import drive
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import hill


def distance(first, second):
    return sum(first[name] != second[name] for name in first)


@pytest.mark.parametrize(("max_trials", "num_random"), [(4, 3), (12, 3), (20, 5), (40, 10), (200, 10), (None, 10)])
def test_sizes_suit_the_budget(max_trials, num_random):
    oracle = EvolutionOracle("accuracy", max_trials=max_trials)
    assert (oracle.population_size, oracle.sample_size, oracle.num_random) == (20, 10, num_random)


@pytest.mark.parametrize(("name", "low"), [("population_size", 2), ("sample_size", 1), ("num_random", 1)])
def test_sizes_out_of_range(name, low):
    with pytest.raises(UserError, match=f"`{name}` must be an int of {low} or more. Received: {name}=0"):
        EvolutionOracle("accuracy", **{name: 0})


def test_children_are_one_mutation_away_from_the_living(open_oracle):
    oracle = open_oracle("evolution", hyperparameters=gene_space(), max_trials=40, population_size=6, num_random=6)
    values = [dict(trial.hyperparameters.values) for trial in drive(oracle, 40, hill)]
    for position in range(6, 40):
        assert 1 in [distance(values[position], parent) for parent in values[position - 6 : position]]


def test_a_full_sample_always_takes_the_best(open_oracle):
    arguments = {"population_size": 5, "sample_size": 5, "num_random": 5}
    oracle = open_oracle("evolution", hyperparameters=gene_space(), objectives=["accuracy"], **arguments)
    drive(oracle, 5, hill)
    best = max(oracle.observations(), key=lambda each: (each.metrics["accuracy"], each.trial_id))
    for seed in range(20):
        assert distance(oracle.propose(np.random.default_rng(seed)), best.values) == 1


def test_parents_lie_within_the_limits_when_any_does(open_oracle):
    arguments = {"population_size": 5, "sample_size": 5, "num_random": 5, "limits": ["latency=3ms"]}
    oracle = open_oracle("evolution", hyperparameters=gene_space(), objectives=["accuracy"], **arguments)
    latencies_ms = iter([9.0, 9.0, 2.0, 9.0, 9.0])
    accuracies = iter([0.9, 0.9, 0.1, 0.9, 0.9])
    drive(oracle, 5, lambda hp: {"accuracy": next(accuracies), "latency_ms": next(latencies_ms)})
    within = oracle.observations()[2].values
    assert all(distance(oracle.propose(np.random.default_rng(seed)), within) == 1 for seed in range(20))


def test_parents_of_two_objectives_are_on_the_front(open_oracle):
    arguments = {"population_size": 5, "sample_size": 5, "num_random": 5}
    oracle = open_oracle("evolution", hyperparameters=gene_space(), **arguments)
    metrics = iter([(0.5, 5.0), (0.9, 9.0), (0.4, 5.5), (0.1, 1.0), (0.8, 9.5)])
    drive(oracle, 5, lambda hp: dict(zip(("accuracy", "latency_ms"), next(metrics), strict=True)))
    # Of the front's two ends, both infinitely alone, the younger is the parent.
    parent = oracle.observations()[3].values
    assert all(distance(oracle.propose(np.random.default_rng(seed)), parent) == 1 for seed in range(20))


def test_better_than_random_on_a_hill(open_oracle):
    def best_of(name, seed):
        oracle = open_oracle(name, hyperparameters=gene_space(), objectives=["accuracy"], seed=seed, max_trials=50)
        return max(hill(trial.hyperparameters)["accuracy"] for trial in drive(oracle, 50, hill))

    seeds = range(3)
    assert np.mean([best_of("evolution", seed) for seed in seeds]) > np.mean(
        [best_of("random", seed) for seed in seeds]
    )


def test_with_three_objectives_the_first_alone_chooses_every_other_parent():
    """Rank selects nothing among points that are all on the front; accuracy still must."""
    oracle = EvolutionOracle(["accuracy", "latency_ms", "size_bytes"])
    metrics = [{"accuracy": 0.5 + 0.01 * i, "latency_ms": 1.0 + i, "size_bytes": 100.0 + i} for i in range(8)]
    population = [Observation(str(i), {}, known, 0.0) for i, known in enumerate(metrics)]
    assert oracle._order(population, first_alone=True).tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert oracle._order(population, first_alone=False).tolist() != [7, 6, 5, 4, 3, 2, 1, 0]
