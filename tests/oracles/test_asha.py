import json

import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.oracles import EvolutionOracle
from hwkeras.oracles import HardwareOracle
from hwkeras.oracles import RandomOracle
from hwkeras.oracles import sampling
from hwkeras.oracles.asha import AshaOracle
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.oracles.fidelity import architecture_values
from hwkeras.oracles.fidelity import best_first
from hwkeras.oracles.fidelity import ladder
from hwkeras.oracles.fidelity_oracle import FidelityOracle
from hwkeras.oracles.hyperband import HyperbandOracle
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import opened
from tests.oracles.fidelity_table import FidelityConformance
from tests.oracles.fidelity_table import epochs_spent
from tests.oracles.fidelity_table import fidelities
from tests.oracles.fidelity_table import trained


class TestAshaConformance(FidelityConformance):
    oracle_class = AshaOracle


def open_asha(directory, **arguments):
    defaults = {
        "objectives": ["accuracy"],
        "hyperparameters": toy_space(),
        "seed": 0,
        "max_epochs": 9,
        "inner": "random",
    }
    return opened(AshaOracle(**{**defaults, **arguments}), directory)


def scored(*accuracies):
    """An evaluation that gives trials these accuracies, one after the other; None is a trial that fails."""
    left = iter(accuracies)

    def evaluate(hp):
        accuracy = next(left)
        return None if accuracy is None else {"accuracy": accuracy, **toy_cost(hp)}

    return evaluate


def steps(trials):
    """Per trial: the epochs it ends at, and whom it continues."""
    return [(known.epochs, known.parent) for known in fidelities(trials)]


@pytest.mark.parametrize(
    ("max_epochs", "reduction", "min_epochs", "levels"),
    [
        (1, 3, 1, (1,)),
        (2, 3, 1, (2,)),
        (3, 3, 1, (1, 3)),
        (5, 3, 1, (2, 5)),
        (10, 3, 1, (1, 3, 10)),
        (27, 3, 1, (1, 3, 9, 27)),
        (16, 4, 1, (1, 4, 16)),
        (20, 2, 4, (5, 10, 20)),
        (4, 2, 4, (4,)),
    ],
)
def test_the_ladder(max_epochs, reduction, min_epochs, levels):
    assert ladder(max_epochs, reduction, min_epochs) == levels


def test_rungs_of_an_exact_case(tmp_path):
    """Ladder 1, 3, 9: one of each three is trained on, as soon as it is one of three."""
    oracle = open_asha(tmp_path, max_trials=14)
    accuracies = [0.5, 0.6, 0.4, 0.65, 0.3, 0.2, 0.7, 0.75, 0.1, 0.1, 0.1, 0.1, 0.9, 0.8]
    trials = drive(oracle, 14, scored(*accuracies))
    assert steps(trials) == [
        (1, None),
        (1, None),
        (1, None),
        (3, "01"),  # the best of three
        (1, None),
        (1, None),
        (1, None),  # the best of six now, 0.7: it and 01 are the best two
        (3, "06"),
        (1, None),
        (1, None),
        (1, None),  # 01 and 06 are two of the best three of nine; 00 is the third
        (3, "00"),
        (9, "07"),  # three were trained for 3 epochs: 03 0.65, 07 0.75, 11 0.1
        (1, None),
    ]
    assert epochs_spent(trials) == 10 * 1 + 3 * 2 + 6
    assert [trial.trial_id for trial in oracle.get_best_trials(2)] == ["12", "13"]


def test_trials_that_fail_are_neither_promoted_nor_counted(tmp_path):
    oracle = open_asha(tmp_path, max_trials=6, max_consecutive_failed_trials=99)
    trials = drive(oracle, 6, scored(None, 0.5, None, 0.4, 0.3, 0.6))
    assert steps(trials) == [(1, None)] * 5 + [(3, "1")]


def test_a_promotion_that_fails_leaves_the_result_before(tmp_path):
    oracle = open_asha(tmp_path, max_trials=8, max_consecutive_failed_trials=99)
    trials = drive(oracle, 8, scored(0.9, 0.5, 0.4, None, 0.3, 0.2, 0.1, 0.1))
    assert steps(trials)[3] == (3, "0")
    assert [known.parent for known in fidelities(trials)].count("0") == 1, "it is not tried again"
    assert oracle.get_best_trials(1)[0].trial_id == "0"


