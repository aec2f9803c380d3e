"""A measurement from its rounds, one that failed, their JSON."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.measure.measurement import SOURCES
from hwkeras.measure.measurement import WITH_LATENCY
from hwkeras.measure.measurement import WITHOUT_LATENCY
from hwkeras.measure.measurement import Measurement
from hwkeras.measure.statistics import NOISY_ABOVE
from hwkeras.measure.statistics import summarize

ADDED = ("message", "spread", "low_ms", "high_ms", "rss_bytes", "output", "source")
CANARY = {"sha256": "cc", "best_ms": 0.9, "typical_ms": 1.1, "reference_ms": 1.0}
OUTPUT = {"dtype": "float32", "shape": [1, 2], "sha256": "dd", "values": [0.25, 0.75]}


def one_round(level_ms, canary_ms=1.0):
    """Of two visits of two turns each, all at `level_ms` while the canary took `canary_ms`."""
    turns = [[level_ms, canary_ms]] * 2
    return {
        "num_invokes": 10,
        "min_ms": level_ms,
        "p10_ms": level_ms,
        "median_ms": level_ms * 1.25,
        "mean_ms": level_ms * 1.25,
        "p90_ms": level_ms * 1.5,
        "canary_ms": canary_ms,
        "at_s": 0.0,
        "bursts": [{"at_s": 0.0, "guard": None, "turns": turns}] * 2,
    }


def result(*rounds, **changes):
    known = {"status": "ok", "error": None, "partitions": 1, "first_ms": 5.0, "load_ms": 2.0, "rss_bytes": 4096}
    return {**known, "output": [OUTPUT], "rounds": list(rounds), **changes}


def usable(**changes):
    rounds = [one_round(1.0), one_round(1.0), one_round(1.5)]
    return dataclasses.replace(Measurement.of_rounds("ab", result(*rounds), {"cpu": "x"}, 1, CANARY), **changes)


def test_what_the_rounds_give():
    rounds = (one_round(1.0), one_round(1.0), one_round(4.0))
    measurement = Measurement.of_rounds("ab", result(*rounds), {"cpu": "x"}, num_threads=2, canary=CANARY)
    assert (measurement.sha256, measurement.environment, measurement.num_threads) == ("ab", {"cpu": "x"}, 2)
    assert (measurement.latency_ms, measurement.sustained_ms, measurement.p90_ms) == (1.0, 1.25, 1.5)
    assert (measurement.status, measurement.ok, measurement.message) == ("ok", True, "")
    assert (measurement.spread, measurement.source, measurement.rounds) == (0.0, "measured", rounds)
    assert measurement.low_ms < 1.0 < measurement.high_ms


def test_what_the_answer_tells_besides():
    measurement = Measurement.of_rounds("ab", result(one_round(1.0), one_round(1.0)), {}, 1)
    assert (measurement.first_ms, measurement.load_ms, measurement.partitions) == (5.0, 2.0, 1)
    assert (measurement.rss_bytes, measurement.output) == (4096, (OUTPUT,))


def test_what_the_answer_does_not_tell_is_none():
    measurement = Measurement.of_rounds("ab", {"rounds": [one_round(1.0), one_round(1.0)]}, {}, 1)
    assert (measurement.ok, measurement.latency_ms, measurement.output) == (True, 1.0, ())
    unknown = (measurement.first_ms, measurement.load_ms, measurement.partitions, measurement.rss_bytes)
    assert unknown == (None, None, None, None)


def test_the_canary_decides_what_a_turn_is_worth():
    rounds = (one_round(1.2, canary_ms=1.2), one_round(1.2, canary_ms=1.2))
    assert Measurement.of_rounds("ab", result(*rounds), {}, 1, CANARY).latency_ms == 1.0
    assert Measurement.of_rounds("ab", result(*rounds), {}, 1).latency_ms == 1.2


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=8))
def test_the_figures_are_those_of_the_summary(levels):
    rounds = [one_round(level) for level in levels]
    measurement = Measurement.of_rounds("ab", result(*rounds), {}, 1, CANARY)
    told = {name: getattr(measurement, name) for name in ("latency_ms", "sustained_ms", "p90_ms", "spread", "low_ms")}
    told |= {name: getattr(measurement, name) for name in ("high_ms", "status", "message")}
    assert told == dataclasses.asdict(summarize(rounds, CANARY))
    assert measurement.ok and measurement.low_ms <= measurement.latency_ms <= measurement.high_ms


def test_doubt_carries_its_reason():
    apart = 1.0 + 2 * NOISY_ABOVE
    rounds = [one_round(1.0), one_round(apart), one_round(2 * apart)]
    measurement = Measurement.of_rounds("ab", result(*rounds), {}, 1, CANARY)
    assert (measurement.status, measurement.ok) == ("unstable", True)
    assert f"3 rounds differ by {apart - 1:.1%}, more than {NOISY_ABOVE:.0%}" in measurement.message


def test_refused_model():
    measurement = Measurement.of_rounds("ab", result(status="error", error="ValueError: no"), {}, 1)
    assert (measurement.status, measurement.ok, measurement.message) == ("error", False, "ValueError: no")
    assert (measurement.latency_ms, measurement.low_ms, measurement.rounds) == (None, None, ())
    assert measurement.load_ms == 2.0


@pytest.mark.parametrize("status", ["timeout", "out_of_memory", "crashed:SIGABRT"])
def test_rounds_before_a_failure_do_not_count(status):
    answer = result(one_round(1.0), one_round(1.0), status=status, error="why")
    measurement = Measurement.of_rounds("ab", answer, {}, 1)
    assert (measurement.status, measurement.latency_ms, measurement.message) == (status, None, "why")


def test_an_error_or_no_round_is_never_ok():
    measurement = Measurement.of_rounds("ab", result(one_round(1.0), one_round(1.0), error="why"), {}, 1)
    assert (measurement.status, measurement.message) == ("error", "why")
    for answer in (result(), {"rounds": []}):
        measurement = Measurement.of_rounds("ab", answer, {}, 1)
        assert (measurement.status, measurement.message) == ("error", "No round was measured.")
    assert Measurement.of_rounds("ab", result(status="timeout"), {}, 1).message == "No round was measured."


@pytest.mark.parametrize("status", [*WITHOUT_LATENCY, "crashed:SIGSEGV"])
def test_failed(status):
    measurement = Measurement.failed("ab", status, "why", {"cpu": "x"}, num_threads=2, load_ms=3.0)
    assert (measurement.status, measurement.ok, measurement.message) == (status, False, "why")
    assert (measurement.latency_ms, measurement.sustained_ms, measurement.p90_ms) == (None, None, None)
    assert (measurement.load_ms, measurement.environment, measurement.num_threads) == (3.0, {"cpu": "x"}, 2)
    assert Measurement.failed("ab", status, "why", {}, 1).load_ms is None


@pytest.mark.parametrize("status", WITH_LATENCY)
def test_statuses_with_a_latency(status):
    measurement = usable(status=status)
    assert measurement.ok
    assert read_back(measurement) == measurement
    with pytest.raises(UserError, match=f"Received: latency_ms=None, status='{status}'"):
        Measurement.failed("ab", status, "", {}, 1)


def read_back(measurement):
    return Measurement.from_json(json.loads(json.dumps(measurement.to_json())))


@pytest.mark.parametrize("status", [*WITHOUT_LATENCY, "crashed:SIGSEGV"])
def test_json_of_a_failure(status):
    measurement = Measurement.failed("ab", status, "why", {"loadavg": [0.1]}, 1, load_ms=1.0)
    assert read_back(measurement) == measurement


@pytest.mark.parametrize("source", SOURCES)
def test_json_of_a_latency(source):
    measurement = usable(source=source)
    assert read_back(measurement) == measurement
    data = measurement.to_json()
    assert set(data) == {field.name for field in dataclasses.fields(Measurement)}
    assert (type(data["rounds"]), type(data["output"])) == (list, list)


@pytest.mark.parametrize("measurement", [usable(), Measurement.failed("ab", "error", "", {}, 1)])
def test_documents_of_an_earlier_version(measurement):
    data = {name: value for name, value in measurement.to_json().items() if name not in ADDED}
    old = Measurement.from_json(data)
    assert old == dataclasses.replace(
        measurement, message="", spread=None, low_ms=None, high_ms=None, rss_bytes=None, output=(), source="measured"
    )


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(Measurement) if each.name not in ADDED])
def test_json_with_a_field_too_few(name):
    data = usable().to_json()
    del data[name]
    with pytest.raises(UserError, match=r"A measurement holds the fields \['environment', .*\]\. Received: \['") as law:
        Measurement.from_json(data)
    assert f"'{name}'" not in str(law.value).partition("Received:")[2]


def test_json_with_an_unknown_field_or_no_object():
    with pytest.raises(UserError, match=r"A measurement holds the fields .*Received: .*'energy_mj'"):
        Measurement.from_json({**usable().to_json(), "energy_mj": 1.0})
    with pytest.raises(UserError, match=r"Received: list\."):
        Measurement.from_json([])


def test_unknown_status():
    known = ", ".join(f"'{status}'" for status in WITH_LATENCY + WITHOUT_LATENCY)
    with pytest.raises(UserError, match=rf"^`status` is {known} or 'crashed:SIGNAL'\. Received: status='fine'\.$"):
        Measurement.failed("ab", "fine", "", {}, 1)


def test_unknown_source():
    match = r"^`source` is one of 'measured', 'estimated', 'predicted'\. Received: source='guessed'\.$"
    with pytest.raises(UserError, match=match):
        usable(source="guessed")


@pytest.mark.parametrize("latency_ms", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_usable_status_without_a_latency(latency_ms):
    law = "`latency_ms` is positive where `status` is one of 'ok', 'noisy', 'throttled', 'unstable', and None elsewhere"
    with pytest.raises(UserError, match=rf"^{law}\. Received: latency_ms={latency_ms}, status='ok'\.$"):
        usable(latency_ms=latency_ms)


def test_latency_of_a_failure():
    with pytest.raises(UserError, match=r"and None elsewhere\. Received: latency_ms=1\.0, status='lost'\.$"):
        usable(status="lost")
