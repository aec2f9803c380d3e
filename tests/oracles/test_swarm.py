import json

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import sampling
from hwkeras.oracles.random_search import RandomOracle
from hwkeras.oracles.swarm import SwarmOracle
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import opened


class TestSwarmConformance(OracleConformance):
    oracle_class = SwarmOracle


def number_space():
    space = kt.HyperParameters()
    space.Float("rate", 0.0, 1.0)
    space.Int("width", 1, 100)
    space.Choice("kind", ["a", "b", "c", "d"])
    return space


def number_metrics(hp):
    distance = abs(hp.get("rate") - 0.8) + abs(hp.get("width") - 30) / 100 + (hp.get("kind") != "c")
    return {"accuracy": 1.0 / (1.0 + distance), "latency_ms": 1.0 + hp.get("width")}


def open_swarm(directory, space=None, objectives="accuracy", **arguments):
    arguments = {"seed": 0, "max_trials": 60, "hyperparameters": space or number_space(), **arguments}
    return opened(SwarmOracle(objectives, **arguments), directory)


def swarm_of(oracle):
    return oracle._replayed(oracle.observations())


def positions_of(oracle):
    particles = swarm_of(oracle).particles
    return {
        number: {row: place.tolist() for row, place in each.positions.items()} for number, each in particles.items()
    }


def run(oracle, *candidates):
    """Completes trials with given values and metrics, whatever the oracle would have proposed."""
    for values, metrics in candidates:
        oracle.propose = lambda rng, values=values: dict(values)
        trial = drive(oracle, 1, lambda hp, metrics=metrics: metrics)[0]
        assert dict(trial.hyperparameters.values) == values
    del oracle.propose


