import pytest

from hwkeras.errors import UserError
from hwkeras.testing import FakeClock


def test_stands_still_until_advanced():
    clock = FakeClock(now_s=5)
    assert (clock(), clock()) == (5.0, 5.0)
    clock.advance(0.5)
    assert clock() == 5.5


def test_steps_at_each_reading():
    clock = FakeClock(step_s=0.25)
    assert [clock() for _ in range(3)] == [0.0, 0.25, 0.5]


def test_sleeps_are_noted_and_pass_at_once():
    clock = FakeClock()
    clock.sleep(0.1)
    clock.sleep(2)
    assert clock.sleeps_s == [0.1, 2.0]
    assert clock() == pytest.approx(2.1)


def test_never_goes_back():
    with pytest.raises(UserError, match=r"`seconds` must be 0 or more: a clock does not go back. Received: seconds=-1"):
        FakeClock().advance(-1)
    with pytest.raises(UserError, match=r"Received: step_s=nan"):
        FakeClock(step_s=float("nan"))
