from hwkeras.oracles.hyperband import HyperbandOracle
from hwkeras.oracles.hyperband import bracket_size
from hwkeras.oracles.hyperband import num_runs
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import opened
from tests.oracles.fidelity_table import FidelityConformance
from tests.oracles.fidelity_table import epochs_spent
from tests.oracles.fidelity_table import fidelities
from tests.oracles.fidelity_table import trained


class TestHyperbandConformance(FidelityConformance):
    oracle_class = HyperbandOracle


def open_hyperband(directory, **arguments):
    defaults = {
        "objectives": ["accuracy"],
        "hyperparameters": toy_space(),
        "seed": 0,
        "max_epochs": 9,
        "inner": "random",
    }
    return opened(HyperbandOracle(**{**defaults, **arguments}), directory)


def rounds(trials):
    """Runs in a row of one bracket and one level, as (bracket, epochs, number)."""
    grouped = []
    for known in fidelities(trials):
        if grouped and grouped[-1][:2] == (known.bracket, known.epochs):
            grouped[-1] = (*grouped[-1][:2], grouped[-1][2] + 1)
        else:
            grouped.append((known.bracket, known.epochs, 1))
    return grouped


def test_the_sizes_of_the_paper():
    """Table 1 of arXiv:1603.06560 for R=81, eta=3 has 81, 34, 15, 8, 5 by its formula."""
    assert [bracket_size(num_rounds, 5, 3) for num_rounds in (5, 4, 3, 2, 1)] == [81, 34, 15, 8, 5]
    assert num_runs(81, 5, 3) == 81 + 27 + 9 + 3 + 1
    assert num_runs(34, 4, 3) == 34 + 11 + 3 + 1


def test_a_sweep(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=22)
    trials = drive(oracle, 99, trained)
    assert rounds(trials) == [(0, 1, 9), (0, 3, 3), (0, 9, 1), (1, 3, 5), (1, 9, 1), (2, 9, 3)]
    assert epochs_spent(trials) == 9 + 3 * 2 + 6 + 5 * 3 + 6 + 3 * 9


def test_the_best_of_a_round_are_trained_on(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=13)
    accuracies = iter([0.1, 0.7, 0.3, 0.8, 0.2, 0.9, 0.4, 0.5, 0.6, 0.91, 0.95, 0.7, 0.99])
    trials = drive(oracle, 13, lambda hp: {"accuracy": next(accuracies), **toy_cost(hp)})
    assert [known.parent for known in fidelities(trials)[9:]] == ["05", "03", "01", "10"]
    assert [known.initial_epoch for known in fidelities(trials)[9:]] == [1, 1, 1, 3]


def test_no_bracket_is_begun_that_cannot_end(tmp_path):
    """13 trials are too few for the first bracket of a ladder to 27, 40: it begins two levels higher up."""
    trials = drive(open_hyperband(tmp_path, max_epochs=27, max_trials=13), 99, trained)
    assert rounds(trials) == [(0, 9, 6), (0, 27, 2), (1, 27, 4), (2, 27, 1)]


def test_few_trials_are_all_trained_to_the_end(tmp_path):
    assert rounds(drive(open_hyperband(tmp_path, max_trials=3), 99, trained)) == [(0, 9, 3)]


def test_without_an_end_one_sweep_follows_the_other(tmp_path):
    trials = drive(open_hyperband(tmp_path, max_trials=None, max_epochs=3), 12, trained)
    assert rounds(trials) == [(0, 1, 3), (0, 3, 1), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 3, 2)]


def test_trials_that_fail_make_a_bracket_smaller_and_what_they_free_is_used(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=6, max_epochs=3, max_consecutive_failed_trials=99)
    accuracies = iter([None, None, None, 0.5, 0.6, 0.4])

    def evaluate(hp):
        accuracy = next(accuracies)
        return None if accuracy is None else {"accuracy": accuracy, **toy_cost(hp)}

    assert rounds(drive(oracle, 99, evaluate)) == [(0, 1, 3), (1, 3, 2), (2, 3, 1)]


def test_others_wait_while_a_round_is_decided(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=4, max_epochs=3)
    running = [oracle.create_trial(f"tuner{number}") for number in range(3)]
    assert [trial.status for trial in running] == ["RUNNING"] * 3
    assert oracle.create_trial("tuner3").status == "IDLE", "the fourth trial is the promotion's"
    for number, trial in enumerate(running):
        oracle.update_trial(trial.trial_id, {"accuracy": 0.1 * number, **toy_cost(trial.hyperparameters)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert oracle.create_trial("tuner3").hyperparameters.values["tuner/trial_id"] == "2"


def test_others_begin_the_next_bracket_meanwhile(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=6, max_epochs=3)
    running = [oracle.create_trial(f"tuner{number}") for number in range(5)]
    assert rounds(running) == [(0, 1, 3), (1, 3, 2)]
    assert oracle.create_trial("tuner5").status == "IDLE"


def test_an_exhausted_space_ends_with_the_best_trained_to_the_end(tmp_path):
    oracle = open_hyperband(tmp_path, max_trials=99, limits=["size=160B"], cost_model=toy_cost)
    trials = drive(oracle, 99, trained)
    begun = [known for known in fidelities(trials) if known.parent is None]
    assert max(known.epochs for known in fidelities(trials)) == 9
    assert len(trials) > len(begun)
    assert oracle.stop_reason.kind == "exhausted"
    assert oracle.stop_reason.message.startswith("The search space is exhausted: every candidate was tried or lies out")
