"""The live line, without a terminal: what it says as events arrive."""

from hwkeras.cli.progress import LiveProgress
from hwkeras.objectives import Objective
from hwkeras.search.candidate import Candidate
from hwkeras.testing import FakeClock


class Tuner:
    progress = None
    objectives = (Objective("accuracy", "max"),)


def finished(trial, accuracy, status="ok"):
    metrics = {"accuracy": accuracy, "latency_ms": 0.5, "size_bytes": 2048.0}
    candidate = Candidate(trial, "int8", metrics, "net", "hash", "file", status=status)
    return {"num_trials": int(trial) + 1, "max_trials": 4, "rejected": 7, "candidates": [candidate]}


def test_it_tells_trial_best_so_far_and_time_left(capfd):
    clock, tuner = FakeClock(), Tuner()
    with LiveProgress(tuner, enabled=True, clock=clock) as live:
        assert tuner.progress is live
        started = {"num_trials": 1, "max_trials": 4, "rejected": 7, "architecture": "conv8"}
        assert live._line("trial_started", started) == "trial 1/4 · rejected 7 · training conv8"
        clock.advance(60)
        tuner.progress("trial_finished", finished("0", 0.9))
        tuner.progress("trial_finished", finished("1", 0.8))
        line = live._line("trial_finished", finished("1", 0.8))
    assert line == "trial 2/4 · 1.5 min left · best int8 0.9000, 0.5 ms, 2 KiB · rejected 7"
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "trial 1/4: int8 0.9000, 0.5 ms, 2 KiB (rejected 7)",
        "trial 2/4: int8 0.8000, 0.5 ms, 2 KiB (rejected 7)",
    ]


def test_what_cannot_be_shipped_is_never_the_best():
    live = LiveProgress(Tuner(), enabled=False, clock=FakeClock())
    live._start = 0.0
    live("trial_finished", finished("0", 0.99, status="timeout"))
    assert live._best is None
