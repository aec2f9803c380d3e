"""Made for the tests of hyperband and asha: a trainable table with learning curves, and conformance of a wrapper."""

import json

from hwkeras.oracles.fidelity import Fidelity
from hwkeras.oracles.fidelity import architecture_values
from hwkeras.testing import OracleConformance
from hwkeras.testing import drive
from hwkeras.testing import toy_metrics


def trained(hp):
    """What a toy candidate reports after the epochs of its trial: it rises to `toy_metrics` as 1 / epochs falls."""
    metrics = toy_metrics(hp)
    return metrics | {"accuracy": metrics["accuracy"] - 0.3 / hp.values["tuner/epochs"]}


def fidelities(trials):
    return [Fidelity.of(trial.hyperparameters.values) for trial in trials]


def epochs_spent(trials):
    return sum(known.epochs - known.initial_epoch for known in fidelities(trials))


def architecture_of(trial):
    return json.dumps(architecture_values(trial.hyperparameters.values), sort_keys=True)


class FidelityConformance(OracleConformance):
    """What every oracle must do, of one that trains some candidates again.

    Such an oracle visits an architecture again by right when it trains it longer: its `tuner/epochs` then differ, and
    with them the values, so the tests that count repeats by values hold as they are. The four tests below count what
    else differs: architectures instead of trials, and the values of an architecture without those of its training.
    """

    def make_oracle(self, **arguments):
        return self.oracle_class(**{"max_epochs": 9, **arguments})

    def test_repeats_no_architecture_when_values_differ(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=100)
        oracle.identity = lambda hp: f"{hp.get('kind')}-{hp.get('depth')}"
        trials = drive(oracle, 100)
        begun = [trial for trial, known in zip(trials, fidelities(trials), strict=True) if known.parent is None]
        assert len({oracle.identity(trial.hyperparameters) for trial in begun}) == len(begun) == 8

    def test_finds_the_only_candidate_within_the_limits(self, tmp_path):
        trials = drive(self.open_oracle(tmp_path, limits=["size=80B"]), 100)
        assert {architecture_of(trial) for trial in trials} == {'{"depth": 1, "kind": "dense", "width": 8}'}
        assert [known.epochs for known in fidelities(trials)] == sorted({known.epochs for known in fidelities(trials)})
        assert fidelities(trials)[-1].epochs == 9

    def test_stops_when_the_space_is_exhausted(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=500)
        trials = drive(oracle, 500, trained)
        assert len({architecture_of(trial) for trial in trials}) == len(oracle.observations()) == 60
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.stop_reason.kind == "exhausted"
        assert oracle.stop_reason.error is None

    def test_trains_an_architecture_on_and_never_anew(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=40)
        trials = drive(oracle, 40, trained)
        by_id = {trial.trial_id: trial for trial in trials}
        for trial, known in zip(trials, fidelities(trials), strict=True):
            if known.parent is not None:
                parent = by_id[known.parent]
                assert architecture_of(parent) == architecture_of(trial)
                assert known.initial_epoch == Fidelity.of(parent.hyperparameters.values).epochs < known.epochs
        assert len({known.parent for known in fidelities(trials)} - {None}) == sum(
            known.parent is not None for known in fidelities(trials)
        )

    def test_an_architecture_is_a_result_once(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=40, objectives=["accuracy", "latency_ms"])
        trials = drive(oracle, 40, trained)
        longest = {}
        for trial, known in zip(trials, fidelities(trials), strict=True):
            longest[architecture_of(trial)] = max(longest.get(architecture_of(trial), 0), known.epochs)
        for results in (oracle.front(), oracle.get_best_trials(99)):
            architectures = [architecture_of(trial) for trial in results]
            assert len(set(architectures)) == len(architectures) > 3
            epochs = [known.epochs for known in fidelities(results)]
            assert epochs == [longest[architecture] for architecture in architectures]
        assert len(oracle.get_best_trials(99)) == len(longest) < 40
        assert not any(name.startswith("tuner/") for each in oracle.observations() for name in each.values)
