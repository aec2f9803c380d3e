"""What a search may spend, and what it says when that is spent."""

import math

import pytest

from hwkeras.errors import UserError
from hwkeras.oracles.stopping import StopReason
from hwkeras.search.budget import PATIENCE
from hwkeras.search.budget import Budget
from hwkeras.testing import FakeClock


def test_no_trial_begins_that_would_end_too_late():
    clock = FakeClock()
    budget = Budget(max_minutes=1, clock=clock)
    budget.start()
    budget.trial_begins()
    clock.advance(25)
    budget.trial_ends()
    assert not budget.is_spent(1)
    clock.advance(11)  # 36 s gone, the next trial would likely take 25 s
    assert budget.is_spent(1)


def test_a_first_candidate_is_looked_for_in_bounded_time():
    clock = FakeClock()
    budget = Budget(first_candidate_seconds=40, clock=clock)
    budget.start()
    clock.advance(39)
    assert not budget.is_spent(0)
    clock.advance(2)
    assert budget.is_spent(0)
    assert not budget.is_spent(1)
    clock.advance(1e6)
    assert not budget.is_spent(1)


def test_minutes_that_are_spent_are_told():
    clock = FakeClock()
    budget = Budget(max_minutes=0.5, clock=clock)
    budget.start()
    assert budget.stop_reason(0) is None
    clock.advance(31)
    assert budget.stop_reason(3) == StopReason("budget", "The budget of 0.5 minutes is spent. 3 trials were run.")


def test_epochs_outside_the_trials_count():
    budget = Budget(max_total_epochs=20, clock=FakeClock())
    budget.resume([{"epochs": 4}, {"epochs": 4}], epochs=4, compressed=[{"epochs": 3}])
    assert (budget.num_epochs, budget.num_epochs_left) == (11, 9)
    budget.spend(6)
    assert budget.num_epochs_left == 3
    said = "The budget of 20 epochs is spent, 17 were trained. 2 trials were run."
    assert budget.stop_reason(2) == StopReason("budget", said)
    assert Budget(clock=FakeClock()).num_epochs_left == math.inf


def test_no_trial_begins_that_would_train_too_many_epochs():
    budget = Budget(max_total_epochs=10, clock=FakeClock())
    budget.resume(epochs=4)
    for num_trials in (1, 2):
        assert not budget.is_spent(num_trials - 1)
        budget.trial_begins()
        budget.trial_ends(epochs=4)
    assert budget.num_epochs == 8
    assert budget.is_spent(2)
    said = "The budget of 10 epochs is spent, 8 were trained. 2 trials were run."
    assert budget.stop_reason(2) == StopReason("budget", said)


def test_trials_that_stop_early_leave_epochs_to_others():
    budget = Budget(max_total_epochs=10, clock=FakeClock())
    budget.resume(epochs=4)
    for epochs in (4, 1, 1):
        budget.trial_ends(epochs=epochs)
    assert not budget.is_spent(3)  # 6 trained, 2 likely


def test_earlier_sessions_of_a_run_count():
    budget = Budget(max_total_epochs=10, min_gain=0.01, clock=FakeClock())
    budget.resume([{"epochs": 4}, {"epochs": None}, {}, {"epochs": 4, "expected_gain": 0.5}], epochs=4)
    assert budget.num_epochs == 8
    assert budget.is_spent(2)


def test_a_budget_of_less_than_a_trial_is_refused():
    with pytest.raises(UserError, match="must hold the epochs of one trial. Received: max_total_epochs=3, epochs=4"):
        Budget(max_total_epochs=3).resume(epochs=4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_total_epochs": 0}, r"`max_total_epochs` must be at least 1\. Received: max_total_epochs=0"),
        ({"min_gain": 1.0}, r"`min_gain` is a share of the hypervolume, in \[0, 1\)\. Received: min_gain=1\.0"),
        ({"min_gain": math.nan}, r"`min_gain` is a share .* pass min_gain=0\.01"),
    ],
)
def test_a_wrong_budget_says_why(wrong, said):
    with pytest.raises(UserError, match=said):
        Budget(**wrong)


def gains(budget, *expected):
    for gain in expected:
        budget.trial_ends(expected_gain=gain)
    return budget.stop_reason(len(expected))


def test_it_stops_when_little_is_expected_several_times_on_end():
    budget = Budget(min_gain=0.01, clock=FakeClock())
    assert gains(budget, None, 0.001, 0.2, *[0.002] * (PATIENCE - 1)) is None
    reason = gains(budget, 0.0031)
    assert reason.kind == "converged" and reason.error is None
    assert reason.message.startswith(
        "One more trial is expected to gain 0.31% of the hypervolume, less than 1.00%. 1 trials"
    )
    assert budget.is_spent(9)
    assert gains(budget, None) is None  # what is unknown stops nothing


def test_a_search_that_goes_on_remembers_what_was_expected():
    ended = [{"expected_gain": 0.001}] * PATIENCE
    budget = Budget(min_gain=0.01, clock=FakeClock())
    budget.resume(ended)
    assert budget.stop_reason(PATIENCE).kind == "converged"
    other = Budget(clock=FakeClock())
    other.resume(ended)
    assert other.stop_reason(PATIENCE) is None
