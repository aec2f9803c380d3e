import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.genetic import GeneticOracle
from hwkeras.oracles.genetic import blocks
from hwkeras.oracles.genetic import cross_blocks
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import hill
from hwkeras.testing.toy_search import opened


class TestGeneticConformance(OracleConformance):
    oracle_class = GeneticOracle


def staged_space():
    space = kt.HyperParameters()
    space.Choice("resolution", [16, 32])
    for stage in (1, 2, 3):
        space.Int(f"stage{stage}/depth", 1, 9)
        space.Int(f"stage{stage}/width", 1, 9)
    space.Choice("head", ["dense", "none"])
    with space.conditional_scope("head", ["dense"]):
        space.Int("units", 1, 9)
    return space


def open_genetic(directory, **arguments):
    arguments = {"objectives": ["accuracy"], "seed": 0, "hyperparameters": gene_space(), **arguments}
    return opened(GeneticOracle(**arguments), directory)


@pytest.mark.parametrize(
    ("max_trials", "population_size", "num_random"), [(12, 4, 3), (60, 6, 10), (200, 20, 10), (None, 20, 10)]
)
def test_sizes_suit_the_budget(max_trials, population_size, num_random):
    oracle = GeneticOracle("accuracy", max_trials=max_trials)
    assert (oracle.population_size, oracle.num_random) == (population_size, num_random)


@pytest.mark.parametrize(("name", "low"), [("population_size", 2), ("tournament_size", 1), ("num_random", 2)])
def test_sizes_out_of_range(name, low):
    with pytest.raises(UserError, match=f"`{name}` must be an int of {low} or more. Received: {name}=0"):
        GeneticOracle("accuracy", **{name: 0})


@pytest.mark.parametrize("name", ["crossover_chance", "random_share"])
def test_chances_out_of_range(name):
    with pytest.raises(UserError, match=f"`{name}` must be a number from 0 to 1. Received: {name}=2"):
        GeneticOracle("accuracy", **{name: 2})


def test_blocks_by_scope_of_the_name_and_by_condition():
    assert blocks(staged_space()) == {
        "resolution": "resolution",
        "stage1/depth": "stage1",
        "stage1/width": "stage1",
        "stage2/depth": "stage2",
        "stage2/width": "stage2",
        "stage3/depth": "stage3",
        "stage3/width": "stage3",
        "head": "head",
        "units": "head",
    }


@pytest.mark.parametrize(
    ("name", "block"),
    [("a/b/c", "a/b"), ("a.b", "a"), ("conv_0_filters", "conv_0"), ("gene_0", "gene_0"), ("width", "width")],
)
def test_block_of_a_name(name, block):
    space = kt.HyperParameters()
    space.Int(name, 1, 2)
    space.Int("other", 1, 2)
    assert blocks(space)[name] == block


def test_one_block_for_all_is_none():
    space = kt.HyperParameters()
    space.Int("net/depth", 1, 2)
    space.Int("net/width", 1, 2)
    assert blocks(space) == {"net/depth": "net/depth", "net/width": "net/width"}


def test_blocks_are_inherited_whole():
    space = staged_space()
    genes = [gene.name for gene in space.space]
    first = {**dict.fromkeys(genes, 1), "resolution": 16, "head": "dense"}
    second = {**dict.fromkeys(genes, 9), "resolution": 32, "head": "dense"}
    seen = set()
    for seed in range(100):
        child = cross_blocks(space, first, second, np.random.default_rng(seed))
        stages = [(child[f"stage{stage}/depth"], child[f"stage{stage}/width"]) for stage in (1, 2, 3)]
        assert set(stages) <= {(1, 1), (9, 9)}
        seen.add(tuple(stages))
    assert len(seen) == 8


def test_what_one_parent_lacks_comes_from_the_other():
    space = staged_space()
    first = {gene.name: 1 for gene in space.space if gene.name != "units"} | {"resolution": 16, "head": "none"}
    second = {**first, "head": "dense", "units": 7}
    children = [cross_blocks(space, first, second, np.random.default_rng(seed)) for seed in range(20)]
    assert {child.get("units") for child in children} == {None, 7}
    assert all(("units" in child) == (child["head"] == "dense") for child in children)


def test_the_worst_leaves_and_of_equals_the_oldest(tmp_path):
    oracle = open_genetic(tmp_path, population_size=2)
    accuracies = iter([0.5, 0.1, 0.3, 0.3, 0.3, 0.2])
    alive = []
    for _ in range(6):
        drive(oracle, 1, lambda hp: {"accuracy": next(accuracies)})
        alive.append([int(each.trial_id) for each in oracle.population()])
    assert alive == [[0], [0, 1], [0, 2], [0, 3], [0, 4], [0, 4]]


def test_members_lie_within_the_limits_when_enough_do(tmp_path):
    oracle = open_genetic(tmp_path, population_size=2, limits=["latency=3ms"])
    metrics = iter([(0.9, 9.0), (0.1, 2.0), (0.8, 4.0), (0.2, 1.0)])
    drive(oracle, 4, lambda hp: dict(zip(("accuracy", "latency_ms"), next(metrics), strict=True)))
    assert [each.metrics["accuracy"] for each in oracle.population()] == [0.1, 0.2]


def test_a_full_tournament_takes_the_best(tmp_path):
    arguments = {"population_size": 4, "tournament_size": 4, "num_random": 4}
    oracle = open_genetic(tmp_path, crossover_chance=0.0, random_share=0.0, **arguments)
    drive(oracle, 4, hill)
    best = max(each.metrics["accuracy"] for each in oracle.population())
    top = [each.values for each in oracle.population() if each.metrics["accuracy"] == best]
    for seed in range(20):
        child = oracle.propose(np.random.default_rng(seed))
        assert 1 in [sum(child[name] != parent[name] for name in child) for parent in top]


def test_reloaded_it_has_the_same_population(tmp_path):
    oracle = open_genetic(tmp_path, max_trials=60)
    drive(oracle, 30, hill)
    again = open_genetic(tmp_path, max_trials=60)
    again.reload()
    oracle.reload()
    assert [each.trial_id for each in again.population()] == [each.trial_id for each in oracle.population()]


def test_better_than_its_own_first_draws(tmp_path):
    oracle = open_genetic(tmp_path, max_trials=80)
    accuracies = [hill(trial.hyperparameters)["accuracy"] for trial in drive(oracle, 80, hill)]
    assert max(accuracies) >= 0.875
    assert np.mean(accuracies[60:]) > max(accuracies[:10])
