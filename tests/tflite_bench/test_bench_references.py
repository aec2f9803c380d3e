"""The speed of a device that outlives a job."""

import json
import os
import pathlib

import pytest

from tflite_bench import references
from tflite_bench.gating import GATE
from tflite_bench.gating import Reference
from tflite_bench.references import key_of
from tflite_bench.references import read_references
from tflite_bench.references import reference_of
from tflite_bench.references import updated
from tflite_bench.references import write_references

KNOWN = {"canary_ms": 1.0, "guard": 0.5, "slow_jobs": 0}
SLOW_MS = 1.0 + 2 * GATE
FAST_MS = 0.9 / (1.0 + GATE)
ENVIRONMENT = {"runtime": "a", "runtime_version": "1", "cpu_model": "b", "governor": None, "affinity": [0]}


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "lock")


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "canary.json"


def test_the_first_job_is_kept():
    assert updated(None, 2.0, 0.5) == {"canary_ms": 2.0, "guard": 0.5, "slow_jobs": 0}
    assert updated(None, 2.0, None) == {"canary_ms": 2.0, "guard": None, "slow_jobs": 0}


@pytest.mark.parametrize("canary_ms", [1.0, 1.0 + 0.9 * GATE, 1.0 / (1.0 + 0.9 * GATE)])
def test_about_the_same_speed_keeps_the_unit(canary_ms):
    assert updated({**KNOWN, "slow_jobs": 2}, canary_ms, 0.5) == KNOWN


def test_a_much_faster_device_replaces_it():
    assert updated(KNOWN, FAST_MS, 0.7) == {"canary_ms": FAST_MS, "guard": 0.7, "slow_jobs": 0}


def test_slow_jobs_in_a_row_replace_it():
    entry, jobs = KNOWN, 0
    while entry["canary_ms"] == 1.0:
        entry, jobs = updated(entry, SLOW_MS, 0.5), jobs + 1
    assert jobs == references._SLOW_JOBS > 1
    assert entry == {"canary_ms": SLOW_MS, "guard": 0.5, "slow_jobs": 0}


def test_a_job_at_the_usual_speed_ends_the_row():
    entry = KNOWN
    for _ in range(3 * references._SLOW_JOBS):
        entry = updated(updated(entry, SLOW_MS, 0.5), 1.0, 0.5)
    assert entry == KNOWN


def test_the_guard_only_falls():
    assert updated(KNOWN, 1.0, 0.9)["guard"] == 0.5
    assert updated(KNOWN, 1.0, 0.4)["guard"] == 0.4
    assert updated(KNOWN, 1.0, None)["guard"] == 0.5
    assert updated({**KNOWN, "guard": None}, 1.0, 0.6)["guard"] == 0.6
    assert updated({**KNOWN, "guard": None}, 1.0, None)["guard"] is None


def test_what_is_written_is_read_back(lock, kept):
    write_references(lock, {"key": KNOWN})
    assert read_references(lock) == {"key": KNOWN}
    assert os.listdir(kept.parent) == ["canary.json"]


def test_no_lock_knows_and_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_references(None, {"key": KNOWN})
    assert read_references(None) == {} and os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_keeps_nothing(tmp_path):
    write_references(str(tmp_path / "none" / "lock"), {"key": KNOWN})
    assert read_references(str(tmp_path / "none" / "lock")) == {}


def with_entry(**fields):
    return json.dumps({"format": 1, "references": {"key": {**KNOWN, **fields}}})


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "3", "[" * 100_000, '{"format": 1}', '{"references": {}}',
        json.dumps({"format": 99, "references": {"key": KNOWN}}), json.dumps({"format": 1, "references": [KNOWN]}),
        with_entry(canary_ms=0), with_entry(canary_ms=-1.0), with_entry(canary_ms="fast"), with_entry(canary_ms=None),
        with_entry(canary_ms=float("nan")), with_entry(guard=0), with_entry(guard="x"), with_entry(slow_jobs=None),
        '{"format": 1, "references": {"key": {}}}', '{"format": 1, "references": {"key": 3}}',
    ],
)  # fmt: skip
def test_a_broken_file_is_ignored_and_replaced(lock, kept, text):
    kept.write_text(text)
    assert read_references(lock) == {}
    write_references(lock, {"key": KNOWN})
    assert read_references(lock) == {"key": KNOWN}


def test_a_file_that_is_no_text_is_ignored(lock, kept):
    kept.write_bytes(b"\xff\xfe\x00")
    assert read_references(lock) == {}


def test_a_write_that_fails_leaves_the_old_file_whole(lock, kept, monkeypatch):
    write_references(lock, {"key": KNOWN})
    before = kept.read_bytes()

    def refuse(source, target):
        # What was written so far lies beside the old file, never in it.
        assert pathlib.Path(source).parent == kept.parent and kept.read_bytes() == before
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", refuse)
    write_references(lock, {"other": KNOWN})
    assert kept.read_bytes() == before


def test_what_the_key_depends_on():
    key = key_of("abc", ENVIRONMENT)
    assert key == key_of("abc", {**ENVIRONMENT, "num_cores": 64})
    changed = [key_of("abd", ENVIRONMENT)]
    changed += [key_of("abc", {**ENVIRONMENT, name: "another"}) for name in ENVIRONMENT]
    assert len({key, *changed}) == 1 + len(changed)


def test_the_reference_of_an_entry():
    assert reference_of(None) == Reference()
    assert reference_of(KNOWN) == Reference(1.0, 0.5)
