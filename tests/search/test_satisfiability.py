"""What share of a space fits, told before the search."""

import itertools
import json
import math

import keras_tuner as kt
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles.random_search import RandomOracle
from hwkeras.search.satisfiability import satisfiability
from hwkeras.search.satisfiability import satisfiability_of
from hwkeras.testing import FakeClock

SIDES = list(range(1, 11))


def square():
    """100 networks: `a` x 1000 bytes, `b` milliseconds."""
    hp = kt.HyperParameters()
    hp.Choice("a", SIDES)
    hp.Choice("b", SIDES)
    return hp


def cost(hp):
    return {"size_bytes": 1000.0 * hp.values["a"] + 500, "latency_ms": float(hp.values["b"])}


def least(hp):
    return {"size_bytes": 1000 * hp.values["a"]}


class Asked:
    """A cost model that counts; it times only what lies within the limit on size, as a screen does."""

    def __init__(self, max_bytes=math.inf, clock=None):
        self.max_bytes = max_bytes
        self.clock = clock
        self.num = 0

    def __call__(self, hp):
        self.num += 1
        if self.clock is not None:
            self.clock.advance(1.0)
        known = cost(hp)
        return known if known["size_bytes"] <= self.max_bytes else {"size_bytes": known["size_bytes"]}


def test_shares_alone_and_together():
    told = satisfiability(square(), ["size=5600B", "latency=2ms"], cost, num_samples=48)
    assert told.num_samples == told.num_built == 48
    assert told.shares["size=5.469KiB"] == pytest.approx(0.5, abs=0.2)
    assert told.shares["latency=2ms"] == pytest.approx(0.2, abs=0.15)
    assert 0 < told.share <= min(told.shares.values())
    assert told.binds == "latency=2ms" and told.relaxation is None
    assert str(told).startswith(f"About {told.share:.0%} of the space fits the limits (size=5.469KiB ")
    assert str(told).endswith("; latency=2ms binds.")


def test_a_lower_bound_saves_building():
    limits = ["size=5600B", "latency=2ms"]
    asked = Asked(max_bytes=5600)
    told = satisfiability(square(), limits, asked, num_samples=1000, least=least)
    assert told.num_built == asked.num <= 54
    assert told.shares[str(Limit.parse("size=5600B"))] == pytest.approx(0.5, abs=0.06)
    assert told.share == pytest.approx(0.1, abs=0.07)


def test_time_is_kept_but_one_network_is_built():
    clock = FakeClock()
    asked = Asked(clock=clock)
    satisfiability(square(), ["latency=2ms"], asked, seconds=3, clock=clock)
    assert asked.num == 4
    asked = Asked(clock=clock)
    satisfiability(square(), ["latency=2ms"], asked, seconds=0, clock=clock)
    assert asked.num == 1


def test_the_nearest_relaxation_of_one_limit():
    told = satisfiability(square(), ["size=100KiB", "latency=0.5ms"], cost, num_samples=48)
    assert told.share == 0 and told.binds == "latency=0.5ms"
    ((asked, relaxed),) = told.relaxation.changes
    assert asked == Limit("latency_ms", 0.5) and relaxed == Limit("latency_ms", 1.0)
    assert told.relaxation.share == pytest.approx(0.1, abs=0.1)
    share = f"{told.relaxation.share:.0%}"
    assert str(told).endswith(f"latency=0.5ms binds: latency=0.5ms -> 1ms would admit {share}. Rarer ones may.")
    assert str(told).startswith("None of 48 random networks fits the limits (size=100KiB 100%, latency=0.5ms 0%)")


def test_a_relaxation_is_told_of_a_file_that_was_built():
    told = satisfiability(square(), ["size=900B"], Asked(), num_samples=200, least=least)
    ((_, relaxed),) = told.relaxation.changes
    assert relaxed.bound == 1500 and told.relaxation.share >= 0.03


def test_limits_that_bind_together_give_way_together():
    told = satisfiability(square(), ["size=1400B", "latency=0.9ms"], cost, num_samples=48)
    changed = [relaxed.metric for _, relaxed in told.relaxation.changes]
    assert changed == ["size_bytes", "latency_ms"]
    assert " and latency=0.9ms -> " in str(told)


def test_what_nobody_can_know_yet_is_told():
    told = satisfiability(square(), ["latency=2ms", "accuracy=0.9"], lambda hp: {"size_bytes": 1.0}, num_samples=9)
    assert told.share is None and told.shares == {"latency=2ms": None, "accuracy=0.9000": None}
    assert str(told) == "What share of the space fits the limits shows only when networks are measured."


def test_networks_that_cannot_be_built_fit_nothing():
    told = satisfiability(square(), ["size=1MiB"], lambda hp: cost(hp) if hp.values["a"] > 5 else None)
    assert told.shares["size=1MiB"] == told.share == pytest.approx(0.5, abs=0.2)
    nothing = satisfiability(square(), ["size=1MiB"], lambda hp: None, num_samples=9)
    assert nothing.share == 0 and nothing.relaxation is None and nothing.num_built == 0

    def misfit(hp):
        raise UserError("layers do not fit")

    assert satisfiability(square(), ["size=1MiB"], cost, num_samples=9, least=misfit).share == 0


def test_a_limit_that_all_keep_does_not_bind():
    told = satisfiability(square(), ["size=1MiB"], cost, num_samples=9)
    assert told.share == 1.0 and told.binds == "" and str(told) == "About 100% of the space fits the limits."


def test_an_oracle_is_asked_once_for_each_network():
    asked = Asked()
    oracle = RandomOracle(["latency_ms"], ["latency=2ms"], seed=3, hyperparameters=square(), cost_model=asked)
    told = satisfiability_of(oracle)
    assert told == satisfiability(square(), ["latency=2ms"], cost, seed=3)
    assert asked.num < told.num_built
    num = asked.num
    assert satisfiability_of(oracle) == told and asked.num == num


def test_it_is_plain_data():
    told = satisfiability(square(), ["size=900B", "latency=5ms"], cost)
    document = json.loads(json.dumps(told.to_json()))
    assert document["message"] == str(told) and document["share"] == 0
    assert document["relaxation"]["limits"] == {"size=900B": "size=1.465KiB"}
    assert satisfiability(square(), ["latency=5ms"], cost).to_json()["relaxation"] is None


def test_no_samples_are_refused():
    with pytest.raises(UserError, match="`num_samples` must be at least 1. Received: num_samples=0"):
        satisfiability(square(), ["size=1KiB"], cost, num_samples=0)


@settings(deadline=None, max_examples=30)
@given(st.integers(300, 12000), st.integers(1, 12), st.integers(0, 5), st.booleans())
def test_what_is_told_holds(size, latency, seed, with_least):
    limits = [Limit("size_bytes", float(size)), Limit("latency_ms", latency - 0.5)]
    told = satisfiability(square(), limits, Asked(size), num_samples=48, seed=seed, least=least if with_least else None)
    everything = [{"size_bytes": 1000.0 * a + 500, "latency_ms": float(b)} for a, b in itertools.product(SIDES, SIDES)]
    share = sum(total_violation(limits, metrics) == 0 for metrics in everything) / len(everything)
    if told.share is not None:
        assert 0 <= told.share <= 1 and (share > 0 or told.share == 0)
        assert told.share == pytest.approx(share, abs=0.3)
    if told.relaxation is not None:
        changes = dict(told.relaxation.changes)
        assert all(relaxed.bound > asked.bound for asked, relaxed in changes.items())
        assert 0 < told.relaxation.share <= 1
