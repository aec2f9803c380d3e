"""Jobs of version 2, and what each broken one is told."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_bench.job import _INTEGERS
from tflite_bench.job import _NUMBERS
from tflite_bench.job import Job
from tflite_bench.job import JobError

FULL = {
    "version": 2,
    "models": ["a.tflite", "a.tflite"],
    "num_threads": 2,
    "affinity": [0, 3],
    "rounds": 4,
    "max_rounds": 9,
    "bursts": 2,
    "burst_ms": 5,
    "gap_ms": 0.5,
    "warmup": 0,
    "agree_within": 0.01,
    "seed": 7,
    "max_seconds": 3,
    "model_seconds": 0.5,
    "memory_limit_bytes": 1 << 20,
    "canary": False,
    "lock": "/tmp/lock",
    "lock_seconds": 0,
    "output_values": 0,
}


def read(**fields):
    return Job.from_json({"version": 2, "models": [], **fields})


def told(message):
    return pytest.raises(JobError, match=f"^{re.escape(message)}$")


def test_what_a_job_without_wishes_gets():
    job = Job.from_json({"version": 2, "models": ["a"]})
    assert job == Job(models=("a",))
    assert (job.num_threads, job.rounds, job.max_rounds, job.agree_within, job.seed) == (1, 3, 12, 0.02, 0)
    assert (job.max_seconds, job.model_seconds, job.lock_seconds, job.output_values) == (60, 30, 300, 16)
    assert (job.affinity, job.memory_limit_bytes, job.canary, job.lock) == (None, None, True, None)


def test_every_field_is_read_and_written():
    job = Job.from_json(FULL)
    assert job.affinity == (0, 3) and job.models == ("a.tflite", "a.tflite")
    assert json.loads(json.dumps(job.to_json())) == FULL


@given(st.lists(st.text()), st.integers(1, 64), st.none() | st.lists(st.integers(0, 99), min_size=1), st.integers(3, 12))
def test_what_is_written_is_read_back_equal(models, num_threads, affinity, rounds):
    affinity = None if affinity is None else tuple(affinity)
    job = Job(models=tuple(models), num_threads=num_threads, affinity=affinity, rounds=rounds)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "A job is a JSON object. Received: list."),
        (None, "A job is a JSON object. Received: NoneType."),
        ({"models": []}, "`version` must be 2. Received: version=None."),
        ({"version": 1, "models": []}, "`version` must be 2. Received: version=1."),
        ({"version": 2}, "`models` must be a list of paths. Received: models=None."),
        ({"version": 2, "models": "a"}, "`models` must be a list of paths. Received: models='a'."),
        ({"version": 2, "models": [3]}, "`models` must be a list of paths. Received: models=(3,)."),
    ],
)
def test_what_is_no_job(data, message):
    with told(message):
        Job.from_json(data)


def test_models_of_a_job_made_by_hand():
    with told("`models` must be a list of paths. Received: models=['a']."):
        Job(models=["a"])


def test_an_unknown_field_is_told_the_known_ones():
    with told(f"A job has the fields {', '.join(name for name in FULL if name != 'version')}. Received: thread."):
        read(thread=2)


@pytest.mark.parametrize(("name", "least"), _INTEGERS.items())
def test_integers(name, least):
    assert getattr(read(**{"max_rounds": 12, name: least}), name) == least
    for wrong in (least - 1, least + 0.5, str(least), True, None, [least]):
        with told(f"`{name}` must be an integer of at least {least}. Received: {name}={wrong!r}."):
            read(**{name: wrong})


@pytest.mark.parametrize(("name", "least"), _NUMBERS.items())
def test_numbers(name, least):
    assert getattr(read(**{name: least}), name) == least
    for wrong in (least - 1, float("inf"), float("nan"), "1", False, None):
        with told(f"`{name}` must be a number of at least {least}. Received: {name}={wrong!r}."):
            read(**{name: wrong})


@pytest.mark.parametrize("wrong", [0, 1.5, "1", True])
def test_memory_limit(wrong):
    with told(f"`memory_limit_bytes` must be an integer of at least 1. Received: memory_limit_bytes={wrong!r}."):
        read(memory_limit_bytes=wrong)


def test_the_most_rounds_are_not_fewer_than_the_least():
    with told("`max_rounds` must be at least `rounds`. Received: rounds=9, max_rounds=4."):
        read(rounds=9, max_rounds=4)


@pytest.mark.parametrize("wrong", ["", 3, False])
def test_lock(wrong):
    with told(f"`lock` must be a path or null. Received: lock={wrong!r}."):
        read(lock=wrong)


@pytest.mark.parametrize("wrong", [None, 1, "true"])
def test_canary(wrong):
    with told(f"`canary` must be true or false. Received: canary={wrong!r}."):
        read(canary=wrong)


@pytest.mark.parametrize("wrong", [[], [-1], [True], ["0"], [0.0], 0, "0"])
def test_affinity(wrong):
    with told(f"`affinity` must be a list of CPU numbers or null. Received: affinity={wrong!r}."):
        read(affinity=wrong)
