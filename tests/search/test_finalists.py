"""Candidates whose order noise could have decided are measured again, in one job."""

import dataclasses

import pytest

from hwkeras.measure import Measurement
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search.candidate import Candidate
from hwkeras.search.finalists import Finalists
from hwkeras.search.journal import Journal
from hwkeras.search.latencies import Latencies
from hwkeras.search.run import Run
from hwkeras.testing import FakeDevice

OBJECTIVES = [Objective.parse("accuracy"), Objective.parse("latency_ms")]


@pytest.fixture(scope="module")
def contents():
    from hwkeras.convert import convert_untrained
    from hwkeras.testing import tiny_cnn

    return convert_untrained(tiny_cnn(), ["float32", "int8"])


class CountingDevice(FakeDevice):
    def measure(self, flatbuffers):
        self.last_job = [bytes(content) for content in flatbuffers]
        return super().measure(flatbuffers)


def candidate(directory, precision, content, accuracy, **changes):
    (directory / f"{precision}.tflite").write_bytes(content)
    measurement = dataclasses.replace(FakeDevice(seed=9).measure([content])[0], **changes)
    metrics = {"accuracy": accuracy, "latency_ms": measurement.latency_ms}
    return Candidate("0", precision, metrics, "net", "hash", f"{precision}.tflite", measurement.to_json())


def both(run, contents, **changes):
    """Two candidates that do not beat each other: the larger file, which is slower, is the more accurate one."""
    files = sorted(contents.items(), key=lambda item: len(item[1]))
    accuracies = (0.8, 0.9)
    return [candidate(run.directory, p, c, a, **changes) for (p, c), a in zip(files, accuracies, strict=True)]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def finalists(run, meter, limits=()):
    journal = Journal(run.directory / "journal.jsonl")
    return Finalists(run, journal, Latencies(meter, limits, pause=None), OBJECTIVES, limits), journal


def test_the_front_is_measured_again_in_one_job(run, contents):
    pair = both(run, contents)
    meter = CountingDevice()
    asked, journal = finalists(run, meter)
    again = asked.measure_again(pair)
    assert sorted(meter.last_job) == sorted([contents["float32"], contents["int8"]]) and meter.num_calls == 1
    assert {c.precision for c in again} == {"float32", "int8"}
    assert all(Measurement.from_json(c.measurement).latency_ms == c.metrics["latency_ms"] for c in again)
    assert [Candidate.from_json(entry) for entry in journal.read("remeasured")[0]["candidates"]] == again
    assert asked.measure_again(again) == [] and meter.num_calls == 1


def test_one_alone_contests_nothing(run, contents):
    meter = CountingDevice()
    assert finalists(run, meter)[0].measure_again([candidate(run.directory, "int8", contents["int8"], 0.8)]) == []
    assert meter.num_calls == 0


def test_estimates_are_not_measured_again(run, contents):
    pair = both(run, contents, source="estimated")
    meter = CountingDevice()
    assert finalists(run, meter)[0].measure_again(pair) == [] and meter.num_calls == 0


def test_what_fails_now_cannot_be_shipped(run, contents):
    pair = both(run, contents)
    again = finalists(run, FakeDevice(faults={0: "crashed:SIGABRT"}))[0].measure_again(pair)
    assert {c.status for c in again} == {"crashed:SIGABRT"}


def test_a_limit_is_kept_by_the_faster_of_two_visits(run, contents):
    pair = both(run, contents)
    bound = max(c.metrics["latency_ms"] for c in pair) * 1.02
    limits = [Limit.parse(f"latency={bound:.6f}ms")]
    again = finalists(run, FakeDevice(seed=3), limits)[0].measure_again(pair)
    assert all(c.metrics["latency_ms"] <= bound for c in again)


def test_who_contests_the_front_afterwards_is_measured_with_it(run, contents):
    """The first was thought to be fast and is not: now another one may be better."""
    from hwkeras.convert import convert_untrained
    from hwkeras.testing import tiny_cnn

    files = contents | convert_untrained(tiny_cnn(), ["float16"])
    true_ms = {name: FakeDevice(seed=9).measure([content])[0].latency_ms for name, content in files.items()}
    candidates = []
    for name, accuracy, share in (("float32", 0.9, 0.25), ("int8", 0.8, 0.1), ("float16", 0.9, 0.5)):
        thought = share * true_ms["float32"]
        ends = {"latency_ms": thought, "low_ms": 0.99 * thought, "high_ms": 1.01 * thought}
        candidates.append(candidate(run.directory, name, files[name], accuracy, **ends))
    meter = CountingDevice()
    asked, journal = finalists(run, meter)
    again = asked.measure_again(candidates)
    first, second = journal.read("remeasured")
    assert [len(event["candidates"]) for event in (first, second)] == [2, 3]
    assert "float16" not in {entry["precision"] for entry in first["candidates"]}
    assert {c.precision: c for c in again} == {c.precision: c for c in map(Candidate.from_json, second["candidates"])}
    assert asked.measure_again(again) == [] and meter.num_calls == 2
