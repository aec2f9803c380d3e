"""The rounds on a machine whose time the test makes."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_bench.job import Job
from tflite_bench.rounds import InvokeError
from tflite_bench.rounds import agree
from tflite_bench.rounds import run_rounds
from tflite_bench.rounds import summarize
from tflite_bench.rounds import visit

NEVER_NS = 10**18


def run(machine, job, *invokes, deadline_ns=NEVER_NS):
    return run_rounds(invokes, job, np.random.default_rng(job.seed), machine.clock_ns, machine.sleep, deadline_ns)


def test_stops_as_soon_as_all_agree(machine):
    steady, late = machine.model("steady", lambda number: 1.0), machine.model("late", lambda n: {1: 3, 2: 2}.get(n, 1))
    rounds = run(machine, Job(models=(), gap_ms=50), steady, late)
    assert [entry["min_ms"] for entry in rounds[1]] == [3.0, 2.0, 1.0, 1.0]
    assert [len(entries) for entries in rounds] == [4, 4]
    assert machine.pauses_s == [0.05] * 3


def test_goes_on_to_the_most_rounds_where_they_never_agree(machine):
    rounds = run(machine, Job(models=(), max_rounds=6), machine.model("drifting", lambda number: 0.9**number))
    assert len(rounds[0]) == 6


def test_every_round_visits_all_in_an_order_of_the_seed(machine):
    models = [machine.model(name, lambda number: 1.0) for name in "abcdefgh"]
    run(machine, Job(models=(), rounds=4, gap_ms=0), *models)
    orders = [tuple(name for at, name in machine.visits if at == number) for number in range(4)]
    assert all(sorted(order) == list("abcdefgh") for order in orders)
    assert len(set(orders)) > 1
    again = type(machine)()
    run(again, Job(models=(), rounds=4, gap_ms=0), *(again.model(name, lambda number: 1.0) for name in "abcdefgh"))
    assert again.visits == machine.visits


def test_a_visit_lasts_the_burst_and_at_least_ten_invokes(machine):
    job = Job(models=(), burst_ms=20, warmup=3)
    assert len(visit(machine.model("fast", lambda number: 0.5), job, machine.clock_ns, NEVER_NS)) == 40
    assert machine.now_ns == (40 + 3) * 500_000
    assert len(visit(machine.model("slow", lambda number: 7.0), job, machine.clock_ns, NEVER_NS)) == 10


def test_collector_rests_during_a_visit(machine):
    seen = []
    visit(lambda: seen.append(gc.isenabled()), Job(models=(), burst_ms=0, warmup=0), machine.clock_ns, NEVER_NS)
    assert seen == [False] * 10
    assert gc.isenabled()


def test_budget_ends_the_rounds_but_every_model_has_one(machine):
    slow = [machine.model(name, lambda number: 1000.0) for name in "abc"]
    rounds = run(machine, Job(models=(), warmup=0), *slow, deadline_ns=5 * 10**9)
    assert [len(entries) for entries in rounds] == [1, 1, 1]
    assert sorted(entries[0]["num_invokes"] for entries in rounds) == [1, 1, 5]


def test_failing_invoke_says_which(machine):
    def broken():
        raise RuntimeError("no kernel")

    with pytest.raises(InvokeError, match="RuntimeError: no kernel") as caught:
        run(machine, Job(models=()), machine.model("a", lambda number: 1.0), broken)
    assert caught.value.index == 1


def test_nothing_to_visit(machine):
    assert run(machine, Job(models=())) == []


def test_summary():
    summary = summarize([1_000_000 * value for value in range(1, 12)])
    assert summary == {
        "num_invokes": 11,
        "min_ms": 1.0,
        "p10_ms": 2.0,
        "median_ms": 6.0,
        "mean_ms": 6.0,
        "p90_ms": 10.0,
    }


@given(st.lists(st.integers(1, 10**9), min_size=1))
def test_summary_is_ordered(times_ns):
    summary = summarize(times_ns)
    assert min(times_ns) / 1e6 == summary["min_ms"] <= summary["p10_ms"] <= summary["median_ms"] <= summary["p90_ms"]


def test_agreement_is_of_the_two_best():
    rounds = [{"min_ms": value} for value in (5.0, 1.0, 1.02, 9.0)]
    assert agree(rounds, 0.02)
    assert not agree(rounds, 0.019)
    assert not agree(rounds[:1], 1.0)
