"""Bayesian optimization of one objective, or of several joined anew each time."""

import itertools

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.bayesian import BayesianOracle
from hwkeras.oracles.random_search import RandomOracle
from hwkeras.testing import OracleConformance
from hwkeras.testing.toy_search import drive
from hwkeras.testing.toy_search import opened


class TestBayesianConformance(OracleConformance):
    oracle_class = BayesianOracle


def score(hp):
    """Best where every gene is `c`; neighbors that are equal help."""
    genes = [hp.get(f"gene_{number}") for number in range(6)]
    num_equal = sum(a == b for a, b in itertools.pairwise(genes))
    return {"accuracy": 0.3 + 0.1 * genes.count("c") + 0.01 * num_equal}


def test_what_lies_outside_is_passed_over(tmp_path):
    """The better, the dearer: a process that hopes for what is never trained would be as good as random draws."""

    def cost_of(hp):
        return {"latency_ms": float(sum(hp.get(f"gene_{number}") == "c" for number in range(6)))}

    def best_within(oracle_class, seed):
        space = kt.HyperParameters()
        for number in range(6):
            space.Choice(f"gene_{number}", list("abcdefgh"))
        arguments = {"limits": ["latency=2ms"], "cost_model": cost_of, "hyperparameters": space}
        oracle = oracle_class(["accuracy"], max_trials=30, seed=seed, **arguments)
        trials = drive(opened(oracle, tmp_path / f"{oracle_class.__name__}{seed}"), 30, score)
        assert all(cost_of(trial.hyperparameters)["latency_ms"] <= 2 for trial in trials)
        return max(score(trial.hyperparameters)["accuracy"] for trial in trials), oracle.num_rejected

    ours = [best_within(BayesianOracle, seed) for seed in range(3)]
    others = [best_within(RandomOracle, seed) for seed in range(3)]
    assert np.mean([best for best, _ in ours]) > np.mean([best for best, _ in others]) + 0.01
    assert max(rejected for _, rejected in ours) < 5


def best_of(oracle_class, directory, seed):
    space = kt.HyperParameters()
    for number in range(6):
        space.Choice(f"gene_{number}", list("abcd"))
    oracle = opened(oracle_class(["accuracy"], max_trials=30, seed=seed, hyperparameters=space), directory)
    return max(score(trial.hyperparameters)["accuracy"] for trial in drive(oracle, 30, score))


def test_it_learns_what_helps(tmp_path):
    ours = [best_of(BayesianOracle, tmp_path / f"a{seed}", seed) for seed in range(2)]
    others = [best_of(RandomOracle, tmp_path / f"b{seed}", seed) for seed in range(2)]
    assert np.mean(ours) > np.mean(others) + 0.1


def test_too_few_to_begin_with():
    with pytest.raises(UserError, match="`num_initial` must be"):
        BayesianOracle(["accuracy"], num_initial=1)