@pytest.mark.parametrize(("max_trials", "swarm_size"), [(1, 5), (25, 5), (50, 10), (100, 20), (200, 20), (None, 20)])
def test_size_suits_the_budget(max_trials, swarm_size):
    assert SwarmOracle("accuracy", max_trials=max_trials).swarm_size == swarm_size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"swarm_size": 1}, r"`swarm_size` must be an int of 2 or more. Received: swarm_size=1"),
        ({"inertia": 1.0}, r"`inertia` must be in \[0, 1\). Received: inertia=1.0. The usual one is 0.73"),
        ({"memory_pull": -1}, r"`memory_pull` must be finite, 0 or more. Received: memory_pull=-1. Pass 1.5, or 0"),
        ({"leader_pull": float("nan")}, r"`leader_pull` must be finite, 0 or more. Received: leader_pull=nan. Pass"),
        ({"turbulence": 1.5}, r"`turbulence` must be in \[0, 1\]. Received: turbulence=1.5. Pass None"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(UserError, match=message):
        SwarmOracle("accuracy", **arguments)


def test_first_trials_of_all_particles_are_random(tmp_path):
    """The same draws as random search, for nothing is known yet."""
    oracle = open_swarm(tmp_path / "a", swarm_size=4)
    random = RandomOracle("accuracy", seed=0, max_trials=60, hyperparameters=number_space())
    random.verbose = 0
    random._set_project_dir(str(tmp_path / "b"), "project")
    for first, second in zip(drive(oracle, 4, number_metrics), drive(random, 4, number_metrics), strict=True):
        assert first.hyperparameters.values == second.hyperparameters.values


def test_a_particle_moves_by_the_equation_of_particle_swarms(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=2, inertia=0.5, memory_pull=0.25, leader_pull=0.5)
    leader = {"rate": 0.9, "width": 50, "kind": "c"}
    run(
        oracle,
        ({"rate": 0.1, "width": 50, "kind": "a"}, {"accuracy": 0.2}),
        (leader, {"accuracy": 0.9}),
        ({"rate": 0.2, "width": 50, "kind": "b"}, {"accuracy": 0.1}),
    )
    # Its first move led nowhere, for it was its own best and the leader too: it has no velocity yet.
    position = positions_of(oracle)[0]
    rng = np.random.default_rng([0, 2, 1])
    rng.integers(1, size=2)  # The leader is drawn from one.
    pulls = rng.random(2) * (0.25, 0.5)
    assert position[0][0] == pytest.approx(0.2 + pulls[0] * (0.1 - 0.2) + pulls[1] * (0.9 - 0.2))


def test_options_of_the_leader_and_of_the_own_best_become_likely(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=2)
    run(
        oracle,
        ({"rate": 0.5, "width": 50, "kind": "a"}, {"accuracy": 0.9}),
        ({"rate": 0.5, "width": 60, "kind": "b"}, {"accuracy": 0.2}),
    )
    positions = positions_of(oracle)
    for particle in positions.values():
        assert sum(particle[2]) == pytest.approx(1.0) and min(particle[2]) >= 0.0
    own, leading = positions[1][2][1], positions[1][2][0]
    assert positions[0][2][0] > 0.25 and own + leading > 0.5
    assert positions[1][2][2] == positions[1][2][3] < 0.25


def test_without_pulls_nothing_moves(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=2, memory_pull=0, leader_pull=0)
    run(oracle, ({"rate": 0.5, "width": 50, "kind": "a"}, {"accuracy": 0.9}))
    assert positions_of(oracle)[0] == {0: [0.5], 1: [pytest.approx(0.495)], 2: [0.25] * 4}


def test_without_turbulence_a_particle_proposes_its_position(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=2, turbulence=0.0)
    run(
        oracle,
        ({"rate": 0.1, "width": 20, "kind": "a"}, {"accuracy": 0.2}),
        ({"rate": 0.9, "width": 60, "kind": "c"}, {"accuracy": 0.9}),
        ({"rate": 0.3, "width": 40, "kind": "b"}, {"accuracy": 0.1}),
    )
    run(oracle, ({"rate": 0.9, "width": 61, "kind": "c"}, {"accuracy": 0.8}))
    particle = swarm_of(oracle).particles[0]
    values = oracle.propose(np.random.default_rng(5))
    assert values["rate"] == pytest.approx(particle.positions[0][0], abs=1e-12)
    assert abs(values["width"] - (1 + 99 * particle.positions[1][0])) <= 1


def test_the_leader_lies_within_the_limits(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=3, limits=["latency=5ms"])
    run(
        oracle,
        ({"rate": 0.1, "width": 50, "kind": "a"}, {"accuracy": 0.9, "latency_ms": 9.0}),
        ({"rate": 0.2, "width": 50, "kind": "a"}, {"accuracy": 0.8, "latency_ms": 6.0}),
    )
    assert [found.violation for found in swarm_of(oracle).archive] == [pytest.approx(0.2)]
    run(oracle, ({"rate": 0.3, "width": 50, "kind": "b"}, {"accuracy": 0.1, "latency_ms": 4.0}))
    assert [found.violation for found in swarm_of(oracle).archive] == [0.0]


def test_the_archive_is_the_front(tmp_path):
    oracle = open_swarm(tmp_path, objectives=["accuracy", "latency_ms"], swarm_size=5)
    drive(oracle, 30, number_metrics)
    archived = sorted(tuple(found.losses) for found in swarm_of(oracle).archive)
    front = [
        (-trial.metrics.get_best_value("accuracy"), trial.metrics.get_best_value("latency_ms"))
        for trial in oracle.front()
    ]
    assert archived == sorted(front)


def test_an_inactive_hyperparameter_keeps_its_position(tmp_path):
    oracle = open_swarm(tmp_path, toy_space(), swarm_size=2)
    conv = {"kind": "conv", "depth": 2, "width": 16, "wide_kernel": True}
    run(oracle, (conv, {"accuracy": 0.9}), ({"kind": "dense", "depth": 3, "width": 16}, {"accuracy": 0.1}))
    before = positions_of(oracle)
    run(oracle, ({"kind": "dense", "depth": 1, "width": 8}, {"accuracy": 0.5}))
    after = positions_of(oracle)
    assert after[0][3] == before[0][3] and after[0][1] != before[0][1]
    assert 3 not in after[1]


def test_a_failed_trial_moves_nobody(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=3, max_consecutive_failed_trials=1000)
    drive(oracle, 6, number_metrics)
    before = positions_of(oracle)
    drive(oracle, 1, lambda hp: None)
    assert positions_of(oracle) == before
    drive(oracle, 1, number_metrics)
    moved = [number for number, place in positions_of(oracle).items() if place != before[number]]
    assert moved == [1]


def test_draws_that_are_turned_down_change_nothing(tmp_path):
    oracle = open_swarm(tmp_path, swarm_size=3)
    drive(oracle, 7, number_metrics)
    before = positions_of(oracle)
    for seed in range(50):
        oracle.propose(np.random.default_rng(seed))
    assert positions_of(oracle) == before


def test_a_reloaded_swarm_flies_on_the_same(tmp_path):
    """Also where numbers are continuous, trials fail and two run at once."""
    oracle = open_swarm(tmp_path, swarm_size=3, objectives=["accuracy", "latency_ms"], max_consecutive_failed_trials=99)
    drive(oracle, 9, number_metrics)
    drive(oracle, 1, lambda hp: None)
    first, second = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
    for trial in (second, first):
        oracle.update_trial(trial.trial_id, number_metrics(trial.hyperparameters))
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    drive(oracle, 4, number_metrics)
    again = open_swarm(tmp_path, swarm_size=3, objectives=["accuracy", "latency_ms"], max_consecutive_failed_trials=99)
    again.reload()
    assert positions_of(again) == positions_of(oracle)
    rest = [json.dumps(trial.hyperparameters.values) for trial in drive(oracle, 5, number_metrics)]
    again._set_project_dir(str(tmp_path / "copy"), "project")
    assert [json.dumps(trial.hyperparameters.values) for trial in drive(again, 5, number_metrics)] == rest


def test_proposes_what_was_not_tried_where_it_can(tmp_path):
    oracle = open_swarm(tmp_path, toy_space(), swarm_size=5)
    drive(oracle, 30, toy_metrics)
    tried = [dict(observation.values) for observation in oracle.observations()]
    fresh = [oracle.propose(np.random.default_rng(seed)) not in tried for seed in range(40)]
    assert np.mean(fresh) > 0.9


def test_missing_metrics_never_lead(tmp_path):
    oracle = open_swarm(tmp_path, objectives=["accuracy", "latency_ms"], swarm_size=2)
    run(
        oracle,
        ({"rate": 0.1, "width": 50, "kind": "a"}, {"accuracy": 0.9}),
        ({"rate": 0.2, "width": 50, "kind": "b"}, {"accuracy": 0.9, "latency_ms": 3.0}),
    )
    assert [found.losses.tolist() for found in swarm_of(oracle).archive] == [[-0.9, 3.0]]


def test_better_than_random_on_numbers(tmp_path):
    def best_of(oracle_class, seed):
        oracle = oracle_class("accuracy", seed=seed, max_trials=60, hyperparameters=number_space())
        opened(oracle, tmp_path / f"{oracle_class.__name__}{seed}")
        return max(number_metrics(trial.hyperparameters)["accuracy"] for trial in drive(oracle, 60, number_metrics))

    seeds = range(3)
    swarm, random = ([best_of(each, seed) for seed in seeds] for each in (SwarmOracle, RandomOracle))
    assert np.mean(swarm) > np.mean(random)


def test_values_are_possible_in_every_kind_of_space(tmp_path):
    space = kt.HyperParameters()
    space.Float("rate", 1e-4, 1.0, sampling="log")
    space.Int("units", 8, 64, step=8)
    space.Fixed("kernel", 3)
    space.Boolean("is_wide")
    space.Choice("only", ["one"])
    oracle = open_swarm(tmp_path, space, swarm_size=4)
    for trial in drive(oracle, 30, lambda hp: {"accuracy": hp.get("rate") * hp.get("units") / 64}):
        values = dict(trial.hyperparameters.values)
        assert sampling.activate(space, values, np.random.default_rng(0)) == values
