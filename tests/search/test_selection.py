import pytest

from hwkeras.errors import InfeasibleError
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search import selection
from hwkeras.search.candidate import Candidate

OBJECTIVES = [Objective.parse("accuracy"), Objective.parse("latency_ms")]


def candidate(trial, accuracy, latency_ms, size_bytes=1000.0, status="ok", measurement=()):
    metrics = {"accuracy": accuracy, "latency_ms": latency_ms, "size_bytes": size_bytes}
    return Candidate(trial, "int8", metrics, "net", f"hash{trial}", f"{trial}.tflite", dict(measurement), status)


A = candidate("a", 0.95, 2.0)
B = candidate("b", 0.90, 1.0)
C = candidate("c", 0.89, 1.5)  # beaten by b
D = candidate("d", 0.99, 9.0, size_bytes=9e6)
BROKEN = candidate("e", 0.999, 0.1, status="crashed:SIGABRT")


def test_the_front_holds_what_nothing_beats_and_can_be_shipped():
    assert selection.front_of([B, C, A, D, BROKEN], OBJECTIVES) == [D, A, B]
    assert selection.front_of([B, C, A, D, BROKEN], OBJECTIVES, [Limit.parse("size=1MB")]) == [A, B]
    assert selection.front_of([], OBJECTIVES) == []


def timed(trial, accuracy, low_ms, high_ms):
    return candidate(trial, accuracy, low_ms, measurement={"low_ms": low_ms, "high_ms": high_ms})


def test_noise_puts_nothing_on_the_front():
    best, noisy, fast = timed("best", 0.95, 1.00, 1.03), timed("noisy", 0.90, 0.99, 1.02), timed("fast", 0.80, 0.5, 0.6)
    assert selection.front_of([best, noisy, fast], OBJECTIVES) == [best, fast]
    assert selection.front_of([best, timed("told apart", 0.90, 0.97, 0.99), fast], OBJECTIVES)[1].trial == "told apart"


def test_what_noise_may_have_cost_its_place_is_contested():
    best, noisy, slow = timed("best", 0.95, 1.00, 1.03), timed("noisy", 0.90, 0.99, 1.02), timed("slow", 0.9, 2.0, 2.1)
    assert selection.contested([slow, noisy, best], OBJECTIVES) == [best, noisy]
    assert selection.contested([slow, noisy, best], OBJECTIVES, at_most=1) == [best]
    assert selection.contested([slow, noisy, best], OBJECTIVES, [Limit.parse("latency=0.1ms")]) == []


def test_a_candidate_without_a_metric_is_not_on_the_front():
    blind = Candidate("x", "int8", {"accuracy": 1.0}, "net", "h", "f")
    assert selection.front_of([blind, B], OBJECTIVES) == [B]


def test_best_by_limit():
    front = [D, A, B]
    assert selection.best_of(front, OBJECTIVES, selection.limits_from({"latency": "2ms"})) == A
    assert selection.best_of(front, OBJECTIVES, selection.limits_from({"latency": "1500us"})) == B


def test_best_without_a_limit_is_the_knee():
    front = [candidate("p", 0.99, 10.0), candidate("q", 0.98, 1.0), candidate("r", 0.10, 0.9)]
    assert selection.best_of(front, OBJECTIVES).trial == "q"


def test_latency_and_size_together_weigh_as_much_as_accuracy():
    three = [*OBJECTIVES, Objective.parse("size_bytes")]
    small, exact = candidate("small", 0.90, 1.0, 1000.0), candidate("exact", 0.98, 2.0, 2000.0)
    middle = candidate("middle", 0.96, 1.6, 1600.0)
    # Against latency alone, or their mean, the middle wins; counted twice, cost would win.
    assert selection.best_of([exact, middle, small], OBJECTIVES) == middle
    assert selection.best_of([exact, middle, small], three) == middle


def test_best_says_what_is_nearest():
    with pytest.raises(InfeasibleError, match=r"latency=0\.1ms asked, the nearest is 1 ms"):
        selection.best_of([A, B], OBJECTIVES, selection.limits_from({"latency": "0.1ms"}))
    with pytest.raises(InfeasibleError, match=r"No candidate lies within the limits\. Received: an empty front"):
        selection.best_of([], OBJECTIVES)
    with pytest.raises(UserError, match="A limit is written NAME=QUANTITY"):
        selection.limits_from({"speed": "2ms"})


def test_the_leader_of_a_trial_is_within_the_limits_first():
    limits = [Limit.parse("size=1MB")]
    assert selection.leader_of([D, B], OBJECTIVES, limits) == B
    assert selection.leader_of([D, B], OBJECTIVES, ()) == D


def test_a_candidate_round_trips():
    assert Candidate.from_json(A.to_json()) == A
