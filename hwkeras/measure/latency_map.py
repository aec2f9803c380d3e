"""A second device's latency as that of a first, part by part: the Bayesian linear model under `transfer`."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np

# What is expected before the first measurement, as shares of the latency. The scale is free.
_SCALE_SPREAD = 10.0
_SLOPE_SPREAD = 0.05
_RESIDUAL_SPREAD, _WIDEST_RESIDUAL = 0.3, 0.5
_LEAST_PART = 0.2
# How much parts differ, and how noisy the second device is: both unknown, weighed over these values.
_DIFFERENCES = tuple(np.geomspace(0.01, 3.0, 8))
_NOISES = tuple(np.geomspace(0.01, 0.4, 8))
_USUAL_NOISE, _NOISE_SPREAD = 0.08, 0.6
# What the proxy's parts leave over is noise (0) or true (1), and how probable that is.
_READINGS = ((0.0, 0.9), (1.0, 0.1))
_NUM_REWEIGHTINGS = 2
_LEAST_SHARE = 0.05
# How noisy the second device is taken to be while samples are chosen.
_DESIGN_NOISE = 0.05


@dataclass(frozen=True)
class _Branch:
    """One reading of what the proxy's parts leave over: noise (`trust` 0) or true (1). Weights are normal."""

    trust: float
    probability: float
    scale: float
    mean: np.ndarray
    covariance: np.ndarray
    noise: float


