"""What every meter owes: inherit `MeterConformance` in a pytest class and write `make_meter`."""

from __future__ import annotations

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

    def test_one_measurement_a_file_in_their_order(self):
        files = self.files()
        forward = self.make_meter().measure(files)
        backward = self.make_meter().measure(files[::-1])
        assert isinstance(forward, tuple) and all(isinstance(each, Measurement) for each in forward)
        assert [m.sha256 for m in forward] == [m.sha256 for m in backward][::-1]
        assert len({m.sha256 for m in forward}) == len(files)

    def test_the_headline_is_the_minimum_over_at_least_three_rounds(self):
        for measurement in self.make_meter().measure(self.files()):
            assert measurement.ok
            assert len(measurement.rounds) >= 3
            assert measurement.latency_ms == min(visit["min_ms"] for visit in measurement.rounds) > 0
            assert measurement.sustained_ms >= measurement.latency_ms

    def test_no_file_is_no_job(self):
        assert self.make_meter().measure([]) == ()

    def test_a_measurement_round_trips(self):
        measurement = self.make_meter().measure(self.files()[:1])[0]
        assert Measurement.from_json(measurement.to_json()) == measurement

    def test_it_says_what_it_is(self):
        assert {"device", "cpu"} <= set(self.make_meter().describe())
