"""Carries latencies from a device that is known to a second one, from about ten measurements there.

The usual way is the log-linear map, log t = a + b log p of the proxy's latency p. It knows only the total; but a
second device differs by *kind of work*: one has a fast matrix unit, another slow memory. Here the proxy's latency is
split into parts, and each part is let differ as much as the ten measurements say, from nothing to everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.errors import UserError
from hwkeras.measure.cost_model import Prediction
from hwkeras.measure.latency_map import LatencyMap
from hwkeras.measure.latency_map import most_telling
from hwkeras.measure.latency_map import residual_of
from hwkeras.measure.latency_map import rows_of
from hwkeras.measure.latency_map import split_proxy
from hwkeras.measure.latency_map import spreads
from hwkeras.measure.predictor import LatencyPredictor
from hwkeras.measure.predictor import check_format
from hwkeras.measure.predictor import checked_coverage

FORMAT, VERSION = "hwkeras.latency_transfer", 1
MIN_SAMPLES = 5
NUM_SAMPLES = 10

# How `choose_samples` weighs them before anything is known.
_DESIGN_DIFFERENCE, _DESIGN_POOL = 0.15, 600


@dataclass(frozen=True)
class Transferred:
    """Latencies of a table of networks on the second device.

    Args:
        latency_ms: float array of shape (num_networks,).
        low_ms: float array of shape (num_networks,), lower ends of the intervals.
        high_ms: float array of shape (num_networks,), upper ends.
    """

    latency_ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray


def transfer_table(proxy_ms, features, chosen, latencies_ms, coverage=0.9):
    """Predicts a table of networks on a second device from a few of them measured there.

    The proxy's latency is split by least squares into a constant and a share of each feature; what this leaves over
    counts as either noise of the proxy or as true, whichever explains the second device better. The second device's
    latency is that of the proxy with each part changed by an unknown amount: a Bayesian linear model, averaged over how
    much parts differ and how noisy the device is.

    Args:
        proxy_ms: float array of shape (num_networks,), the proxy's latencies, measured or predicted.
        features: float array of shape (num_networks, num_features), amounts that latency may be proportional to, such
            as the number of operators of each kind. May have no columns.
        chosen: sequence of int, the networks measured on the second device; see `choose_samples`.
        latencies_ms: sequence of float, their latencies there.
        coverage: float, the probability of the interval, which is a credible one. Defaults to `0.9`.

    Returns:
        Transferred.

    Raises:
        UserError: too few samples, or an argument of the wrong shape or range.
    """
    proxy, features = _checked_table(proxy_ms, features)
    chosen, latencies = _checked_samples(chosen, latencies_ms, len(proxy))
    directions, total = split_proxy(proxy, features)
    residual = residual_of(proxy, total)
    fitted = LatencyMap.fit(directions[chosen], total[chosen], residual[chosen], latencies, np.log(total).mean())
    return Transferred(*fitted.predict(directions, total, residual, checked_coverage(coverage)))


def choose_samples(proxy_ms, features, num_samples=NUM_SAMPLES, seed=0):
    """Chooses networks to measure on the second device: those that together tell most about all the others.

    Args:
        proxy_ms: float array of shape (num_networks,), the proxy's latencies.
        features: float array of shape (num_networks, num_features), as for `transfer_table`.
        num_samples: int. Defaults to `10`.
        seed: int, of the 600 networks considered where there are more. Defaults to `0`.

    Returns:
        tuple of int, indices of networks.

    Raises:
        UserError: fewer networks than samples, or an argument of the wrong shape or range.
    """
    proxy, features = _checked_table(proxy_ms, features)
    if not MIN_SAMPLES <= num_samples <= len(proxy):
        raise UserError(
            f"`num_samples` must be from {MIN_SAMPLES} to the number of networks, {len(proxy)}. Received: "
            f"num_samples={num_samples!r}."
        )
    directions, total = split_proxy(proxy, features)
    rows = rows_of(directions, total, residual_of(proxy, total), np.log(total).mean())
    pool = np.random.default_rng(seed).permutation(len(proxy))[: max(_DESIGN_POOL, num_samples)]
    scaled = rows[pool] * spreads(directions.shape[1], _DESIGN_DIFFERENCE)
    return tuple(int(pool[index]) for index in most_telling(scaled, num_samples))


def transfer(proxy, analyses, latencies_ms, coverage=0.9):
    """Makes a predictor of a second device from that of a first one and a few networks measured on the second.

    Each type of network, and each kind of operator in it, is let take a share more or less of its time than on the
    proxy.

    Args:
        proxy: `LatencyPredictor` of the first device, with samples enough to predict.
        analyses: sequence of `Analysis`, of the networks measured on the second device, 5 or more; 10 are usual.
        latencies_ms: sequence of float, their latencies there.
        coverage: float, the probability of the intervals, which are credible ones. Defaults to `0.9`.

    Returns:
        TransferredPredictor.

    Raises:
        UserError: too few samples, sequences of different lengths, a latency that is not positive.
    """
    analyses = list(analyses)
    _, latencies = _checked_samples(range(len(analyses)), latencies_ms, len(analyses))
    parts = [proxy.breakdown(analysis) for analysis in analyses]
    names = _direction_names(parts)
    directions, total = _directions(parts, names)
    fitted = LatencyMap.fit(directions, total, np.zeros(len(total)), latencies, float(np.log(total).mean()))
    return TransferredPredictor(proxy, names, fitted, checked_coverage(coverage))


class TransferredPredictor:
    """Predicts a second device; made by `transfer`.

    Args:
        proxy: `LatencyPredictor` of the first device.
        names: tuple of str, the types and kinds whose share may differ.
        fitted: the map from parts to latencies.
        coverage: float, the probability of the intervals.
    """

    def __init__(self, proxy, names, fitted, coverage):
        self.proxy = proxy
        self.coverage = coverage
        self._names = tuple(names)
        self._map = fitted

    def predict(self, analysis):
        """Predicts the latency of a network on the second device.

        Args:
            analysis: `Analysis`.

        Returns:
            Prediction.
        """
        directions, total = _directions([self.proxy.breakdown(analysis)], self._names)
        latency, low, high = self._map.predict(directions, total, np.zeros(1), self.coverage)
        return Prediction(float(latency[0]), float(low[0]), float(high[0]))

    def to_json(self):
        """The predictor as plain data for JSON; `from_json` reads it back equal.

        Returns:
            dict.
        """
        return {
            "format": FORMAT,
            "version": VERSION,
            "coverage": self.coverage,
            "names": list(self._names),
            "map": self._map.to_json(),
            "proxy": self.proxy.to_json(),
        }

    @classmethod
    def from_json(cls, data):
        """Reads what `to_json` wrote.

        Args:
            data: dict.

        Returns:
            TransferredPredictor.

        Raises:
            UserError: another format or version, or a field that is missing or wrong.
        """
        check_format(data, FORMAT, VERSION)
        try:
            proxy = LatencyPredictor.from_json(data["proxy"])
            return cls(proxy, data["names"], LatencyMap.from_json(data["map"]), checked_coverage(data["coverage"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"A transferred predictor's document must hold what `to_json` writes. Received: "
                f"{type(error).__name__}: {error}. Transfer again from the measurements."
            ) from error


def _direction_names(parts):
    kinds = sorted({name for part in parts for name in part if "/" in name})
    return (*sorted({name.split("/")[0] for name in kinds}), *kinds)


def _directions(parts, names):
    """Milliseconds of each type (a name without a slash) and kind, (num_networks, num_names), and of all together."""
    rows = [
        [sum(ms for key, ms in part.items() if key == name or key.startswith(f"{name}/")) for name in names]
        for part in parts
    ]
    total = np.array([sum(part.values()) for part in parts])
    return np.array(rows, np.float64).reshape(len(parts), len(names)), np.maximum(total, 1e-9)


def _checked_table(proxy_ms, features):
    proxy, features = np.asarray(proxy_ms, np.float64), np.asarray(features, np.float64)
    if proxy.ndim != 1 or features.ndim != 2 or len(features) != len(proxy):
        raise UserError(
            "`proxy_ms` must be of shape (num_networks,) and `features` of shape (num_networks, num_features). "
            f"Received: shapes {proxy.shape} and {features.shape}."
        )
    _check_positive("proxy_ms", proxy)
    if not np.isfinite(features).all():
        raise UserError("`features` must be finite. Received: NaN or infinity. Leave out those networks.")
    return proxy, features


def _checked_samples(chosen, latencies_ms, num_networks):
    chosen, latencies = np.asarray(list(chosen), np.int64), np.asarray(list(latencies_ms), np.float64)
    if len(chosen) != len(latencies):
        raise UserError(
            f"There must be one latency for each network measured. Received: {len(chosen)} networks and "
            f"{len(latencies)} latencies."
        )
    if len(chosen) < MIN_SAMPLES:
        raise UserError(
            f"A transfer needs at least {MIN_SAMPLES} networks measured on the second device. Received: {len(chosen)}. "
            f"Measure {MIN_SAMPLES - len(chosen)} more; {NUM_SAMPLES} are usual."
        )
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < num_networks):
        raise UserError(f"`chosen` must be indices below {num_networks}. Received: {chosen.min()} to {chosen.max()}.")
    _check_positive("latencies_ms", latencies)
    return chosen, latencies


def _check_positive(name, values):
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        raise UserError(
            f"`{name}` must be positive and finite. Received: {values[wrong][0]} at index {int(np.argmax(wrong))}, "
            f"{int(wrong.sum())} in all. Leave out those networks."
        )
