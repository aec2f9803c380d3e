"""The meter of a pool: one device as long as it lives, another when it is lost, and the truth about the difference."""

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure.device_meter import DeviceMeter
from hwkeras.measure.fake import FakeBoard
from hwkeras.measure.fake import FakeMeter
from hwkeras.measure.meter import Meter
from hwkeras.measure.pool import DevicePool
from hwkeras.measure.pooled import PooledMeter
from hwkeras.testing import FakeClock

FILES = [b"a" * 1024, b"b" * 2048]


class Bench:
    """Boards by name, and a pool over them whose clock stands still."""

    def __init__(self, folder, *boards, **rules):
        self.boards = {board.name: board for board in boards}
        self.clock = FakeClock()
        self.pool = DevicePool(
            {"pi": list(self.boards)}, folder, clock=self.clock, wait=self.clock.sleep, heartbeat_s=None, **rules
        )
        self.opened = []

    def open_meter(self, name, **options):
        self.opened.append((name, options))
        return DeviceMeter(self.boards[name], **options)

    def meter(self, **options):
        return PooledMeter(self.pool, "pi", open_meter=self.open_meter, lease_timeout_s=0, **options)

    def runs(self):
        return [board.num_calls["run"] for board in self.boards.values()]

    def failures(self):
        return [device["failures"] for device in self.pool.summary()[0]["devices"]]


def places(measurements):
    return {each.environment["pool"]["device"] for each in measurements}


