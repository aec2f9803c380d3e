"""Hypervolume over trials: one yard for the whole run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search.candidate import Candidate
from hwkeras.search.hypervolume_log import HypervolumeLog
from hwkeras.search.journal import Journal


def candidate(status="ok", **metrics):
    return Candidate("00", "int8", metrics, "", "", "", status=status)


def log(tmp_path, objectives=("accuracy", "latency_ms"), limits=()):
    limits = [Limit.parse(limit) for limit in limits]
    return HypervolumeLog(Journal(tmp_path / "journal.jsonl"), [Objective.parse(o) for o in objectives], limits)


def test_of_accuracy_alone_it_is_the_best_accuracy(tmp_path):
    trials = [[candidate(accuracy=0.5)], [candidate(accuracy=0.4)], [], [candidate(accuracy=0.75)]]
    assert log(tmp_path, ["accuracy"]).over_trials(trials) == [0.5, 0.5, 0.5, 0.75]


def test_costs_count_against_the_limit_or_twice_the_first_trial(tmp_path):
    trials = [[candidate(accuracy=0.5, latency_ms=1.0)], [candidate(accuracy=0.8, latency_ms=2.0)]]
    # Boxes up to accuracy 0: by a limit of 4 ms, 0.5 x (1 - 1/4), then 0.3 x (1 - 2/4) more.
    assert log(tmp_path, limits=["latency=4ms"]).over_trials(trials) == pytest.approx([0.375, 0.525])
    assert log(tmp_path).over_trials(trials) == pytest.approx([0.25, 0.25])
    assert log(tmp_path).reference(trials)["reference"] == [0.0, 2.0]


def test_what_cannot_be_shipped_counts_nothing(tmp_path):
    trials = [
        [candidate(accuracy=0.9, latency_ms=9.0)],
        [candidate(accuracy=0.9, latency_ms=1.0, status="crashed:SIGABRT"), candidate(accuracy=0.9)],
        [candidate(accuracy=0.5, latency_ms=2.0)],
    ]
    assert log(tmp_path, limits=["latency=4ms"]).over_trials(trials) == pytest.approx([0.0, 0.0, 0.25])


def test_the_reference_is_written_once_and_outlives_other_limits(tmp_path):
    trials = [[candidate(accuracy=0.5, latency_ms=1.0)], [candidate(accuracy=0.8, latency_ms=3.0)]]
    first = log(tmp_path, limits=["latency=4ms"])
    for candidates in trials:
        first.fix(candidates)
    assert len(Journal(tmp_path / "journal.jsonl").read("hypervolume_reference")) == 1
    volumes = first.over_trials(trials)
    again = log(tmp_path, limits=["latency=8ms"])
    assert again.over_trials(trials) == volumes
    assert again.reference() == {"objectives": ["accuracy", "latency_ms"], "best": [1.0, 0.0], "reference": [0.0, 4.0]}
    other = log(tmp_path, ["accuracy", "size_bytes"])
    assert other.reference() is None
    assert other.over_trials(trials) == [0.0, 0.0]


def test_metrics_of_the_user(tmp_path):
    trials = [[candidate(val_auc=0.5, val_score=-2.0)], [candidate(val_auc=0.6, val_score=0.0)]]
    assert log(tmp_path, ["val_auc:max"]).over_trials(trials) == pytest.approx([0.5, 0.6])
    assert log(tmp_path, ["val_score:max"]).over_trials(trials) == pytest.approx([0.5, 1.0])
    assert log(tmp_path, ["accuracy"], ["accuracy=0.9"]).over_trials([[candidate(accuracy=0.95)]]) == [
        pytest.approx(0.5)
    ]
    assert log(tmp_path, ["accuracy"], ["accuracy=1.0"]).over_trials([[candidate(accuracy=1.0)]]) == [1.0]


def test_a_first_trial_without_a_figure_sets_no_reference(tmp_path):
    made = log(tmp_path)
    made.fix([candidate(accuracy=0.5)])
    made.fix([candidate(accuracy=math.nan, latency_ms=1.0)])
    assert made.reference() is None


values = st.floats(0, 1)
networks = st.builds(lambda a, b, c: candidate(accuracy=a, latency_ms=b, size_bytes=c), values, values, values)


@given(st.lists(st.lists(networks, max_size=2), max_size=6))
def test_it_never_falls_and_stays_between_0_and_1(tmp_path_factory, trials):
    made = log(tmp_path_factory.getbasetemp() / "none", ["accuracy", "latency_ms", "size_bytes"])
    volumes = made.over_trials(trials)
    assert len(volumes) == len(trials)
    assert all(0 <= volume <= 1 for volume in volumes)
    assert volumes == sorted(volumes)