def test_feasibility_comes_first(tmp_path):
    oracle = open_asha(tmp_path, limits=["accuracy=0.5", "latency=1ms"], max_trials=7)
    latencies_ms = iter([9.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    accuracies = iter([0.99, 0.4, 0.3, 0.6, 0.2, 0.1, 0.1])

    def evaluate(hp):
        return {"accuracy": next(accuracies), "latency_ms": next(latencies_ms)}

    # The most accurate is too slow for ever; the next one is below the least accuracy, which training may change.
    trials = drive(oracle, 7, evaluate)
    promoted = [known.parent for known in fidelities(trials) if known.parent]
    assert promoted == ["1"]


def test_two_objectives_promote_by_rank_and_crowding(tmp_path):
    oracle = open_asha(tmp_path, objectives=["accuracy", "latency_ms"], max_trials=4)
    points = iter([(0.5, 5.0), (0.9, 9.0), (0.4, 5.5), (0.9, 9.0)])
    trials = drive(oracle, 4, lambda hp: dict(zip(("accuracy", "latency_ms"), next(points), strict=True)))
    assert fidelities(trials)[3].parent in ("0", "1")


def test_best_first():
    one = np.array([[3.0], [1.0], [2.0], [0.0]])
    assert best_first(one, [0.0, 0.0, 0.0, 0.5]) == [1, 2, 0, 3]
    two = np.array([[0.0, 3.0], [1.0, 1.9], [2.0, 2.0], [1.1, 1.8], [3.0, 0.0]])
    order = best_first(two, [0.0] * 5)
    assert set(order[:2]) == {0, 4} and order[4] == 2
    # Of three objectives all are on the front: every other place goes by the first alone.
    three = np.array([[float(i), -float(i), float(i % 2)] for i in range(6)])
    assert best_first(three, [0.0] * 6)[0] == 0
    assert sorted(best_first(three, [0.0] * 6)) == [0, 1, 2, 3, 4, 5]
    assert best_first(np.array([[0.0] * 3, [1.0] * 3, [2.0] * 3]), [0.2, 0.1, 0.0]) == [2, 1, 0]


@pytest.mark.parametrize("cls", [AshaOracle, HyperbandOracle])
def test_reloaded_around_any_oracle_it_goes_on_the_same(cls, tmp_path):
    """An inner oracle that counts on observations that are only ever added, as one that learns step by step does."""

    class Counting(HardwareOracle):
        seen, total = 0, 0.0

        def propose(self, rng):
            observations = self.observations()
            for observation in observations[self.seen :]:
                self.total = self.total / 2 + observation.metrics["accuracy"]
            self.seen = len(observations)
            return sampling.sample(self.hyperparameters, np.random.default_rng(int(self.total * 1e9) + 1))

    def open_oracle(name):
        oracle = cls(
            ["accuracy", "latency_ms"], inner=Counting, max_epochs=9, max_trials=24, seed=1, hyperparameters=toy_space()
        )
        oracle.verbose = 0
        oracle._set_project_dir(str(tmp_path / name), "project")
        return oracle

    whole = [dict(trial.hyperparameters.values) for trial in drive(open_oracle("a"), 24, trained)]
    killed = []
    for _ in whole:
        oracle = open_oracle("b")
        if killed:
            oracle.reload()
        killed += [dict(trial.hyperparameters.values) for trial in drive(oracle, 1, trained)]
    assert killed == whole


def test_the_inner_oracle_sees_each_architecture_once_as_trained_the_longest(tmp_path):
    seen = []

    class Spy(RandomOracle):
        def propose(self, rng):
            seen.append([(each.trial_id, dict(each.values), each.metrics["accuracy"]) for each in self.observations()])
            assert self.cost(sampling.sample(self.hyperparameters, rng)).keys() == {"size_bytes", "latency_ms"}
            return super().propose(rng)

    oracle = open_asha(tmp_path, inner=Spy, cost_model=toy_cost, max_trials=5)
    drive(oracle, 5, scored(0.5, 0.6, 0.4, 0.65, 0.1))
    assert [(trial_id, accuracy) for trial_id, _, accuracy in seen[-1]] == [("0", 0.5), ("2", 0.4), ("3", 0.65)]
    assert not any(name.startswith("tuner/") for _, values, _ in seen[-1] for name in values)


def test_the_inner_oracle_has_its_arguments(tmp_path):
    oracle = open_asha(
        tmp_path, inner=EvolutionOracle, inner_arguments={"num_random": 2, "sample_size": 7}, max_trials=9
    )
    assert (oracle._inner.num_random, oracle._inner.sample_size, oracle._inner.max_trials) == (2, 7, 9)


def test_at_equal_epochs_it_finds_better_than_training_all_to_the_end(tmp_path):
    """Learning curves that keep their order: what is bad after one epoch need not be trained on."""

    def best(oracle, most_epochs, epochs_of):
        spent, accuracies = 0, []
        while spent < most_epochs:
            (trial,) = drive(oracle, 1, lambda hp: trained(hp) if "tuner/epochs" in hp.values else toy_metrics(hp))
            spent += epochs_of(trial)
            accuracies.append(trial.metrics.get_last_value("accuracy"))
        return max(accuracies)

    gains = []
    for seed in range(5):
        asha = open_asha(tmp_path / f"asha{seed}", seed=seed, max_trials=99)
        full = RandomOracle(["accuracy"], hyperparameters=toy_space(), seed=seed, max_trials=99)
        full.verbose = 0
        full._set_project_dir(str(tmp_path / f"full{seed}"), "project")
        ours = best(asha, 81, lambda trial: epochs_spent([trial]))
        gains.append(ours - (best(full, 81, lambda trial: 9) - 0.3 / 9))
    assert np.mean(gains) > 0


def test_the_budget_ends_it_before_a_promotion(tmp_path):
    oracle = open_asha(tmp_path, max_trials=9)
    drive(oracle, 3, scored(0.5, 0.6, 0.4))
    oracle.out_of_budget = lambda: True
    assert oracle.create_trial("tuner0").status == "STOPPED"
    assert (oracle.stop_reason.kind, oracle.stop_reason.message) == (
        "budget",
        "The budget is spent. 3 trials were run.",
    )
    oracle.out_of_budget = None
    assert oracle.create_trial("tuner0").hyperparameters.values["tuner/trial_id"] == "1"


def test_without_epochs_nothing_is_promoted(tmp_path):
    oracle = open_asha(tmp_path, max_epochs=None, max_trials=12)
    trials = drive(oracle, 12)
    assert len(trials) == 12 and {trial.hyperparameters.values["tuner/epochs"] for trial in trials} == {1}
    assert len({json.dumps(trial.hyperparameters.values) for trial in trials}) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_epochs": 0}, "`max_epochs` must be an int of 1 or more. Received: max_epochs=0"),
        ({"reduction": 1}, "`reduction` must be an int of 2 or more. Received: reduction=1"),
        ({"min_epochs": 0}, "`min_epochs` must be an int of 1 or more. Received: min_epochs=0"),
        (
            {"min_epochs": 9, "max_epochs": 3},
            "`min_epochs` must not exceed `max_epochs`. Received: min_epochs=9",
        ),
        ({"inner": "crystal_ball"}, "crystal_ball"),
        ({"inner": AshaOracle}, "`inner` must be an oracle that proposes candidates by itself.*Received: inner=<class"),
        ({"inner": 3}, "`inner` must be an oracle that proposes candidates by itself.*Received: inner=3"),
        ({"inner_arguments": {"num_random": 0}, "inner": "evolution"}, "num_random=0"),
    ],
)
@pytest.mark.parametrize("cls", [AshaOracle, HyperbandOracle])
def test_wrong_arguments(cls, arguments, said):
    with pytest.raises(UserError, match=said):
        cls("accuracy", **{"max_epochs": 9, **arguments})


