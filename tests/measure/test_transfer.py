"""Transfer to a second device: exact where it can be, better than a line in log space, the same after JSON."""

import json
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.measure.latency_transfer import TransferredPredictor
from hwkeras.measure.latency_transfer import choose_samples
from hwkeras.measure.latency_transfer import transfer
from hwkeras.measure.latency_transfer import transfer_table
from hwkeras.measure.predictor import LatencyPredictor
from tests.benchmarks import bench_transfer
from tests.measure.test_predictor import latencies_of
from tests.measure.test_predictor import noisy
from tests.measure.test_predictor import random_networks

TABLE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201_dev.csv.gz"


def table(num_networks=300, seed=0, noise=0.0):
    """Counts of four kinds of operator, and latencies of two devices to which they cost different amounts."""
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 6, (num_networks, 4)).astype(float)
    proxy, second = (5 + features @ rng.uniform(0.5, 4, 4) for _ in range(2))
    return features, proxy * np.exp(rng.normal(size=num_networks) * noise), second


def ready_predictor(seed=0):
    networks = random_networks(60)
    return LatencyPredictor().fit(networks, noisy(latencies_of(networks, seed=seed), noise=0.02))


class TestTable:
    @settings(max_examples=20, deadline=None)
    @given(factor=st.floats(0.01, 100), seed=st.integers(0, 1000), noise=st.sampled_from([0.0, 0.05, 0.3]))
    def test_a_device_that_is_some_times_as_fast_is_found_exactly(self, factor, seed, noise):
        features, proxy, _ = table(seed=seed, noise=noise)
        chosen = choose_samples(proxy, features, seed=seed)
        found = transfer_table(proxy, features, chosen, factor * proxy[list(chosen)])
        assert np.median(np.abs(found.latency_ms / (factor * proxy) - 1)) < 0.005

    def test_without_features_as_well(self):
        _, proxy, _ = table()
        found = transfer_table(proxy, np.zeros((len(proxy), 0)), range(10), 3 * proxy[:10])
        assert found.latency_ms == pytest.approx(3 * proxy, rel=0.01)

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_other_costs_are_found_better_than_by_a_line(self, seed):
        features, proxy, second = table(seed=seed)
        chosen = np.array(choose_samples(proxy, features, seed=seed))
        found = transfer_table(proxy, features, chosen, second[chosen])
        line = bench_transfer.log_linear(proxy, chosen, second[chosen])
        error, line_error = (np.abs(values / second - 1).mean() for values in (found.latency_ms, line))
        assert error < 0.03 and error < line_error

    def test_noise_of_the_proxy_is_not_carried_over(self):
        features, proxy, second = table(noise=0.15)
        found = transfer_table(proxy, features, range(10), second[:10])
        line = bench_transfer.log_linear(proxy, np.arange(10), second[:10])
        assert np.abs(found.latency_ms / second - 1).mean() < 0.5 * np.abs(line / second - 1).mean()

    def test_twice_the_latencies_give_twice_the_predictions(self):
        features, proxy, second = table(noise=0.1)
        once = transfer_table(proxy, features, range(10), second[:10])
        twice = transfer_table(proxy, features, range(10), 2 * second[:10])
        for name in ("latency_ms", "low_ms", "high_ms"):
            assert getattr(twice, name) == pytest.approx(2 * getattr(once, name))

    def test_units_of_the_features_do_not_matter(self):
        features, proxy, second = table(noise=0.1)
        found = transfer_table(proxy, features, range(10), second[:10])
        scaled = transfer_table(proxy, features * [1e6, 1, 1e-6, 3], range(10), second[:10])
        assert scaled.latency_ms == pytest.approx(found.latency_ms, rel=1e-6)

    def test_intervals_hold_their_share(self):
        inside = []
        for seed in range(10):
            features, proxy, second = table(seed=seed, noise=0.05)
            second = noisy(second, seed, 0.08)
            found = transfer_table(proxy, features, range(10), second[:10], coverage=0.9)
            inside.append(np.mean((found.low_ms <= second) & (second <= found.high_ms)))
        assert 0.85 < np.mean(inside) < 0.99


class TestChoice:
    def test_is_distinct_and_repeatable(self):
        features, proxy, _ = table()
        chosen = choose_samples(proxy, features, 12, seed=3)
        assert len(set(chosen)) == 12 and chosen == choose_samples(proxy, features, 12, seed=3)

    def test_tells_more_than_chance(self):
        errors = {"chosen": [], "random": []}
        for seed in range(12):
            features, proxy, second = table(seed=seed)
            second = noisy(second, seed, 0.03)
            picks = {"chosen": choose_samples(proxy, features, seed=seed), "random": range(10)}
            for name, chosen in picks.items():
                found = transfer_table(proxy, features, chosen, second[list(chosen)])
                errors[name].append(np.abs(found.latency_ms / second - 1).mean())
        assert np.mean(errors["chosen"]) < np.mean(errors["random"])

    @pytest.mark.parametrize("num_samples", [4, 301])
    def test_of_too_few_or_too_many_is_refused(self, num_samples):
        features, proxy, _ = table()
        with pytest.raises(
            UserError, match=f"from 5 to the number of networks, 300. Received: num_samples={num_samples}"
        ):
            choose_samples(proxy, features, num_samples)


