"""The predictor: exact on linear devices, honest about what it does not know, the same after JSON."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.measure.features import cost_terms
from hwkeras.measure.features import usual_cost_ns
from hwkeras.measure.predictor import LatencyPredictor
from tests.measure.test_features import convolution
from tests.measure.test_features import depthwise
from tests.measure.test_features import network

FEW = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def random_networks(num_networks, seed=0, dtypes=("FLOAT32",)):
    rng = np.random.default_rng(seed)
    return [random_network(rng, dtypes[rng.integers(len(dtypes))]) for _ in range(num_networks)]


def random_network(rng, dtype="FLOAT32"):
    ops, depth, extent = [], 3, 32
    for _ in range(rng.integers(2, 7)):
        channels, pixels = int(rng.choice([8, 16, 24, 32, 64])), extent * extent
        if rng.random() < 0.3:
            ops.append(depthwise(pixels, depth, (3, 3), dtype))
        ops.append(convolution(pixels, channels, depth, (1, 1) if rng.random() < 0.3 else (3, 3), dtype=dtype))
        depth, extent = channels, max(4, extent // int(rng.integers(1, 3)))
    return network(*ops)


def device(seed=0, spread=0.5):
    """A function of an analysis: its latency in milliseconds where costs are some factor away from the usual ones."""
    rng = np.random.default_rng(seed)
    factors = {}

    def latency_ms(analysis):
        terms = cost_terms(analysis)
        for term in sorted(terms):
            factors.setdefault(term, float(np.exp(rng.normal() * spread)))
        return sum(amount * usual_cost_ns(term) * factors[term] for term, amount in terms.items()) * 3e-6

    return latency_ms


def latencies_of(networks, **options):
    latency_ms = device(**options)
    return np.array([latency_ms(analysis) for analysis in networks])


def noisy(latencies, seed=0, noise=0.05):
    return latencies * np.exp(np.random.default_rng(seed).normal(size=len(latencies)) * noise)


class TestFit:
    @FEW
    @given(seed=st.integers(0, 1000))
    def test_linear_devices_are_found_exactly(self, seed):
        networks, latency_ms = random_networks(140, seed), device(seed, 0.2)
        truth = np.array([latency_ms(analysis) for analysis in networks])
        predictor = LatencyPredictor().fit(networks[:100], truth[:100])
        predicted = np.array([predictor.predict(analysis).latency_ms for analysis in networks[100:]])
        assert np.abs(predicted / truth[100:] - 1).max() < 0.01

    @FEW
    @given(seed=st.integers(0, 1000))
    def test_the_usual_ratios_need_few_samples(self, seed):
        networks, latency_ms = random_networks(60, seed), device(seed, 0.0)
        truth = np.array([latency_ms(analysis) for analysis in networks])
        predictor = LatencyPredictor().fit(networks[:15], truth[:15])
        predicted = np.array([predictor.predict(analysis).latency_ms for analysis in networks])
        assert predicted == pytest.approx(truth, rel=1e-6)

    def test_types_may_be_mixed(self):
        networks, latency_ms = random_networks(140, dtypes=("FLOAT32", "INT8")), device()
        truth = noisy(np.array([latency_ms(analysis) for analysis in networks]), noise=0.02)
        predictor = LatencyPredictor().fit(networks[:60], truth[:60])
        predicted = np.array([predictor.predict(analysis).latency_ms for analysis in networks[60:]])
        assert np.mean(np.abs(predicted / truth[60:] - 1) < 0.1) > 0.9

    def test_a_slow_visit_is_no_evidence(self):
        networks, latency_ms = random_networks(100), device()
        truth = np.array([latency_ms(analysis) for analysis in networks])
        disturbed = truth[:60] * np.where(np.arange(60) % 12 == 0, 1.8, 1.0)
        predictor = LatencyPredictor().fit(networks[:60], disturbed)
        predicted = np.array([predictor.predict(analysis).latency_ms for analysis in networks[60:]])
        assert np.mean(np.abs(predicted / truth[60:] - 1) < 0.1) > 0.85

    def test_twice_the_latencies_give_twice_the_predictions(self):
        networks = random_networks(40)
        truth = noisy(latencies_of(networks))
        once, twice = LatencyPredictor().fit(networks, truth), LatencyPredictor().fit(networks, 2 * truth)
        for analysis in random_networks(10, seed=9):
            a, b = once.predict(analysis), twice.predict(analysis)
            assert (b.latency_ms, b.low_ms, b.high_ms) == pytest.approx((2 * a.latency_ms, 2 * a.low_ms, 2 * a.high_ms))

    def test_what_was_never_measured_costs_what_is_usual(self):
        networks, latency_ms = random_networks(40), device(spread=0.0)
        predictor = LatencyPredictor().fit(networks, [latency_ms(analysis) for analysis in networks])
        strange = random_network(np.random.default_rng(0), "INT8")
        assert predictor.predict(strange).latency_ms == pytest.approx(latency_ms(strange), rel=0.01)

    def test_what_was_never_measured_has_a_wide_interval(self):
        networks = random_networks(40)
        predictor = LatencyPredictor().fit(networks, noisy(latencies_of(networks)))
        strange, seen = (
            predictor.predict(random_network(np.random.default_rng(0), "INT8")),
            predictor.predict(networks[0]),
        )
        assert seen.low_ms < seen.latency_ms < seen.high_ms < 1.3 * seen.low_ms
        assert strange.high_ms > 2 * strange.latency_ms and strange.low_ms < strange.latency_ms / 2

    def test_the_parts_add_up(self):
        networks = random_networks(40)
        predictor = LatencyPredictor().fit(networks, latencies_of(networks))
        parts = predictor.breakdown(networks[0])
        assert sum(parts.values()) == pytest.approx(predictor.predict(networks[0]).latency_ms)
        assert {"network", "float32/convolution_kxk"} <= set(parts)


class TestIntervals:
    @pytest.mark.parametrize("coverage", [0.8, 0.9])
    def test_they_hold_their_share(self, coverage):
        inside = []
        for seed in range(4):
            networks, latency_ms = random_networks(260, seed), device(seed)
            truth = noisy(np.array([latency_ms(analysis) for analysis in networks]), seed)
            predictor = LatencyPredictor(coverage=coverage).fit(networks[:60], truth[:60])
            for analysis, latency in zip(networks[60:], truth[60:], strict=True):
                prediction = predictor.predict(analysis)
                inside.append(prediction.low_ms <= latency <= prediction.high_ms)
        assert coverage - 0.08 < np.mean(inside) < coverage + 0.08


class TestSamples:
    def test_too_few_are_refused(self):
        networks = random_networks(15)
        predictor = LatencyPredictor().fit(networks[:11], [1.0] * 11)
        assert (predictor.num_samples, predictor.is_ready) == (11, False)
        with pytest.raises(
            UserError, match="needs at least 15 measured networks. Received: 11. Measure 4 more and `update` with them"
        ):
            predictor.predict(networks[0])
        with pytest.raises(UserError, match="needs at least 15 measured networks"):
            predictor.breakdown(networks[0])
        predictor.update(networks[11:], [1.0] * 4)
        assert predictor.is_ready and predictor.predict(networks[0]).latency_ms > 0

    def test_updates_are_as_one_fit(self):
        networks = random_networks(40)
        truth = noisy(latencies_of(networks))
        together = LatencyPredictor().fit(networks, truth)
        apart = LatencyPredictor().fit(networks[:20], truth[:20])
        apart.predict(networks[0])
        apart.update(networks[20:], truth[20:])
        assert apart.to_json() == together.to_json()

    def test_the_same_network_counts_once_with_its_least_latency(self):
        networks = random_networks(20)
        predictor = LatencyPredictor().fit(networks, [2.0] * 20).update(networks, [1.0] * 20)
        assert predictor.num_samples == 20
        assert set(predictor.to_json()["samples"]["latency_ms"]) == {1.0}

    def test_fit_forgets(self):
        networks = random_networks(40)
        predictor = LatencyPredictor().fit(networks, [1.0] * 40).fit(networks[:3], [1.0] * 3)
        assert predictor.num_samples == 3

    @pytest.mark.parametrize("latency", [0.0, -1.0, float("nan"), float("inf"), None])
    def test_wrong_latencies_are_refused(self, latency):
        predictor = LatencyPredictor()
        with pytest.raises(UserError, match="`latencies_ms` must be positive and finite. Received: .*Leave out"):
            predictor.update(random_networks(2), [1.0, latency])
        assert predictor.num_samples == 0

    def test_lengths_must_agree(self):
        with pytest.raises(UserError, match="must be of one length. Received: 2 and 1"):
            LatencyPredictor().fit(random_networks(2), [1.0])


class TestArguments:
    @pytest.mark.parametrize("coverage", [0.4, 1.0, float("nan"), "0.9", True])
    def test_coverage(self, coverage):
        with pytest.raises(UserError, match=r"`coverage` must be in \[0.5, 1\). Received: coverage="):
            LatencyPredictor(coverage=coverage)

    def test_intervals_of_high_coverage_need_samples(self):
        with pytest.raises(UserError, match="`min_samples` must be at least 19 for intervals of coverage=0.95"):
            LatencyPredictor(coverage=0.95)
        assert LatencyPredictor(coverage=0.95, min_samples=19).min_samples == 19


class TestJson:
    def test_round_trip_is_exact(self):
        networks = random_networks(40, dtypes=("FLOAT32", "INT8"))
        truth = noisy(latencies_of(networks))
        predictor = LatencyPredictor(coverage=0.8).fit(networks, truth)
        document = predictor.to_json()
        again = LatencyPredictor.from_json(json.loads(json.dumps(document, allow_nan=False)))
        assert again.to_json() == document
        for analysis in random_networks(10, seed=9):
            assert again.predict(analysis) == predictor.predict(analysis)
        more = random_networks(5, seed=8)
        assert again.update(more, [1.0] * 5).to_json() == predictor.update(more, [1.0] * 5).to_json()

    def test_round_trip_of_too_few(self):
        for num_networks in (0, 3):
            predictor = LatencyPredictor().fit(random_networks(num_networks), [1.0] * num_networks)
            document = predictor.to_json()
            assert document["model"] is None
            assert LatencyPredictor.from_json(document).to_json() == document

    @pytest.mark.parametrize("document", [{}, [], None, {"format": "hwkeras.latency_predictor", "version": 2}])
    def test_other_documents_are_refused(self, document):
        with pytest.raises(UserError, match="must be of format 'hwkeras.latency_predictor', version 1. Received: "):
            LatencyPredictor.from_json(document)

    @pytest.mark.parametrize("field", ["coverage", "min_samples", "samples", "model"])
    def test_missing_fields_are_refused(self, field):
        networks = random_networks(20)
        document = LatencyPredictor().fit(networks, latencies_of(networks)).to_json()
        del document[field]
        with pytest.raises(UserError, match=f"must hold what `to_json` writes. Received: KeyError: '{field}'"):
            LatencyPredictor.from_json(document)
