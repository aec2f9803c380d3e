import json

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import sampling
from hwkeras.oracles.random_search import RandomOracle
from hwkeras.oracles.reinforce import ReinforceOracle
from hwkeras.oracles.reinforce import _entropy_gradient
from hwkeras.oracles.reinforce import _ranks
from hwkeras.oracles.reinforce import _rewards
from hwkeras.oracles.reinforce import _softmax
from hwkeras.oracles.reinforce import _weightings
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import opened


class TestReinforceConformance(OracleConformance):
    oracle_class = ReinforceOracle


def gene_metrics(hp):
    """Option 2 of each gene is the good one; each gene costs what its option says."""
    genes = list(hp.values.values())
    return {"accuracy": (1 + genes.count(2)) / (1 + len(genes)), "latency_ms": 1.0 + sum(genes)}


def open_reinforce(directory, space=None, objectives="accuracy", **arguments):
    arguments = {"seed": 0, "max_trials": 200, "hyperparameters": space or gene_space(6, 4), **arguments}
    return opened(ReinforceOracle(objectives, **arguments), directory)


def run(oracle, *candidates):
    """Completes trials with given values and metrics, whatever the oracle would have proposed."""
    for values, metrics in candidates:
        oracle.propose = lambda rng, values=values: dict(values)
        trial = drive(oracle, 1, lambda hp, metrics=metrics: metrics)[0]
        assert dict(trial.hyperparameters.values) == values
    del oracle.propose


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"exponent": 0.1}, "`exponent` must be finite, 0 or less. Received: exponent=0.1. The default is -0.07"),
        ({"learning_rate": 0}, "`learning_rate` must be finite, more than 0. Received: learning_rate=0. The default"),
        ({"entropy": -1}, "`entropy` must be finite, 0 or more. Received: entropy=-1. The default"),
        ({"batch_size": 0}, "`batch_size` must be an int of 1 or more. Received: batch_size=0"),
        ({"num_steps": 0}, "`num_steps` must be an int of 1 or more. Received: num_steps=0"),
        ({"baseline_decay": 0.0}, r"`baseline_decay` must be in \(0, 1\]. Received: baseline_decay=0.0. The default"),
        ({"reward": "sum"}, "`reward` must be one of constrained, mnasnet. Received: reward='sum'"),
        (
            {"reward": "mnasnet", "objectives": ["accuracy", "latency_ms"]},
            r"for one objective that is better large. Received: objectives=\['accuracy', 'latency_ms'\]. Pass",
        ),
        (
            {"reward": "mnasnet", "objectives": "val_loss"},
            r"for one objective that is better large. Received: objectives=\['val_loss'\]. Pass 'accuracy' alone",
        ),
        (
            {"reward": "mnasnet", "limits": ["accuracy=0.5"]},
            r"needs a limit on a metric that is better small. Received: limits=\['accuracy=0.5000'\]. Pass limits=",
        ),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(UserError, match=message):
        ReinforceOracle(**{"objectives": "accuracy", **arguments})


def test_it_starts_as_random_search_does(tmp_path):
    oracle = open_reinforce(tmp_path)
    assert [row.tolist() for row in oracle.probabilities()] == [[0.25] * 4] * 6


def test_the_policy_moves_toward_the_rewarded_choice(tmp_path):
    oracle = open_reinforce(tmp_path)
    drive(oracle, 60, gene_metrics)
    assert all(row.argmax() == 2 and row[2] > 0.4 for row in oracle.probabilities())
    assert all(row.sum() == pytest.approx(1.0) for row in oracle.probabilities())


def test_one_step_is_the_policy_gradient(tmp_path):
    """Five trials of one gene: the step is learning_rate * mean of advantage * (one-hot - p)."""
    space = kt.HyperParameters()
    space.Choice("gene", list(range(5)))
    oracle = open_reinforce(
        tmp_path, space, learning_rate=0.5, entropy=0.0, num_steps=1, baseline_decay=1.0, batch_size=5
    )
    run(oracle, *(({"gene": gene}, {"accuracy": 0.1 * gene}) for gene in range(5)))
    ranks = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    advantage = (ranks - 0.5) / ranks.std()
    logits = 0.5 * np.array([np.mean(advantage * ((np.arange(5) == gene) - 0.2)) for gene in range(5)])
    expected = np.exp(logits) / np.exp(logits).sum()
    assert oracle.probabilities()[0] == pytest.approx(expected)


