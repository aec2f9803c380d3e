"""The meter that remembers: what is measured again and what is not."""

import pytest

from hwkeras.measure.cache import MeasurementCache
from hwkeras.measure.cached import CachedMeter
from hwkeras.measure.cached import fingerprint
from hwkeras.measure.cached import options_of
from hwkeras.measure.cached import without_user
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.fake import FakeBoard
from hwkeras.measure.fake import FakeMeter
from hwkeras.measure.fake import open_fake_meter
from hwkeras.measure.meter import Meter
from hwkeras.measure.pool import DevicePool
from hwkeras.measure.pooled import PooledMeter

FILES = [b"a" * 1024, b"b" * 2048, b"c" * 512]


class Recording(FakeMeter):
    """Keeps the files of each call, and counts how often it was asked what it is."""

    def __post_init__(self):
        super().__post_init__()
        self.jobs = []
        self.num_asked = 0
        self.facts = {}

    def measure(self, flatbuffers):
        self.jobs.append(list(flatbuffers))
        return super().measure(flatbuffers)

    def describe(self):
        self.num_asked += 1
        return {**super().describe(), **self.facts}


@pytest.fixture
def cache(tmp_path):
    return MeasurementCache(tmp_path)


def test_what_is_known_is_not_measured(cache):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    assert isinstance(cached, Meter)
    first = cached.measure(FILES[:2])
    assert cached.measure(FILES[:2]) == first
    assert meter.jobs == [FILES[:2]]
    again = CachedMeter(meter, cache)
    assert again.measure([FILES[1], FILES[2], FILES[0]])[::2] == (first[1], first[0])
    assert meter.jobs == [FILES[:2], [FILES[2]]]
    assert (cached.num_known, cached.num_measured, again.num_known, again.num_measured) == (2, 2, 2, 1)


def test_the_rest_is_one_job_in_order(cache):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    cached.measure([FILES[1]])
    measurements = cached.measure(FILES)
    assert meter.jobs == [[FILES[1]], [FILES[0], FILES[2]]]
    assert [each.sha256 for each in measurements] == [each.sha256 for each in FakeMeter().measure(FILES)]


def test_no_file_asks_nobody(cache):
    meter = Recording()
    assert CachedMeter(meter, cache).measure([]) == ()
    assert (meter.jobs, meter.num_asked) == ([], 0)


def test_fresh_measures_all_together_and_keeps_it(cache):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    cached.measure(FILES)
    meter._board.slowness = 2.0
    fresh = cached.measure(FILES, fresh=True)
    assert meter.jobs == [FILES, FILES]
    assert cached.measure(FILES) == fresh
    assert cached.meter is meter


def test_the_same_file_twice(cache):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    assert len(cached.measure([FILES[0], FILES[0]])) == 2
    assert meter.jobs == [[FILES[0], FILES[0]]]
    one, other = cached.measure([FILES[0], FILES[0]])
    assert one == other and len(meter.jobs) == 1


def test_what_is_in_doubt_is_measured_again(cache):
    meter = Recording(faults={0: "timeout", 1: "crashed:SIGABRT"})
    cached = CachedMeter(meter, cache)
    statuses = [cached.measure([FILES[0]])[0].status for _ in range(3)]
    assert statuses == ["timeout", "crashed:SIGABRT", "crashed:SIGABRT"]
    assert len(meter.jobs) == 2


@pytest.mark.parametrize(
    "facts",
    [
        {"device": "other"},
        {"runtime_version": "2"},
        {"runtime": "tflite_runtime"},
        {"cpu_model": "Cortex-A76"},
        {"cpu_features": ["neon"]},
        {"governor": "powersave"},
    ],
)
def test_another_device_or_runtime_is_another_entry(cache, facts):
    meter, other = Recording(), Recording()
    other.facts = facts
    CachedMeter(meter, cache).measure(FILES)
    CachedMeter(other, cache).measure(FILES)
    assert len(other.jobs) == 1


