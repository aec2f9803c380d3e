"""Jobs, and what each broken one is told."""

import pytest

from tflite_bench.job import Job
from tflite_bench.job import JobError


def test_defaults():
    assert Job.from_json({"version": 1, "models": ["a"]}) == Job(models=("a",), rounds=3, max_rounds=8, num_threads=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "A job is a JSON object. Received: list"),
        ({"models": []}, "`version` must be 1. Received: version=None"),
        ({"version": 2, "models": []}, "`version` must be 1. Received: version=2"),
        ({"version": 1}, "`models` must be a list of paths. Received: models=None"),
        ({"version": 1, "models": "a"}, "`models` must be a list of paths. Received: models='a'"),
        ({"version": 1, "models": [3]}, r"`models` must be a list of paths. Received: models=\(3,\)"),
        ({"version": 1, "models": [], "thread": 2}, "A job has the fields models, num_threads.*Received: thread"),
        ({"version": 1, "models": [], "rounds": 2}, "`rounds` must be an integer of at least 3. Received: rounds=2"),
        ({"version": 1, "models": [], "seed": "0"}, "`seed` must be an integer of at least 0. Received: seed='0'"),
        ({"version": 1, "models": [], "num_threads": True}, "`num_threads` must be an integer of at least 1"),
        ({"version": 1, "models": [], "gap_ms": -1}, "`gap_ms` must be a number of at least 0. Received: gap_ms=-1"),
        ({"version": 1, "models": [], "max_seconds": float("inf")}, "`max_seconds` must be a number of at least 0"),
        ({"version": 1, "models": [], "rounds": 9}, "`max_rounds` must be at least `rounds`. Received: rounds=9"),
    ],
)
def test_broken_jobs(data, message):
    with pytest.raises(JobError, match=message):
        Job.from_json(data)
