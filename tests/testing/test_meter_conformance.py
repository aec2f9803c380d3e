"""The conformance class holds for real and fake meters, and notices a meter that breaks the contract."""

import dataclasses
import hashlib

import pytest

from hwkeras.convert import convert_untrained
from hwkeras.measure import LocalMeter
from hwkeras.measure.cache import MeasurementCache
from hwkeras.measure.cached import CachedMeter
from hwkeras.measure.fake import open_fake_meter
from hwkeras.measure.pool import DevicePool
from hwkeras.measure.pooled import PooledMeter
from hwkeras.testing import FakeDevice
from hwkeras.testing import MeterConformance
from hwkeras.testing import tiny_cnn
from hwkeras.testing import tiny_mlp

BROKEN = b"this file is broken"
STATUSES = {hashlib.sha256(BROKEN).hexdigest(): "crashed:SIGABRT"}


@pytest.fixture(scope="module")
def files():
    return [convert_untrained(model, "float32")["float32"] for model in (tiny_cnn(), tiny_mlp())]


class TestLocalMeter(MeterConformance):
    @pytest.fixture(autouse=True)
    def _files(self, files, tmp_path):
        self._contents = files
        self._folder = tmp_path

    def files(self):
        return self._contents

    def make_meter(self):
        return LocalMeter(burst_ms=2.0, gap_ms=1.0)


class TestFakeDevice(TestLocalMeter):
    def make_meter(self):
        return FakeDevice(seed=3, statuses=STATUSES)

    def broken_file(self):
        return BROKEN


class TestFakeBoardUnderTheRealMeter(TestFakeDevice):
    def make_meter(self):
        return open_fake_meter(seed=3, statuses=STATUSES)


class TestPooledMeter(TestFakeDevice):
    def make_meter(self):
        pool = DevicePool({"key": ["fake"]}, self._folder / "state", heartbeat_s=None)
        return PooledMeter(pool, "key", open_meter=open_fake_meter, statuses=STATUSES)


class TestCachedMeter(TestFakeDevice):
    def make_meter(self):
        return CachedMeter(open_fake_meter(statuses=STATUSES), MeasurementCache(self._folder / "cache"))


def conformance(meter, contents):
    class Broken(MeterConformance):
        def make_meter(self):
            return meter

        def files(self):
            return contents

        def broken_file(self):
            return BROKEN

    return Broken()


class Sorted(FakeDevice):
    def measure(self, flatbuffers):
        return super().measure(sorted(flatbuffers))


class OneAfterTheOther(FakeDevice):
    def measure(self, flatbuffers):
        return tuple(super(OneAfterTheOther, self).measure([content])[0] for content in flatbuffers)


class Pessimist(FakeDevice):
    def measure(self, flatbuffers):
        return tuple(dataclasses.replace(each, latency_ms=each.p90_ms * 1.1) for each in super().measure(flatbuffers))


class OneVisit(FakeDevice):
    def measure(self, flatbuffers):
        return tuple(dataclasses.replace(each, rounds=each.rounds[:1]) for each in super().measure(flatbuffers))


class Anonymous(FakeDevice):
    def describe(self):
        return {"device": self.name, "cpu": "none"}


class NothingFails(FakeDevice):
    """Gives a latency for whatever it is given."""


@pytest.mark.parametrize(
    ("meter", "test"),
    [
        (Sorted(), "test_one_measurement_a_file_in_their_order"),
        (OneAfterTheOther(), "test_files_are_visited_in_turn"),
        (Pessimist(), "test_the_headline_stands_on_at_least_three_rounds"),
        (OneVisit(), "test_the_headline_stands_on_at_least_three_rounds"),
        (Anonymous(), "test_it_says_what_it_is"),
        (NothingFails(), "test_a_file_that_fails_leaves_the_others"),
    ],
)
def test_a_meter_that_breaks_the_contract_is_noticed(meter, test):
    contents = [b"a" * 4096, b"b" * 2048]
    for name in (name for name in dir(MeterConformance) if name.startswith("test_")):
        getattr(conformance(FakeDevice(statuses=STATUSES), contents), name)()
    with pytest.raises(AssertionError):
        getattr(conformance(meter, contents), test)()


def test_what_is_not_written_is_said():
    with pytest.raises(NotImplementedError, match=r"Write `make_meter\(self\)`"):
        MeterConformance().test_no_file_is_no_job()
    with pytest.raises(NotImplementedError, match=r"Write `files\(self\)`"):
        MeterConformance().files()


def test_faults_come_when_they_are_due():
    device = FakeDevice(faults={1: "timeout"})
    statuses = [device.measure([b"abc"])[0].status for _ in range(3)]
    assert statuses == ["ok", "timeout", "ok"]
    assert device.measure([b"x" * 2048])[0].latency_ms > device.measure([b"x" * 1024])[0].latency_ms
