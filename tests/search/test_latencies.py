"""The latencies of a search: what is predicted, what is measured, what happens when the device is gone."""

import dataclasses
import hashlib
import json

import pytest

from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import Analysis
from hwkeras.measure import Measurement
from hwkeras.measure import OpCost
from hwkeras.objectives import Limit
from hwkeras.search.latencies import LATENCY_GUARD
from hwkeras.search.latencies import PAUSES_S
from hwkeras.search.latencies import Latencies

MS_PER_MACS = 1e-6


def network(macs):
    """A made-up file whose latency is proportional to its MACs, and its analysis."""
    op = OpCost("CONV_2D", macs, macs // 100, macs // 50)
    analysis = Analysis(macs // 10, macs, macs // 100, macs // 100, macs // 25, (op,), ())
    return str(macs).encode(), analysis


class LinearMeter:
    """Answers with the latency a file was made with; `script` holds what the first calls do instead."""

    def __init__(self, script=(), source="measured"):
        self.script = list(script)
        self.source = source
        self.num_files = 0

    def measure(self, flatbuffers):
        fault = self.script.pop(0) if self.script else None
        if isinstance(fault, Exception):
            raise fault
        self.num_files += len(flatbuffers)
        return tuple(self._one(content, fault) for content in flatbuffers)

    def describe(self):
        return {"device": "linear", "cpu": "none"}

    def _one(self, content, fault):
        digest = hashlib.sha256(content).hexdigest()
        if isinstance(fault, str):
            return Measurement.failed(digest, fault, "gone", {}, 1)
        latency_ms = int(content) * MS_PER_MACS * (fault or 1.0)
        return Measurement(digest, latency_ms, latency_ms, latency_ms, (), "ok", 1, 1.0, 1.0, {}, 1, source=self.source)


def latencies(meter, limit="latency=1ms", path=None):
    pauses = []
    made = Latencies(meter, [Limit.parse(limit)] if limit else [], path, pause=pauses.append)
    made.pauses = pauses
    return made


def ask(known, *macs):
    contents, analyses = zip(*map(network, macs), strict=True)
    return known.screen(contents, analyses)


def taught(meter, path=None):
    known = latencies(meter, path=path)
    for index in range(40):
        content, analysis = network(20_000 * (index + 1))
        known.measure([content], [analysis])
    return known


class TestScreening:
    def test_a_measured_latency_asks_for_room(self):
        (known,) = ask(latencies(LinearMeter()), 500_000)
        assert known.source == "measured"
        assert known.latency_ms == pytest.approx(0.5 * LATENCY_GUARD)

    def test_what_surely_lies_on_one_side_of_the_limit_is_not_measured(self):
        meter = LinearMeter()
        known = taught(meter)
        before = meter.num_files
        low, high = ask(known, 300_000, 3_000_000)
        assert (low.source, high.source) == ("predicted", "predicted")
        assert low.latency_ms == pytest.approx(0.3, rel=0.1) and high.latency_ms > 1.0
        assert meter.num_files == before and known.num_predicted == 2

    def test_what_lies_on_the_limit_is_measured(self):
        meter = LinearMeter()
        known = taught(meter)
        sure, unsure = ask(known, 100_000, 1_000_000)
        assert (sure.source, unsure.source) == ("predicted", "measured")
        assert known.num_measured == 41

    def test_a_file_that_crashes_is_never_within(self):
        (known,) = ask(latencies(LinearMeter(["crashed:SIGABRT"])), 1000)
        assert known.latency_ms != known.latency_ms

    def test_the_predictor_of_a_run_goes_on(self, tmp_path):
        path = tmp_path / "predictor.json"
        taught(LinearMeter(), path)
        meter = LinearMeter()
        (known,) = ask(latencies(meter, path=path), 300_000)
        assert known.source == "predicted" and meter.num_files == 0

    def test_a_broken_predictor_is_told(self, tmp_path):
        path = tmp_path / "predictor.json"
        path.write_text("{")
        with pytest.raises(UserError, match="The predictor of a run must be readable. Received: .*Delete it to learn"):
            latencies(LinearMeter(), path=path)
        path.write_text(json.dumps({"version": -1}))
        with pytest.raises(UserError, match="The predictor of a run must be readable"):
            latencies(LinearMeter(), path=path)

    def test_estimates_teach_nothing(self):
        known = taught(LinearMeter(source="estimated"))
        assert ask(known, 300_000)[0].source == "estimated"


class SlowTailMeter(LinearMeter):
    """Its 90th percentile is twice the latency."""

    def _one(self, content, fault):
        measurement = super()._one(content, fault)
        return dataclasses.replace(measurement, p90_ms=2 * measurement.latency_ms)


class TestPercentile:
    def test_it_is_known_where_it_was_measured(self):
        known = latencies(SlowTailMeter(), "p90=1ms")
        (found,) = ask(known, 400_000)
        assert found.p90_ms == pytest.approx(0.8 * LATENCY_GUARD) and found.latency_ms == pytest.approx(0.42)
        assert known.named(found) == {"latency_ms": found.latency_ms, "p90_ms": found.p90_ms}
        assert latencies(SlowTailMeter()).named(found) == {"latency_ms": found.latency_ms}

    def test_a_predicted_latency_can_only_break_its_limit(self):
        known = latencies(SlowTailMeter(), "p90=1ms")
        for index in range(40):
            content, analysis = network(20_000 * (index + 1))
            known.measure([content], [analysis])
        within, outside = ask(known, 300_000, 3_000_000)
        assert (within.source, outside.source) == ("measured", "predicted")

    def test_a_visit_with_a_slow_tail_gets_a_second_one(self):
        content, analysis = network(600_000)
        known = latencies(SlowTailMeter(), "p90=1ms")
        known.measure_to_ship([content], [analysis])
        assert known.num_measured == 2


class TestFurtherDevice:
    def test_its_metrics_and_limits_carry_its_name(self):
        limits = [Limit.parse("latency=1ms"), Limit.parse("latency@pi4=2ms"), Limit.parse("p90@pi4=3ms")]
        known = Latencies(LinearMeter(), limits, device="pi4")
        (found,) = ask(known, 1_000_000)
        assert known.named(found) == {"latency_ms@pi4": found.latency_ms, "p90_ms@pi4": found.p90_ms}
        assert known.are_asked_first
        assert not Latencies(LinearMeter(), limits, device="other").are_asked_first
        content, analysis = network(1_500_000)  # over the limit of the first device, within that of this one
        known.measure_to_ship([content], [analysis])
        assert known.num_measured == 2


class TestShipping:
    def test_what_lies_outside_is_measured_once_more_and_the_faster_visit_counts(self):
        content, analysis = network(900_000)
        known = latencies(LinearMeter([1.5]))
        assert known.measure_to_ship([content], [analysis])[0].latency_ms == pytest.approx(0.9)
        assert known.num_measured == 2

    def test_what_lies_within_is_measured_once(self):
        content, analysis = network(900_000)
        known = latencies(LinearMeter())
        known.measure_to_ship([content], [analysis])
        assert known.num_measured == 1


class TestLostDevice:
    def test_a_device_that_comes_back_costs_one_pause(self):
        known = latencies(LinearMeter([1.0, "lost"]))
        content, analysis = network(1000)
        known.measure([content], [analysis])
        assert known.measure([content], [analysis])[0].ok
        assert known.pauses == [PAUSES_S[0]]

    def test_a_device_that_cannot_be_reached_for_a_while_is_waited_for(self):
        known = latencies(LinearMeter([1.0, "lost", DeviceError("no route"), DeviceError("no route")]))
        content, analysis = network(1000)
        known.measure([content], [analysis])
        assert known.measure([content], [analysis])[0].ok
        assert known.pauses == list(PAUSES_S[:3])

    def test_a_device_that_was_never_there_is_told_at_once(self):
        known = latencies(LinearMeter([DeviceError("no route to the phone")]))
        with pytest.raises(DeviceError, match="no route to the phone"):
            known.measure(*[[part] for part in network(1000)])
        assert known.pauses == []

    def test_a_device_that_stays_away_ends_the_search(self):
        known = latencies(LinearMeter([1.0, *["lost"] * 5]))
        content, analysis = network(1000)
        known.measure([content], [analysis])
        with pytest.raises(DeviceError, match="The device must stay reachable. Received: lost, 5 times on end. gone"):
            known.measure([content], [analysis])
        assert known.pauses == list(PAUSES_S)