class LatencyMap:
    """The second device's latency as that of the proxy, part by part; made by `LatencyMap.fit`.

    Args:
        center: float, mean logarithm of the proxy's latencies.
        branches: sequence of `_Branch`.
    """

    def __init__(self, center, branches):
        self.center = float(center)
        self.branches = tuple(branches)

    @classmethod
    def fit(cls, directions, total, residual, latencies_ms, center):
        """Fits both readings of the residual, where there is one, and weighs them by their evidence.

        Args:
            directions: float array of shape (num_samples, num_directions), milliseconds that may differ together.
            total: float array of shape (num_samples,), the proxy's latencies as the sum of their parts.
            residual: float array of shape (num_samples,), log ratio of the proxy's own latencies to `total`.
            latencies_ms: float array of shape (num_samples,), of the second device.
            center: float, mean logarithm of `total` over all networks.

        Returns:
            LatencyMap.
        """
        rows = rows_of(directions, total, residual, center)
        readings = _READINGS if np.any(residual) else _READINGS[:1]
        found = [
            (trust, prior, *_fit_branch(rows, total * np.exp(trust * residual), latencies_ms))
            for trust, prior in readings
        ]
        evidence = np.array([entry[2] + math.log(entry[1]) for entry in found])
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        branches = [
            _Branch(trust, float(weight), *fitted)
            for (trust, _, _, *fitted), weight in zip(found, weights, strict=True)
        ]
        return cls(center, branches)

    def predict(self, directions, total, residual, coverage):
        """Latencies and the ends of their intervals.

        Args:
            directions: float array of shape (num_networks, num_directions).
            total: float array of shape (num_networks,).
            residual: float array of shape (num_networks,).
            coverage: float, the probability of the interval.

        Returns:
            Three float arrays of shape (num_networks,).
        """
        rows = rows_of(directions, total, residual, self.center)
        reach = statistics.NormalDist().inv_cdf(0.5 + coverage / 2)
        latency, variance = np.zeros(len(total)), np.zeros(len(total))
        for branch in self.branches:
            factor = np.maximum(1 + rows @ branch.mean, _LEAST_SHARE)
            # The least expected relative error |predicted / true - 1|, which weighs what turns out fast more than slow.
            cautious = branch.scale * math.exp(-(branch.noise**2))
            latency += branch.probability * cautious * total * np.exp(branch.trust * residual) * factor
            unsure = ((rows @ branch.covariance) * rows).sum(axis=1) / factor**2
            variance += branch.probability * (unsure + branch.noise**2)
        margin = np.exp(reach * np.sqrt(variance))
        return latency, latency / margin, latency * margin

    def to_json(self):
        """The map as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "center": self.center,
            "branches": [
                {**vars(branch), "mean": branch.mean.tolist(), "covariance": branch.covariance.tolist()}
                for branch in self.branches
            ],
        }

    @classmethod
    def from_json(cls, data):
        """Reads what `to_json` wrote.

        Args:
            data: dict.

        Returns:
            LatencyMap.
        """
        branches = [
            _Branch(**{**branch, "mean": np.array(branch["mean"]), "covariance": np.array(branch["covariance"])})
            for branch in data["branches"]
        ]
        return cls(data["center"], branches)


def _fit_branch(rows, base, latencies_ms):
    """Evidence, scale, mean and covariance of the weights, noise: latency = scale * base * (1 + rows @ weights)."""
    scale = math.exp(float(np.median(np.log(latencies_ms / base))))
    targets = latencies_ms / (scale * base) - 1
    factors = np.ones(len(targets))
    for _ in range(_NUM_REWEIGHTINGS):
        evidence, mean, covariance, noise = _average(rows, targets, np.clip(factors, 0.3, 3.0) ** 2)
        factors = np.maximum(1 + rows @ mean, _LEAST_SHARE)
    # The density of the latencies themselves, so that readings with different bases can be weighed.
    return evidence - float(np.log(scale * base).sum()), scale, mean, covariance, noise


def _average(rows, targets, noise_scale):
    """The linear model averaged over how much parts differ and how noisy the device is."""
    evidence, means, covariances, noises = [], [], [], []
    for difference in _DIFFERENCES:
        prior = spreads(rows.shape[1] - 3, difference) ** 2
        spread = (rows * prior) @ rows.T
        for noise in _NOISES:
            inverse = np.linalg.inv(spread + np.diag(noise**2 * noise_scale))
            gain = (rows * prior).T @ inverse
            logarithm = np.linalg.slogdet(inverse)[1] - targets @ inverse @ targets
            surprise = (math.log(noise / _USUAL_NOISE) / _NOISE_SPREAD) ** 2
            evidence.append(0.5 * (logarithm - surprise) - math.log(difference))
            means.append(gain @ targets)
            covariances.append(np.diag(prior) - gain @ (rows * prior))
            noises.append(noise)
    evidence = np.array(evidence)
    weights = np.exp(evidence - evidence.max())
    total = math.log(weights.sum()) + evidence.max()
    weights /= weights.sum()
    mean = weights @ np.array(means)
    off = np.array(means) - mean
    covariance = np.tensordot(weights, np.array(covariances), 1) + (off * weights[:, None]).T @ off
    return total, mean, covariance, math.sqrt(weights @ np.array(noises) ** 2)


def rows_of(directions, total, residual, center):
    """What the latency relative to the base is linear in.

    Args:
        directions: float array of shape (num_networks, num_directions), milliseconds.
        total: float array of shape (num_networks,), milliseconds.
        residual: float array of shape (num_networks,).
        center: float, mean logarithm of `total`.

    Returns:
        float array of shape (num_networks, 3 + num_directions).
    """
    bounded = np.clip(residual, -_WIDEST_RESIDUAL, _WIDEST_RESIDUAL)
    first = np.stack([np.ones(len(total)), np.log(total) - center, bounded], axis=1)
    return np.hstack([first, directions / total[:, None]])


def spreads(num_directions, difference):
    """How far each weight of `rows_of` is expected from zero before anything is measured.

    Args:
        num_directions: int.
        difference: float, how much parts differ, as a share.

    Returns:
        float array of shape (3 + num_directions,).
    """
    return np.array([_SCALE_SPREAD, _SLOPE_SPREAD, _RESIDUAL_SPREAD, *[difference] * num_directions])


def residual_of(proxy, total):
    """What the parts leave over of the proxy's latencies.

    Args:
        proxy: float array, milliseconds.
        total: float array, milliseconds.

    Returns:
        float array, log ratios.
    """
    return np.log(proxy / total)


def split_proxy(proxy, features):
    """Splits the latencies of a proxy into a constant and a share of each feature, by relative least squares.

    Args:
        proxy: float array of shape (num_networks,), milliseconds.
        features: float array of shape (num_networks, num_features).

    Returns:
        Directions in which another device may differ, of shape (num_networks, 1 + num_features): each column scaled to
        its share of the latency, and to a fifth of it where that is little. And the sum of the parts, milliseconds, of
        shape (num_networks,).
    """
    columns = np.hstack([np.ones((len(proxy), 1)), features])
    total = proxy
    for _ in range(3):
        rows = columns / total[:, None]
        sizes = np.sqrt((rows**2).sum(axis=0)) + 1e-12
        normal = (rows / sizes).T @ (rows / sizes) + 1e-3 * np.eye(columns.shape[1])
        costs = np.linalg.solve(normal, (rows / sizes).T @ (proxy / total)) / sizes
        total = np.maximum(columns @ costs, np.maximum(0.1 * proxy, 0.3 * np.percentile(proxy, 1)))
    typical = np.sqrt(((columns / total[:, None]) ** 2).mean(axis=0)) + 1e-12
    return columns * np.hypot(np.abs(costs), _LEAST_PART / typical), total


def most_telling(rows, num_samples):
    """Chooses rows greedily: each next one lowers the summed variance of all rows most.

    Args:
        rows: float array of shape (num_rows, num_columns), of independent unknowns of variance 1.
        num_samples: int.

    Returns:
        list of int.
    """
    covariance, chosen = np.eye(rows.shape[1]), []
    for _ in range(num_samples):
        spread = rows @ covariance
        gain = ((spread @ rows.T) ** 2).sum(axis=0) / ((spread * rows).sum(axis=1) + _DESIGN_NOISE**2)
        gain[chosen] = -1
        best = int(np.argmax(gain))
        along = covariance @ rows[best]
        covariance = covariance - np.outer(along, along) / (rows[best] @ along + _DESIGN_NOISE**2)
        chosen.append(best)
    return chosen
