"""The cache: what is kept, what is not, and that many processes and broken files do it no harm."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from hwkeras.errors import UserError
from hwkeras.measure.cache import MeasurementCache
from hwkeras.measure.cache import cache_folder
from hwkeras.measure.cache import is_reproducible
from hwkeras.measure.fake import FakeMeter
from hwkeras.measure.measurement import Measurement
from hwkeras.testing import FakeClock

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = {"sha256": "ab", "device": {"cpu": "x", "features": ["a", "b"]}, "protocol": 2}
(OK,) = FakeMeter().measure([b"a" * 1024])


def make_cache(folder, now_s=1000.0):
    clock = FakeClock(now_s)
    return MeasurementCache(folder / "cache", clock=clock), clock


def test_what_was_put_comes_back(tmp_path):
    cache, _ = make_cache(tmp_path)
    assert cache.get(KEY) is None and len(cache) == 0
    assert cache.put(KEY, OK)
    assert cache.get(KEY) == OK
    assert cache.get(dict(reversed(KEY.items()))) == OK
    assert MeasurementCache(cache.folder).get(KEY) == OK
    assert len(cache) == 1


@pytest.mark.parametrize(
    "change", [{"sha256": "ac"}, {"protocol": 3}, {"device": {"cpu": "y"}}, {"protocol": "2"}, {"more": None}]
)
def test_another_key_is_another_entry(tmp_path, change):
    cache, _ = make_cache(tmp_path)
    cache.put(KEY, OK)
    assert cache.get({**KEY, **change}) is None


def test_an_entry_is_replaced(tmp_path):
    cache, _ = make_cache(tmp_path)
    cache.put(KEY, OK)
    newer = dataclasses.replace(OK, load_ms=7.0)
    cache.put(KEY, newer)
    assert cache.get(KEY) == newer and len(cache) == 1


def failed(status):
    return Measurement.failed("ab", status, "because", {}, 1)


@pytest.mark.parametrize(
    ("measurement", "kept"),
    [
        (OK, True),
        (dataclasses.replace(OK, status="noisy"), False),
        (failed("crashed:SIGABRT"), True),
        (failed("crashed:SIGSEGV"), True),
        (failed("crashed:SIGKILL"), False),
        (failed("crashed:SIGTERM"), False),
        (failed("timeout"), False),
        (failed("error"), False),
    ],
)
def test_what_another_visit_would_tell_again_is_kept(tmp_path, measurement, kept):
    cache, _ = make_cache(tmp_path)
    assert is_reproducible(measurement) is kept
    assert cache.put(KEY, measurement) is kept
    assert cache.get(KEY) == (measurement if kept else None)


@pytest.mark.parametrize("status", ["lost", "out_of_memory"])
def test_what_belongs_to_a_moment_is_not_kept(tmp_path, status):
    assert not is_reproducible(failed(status))


@pytest.mark.parametrize("source", ["estimated", "predicted"])
def test_what_was_not_measured_is_not_kept(source):
    assert is_reproducible(dataclasses.replace(OK, source="measured"))
    assert not is_reproducible(dataclasses.replace(OK, source=source))


def entry(cache):
    (path,) = cache.folder.iterdir()
    return path


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: b"\xff\xfe" + text,
        lambda text: b"[]",
        lambda text: b"null",
        lambda text: b"[" * 100_000,
        lambda text: text.replace(b'"version": 1', b'"version": 2'),
        lambda text: text.replace(b'"protocol": 2', b'"protocol": 3'),
        lambda text: text.replace(b'"status": "ok"', b'"status": "fine"'),
        lambda text: text.replace(b'"latency_ms"', b'"latency_us"'),
        lambda text: text.replace(b'"rounds": [', b'"rounds": 3, "x": ['),
    ],
)
def test_a_broken_entry_is_absent_and_replaced(tmp_path, damage):
    cache, _ = make_cache(tmp_path)
    cache.put(KEY, OK)
    path = entry(cache)
    damaged = damage(path.read_bytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    assert cache.get(KEY) is None
    assert cache.put(KEY, OK)
    assert cache.get(KEY) == OK


def test_a_folder_in_the_place_of_an_entry_is_no_entry(tmp_path):
    cache, _ = make_cache(tmp_path)
    cache.put(KEY, OK)
    path = entry(cache)
    path.unlink()
    path.mkdir()
    assert cache.get(KEY) is None


def test_an_entry_says_what_it_is(tmp_path):
    cache, _ = make_cache(tmp_path)
    cache.put(KEY, OK)
    document = json.loads(entry(cache).read_text())
    assert document["key"] == KEY and document["version"] == 1
    assert Measurement.from_json(document["measurement"]) == OK


def test_pruning_keeps_what_was_used_last(tmp_path):
    cache, clock = make_cache(tmp_path)
    keys = [{**KEY, "sha256": str(number)} for number in range(5)]
    for key in keys:
        clock.advance(10)
        cache.put(key, OK)
    clock.advance(10)
    cache.get(keys[0])
    assert cache.prune(2) == 3
    assert [cache.get(key) is not None for key in keys] == [True, False, False, False, True]
    assert cache.prune(2) == 0
    assert cache.clear() == 2
    assert len(cache) == 0 and cache.clear() == 0
    with pytest.raises(UserError, match=r"`max_entries` must be an integer of at least 0\. Received: max_entries=-1\."):
        cache.prune(-1)


def test_what_killed_processes_left_is_removed(tmp_path):
    cache, clock = make_cache(tmp_path, now_s=1e6)
    cache.put(KEY, OK)
    left, fresh = (cache.folder / f".{name}.json.abc" for name in ("left", "fresh"))
    for path, age_s in ((left, 7200), (fresh, 60)):
        path.write_text("half")
        os.utime(path, (clock() - age_s, clock() - age_s))
    assert len(cache) == 1
    assert cache.prune(10) == 0
    assert not left.exists() and fresh.exists()


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    cache = MeasurementCache(tmp_path / "file" / "inside")
    assert cache.get(KEY) is None
    with pytest.warns(
        UserWarning, match=r"not kept: .*inside cannot be written \(.*\)\. Set HWKERAS_CACHE .*--no-cache"
    ):
        assert not cache.put(KEY, OK)
    assert not cache.put(KEY, OK)  # said once
    assert cache.clear() == 0


def test_a_file_is_no_cache(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"A cache is a folder\. Received: .*file, which is a file\."):
        MeasurementCache(tmp_path / "file")


def test_the_usual_place(tmp_path, monkeypatch):
    monkeypatch.setenv("HWKERAS_CACHE", str(tmp_path / "here"))
    assert MeasurementCache().folder == cache_folder() == tmp_path / "here"
    monkeypatch.delenv("HWKERAS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "hwkeras" / "measurements"


WRITER = """
import dataclasses, sys
from hwkeras.measure.cache import MeasurementCache
from hwkeras.measure.fake import FakeMeter
cache, me = MeasurementCache(sys.argv[1]), int(sys.argv[2])
(base,) = FakeMeter().measure([b"a" * 1024])
seen = 0
for turn in range(60):
    key = {"sha256": str(turn % 4)}
    # The writer signs in two places: an entry of two halves would not agree with itself.
    mine = dataclasses.replace(base, load_ms=float(me), environment={"writer": me, "padding": "x" * 20000})
    cache.put(key, mine)
    found = cache.get(key)
    if found is not None:
        seen += 1
        assert found.load_ms == found.environment["writer"], "half an entry"
    if turn % 20 == 19:
        cache.prune(2)
print(seen)
"""


def test_many_processes_at_once(tmp_path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for child in children:
        said, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors
        assert int(said) > 20
    cache = MeasurementCache(tmp_path)
    assert all(path.suffix == ".json" for path in tmp_path.iterdir())
    assert len([number for number in range(4) if cache.get({"sha256": str(number)})]) == len(cache)
