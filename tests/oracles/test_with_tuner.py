"""The oracles under keras-tuner's own tuner, as a user of keras-tuner would run them."""

import keras_tuner as kt
import pytest

from hwkeras.errors import InfeasibleError
from hwkeras.oracles import get
from hwkeras.oracles import names
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space


class ToyTuner(kt.Tuner):
    def run_trial(self, trial, failing=(), killed_in=None, verbose=None):
        if trial.trial_id in failing:
            raise RuntimeError("out of memory")
        if trial.trial_id == killed_in:
            raise KeyboardInterrupt
        return toy_metrics(trial.hyperparameters)


def open_tuner(name, directory, **arguments):
    defaults = {"objectives": ["accuracy", "latency_ms"], "max_trials": 12, "seed": 0, "cost_model": toy_cost}
    oracle = get(name)(hyperparameters=toy_space(), **{**defaults, **arguments})
    return ToyTuner(oracle=oracle, directory=str(directory), project_name="project")


@pytest.mark.parametrize("name", names())
def test_a_search(name, tmp_path):
    tuner = open_tuner(name, tmp_path, limits=["size=1kB"])
    tuner.search(verbose=0)
    best = tuner.get_best_hyperparameters(3)
    assert len(tuner.oracle.trials) == 12
    assert all(toy_cost(hp)["size_bytes"] <= 1000 for hp in best)
    assert [toy_metrics(hp)["accuracy"] for hp in best] == sorted(
        (toy_metrics(hp)["accuracy"] for hp in best), reverse=True
    )
    assert tuner.oracle.front()


def test_what_it_prints_is_what_keras_tuner_prints(tmp_path, capsys):
    open_tuner("random", tmp_path, max_trials=2).search()
    printed = capsys.readouterr().out
    assert "Search: Running Trial #2" in printed
    assert "Best accuracy So Far" in printed


def test_resumed_in_the_middle_it_is_the_same_search(tmp_path):
    whole = open_tuner("evolution", tmp_path / "whole")
    whole.search(verbose=0)
    with pytest.raises(KeyboardInterrupt):
        open_tuner("evolution", tmp_path / "killed").search(verbose=0, killed_in="07")
    resumed = open_tuner("evolution", tmp_path / "killed")
    resumed.search(verbose=0)
    assert resumed.oracle.repairs == ()
    assert resumed.oracle.observations() == whole.oracle.observations()


def test_a_damaged_project_is_opened(tmp_path):
    open_tuner("random", tmp_path, max_trials=4).search(verbose=0)
    project = tmp_path / "project"
    (project / "oracle.json").write_text('{"ongoing')
    (project / "tuner0.json").write_text("")
    tuner = open_tuner("random", tmp_path, max_trials=6)
    tuner.search(verbose=0)
    assert len(tuner.oracle.observations()) == 6


def test_failed_trials_do_not_count_as_results(tmp_path):
    tuner = open_tuner("random", tmp_path)
    tuner.search(verbose=0, failing=("03", "07"))
    assert [tuner.oracle.trials[trial_id].status for trial_id in ("03", "07")] == ["FAILED", "FAILED"]
    assert len(tuner.oracle.get_best_trials(100)) == 10


def test_an_infeasible_search_ends_at_once(tmp_path):
    tuner = open_tuner("evolution", tmp_path, limits=["latency=1us"])
    tuner.search(verbose=0)
    with pytest.raises(InfeasibleError, match="latency=0.001ms binds; the smallest latency seen is 0.008 ms"):
        raise tuner.oracle.stop_reason.error