def test_a_subclass_must_say_what_comes_next(tmp_path):
    class Idle(FidelityOracle):
        pass

    with pytest.raises(NotImplementedError, match=r"Idle must write `next_fidelity\(is_exhausted\)`."):
        Idle("accuracy", max_epochs=3).next_fidelity(False)


def test_the_fidelity_of_a_trial_is_in_its_values():
    known = Fidelity(epochs=9, level=2, bracket=1, initial_epoch=3, parent="07")
    values = {"width": 8, **known.to_values()}
    assert Fidelity.of(values) == known
    assert values["tuner/epochs"] == 9 and values["tuner/initial_epoch"] == 3 and values["tuner/trial_id"] == "07"
    assert Fidelity.of({"width": 8}) is None


def test_a_gain_is_expected_once_the_front_is_trained_to_the_end(tmp_path):
    oracle = open_asha(tmp_path, inner="pareto", max_trials=99, max_epochs=3, inner_arguments={"num_initial": 4})
    told = []
    for _ in range(24):
        drive(oracle, 1, trained)
        on_top = Fidelity.of(oracle.front()[0].hyperparameters.values).epochs == 3
        told.append((on_top, oracle.expected_gain()))
    assert all(gain is None for on_top, gain in told if not on_top)
    assert [gain for on_top, gain in told if on_top][-1] >= 0.0


def test_no_gain_is_expected_by_who_does_not_say(tmp_path):
    oracle = open_asha(tmp_path, inner="random", max_trials=9)
    drive(oracle, 9, trained)
    assert oracle.expected_gain() is None


def test_the_inner_oracle_knows_what_was_tried_however_long_it_was_trained(tmp_path):
    oracle = AshaOracle(["accuracy"], inner="greedy", max_epochs=9, max_trials=8, seed=0, hyperparameters=toy_space())
    trials = drive(opened(oracle, tmp_path), 8)
    inner = oracle._inner
    plain = [architecture_values(trial.hyperparameters.values) for trial in trials]
    assert len(plain) == 8 and plain[0] != dict(trials[0].hyperparameters.values)
    assert {inner._name_of(values) for values in plain} == inner._all_tried()
