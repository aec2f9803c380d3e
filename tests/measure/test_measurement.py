"""A measurement's figures from its rounds, its status, its JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.measure import Measurement
from hwkeras.measure.measurement import spread_of_best


def one_round(min_ms, median_ms, p90_ms):
    return {
        "num_invokes": 10,
        "min_ms": min_ms,
        "p10_ms": min_ms,
        "median_ms": median_ms,
        "mean_ms": median_ms,
        "p90_ms": p90_ms,
    }


def result(*rounds, error=None):
    return {"rounds": list(rounds), "error": error, "partitions": 1, "first_ms": 5.0, "load_ms": 2.0}


def test_figures_of_rounds():
    rounds = (one_round(1.00, 1.2, 1.9), one_round(1.04, 1.1, 1.3), one_round(4.00, 5.0, 6.0))
    measurement = Measurement.of_rounds("ab", result(*rounds), {"cpu": "x"}, num_threads=2)
    assert (measurement.latency_ms, measurement.sustained_ms, measurement.p90_ms) == (1.00, 1.2, 1.9)
    assert (measurement.status, measurement.ok, measurement.message) == ("ok", True, "")
    assert (measurement.first_ms, measurement.load_ms, measurement.partitions) == (5.0, 2.0, 1)
    assert (measurement.rounds, measurement.num_threads) == (rounds, 2)


def test_two_best_rounds_apart_are_noisy():
    rounds = (one_round(1.0, 1.2, 1.9), one_round(1.06, 1.1, 1.3), one_round(1.2, 1.3, 1.4))
    measurement = Measurement.of_rounds("ab", result(*rounds), {}, num_threads=1)
    assert (measurement.status, measurement.ok, measurement.latency_ms) == ("noisy", True, 1.0)
    assert measurement.message.startswith("The two best of 3 rounds differ by 6.0%, more than 5%.")


def test_one_round_is_noisy():
    measurement = Measurement.of_rounds("ab", result(one_round(1.0, 1.2, 1.9)), {}, num_threads=1)
    assert measurement.status == "noisy"
    assert measurement.message == "1 round cannot be confirmed by another. Allow more time."


def test_refused_model():
    measurement = Measurement.of_rounds("ab", result(error="ValueError: no"), {}, num_threads=1)
    assert (measurement.status, measurement.ok, measurement.latency_ms) == ("error", False, None)
    assert measurement.message == "ValueError: no"


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=8))
def test_spread_is_of_the_two_least_in_any_order(minima):
    spread = spread_of_best([{"min_ms": value} for value in minima])
    assert spread == spread_of_best([{"min_ms": value} for value in reversed(minima)])
    assert spread >= 0
    assert math.isclose(min(minima) * (1 + spread), sorted(minima)[1])


@pytest.mark.parametrize("status", ["ok", "timeout", "crashed:SIGSEGV"])
def test_json_round_trip(status):
    if status == "ok":
        rounds = (one_round(1.0, 1.2, 1.9), one_round(1.0, 1.1, 1.3))
        measurement = Measurement.of_rounds("ab", result(*rounds), {"loadavg": [0.1]}, num_threads=1)
    else:
        measurement = Measurement.failed("ab", status, "why", {}, num_threads=1)
    assert Measurement.from_json(json.loads(json.dumps(measurement.to_json()))) == measurement


def test_unknown_status():
    with pytest.raises(UserError, match=r"'crashed:SIGNAL'\. Received: status='fine'"):
        Measurement.failed("ab", "fine", "", {}, 1)


def test_usable_status_without_latency():
    with pytest.raises(UserError, match=r"positive where `status` is 'ok'.*Received: latency_ms=None, status='ok'"):
        Measurement.failed("ab", "ok", "", {}, 1)


def test_json_with_a_field_too_few_or_no_object():
    data = Measurement.failed("ab", "error", "", {}, 1).to_json()
    del data["sha256"]
    with pytest.raises(UserError, match=r"A measurement holds the fields \['environment'.*Received: \['environment'"):
        Measurement.from_json(data)
    with pytest.raises(UserError, match="Received: list"):
        Measurement.from_json([])
