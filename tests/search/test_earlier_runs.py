"""Runs of hwkeras read back for the next search."""

import json

import keras_tuner as kt
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import AshaOracle
from hwkeras.oracles import RandomOracle
from hwkeras.search.earlier_runs import EarlierTrial
from hwkeras.search.earlier_runs import read_earlier_runs
from hwkeras.search.run import Run
from hwkeras.testing import drive
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space


@pytest.fixture
def run_of(tmp_path):
    """A function that makes the directory of a run by driving a real oracle."""

    def run_of(name, num_trials=4, oracle_class=RandomOracle, evaluate=toy_metrics, objective="accuracy", **arguments):
        oracle = oracle_class([f"{objective}:max"], seed=0, hyperparameters=toy_space(), max_trials=99, **arguments)
        oracle.verbose = 0
        oracle._set_project_dir(str(tmp_path), name)
        Run(tmp_path / name).open({"data_fingerprint": "f1", "precisions": ["int8"], "objectives": [objective]})
        return tmp_path / name, drive(oracle, num_trials, evaluate)

    return run_of


def test_the_completed_trials_of_runs_in_their_order(run_of):
    first, trials = run_of("first")
    second, _ = run_of("second", 2)
    read = read_earlier_runs([first, str(second)])
    assert [each.source for each in read] == [str(first)] * 4 + [str(second)] * 2
    assert read[0] == EarlierTrial(
        dict(trials[0].hyperparameters.values), toy_metrics(trials[0].hyperparameters), str(first), False
    )
    assert read_earlier_runs(first) == read[:4]


def test_the_same_data_are_known_by_their_fingerprint(run_of):
    directory, _ = run_of("run")
    assert all(each.same_data for each in read_earlier_runs([directory], toy_space(), "f1"))
    assert not any(each.same_data for each in read_earlier_runs([directory], toy_space(), "f2"))
    assert not any(each.same_data for each in read_earlier_runs([directory]))


def test_failed_running_and_damaged_trials_are_left_out(run_of):
    results = iter([toy_metrics, lambda hp: None, toy_metrics, toy_metrics])
    directory, _ = run_of("run", evaluate=lambda hp: next(results)(hp))
    (directory / "trial_02" / "trial.json").write_text('{"trial_id": "0')
    (directory / "trial_03" / "trial.json").write_text("[]")
    with pytest.warns(UserWarning, match="cannot be read and is left out: .*trial.json") as told:
        assert len(read_earlier_runs([directory])) == 1
    assert len(told) == 2


def test_a_network_that_was_trained_on_is_read_once(run_of):
    directory, trials = run_of("run", 9, AshaOracle, max_epochs=9, inner="random")
    read = read_earlier_runs([directory])
    assert 0 < len(read) < len(trials)
    assert not any(name.startswith("tuner/") for each in read for name in each.values)
    assert len({json.dumps(each.values, sort_keys=True) for each in read}) == len(read)


def test_a_metric_of_keras_by_its_name(run_of):
    directory, _ = run_of("run", 2, evaluate=lambda hp: {"val_auc": 0.5}, objective="val_auc")
    assert [each.metrics["val_auc"] for each in read_earlier_runs([directory])] == [0.5, 0.5]


def test_a_directory_without_a_run(tmp_path):
    with pytest.raises(UserError, match="An earlier run has a file search.json .* Received: .*, which has none. Pass"):
        read_earlier_runs([tmp_path])


def test_a_run_without_a_completed_trial(run_of):
    directory, _ = run_of("run", 0)
    with pytest.raises(UserError, match="by its completed trials. Received: .*, which has none yet. Leave it out"):
        read_earlier_runs([directory])


def test_a_space_that_has_nothing_of_this_one(run_of):
    directory, _ = run_of("run")
    space = kt.HyperParameters()
    space.Int("units", 1, 9)
    with pytest.raises(
        UserError, match="share hyperparameters. Received: .*depth, kind, .* for a space that has units"
    ):
        read_earlier_runs([directory], space)
