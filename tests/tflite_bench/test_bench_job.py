"""Jobs, and what each broken one is told."""

import json
import re

import pytest

from tflite_bench.job import _INTEGERS
from tflite_bench.job import _NUMBERS
from tflite_bench.job import Job
from tflite_bench.job import JobError


def test_defaults():
    assert Job.from_json({"version": 2, "models": ["a"]}) == Job(models=("a",), rounds=3, max_rounds=12, num_threads=1)


def test_round_trip():
    job = Job(models=("a", "a"), affinity=(0, 3), memory_limit_bytes=10**6, lock="/tmp/lock", canary=False)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "A job is a JSON object. Received: list"),
        ({"models": []}, "`version` must be 2. Received: version=None"),
        ({"version": 1, "models": []}, "`version` must be 2. Received: version=1"),
        ({"version": 2}, "`models` must be a list of paths. Received: models=None"),
        ({"version": 2, "models": "a"}, "`models` must be a list of paths. Received: models='a'"),
        ({"version": 2, "models": [3]}, r"`models` must be a list of paths. Received: models=\(3,\)"),
        ({"version": 2, "models": [], "thread": 2}, "A job has the fields models, num_threads.*Received: thread"),
        ({"version": 2, "models": [], "rounds": 2}, "`rounds` must be an integer of at least 3. Received: rounds=2"),
        ({"version": 2, "models": [], "bursts": 0}, "`bursts` must be an integer of at least 1. Received: bursts=0"),
        ({"version": 2, "models": [], "seed": "0"}, "`seed` must be an integer of at least 0. Received: seed='0'"),
        ({"version": 2, "models": [], "num_threads": True}, "`num_threads` must be an integer of at least 1"),
        ({"version": 2, "models": [], "gap_ms": -1}, "`gap_ms` must be a number of at least 0. Received: gap_ms=-1"),
        ({"version": 2, "models": [], "max_seconds": float("inf")}, "`max_seconds` must be a number of at least 0"),
        ({"version": 2, "models": [], "model_seconds": 0}, "`model_seconds` must be a number of at least 0.001"),
        ({"version": 2, "models": [], "rounds": 13}, "`max_rounds` must be at least `rounds`. Received: rounds=13"),
        ({"version": 2, "models": [], "memory_limit_bytes": 0}, "`memory_limit_bytes` must be an integer of at least"),
        ({"version": 2, "models": [], "lock": ""}, "`lock` must be a path or null. Received: lock=''"),
        ({"version": 2, "models": [], "canary": None}, "`canary` must be true or false. Received: canary=None"),
        ({"version": 2, "models": [], "affinity": []}, r"a list of CPU numbers or null. Received: affinity=\[\]"),
        ({"version": 2, "models": [], "affinity": [-1]}, r"a list of CPU numbers or null. Received: affinity=\[-1\]"),
        ({"version": 2, "models": [], "affinity": 1}, "a list of CPU numbers or null. Received: affinity=1"),
    ],
)
def test_broken_jobs(data, message):
    with pytest.raises(JobError, match=message):
        Job.from_json(data)


@pytest.mark.parametrize(("name", "least"), [*_INTEGERS.items(), *_NUMBERS.items()])
def test_every_figure_has_a_least(name, least):
    what = "an integer" if name in _INTEGERS else "a number"
    assert getattr(Job.from_json({"version": 2, "models": [], name: least}), name) == least
    wrong = [least - 1, str(least), True, None, float("inf"), float("nan")]
    for value in [*wrong, least + 0.5] if name in _INTEGERS else wrong:
        message = f"`{name}` must be {what} of at least {least}. Received: {name}={value!r}."
        with pytest.raises(JobError, match=f"^{re.escape(message)}$"):
            Job.from_json({"version": 2, "models": [], name: value})