def test_entropy_gradient_is_the_derivative():
    logits = np.array([[0.3, -1.0, 2.0]])
    every = np.ones((1, 3), dtype=bool)

    def entropy(logits):
        p = _softmax(logits, every)
        return -(p * np.log(p)).sum()

    step = 1e-6
    numeric = [(entropy(logits + step * unit) - entropy(logits - step * unit)) / (2 * step) for unit in np.eye(3)]
    assert _entropy_gradient(_softmax(logits, every))[0] == pytest.approx(numeric, abs=1e-8)


def test_softmax_gives_nothing_to_what_is_no_option():
    p = _softmax(np.zeros((1, 2, 3)), np.array([[True, True, False], [True, True, True]]))
    assert p.tolist() == [[[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]]]


def test_entropy_keeps_the_policy_open(tmp_path):
    def least_likely(entropy):
        oracle = open_reinforce(tmp_path / str(entropy), entropy=entropy)
        drive(oracle, 60, gene_metrics)
        return min(row.min() for row in oracle.probabilities())

    assert least_likely(1.0) > least_likely(0.0)


def test_ranks_share_ties():
    assert _ranks(np.array([3.0, 1.0, 3.0, -np.inf])).tolist() == pytest.approx([2.5 / 3, 1 / 3, 2.5 / 3, 0.0])
    assert _ranks(np.array([1.0])).tolist() == [0.0]


def test_rewards_put_the_limits_first():
    losses = np.array([[0.1], [0.9], [0.0], [0.5]])
    rewards = _rewards(losses, np.array([0.0, 0.0, 0.2, 0.1]), np.ones((1, 1)))[0]
    assert np.argsort(-rewards).tolist() == [0, 1, 3, 2]


def test_rewards_of_two_objectives_favor_what_each_weighting_asks():
    losses = np.array([[-0.9, 9.0], [-0.7, 5.0], [-0.5, 1.0], [-0.4, 10.0]])
    best = _rewards(losses, np.zeros(4), _weightings(2)).argmax(axis=1)
    assert best[0] == 2 and best[2] == 1 and best[-1] == 0


@pytest.mark.parametrize(("num_objectives", "num_weightings"), [(1, 1), (2, 5), (3, 6), (4, 10)])
def test_weightings_lie_inside_the_simplex(num_objectives, num_weightings):
    weightings = _weightings(num_objectives)
    assert weightings.shape == (num_weightings, num_objectives)
    assert weightings.sum(axis=1) == pytest.approx(1.0) and (weightings > 0).all()


def test_the_mnasnet_reward_is_the_one_of_its_paper(tmp_path):
    oracle = open_reinforce(tmp_path, reward="mnasnet", limits=["latency=4ms", "accuracy=0.1"], exponent=-0.5)
    run(oracle, ({f"gene_{i}": 0 for i in range(6)}, {"accuracy": 0.5, "latency_ms": 1.0}))
    run(oracle, ({f"gene_{i}": 1 for i in range(6)}, {"accuracy": 0.5, "latency_ms": 16.0}))
    run(oracle, ({f"gene_{i}": 2 for i in range(6)}, {"accuracy": 0.5}))
    policy = oracle._replayed(oracle.observations())
    assert np.ravel(policy.losses) == pytest.approx([-1.0, -0.25, -0.5])
    assert policy.violations == [0.0, 0.0, 0.0]


def test_trials_outside_the_limits_are_pushed_away(tmp_path):
    """The better accuracy of option 3 is of no use outside the limit."""

    def metrics(hp):
        genes = list(hp.values.values())
        return {"accuracy": sum(genes) / 18, "latency_ms": 9.0 if genes.count(3) > 1 else 1.0}

    oracle = open_reinforce(tmp_path, limits=["latency=5ms"])
    drive(oracle, 60, metrics)
    assert (
        np.mean([row[3] for row in oracle.probabilities()]) < 0.25 < np.mean([row[2] for row in oracle.probabilities()])
    )


def test_an_inactive_hyperparameter_is_not_trained(tmp_path):
    oracle = open_reinforce(tmp_path, toy_space(), entropy=0.0)
    dense = [{"kind": "dense", "depth": depth, "width": 8} for depth in (1, 2, 3, 4)]
    dense += [{"kind": "dense", "depth": depth, "width": 16} for depth in (1, 2, 3, 4)]
    run(oracle, *((values, {"accuracy": 0.1 * values["depth"]}) for values in dense))
    kind, depth, width, wide_kernel = oracle.probabilities()
    assert wide_kernel.tolist() == [0.5, 0.5]
    assert depth[3] > depth[0] and width[2] == width[3] == width[4]