def test_all_jobs_go_to_one_device(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a"), FakeBoard("b"))
    meter = bench.meter(num_threads=2)
    assert isinstance(meter, Meter)
    assert meter.device_name is None
    for _ in range(3):
        measurements = meter.measure(FILES)
        assert places(measurements) == {"a"} and all(each.ok and each.message == "" for each in measurements)
    assert meter.describe()["pool"] == {"key": "pi", "device": "a"}
    assert meter.device_name == "a"
    assert bench.runs() == [4, 0]
    assert bench.opened == [("a", {"num_threads": 2})]
    assert measurements[0].environment["pool"] == {
        "key": "pi",
        "device": "a",
        "first_device": "a",
        "canary_ratio": 1.0,
    }


def test_two_searches_share_the_devices(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a"), FakeBoard("b"))
    one, other = bench.meter(), bench.meter()
    assert [places(meter.measure(FILES)) for meter in (one, other, one, other)] == [{"a"}, {"b"}, {"a"}, {"b"}]


def test_no_file_asks_no_device(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a"))
    assert bench.meter().measure([]) == ()
    assert bench.opened == []


@pytest.mark.parametrize("fault", ["lost", "gone", "unreachable"])
def test_a_device_that_vanishes_costs_a_move(tmp_path, fault):
    bench = Bench(tmp_path, FakeBoard("a", faults={("run", 1): fault}), FakeBoard("b"))
    meter = bench.meter()
    assert places(meter.measure(FILES)) == {"a"}
    moved = meter.measure(FILES)
    assert places(moved) == {"b"} and all(each.ok for each in moved)
    assert moved[0].message == "" and moved[0].environment["pool"]["first_device"] == "a"
    assert moved[0].environment["pool"]["canary_ratio"] == 1.0
    assert bench.failures() == [1, 0]
    assert places(meter.measure(FILES)) == {"b"}


def test_a_device_unlike_the_first_is_told(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a", faults={("run", 1): "gone"}), FakeBoard("b", slowness=1.1))
    meter = bench.meter()
    meter.measure(FILES)
    for _ in range(2):
        for each in meter.measure(FILES):
            assert each.ok
            assert each.environment["pool"]["canary_ratio"] == pytest.approx(1.1)
            assert each.message.endswith(
                "Measured on b after a was lost; its canary takes 110.0% of the time there, so this latency does not "
                "compare with the earlier ones."
            )


def test_a_device_like_the_first_within_3_percent_is_not_told(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a", faults={("run", 1): "gone"}), FakeBoard("b", slowness=1.02))
    meter = bench.meter()
    meter.measure(FILES)
    assert [each.message for each in meter.measure(FILES)] == ["", ""]


def test_no_canary_no_claim(tmp_path):
    class Blind(FakeMeter):
        def measure(self, flatbuffers):
            import dataclasses

            def without(each):
                rounds = tuple({**visit, "canary_ms": None} for visit in each.rounds)
                return dataclasses.replace(each, environment={}, rounds=rounds)

            return tuple(map(without, super().measure(flatbuffers)))

    meters = {"a": Blind(faults={1: "lost"}), "b": Blind()}
    pool = DevicePool({"pi": ["a", "b"]}, tmp_path, heartbeat_s=None)
    meter = PooledMeter(pool, "pi", open_meter=lambda name: meters[name])
    meter.measure(FILES)
    assert meter.measure(FILES)[0].message == ("Measured on b after a was lost; no canary tells how they compare.")


def test_losing_all_costs_the_measurement(tmp_path):
    faults = {("run", 1): "lost"}
    bench = Bench(tmp_path, FakeBoard("a", faults=faults), FakeBoard("b", faults={("run", 0): "lost"}))
    meter = bench.meter()
    meter.measure(FILES)
    lost = meter.measure(FILES)
    assert [each.status for each in lost] == ["lost", "lost"]
    assert "A device of 'pi' must finish the job. Received: a: " in lost[0].message and "; b: " in lost[0].message
    assert [each.ok for each in meter.measure(FILES)] == [True, True]
    assert bench.failures() == [0, 1]


def test_one_device_lost_for_good_ends_in_quarantine(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a", faults={("run", 1): "gone"}), max_failures=2)
    meter = bench.meter()
    meter.measure(FILES)
    for _ in range(4):
        assert [each.status for each in meter.measure(FILES)] == ["lost", "lost"]
    assert bench.runs() == [2]  # in quarantine it is left alone
    assert "in quarantine for another 600 s" in meter.measure(FILES)[0].message
    bench.boards["a"].reachable = True
    bench.clock.advance(600)
    assert [each.ok for each in meter.measure(FILES)] == [True, True]


def test_at_most_n_other_devices_are_tried(tmp_path):
    boards = [FakeBoard(name, faults={("run", 0): "lost"}) for name in "abcd"]
    bench = Bench(tmp_path, *boards)
    assert [each.status for each in bench.meter(retries=1).measure(FILES)] == ["lost", "lost"]
    assert bench.runs() == [1, 1, 0, 0]


def test_no_device_from_the_start_is_an_error(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a", reachable=False), FakeBoard("b", reachable=False))
    with pytest.raises(DeviceError, match=r"'pi' must finish the job\. Received: a: The device 'a' .*; b: The device"):
        bench.meter().measure(FILES)
    with pytest.raises(DeviceError, match="must finish the job"):
        bench.meter().describe()
    assert bench.failures() == [2, 2]


def test_a_file_that_crashes_is_no_fault_of_the_device(tmp_path):
    import hashlib

    statuses = {hashlib.sha256(FILES[0]).hexdigest(): "crashed:SIGABRT"}
    bench = Bench(tmp_path, FakeBoard("a", statuses=statuses), FakeBoard("b"))
    assert [each.status for each in bench.meter().measure(FILES)] == ["crashed:SIGABRT", "ok"]
    assert (bench.failures(), bench.runs()) == ([0, 0], [1, 0])


def test_a_busy_pool_at_the_start_is_an_error(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a"))
    with bench.pool.lease("pi"), pytest.raises(DeviceError, match="free within timeout_s=0"):
        bench.meter().measure(FILES)


def test_close_closes_what_was_opened(tmp_path):
    closed = []

    class Closing(FakeMeter):
        def close(self):
            closed.append(self.name)

    pool = DevicePool({"pi": ["a", "b"]}, tmp_path, heartbeat_s=None)
    faults = {"a": {0: "lost"}, "b": {}}
    meter = PooledMeter(pool, "pi", open_meter=lambda name: Closing(name=name, faults=faults[name]))
    meter.measure(FILES)
    assert closed == ["a"]
    meter.close()
    meter.close()
    assert closed == ["a", "b"]


def test_wrong_arguments(tmp_path):
    bench = Bench(tmp_path, FakeBoard("a"))
    with pytest.raises(UserError, match=r"must stand in the device list\. Received: 'pj'\. Known keys: 'pi'\."):
        PooledMeter(bench.pool, "pj")
    with pytest.raises(UserError, match=r"`retries` must be an integer of at least 0\. Received: retries=-1\."):
        bench.meter(retries=-1)
    with pytest.raises(UserError, match="`rounds` must be an integer of at least 3"):
        bench.meter(rounds=1).measure(FILES)
    assert bench.failures() == [0]
