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