class TestArguments:
    def test_too_few_samples_are_refused(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match="at least 5 networks .* Received: 3. Measure 2 more; 10 are usual."):
            transfer_table(proxy, features, range(3), second[:3])
        with pytest.raises(UserError, match="at least 5 networks .* Received: 3. Measure 2 more"):
            transfer(ready_predictor(), random_networks(3), [1.0] * 3)

    def test_lengths_must_agree(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match="one latency for each network measured. Received: 10 networks and 9"):
            transfer_table(proxy, features, range(10), second[:9])

    def test_indices_must_lie_in_the_table(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match="`chosen` must be indices below 300. Received: 295 to 304"):
            transfer_table(proxy, features, range(295, 305), second[:10])

    def test_shapes_must_fit(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match=r"Received: shapes \(300,\) and \(299, 4\)"):
            transfer_table(proxy, features[1:], range(10), second[:10])

    def test_latencies_must_be_positive(self):
        features, proxy, second = table()
        broken = np.where(np.arange(300) == 7, 0.0, proxy)
        with pytest.raises(
            UserError, match="`proxy_ms` must be positive and finite. Received: 0.0 at index 7, 1 in all"
        ):
            transfer_table(broken, features, range(10), second[:10])
        with pytest.raises(UserError, match="`latencies_ms` must be positive and finite. Received: nan at index 0"):
            transfer_table(proxy, features, range(10), [float("nan")] * 10)

    def test_features_must_be_finite(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match="`features` must be finite. Received: NaN or infinity"):
            transfer_table(proxy, features * np.nan, range(10), second[:10])

    def test_coverage(self):
        features, proxy, second = table()
        with pytest.raises(UserError, match=r"`coverage` must be in \[0.5, 1\)"):
            transfer_table(proxy, features, range(10), second[:10], coverage=1.5)

    def test_the_proxy_must_be_ready(self):
        with pytest.raises(UserError, match="A prediction needs at least 15 measured networks. Received: 0"):
            transfer(LatencyPredictor(), random_networks(10), [1.0] * 10)


class TestPredictor:
    def test_a_device_that_is_some_times_as_fast_is_found_exactly(self):
        proxy, networks = ready_predictor(), random_networks(40, seed=5)
        known = [proxy.predict(analysis).latency_ms for analysis in networks]
        second = transfer(proxy, networks[:10], [4 * latency for latency in known[:10]])
        predicted = [second.predict(analysis).latency_ms for analysis in networks]
        assert predicted == pytest.approx([4 * latency for latency in known], rel=1e-3)

    def test_kinds_that_differ_are_found(self):
        proxy, networks = ready_predictor(), random_networks(80, seed=5)
        parts = [proxy.breakdown(analysis) for analysis in networks]
        truth = np.array([sum(ms * (3 if "depthwise" in kind else 1) for kind, ms in part.items()) for part in parts])
        second = transfer(proxy, networks[:10], truth[:10])
        predicted = np.array([second.predict(analysis).latency_ms for analysis in networks])
        assert np.abs(predicted / truth - 1).mean() < 0.02

    def test_intervals_are_around_the_prediction(self):
        proxy, networks = ready_predictor(), random_networks(10, seed=5)
        prediction = transfer(proxy, networks, range(1, 11)).predict(networks[0])
        assert 0 < prediction.low_ms < prediction.latency_ms < prediction.high_ms

    def test_round_trip_is_exact(self):
        networks = random_networks(20, seed=5)
        second = transfer(ready_predictor(), networks[:10], noisy(np.arange(1.0, 11.0)), coverage=0.8)
        document = second.to_json()
        again = TransferredPredictor.from_json(json.loads(json.dumps(document, allow_nan=False)))
        assert again.to_json() == document
        assert [again.predict(analysis) for analysis in networks] == [second.predict(analysis) for analysis in networks]

    def test_other_documents_are_refused(self):
        with pytest.raises(UserError, match="must be of format 'hwkeras.latency_transfer', version 1. Received: 'x'"):
            TransferredPredictor.from_json({"format": "x", "version": 1})
        document = transfer(ready_predictor(), random_networks(10), range(1, 11)).to_json()
        del document["map"]
        with pytest.raises(UserError, match="must hold what `to_json` writes. Received: KeyError: 'map'"):
            TransferredPredictor.from_json(document)


@pytest.mark.skipif(not TABLE.exists(), reason="needs ../shared/data/nb201_dev.csv.gz")
def test_real_devices_are_carried_over_better_than_by_a_line():
    archs, latencies = bench_transfer.read_table(TABLE)
    every = slice(None, None, 20)
    features, has_path = bench_transfer.features_of(archs[every])
    for proxy, second in (("essential_ph_1", "samsung_a50"), ("titanx_1", "1080ti_256"), ("gold_6240", "silver_4210r")):
        errors = []
        for seed in range(5):
            p, t = latencies[proxy][every][has_path], latencies[second][every][has_path]
            chosen = np.random.default_rng(seed).choice(len(p), 10, replace=False)
            found = transfer_table(p, features[has_path], chosen, t[chosen]).latency_ms
            line = bench_transfer.log_linear(p, chosen, t[chosen])
            errors.append([np.abs(found / t - 1).mean(), np.abs(line / t - 1).mean()])
        assert np.divide(*np.mean(errors, axis=0)) < 0.75
