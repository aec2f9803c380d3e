"""One visit, on a machine whose time the test makes."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_bench.canaries import Canaries
from tflite_bench.visits import Visit
from tflite_bench.visits import run_visit
from tflite_bench.visits import summarize

NEVER_NS = 10**18


class Subject:
    """A canary of the test."""

    def __init__(self, invoke, content=b"canary"):
        self.invoke = invoke
        self.content = content
        self.num_opened = 0

    def open(self):
        self.num_opened += 1
        return self


def canaries(machine, *milliseconds):
    opened = Canaries([Subject(machine.invoke(taken_ms)) for taken_ms in milliseconds], machine.clock_ns)
    opened.open_for_visit()
    return opened


def visit(machine, invoke, *canary_ms, burst_ms=4.0, warmup=3, deadline_ns=NEVER_NS):
    return run_visit(invoke, canaries(machine, *canary_ms), burst_ms, warmup, machine.clock_ns, 0, deadline_ns)


def test_model_and_canary_take_turns(machine):
    seen = visit(machine, machine.invoke(0.1), 0.05, 0.04)
    # 4 ms in turns of 0.5 ms.
    assert seen.turns == [[pytest.approx(0.1), pytest.approx(0.05)]] * 8
    assert len(seen.times_ms) == 8 * 5
    assert seen.guard == pytest.approx(0.8)
    assert seen.canary_ms == pytest.approx(0.05)


def test_without_canaries(machine):
    seen = visit(machine, machine.invoke(0.1))
    assert seen.turns == [[pytest.approx(0.1), None]] * 8
    assert (seen.guard, seen.canary_ms) == (None, None)


def test_a_canary_without_a_guard(machine):
    assert visit(machine, machine.invoke(0.1), 0.05).guard is None


def test_a_turn_is_worth_its_least_and_the_canary_around_it(machine):
    # Three invokes warm up, one leads in; of the first turn's, the second is interrupted.
    seen = visit(machine, machine.invoke(lambda call: 3.0 if call == 6 else 0.2), burst_ms=1.0)
    assert seen.times_ms[:2] == [pytest.approx(0.2), pytest.approx(3.0)]
    assert seen.turns[0][0] == pytest.approx(0.2)


def test_a_canary_that_slows_down_is_the_mean_of_before_and_after(machine):
    # Its first of four invokes never counts; it takes 0.05 before and 0.07 after the first turn.
    seen = visit(machine, machine.invoke(0.1), lambda call: 0.05 if call <= 4 else 0.07)
    assert seen.turns[0][1] == pytest.approx(0.06)
    assert seen.turns[1][1] == pytest.approx(0.07)


def test_a_slow_canary_gets_longer_turns_beside_it(machine):
    seen = visit(machine, machine.invoke(0.5), 1.0, burst_ms=18.0)
    assert len(seen.turns) == 3
    assert len(seen.times_ms) == 3 * 12


def test_a_slow_model_gets_three_invokes_a_turn_and_more_time(machine):
    seen = visit(machine, machine.invoke(1.0), 0.05, burst_ms=6.0)
    assert len(seen.turns) == 4
    assert len(seen.times_ms) == 12


def test_a_very_slow_model_gets_one_invoke_a_turn(machine):
    seen = visit(machine, machine.invoke(200.0), 0.05)
    assert len(seen.times_ms) == len(seen.turns) == 3
    # One invoke before them: the burst is shorter than that.
    assert machine.now_ns < 5 * 200e6


def test_an_interruption_costs_no_turn(machine):
    seen = visit(machine, machine.invoke(lambda call: 50.0 if call % 7 == 0 else 0.1))
    assert len(seen.turns) == 8


def test_the_deadline_ends_it_after_one_invoke(machine):
    seen = visit(machine, machine.invoke(1.0), 0.05, deadline_ns=0)
    assert len(seen.times_ms) == len(seen.turns) == 1


def test_no_warm_up(machine):
    assert len(visit(machine, machine.invoke(0.1), warmup=0).turns) == 8


def test_collector_rests_during_a_visit(machine):
    seen = []

    def invoke():
        seen.append(gc.isenabled())
        machine.now_ns += 100_000

    visit(machine, invoke)
    assert not any(seen)
    assert gc.isenabled()


def test_canaries_are_loaded_anew_now_and_then(machine):
    subject = Subject(machine.invoke(0.1))
    opened = Canaries([subject], machine.clock_ns)
    for _ in range(9):
        opened.open_for_visit()
    assert subject.num_opened == 3


def test_what_canaries_tell(machine):
    told = Canaries([Subject(None), Subject(None, b"guard")], machine.clock_ns)
    assert told.to_json()["best_ms"] is None
    for canary_ms in (0.3, 0.1, 0.2):
        told.note(canary_ms, canary_ms * 5)
    figures = told.to_json()
    assert len(figures.pop("sha256")) == 64
    assert figures == {
        "best_ms": 0.1, "typical_ms": 0.1, "reference_ms": 0.1, "guard": 0.5, "guard_reference": 0.5,
    }  # fmt: skip
    assert Canaries((), machine.clock_ns).to_json() is None


def test_probe(machine):
    assert canaries(machine, 0.1, 0.05).probe() == (pytest.approx(0.1), pytest.approx(0.5))
    assert canaries(machine, 0.1).probe() == (pytest.approx(0.1), None)
    assert canaries(machine).probe() == (None, None)


def test_summary():
    times_ms = [float(value) for value in range(1, 12)]
    visits = [Visit(0.25, times_ms[:4], [[1.0, 0.1]], 0.5), Visit(0.75, times_ms[4:], [[5.12345678, None]])]
    assert summarize(visits) == {
        "num_invokes": 11,
        "min_ms": 1.0,
        "p10_ms": 2.0,
        "median_ms": 6.0,
        "mean_ms": 6.0,
        "p90_ms": 10.0,
        "canary_ms": 0.1,
        "at_s": 0.25,
        "bursts": [
            {"at_s": 0.25, "guard": 0.5, "turns": [[1.0, 0.1]]},
            {"at_s": 0.75, "guard": None, "turns": [[5.123457, None]]},
        ],
    }


@given(st.lists(st.floats(1e-6, 1e3), min_size=1))
def test_summary_is_ordered(times_ms):
    summary = summarize([Visit(0.0, times_ms, [[min(times_ms), None]])])
    assert min(times_ms) == summary["min_ms"] <= summary["p10_ms"] <= summary["median_ms"] <= summary["p90_ms"]
