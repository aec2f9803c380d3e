"""The rounds on a machine whose time the test makes."""

import numpy as np
import pytest

from tflite_bench.gating import Reference
from tflite_bench.job import Job
from tflite_bench.rounds import Rounds

NEVER_NS = 10**18
KNOWN = Reference(0.1, 0.5)
ONE_VISIT = {"bursts": 1, "gap_ms": 0}


def rounds_of(machine, job, *models, num_visits=1, deadline_ns=NEVER_NS, reference=KNOWN, takes_s=0.01):
    return Rounds(
        job,
        [num_visits] * len(models),
        machine.visiting(*models, takes_s=takes_s),
        machine.probe,
        lambda: reference,
        np.random.default_rng(job.seed),
        machine.clock_ns,
        machine.sleep,
        deadline_ns,
    )


def steady(number):
    return 1.0


def test_only_who_does_not_agree_yet_is_visited_again(machine):
    late = {0: 3.0, 1: 2.0}
    entries = rounds_of(machine, Job((), **ONE_VISIT), steady, lambda number: late.get(number, 1.0)).run()
    assert [len(each) for each in entries] == [3, 4]
    assert [entry["min_ms"] for entry in entries[1]] == [3.0, 2.0, 1.0, 1.0]


def test_goes_on_to_the_most_rounds_where_they_never_agree(machine):
    entries = rounds_of(machine, Job((), max_rounds=6, **ONE_VISIT), lambda number: 0.9**number).run()
    assert len(entries[0]) == 6


def test_every_lap_visits_all_in_an_order_of_the_seed(machine):
    job = Job((), gap_ms=0)
    rounds_of(machine, job, *[steady] * 8, num_visits=6).run()
    laps = [tuple(position for position, number in machine.visits if number == lap) for lap in range(18)]
    assert all(sorted(lap) == list(range(8)) for lap in laps)
    assert len(set(laps)) > 10
    assert [number for _, number in machine.visits] == sorted(number for _, number in machine.visits)
    again = type(machine)()
    rounds_of(again, job, *[steady] * 8, num_visits=6).run()
    assert again.visits == machine.visits


def test_a_round_holds_its_visits(machine):
    entries = rounds_of(machine, Job((), gap_ms=0), steady, num_visits=4).run()
    assert [len(entry["bursts"]) for entry in entries[0]] == [4, 4, 4]
    assert entries[0][1]["at_s"] == pytest.approx(0.04)


def test_models_of_few_visits_are_in_the_first_laps(machine):
    job = Job((), gap_ms=0)
    visit = machine.visiting(steady, steady)
    rng = np.random.default_rng(0)
    rounds = Rounds(job, [3, 1], visit, machine.probe, lambda: KNOWN, rng, machine.clock_ns, machine.sleep, NEVER_NS)
    entries = rounds.run()
    assert [len(entry["bursts"]) for entry in entries[0]] == [3, 3, 3]
    assert [len(entry["bursts"]) for entry in entries[1]] == [1, 1, 1]


def test_the_gap_lies_between_the_laps_and_others_use_it(machine):
    job = Job((), gap_ms=120, bursts=6)
    rounds_of(machine, job, steady, num_visits=6).run()
    assert machine.pauses_s == [pytest.approx(0.01)] * 17
    crowded = type(machine)()
    rounds_of(crowded, job, steady, steady, steady, num_visits=6).run()
    assert crowded.pauses_s == []


def test_each_round_is_told_when_it_is_complete(machine):
    told = []
    rounds = rounds_of(machine, Job((), **ONE_VISIT), steady, steady)
    rounds.run(lambda position, entry: told.append((position, entry["min_ms"])))
    assert told == [(0, 1.0), (1, 1.0)] * 3


def test_budget_ends_the_rounds_but_every_model_has_one(machine):
    entries = rounds_of(machine, Job((), gap_ms=0), *[steady] * 3, num_visits=6, deadline_ns=5, takes_s=1.0).run()
    assert [[len(entry["bursts"]) for entry in each] for each in entries] == [[1], [1], [1]]


def test_a_slow_phase_is_waited_out_and_the_visit_made_again(machine):
    machine.canary_ms = lambda now_s: 0.2 if 0.015 < now_s < 0.3 else 0.1
    entries = rounds_of(machine, Job((), **ONE_VISIT), steady, deadline_ns=60 * 10**9).run()
    assert [entry["canary_ms"] for entry in entries[0]] == [0.1, 0.1, 0.1]
    assert len(machine.visits) == 4
    assert 0.3 < machine.now_s < 0.5
    assert machine.pauses_s == [0.05, 0.1, 0.2]


def test_a_slow_guard_is_waited_out_too(machine):
    machine.guard = lambda now_s: 0.7 if now_s < 0.3 else 0.5
    entries = rounds_of(machine, Job((), **ONE_VISIT), steady, deadline_ns=60 * 10**9).run()
    assert [entry["bursts"][0]["guard"] for entry in entries[0]] == [0.5, 0.5, 0.5]


def test_a_device_that_stays_slow_is_measured_as_it_is(machine):
    machine.canary_ms = lambda now_s: 0.2
    entries = rounds_of(machine, Job((), **ONE_VISIT), steady, deadline_ns=10 * 10**9).run()
    assert len(entries[0]) == 3
    assert 0.3 < sum(machine.pauses_s) <= 0.5


def test_further_rounds_take_no_longer_than_the_least_did(machine):
    entries = rounds_of(machine, Job((), **ONE_VISIT), lambda number: 0.9**number, takes_s=1.0).run()
    assert len(entries[0]) == 6
    patient = rounds_of(machine, Job((), **ONE_VISIT), lambda number: 0.9**number, takes_s=0.01, deadline_ns=10**11)
    assert len(patient.run()[0]) == 12


def test_a_large_job_waits_longer_but_only_for_a_share_of_its_time(machine):
    machine.canary_ms = lambda now_s: 0.2
    rounds_of(machine, Job((), **ONE_VISIT), *[steady] * 40, deadline_ns=60 * 10**9).run()
    assert 5 < sum(machine.pauses_s) < 7
    hurried = type(machine)()
    hurried.canary_ms = machine.canary_ms
    rounds_of(hurried, Job((), **ONE_VISIT), *[steady] * 40, deadline_ns=10 * 10**9).run()
    assert 2 < sum(hurried.pauses_s) < 4.5


def test_without_a_canary_nothing_is_waited_for(machine):
    machine.canary_ms, machine.guard = (lambda now_s: None), (lambda now_s: None)
    rounds_of(machine, Job((), **ONE_VISIT), steady).run()
    assert machine.pauses_s == []


def test_a_model_that_fails_is_out_and_the_others_go_on(machine):
    def broken(number):
        if number == 1:
            raise RuntimeError("no kernel")
        return 1.0

    rounds = rounds_of(machine, Job((), **ONE_VISIT), steady, broken, steady)
    entries = rounds.run()
    assert [len(each) for each in entries] == [3, 1, 3]
    assert str(rounds.errors.pop(1)) == "no kernel"
    assert rounds.errors == {}


def test_nothing_to_visit(machine):
    assert rounds_of(machine, Job(())).run() == []