def test_a_trial_no_policy_would_draw_pushes_no_further_than_allowed(tmp_path):
    oracle = open_reinforce(tmp_path, num_steps=50, learning_rate=1.0)
    drive(oracle, 80, gene_metrics)
    policy = oracle._replayed(oracle.observations())
    assert np.isfinite(policy.logits).all() and np.abs(policy.logits).max() < 20


def test_missing_metrics_are_worse_than_any_and_better_than_outside_the_limits(tmp_path):
    losses = np.array([[-0.9, np.inf], [-0.1, 9.0], [-0.9, 1.0]])
    rewards = _rewards(losses, np.array([0.0, 0.0, 0.1]), _weightings(2))
    assert (np.argsort(-rewards, axis=1) == [1, 0, 2]).all()
    oracle = open_reinforce(tmp_path, objectives=["accuracy", "latency_ms"])
    drive(oracle, 40, lambda hp: {"accuracy": 0.5} if hp.get("gene_0") == 1 else gene_metrics(hp))
    assert oracle.probabilities()[0][1] < 0.25


def test_draws_change_nothing(tmp_path):
    oracle = open_reinforce(tmp_path)
    drive(oracle, 20, gene_metrics)
    before = [row.tolist() for row in oracle.probabilities()]
    for seed in range(50):
        oracle.propose(np.random.default_rng(seed))
    assert [row.tolist() for row in oracle.probabilities()] == before


def test_a_reloaded_policy_is_the_same(tmp_path):
    """Also where trials fail and two run at once."""
    arguments = {"objectives": ["accuracy", "latency_ms"], "max_consecutive_failed_trials": 99}
    oracle = open_reinforce(tmp_path, **arguments)
    drive(oracle, 12, gene_metrics)
    drive(oracle, 1, lambda hp: None)
    first, second = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
    for trial in (second, first):
        oracle.update_trial(trial.trial_id, gene_metrics(trial.hyperparameters))
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    again = open_reinforce(tmp_path, **arguments)
    again.reload()
    assert [row.tolist() for row in again.probabilities()] == [row.tolist() for row in oracle.probabilities()]
    rest = [json.dumps(trial.hyperparameters.values) for trial in drive(oracle, 5, gene_metrics)]
    again._set_project_dir(str(tmp_path / "copy"), "project")
    assert [json.dumps(trial.hyperparameters.values) for trial in drive(again, 5, gene_metrics)] == rest


def test_a_space_that_grows_keeps_what_was_learned(tmp_path):
    oracle = open_reinforce(tmp_path)
    drive(oracle, 20, gene_metrics)
    before = [row.tolist() for row in oracle.probabilities()]
    oracle.hyperparameters.Choice("late", [0, 1])
    assert [row.tolist() for row in oracle.probabilities()] == [*before, [0.5, 0.5]]


def test_proposes_what_was_not_tried_where_it_can(tmp_path):
    oracle = open_reinforce(tmp_path, toy_space())
    drive(oracle, 30, toy_metrics)
    tried = [dict(observation.values) for observation in oracle.observations()]
    fresh = [oracle.propose(np.random.default_rng(seed)) not in tried for seed in range(40)]
    assert np.mean(fresh) > 0.9


def test_values_are_possible_in_every_kind_of_space(tmp_path):
    space = kt.HyperParameters()
    space.Float("rate", 1e-4, 1.0, sampling="log")
    space.Int("units", 8, 64, step=8)
    space.Int("filters", 1, 100)
    space.Fixed("kernel", 3)
    space.Boolean("is_wide")
    space.Choice("only", ["one"])
    space.Float("flat", 0.5, 0.5)
    oracle = open_reinforce(tmp_path, space)
    for trial in drive(oracle, 40, lambda hp: {"accuracy": hp.get("rate") * hp.get("units") / 64}):
        values = dict(trial.hyperparameters.values)
        assert sampling.activate(space, values, np.random.default_rng(0)) == values
    rows = oracle.probabilities()
    assert [len(row) for row in rows] == [8, 8, 8, 1, 2, 1, 1]
    assert rows[0].argmax() >= 5 and rows[1].argmax() >= 4


def test_better_than_random(tmp_path):
    def best_of(oracle_class, seed):
        oracle = oracle_class("accuracy", seed=seed, max_trials=50, hyperparameters=gene_space(6, 4))
        opened(oracle, tmp_path / f"{oracle_class.__name__}{seed}")
        return max(gene_metrics(trial.hyperparameters)["accuracy"] for trial in drive(oracle, 50, gene_metrics))

    seeds = range(3)
    policy, random = ([best_of(each, seed) for seed in seeds] for each in (ReinforceOracle, RandomOracle))
    assert np.mean(policy) > np.mean(random)
