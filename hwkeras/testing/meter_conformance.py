"""What every meter owes: inherit `MeterConformance` in a pytest class and write `make_meter`."""

from __future__ import annotations

import json

from hwkeras.measure import Measurement


class MeterConformance:
    """Tests of the `Meter` contract.

    A plug-in author writes:

    ```python
    class TestMyMeter(MeterConformance):
        def make_meter(self):
            return MyMeter()

        def files(self):
            return [small_tflite_bytes, larger_tflite_bytes]
    ```
    """

    def make_meter(self):
        """Returns a new meter."""
        raise NotImplementedError("Write `make_meter(self)` and return your meter.")

    def files(self):
        """Returns list of at least two different `.tflite` files as bytes, each of which runs."""
        raise NotImplementedError("Write `files(self)` and return the bytes of at least two files.")

    def broken_file(self):
        """Returns bytes the meter cannot measure."""
        return b"this is no .tflite file"

    def test_one_measurement_a_file_in_their_order(self):
        files = self.files()
        forward = self.make_meter().measure(files)
        backward = self.make_meter().measure(files[::-1])
        assert isinstance(forward, tuple) and all(isinstance(each, Measurement) for each in forward)
        assert [m.sha256 for m in forward] == [m.sha256 for m in backward][::-1]
        assert len({m.sha256 for m in forward}) == len(files)

    def test_the_headline_stands_on_at_least_three_rounds(self):
        for measurement in self.make_meter().measure(self.files()):
            assert measurement.ok
            assert len(measurement.rounds) >= 3
            assert all(0 < visit["min_ms"] <= visit["median_ms"] for visit in measurement.rounds)
            assert measurement.latency_ms > 0
            assert measurement.sustained_ms >= measurement.latency_ms
            assert measurement.p90_ms >= measurement.latency_ms
            if measurement.low_ms is not None:
                assert measurement.low_ms <= measurement.latency_ms <= measurement.high_ms

    def test_files_are_visited_in_turn(self):
        measurements = self.make_meter().measure(self.files())
        times = [[visit["at_s"] for visit in each.rounds if visit.get("at_s") is not None] for each in measurements]
        for earlier, later in zip(zip(*times, strict=False), list(zip(*times, strict=False))[1:], strict=False):
            assert max(earlier) < min(later), "a file was measured again before all had their turn"

    def test_the_same_file_may_come_twice(self):
        one, *_ = files = self.files()
        measurements = self.make_meter().measure([*files, one])
        assert len(measurements) == len(files) + 1
        assert measurements[0].sha256 == measurements[-1].sha256
        assert all(each.ok for each in measurements)

    def test_a_file_that_fails_leaves_the_others(self):
        one, other, *_ = self.files()
        first, broken, last = self.make_meter().measure([one, self.broken_file(), other])
        assert first.ok and last.ok
        assert first.sha256 != last.sha256
        assert not broken.ok and broken.latency_ms is None
        assert broken.message, "a status without the reason"

    def test_no_file_is_no_job(self):
        assert self.make_meter().measure([]) == ()

    def test_a_measurement_round_trips(self):
        for measurement in self.make_meter().measure([self.files()[0], self.broken_file()]):
            assert Measurement.from_json(measurement.to_json()) == measurement
            text = json.dumps(measurement.to_json(), allow_nan=False)
            assert Measurement.from_json(json.loads(text)) == measurement

    def test_it_says_what_it_is(self):
        facts = self.make_meter().describe()
        assert {"device", "cpu", "runtime", "runtime_version"} <= set(facts)
        assert all(isinstance(facts[name], str) and facts[name] for name in ("device", "runtime"))
        json.dumps(facts, allow_nan=False)

    def test_a_measurement_says_where_it_was_made(self):
        meter = self.make_meter()
        (measurement,) = meter.measure(self.files()[:1])
        facts = meter.describe()
        told = measurement.environment
        assert {name: told[name] for name in ("runtime", "runtime_version")} == {
            name: facts[name] for name in ("runtime", "runtime_version")
        }
        assert measurement.num_threads >= 1
