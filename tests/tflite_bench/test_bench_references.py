"""What is kept of a device, and when it is replaced."""

import json
import os

import pytest

from tflite_bench.gating import Reference
from tflite_bench.references import NAME
from tflite_bench.references import key_of
from tflite_bench.references import read_references
from tflite_bench.references import reference_of
from tflite_bench.references import updated
from tflite_bench.references import write_references

ENTRY = {"canary_ms": 0.1, "guard": 0.5, "slow_jobs": 0}


def test_kept_beside_the_lock(tmp_path):
    lock = str(tmp_path / "lock")
    assert read_references(lock) == {}
    write_references(lock, {"key": ENTRY})
    assert os.listdir(tmp_path) == [NAME]
    assert read_references(lock) == {"key": ENTRY}


def test_without_a_lock_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_references(None, {"key": ENTRY})
    assert os.listdir(tmp_path) == []
    assert read_references(None) == {}


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path):
    write_references(str(tmp_path / "absent" / "lock"), {"key": ENTRY})


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": 9, "references": {"key": {}}}',
        '{"format": 1, "references": {"key": {"canary_ms": 0, "guard": null, "slow_jobs": 0}}}',
        '{"format": 1, "references": {"key": {"canary_ms": 1, "guard": -1, "slow_jobs": 0}}}',
        '{"format": 1, "references": {"key": {"canary_ms": "x", "guard": 1, "slow_jobs": 0}}}',
        '{"format": 1, "references": 3}',
    ],
)
def test_a_broken_file_says_nothing(tmp_path, document):
    (tmp_path / NAME).write_text(document)
    assert read_references(str(tmp_path / "lock")) == {}


def test_what_the_canary_depends_on():
    environment = {"runtime": "r", "runtime_version": "1", "cpu_model": "c", "governor": None, "affinity": [0]}
    key = key_of("ab", environment)
    assert json.loads(json.dumps(key)) == "ab | r | 1 | c | None | [0]"
    assert all(key_of("ab", {**environment, name: "other"}) != key for name in environment)


def test_the_first_job_sets_it():
    assert updated(None, 0.1, 0.5) == ENTRY
    assert reference_of(None) == Reference(None, None)
    assert reference_of(ENTRY) == Reference(0.1, 0.5)


@pytest.mark.parametrize("canary_ms", [0.081, 0.1, 0.125])
def test_it_stays_while_the_device_is_about_as_fast(canary_ms):
    assert updated({**ENTRY, "slow_jobs": 3}, canary_ms, 0.55) == ENTRY


def test_a_device_much_faster_than_that_sets_it_anew():
    assert updated(ENTRY, 0.079, 0.6) == {"canary_ms": 0.079, "guard": 0.6, "slow_jobs": 0}


def test_a_device_slow_for_five_jobs_sets_it_anew():
    entry = ENTRY
    for number in range(1, 5):
        entry = updated(entry, 0.2, 0.5)
        assert entry == {**ENTRY, "slow_jobs": number}
    assert updated(entry, 0.2, 0.5) == {"canary_ms": 0.2, "guard": 0.5, "slow_jobs": 0}


def test_a_guard_clearly_lower_is_the_device_itself():
    assert updated(ENTRY, 0.1, 0.47)["guard"] == updated(ENTRY, 0.1, 0.9)["guard"] == 0.5
    assert updated(ENTRY, 0.1, None)["guard"] == 0.5
    assert updated(ENTRY, 0.1, 0.45)["guard"] == 0.45
    assert updated({**ENTRY, "guard": None}, 0.1, 0.45)["guard"] == 0.45
    assert updated({**ENTRY, "guard": None}, 0.1, None)["guard"] is None