def test_the_state_of_the_moment_is_no_part_of_the_key(cache):
    meter, other = Recording(), Recording()
    other.facts = {"before": {"loadavg": [9, 9, 9]}, "python": "3.13"}
    CachedMeter(meter, cache).measure(FILES)
    CachedMeter(other, cache).measure(FILES)
    assert other.jobs == []


@pytest.mark.parametrize(("reference_ms", "num_jobs"), [(0.0204, 0), (0.0196, 0), (0.021, 1), (0.019, 1), (None, 0)])
def test_a_device_that_changed_its_usual_speed_is_measured_again(cache, reference_ms, num_jobs):
    meter, later = Recording(), Recording()
    later.facts = {"canary": {"reference_ms": reference_ms}}
    CachedMeter(meter, cache).measure(FILES)
    CachedMeter(later, cache).measure(FILES)
    assert len(later.jobs) == num_jobs


def test_the_device_is_asked_once(cache):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    assert meter.num_asked == 0
    cached.measure([FILES[0]])
    once = meter.num_asked
    cached.measure([FILES[0]])
    assert cached.describe()["device"] == "fake"
    assert meter.num_asked == once


def test_options_that_matter_are_part_of_the_key(cache):
    def measure(**options):
        cached = CachedMeter(open_fake_meter(**options), cache)
        cached.measure(FILES)
        return cached.num_measured

    assert measure() == 3
    assert measure(timeout_s=7.0) == 0
    assert [measure(num_threads=2), measure(rounds=5), measure(burst_ms=1.0), measure(seed=1)] == [3] * 4
    assert options_of(open_fake_meter())["rounds"] == 3
    more = CachedMeter(open_fake_meter(), cache, options={"governor_script": "fast.sh"})
    more.measure(FILES)
    assert more.num_measured == 3


def test_another_protocol_is_another_entry(cache, monkeypatch):
    meter = Recording()
    cached = CachedMeter(meter, cache)
    cached.measure(FILES)
    monkeypatch.setattr("tflite_bench.VERSION", 99)
    cached.measure(FILES)
    assert len(meter.jobs) == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ssh://pi@10.0.0.7:22", "ssh://10.0.0.7:22"),
        ("ssh://pi:secret@10.0.0.7", "ssh://10.0.0.7"),
        ("ssh://10.0.0.7", "ssh://10.0.0.7"),
        ("adb://0123", "adb://0123"),
        ("local", "local"),
    ],
)
def test_a_user_is_no_part_of_a_device(name, shown):
    assert without_user(name) == shown
    assert fingerprint({"device": name, "cpu": "x"}) == {"device": shown, "cpu_model": "x"}


def test_no_credentials_in_the_entries(cache, tmp_path):
    cached = CachedMeter(DeviceMeter(FakeBoard("ssh://pi:secret@10.0.0.7")), cache)
    cached.measure(FILES)
    keys = [path.read_text().partition('"measurement"')[0] for path in tmp_path.iterdir()]
    assert len(keys) == 3 and not any("secret" in key or "pi:" in key for key in keys)


def test_a_pool_is_cached_by_the_device_it_is_on(cache, tmp_path):
    boards = {"a": FakeBoard("a", faults={("run", 2): "gone"}), "b": FakeBoard("b", slowness=2.0)}
    pool = DevicePool({"pi": list(boards)}, tmp_path / "state", heartbeat_s=None)
    meter = PooledMeter(pool, "pi", open_meter=lambda name: DeviceMeter(boards[name]))
    cached = CachedMeter(meter, cache)
    (on_a,) = cached.measure(FILES[:1])
    (moved,) = cached.measure(FILES[1:2])
    assert on_a.environment["pool"]["device"] == "a" and moved.environment["pool"]["device"] == "b"
    # What was measured on the first device does not answer for the second.
    assert [each.environment["pool"]["device"] for each in cached.measure(FILES[:2])] == ["b", "b"]
    alone = DevicePool({"pi": ["a"]}, tmp_path / "other", heartbeat_s=None)
    only_a = CachedMeter(PooledMeter(alone, "pi", open_meter=lambda name: DeviceMeter(FakeBoard(name))), cache)
    assert only_a.measure(FILES[:2])[0] == on_a
    assert only_a.num_known == 1
