"""The conformance class holds for the real meter and for the fake one, and notices a meter that breaks the contract."""

import pytest

from hwkeras.convert import convert_untrained
from hwkeras.measure import LocalMeter
from hwkeras.testing import FakeDevice
from hwkeras.testing import MeterConformance
from hwkeras.testing import tiny_cnn
from hwkeras.testing import tiny_mlp


@pytest.fixture(scope="module")
def files():
    return [convert_untrained(model, "float32")["float32"] for model in (tiny_cnn(), tiny_mlp())]


class TestLocalMeter(MeterConformance):
    @pytest.fixture(autouse=True)
    def _files(self, files):
        self._contents = files

    def files(self):
        return self._contents

    def make_meter(self):
        return LocalMeter(burst_ms=2.0, gap_ms=1.0)


class TestFakeDevice(TestLocalMeter):
    def make_meter(self):
        return FakeDevice(seed=3)


def test_a_meter_that_loses_the_order_is_noticed(files):
    class Sorted(FakeDevice):
        def measure(self, flatbuffers):
            return super().measure(sorted(flatbuffers))

    class Broken(MeterConformance):
        def make_meter(self):
            return Sorted()

        def files(self):
            return files

    with pytest.raises(AssertionError):
        Broken().test_one_measurement_a_file_in_their_order()


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
