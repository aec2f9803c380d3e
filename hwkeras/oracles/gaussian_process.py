"""A Gaussian process over candidates: which options they share, and where they lie.

The kernel is a sum of four: one over the options that differ, one over the positions, their product, and a trend,

    k(x, x') = a exp(-sum_g w_g [x_g != x'_g]) + b exp(-sum_p v_p (p - p')^2 / 2) + c (the product of the two) + d p.p'.

The first alone knows nothing of order and sizes, the second nothing of which place an option has; the product ties
them; and the trend goes on where nobody has been yet, such as at more layers than were tried. All weights are found by
the marginal likelihood (Rasmussen and Williams, 2006, ISBN 026218253X, chapter 5) under priors that hold for any space:
with few trials they rule, with many the data do.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import minimize

# Prior means of the logarithms; two random candidates are apart by about this much in each kernel.
_MEAN_HAMMING, _MEAN_POSITION = 2.5, 1.0
_AMPLITUDES, _NOISE = (0.25, 0.25, 0.3, 0.2), 0.02
_VARIANCE, _NOISE_VARIANCE = 1.0, 4.0
_JITTER = 1e-6
_IMPOSSIBLE = 1e12


class GaussianProcess:
    """Regression with uncertainty, for up to a few hundred observations.

    Args:
        num_differing: float, hyperparameters in which two random candidates may differ; sets the prior.

    Attributes:
        hyperparameters: float array of logarithms, or None before the first fit: where the next `fit` begins.
    """

    def __init__(self, num_differing):
        self._num_differing = max(float(num_differing), 1.0)
        self.hyperparameters = None

    def fit(self, codes, positions, targets, steps=12):
        """Takes over observations.

        Args:
            codes: int array of shape (num_observations, num_genes).
            positions: float array of shape (num_observations, num_positions), at least one a row.
            targets: float array of shape (num_observations,), finite.
            steps: int, of the search for the weights; 0 keeps them. Defaults to `12`.

        Returns:
            GaussianProcess, this one.
        """
        self._codes, self._num_options = codes, codes.max(axis=0, initial=0) + 2
        self._center, self._spread = positions.mean(axis=0), positions.std(axis=0) + 1e-9
        self._inputs = self._prepared(codes, positions)
        self._mean, self._scale = float(targets.mean()), float(targets.std()) or 1.0
        scaled = (targets - self._mean) / self._scale
        prior = self._prior(codes.shape[1], positions.shape[1])
        if self.hyperparameters is None or len(self.hyperparameters) != len(prior[0]):
            self.hyperparameters = prior[0]
        if steps:
            found = minimize(
                self._loss, self.hyperparameters, args=(scaled, *prior), jac=True, method="L-BFGS-B",
                options={"maxiter": steps},
            )  # fmt: skip
            self.hyperparameters = found.x
        amplitudes, *parts = self._kernels(self._inputs, self._inputs, self.hyperparameters)[:4]
        covariance = _total(amplitudes, *parts) + self._noise * np.eye(len(scaled))
        self._inverse = cho_solve((np.linalg.cholesky(covariance), True), np.eye(len(scaled)))
        self._weights = self._inverse @ scaled
        self._amplitudes = amplitudes
        self._targets = scaled
        return self

    def predict(self, codes, positions):
        """Predicts.

        Args:
            codes: int array of shape (num_candidates, num_genes).
            positions: float array of shape (num_candidates, num_positions).

        Returns:
            pair of float arrays of shape (num_candidates,): the mean, and the standard deviation without the noise.
        """
        inputs = self._prepared(codes, positions)
        across = _total(*self._kernels(inputs, self._inputs, self.hyperparameters)[:4])
        alone = self._amplitudes[:3].sum() + self._amplitudes[3] * np.mean(inputs[1] ** 2, axis=1)
        variance = alone - np.einsum("ij,ij->i", across @ self._inverse, across)
        deviation = np.sqrt(np.maximum(variance, 1e-8))
        return across @ self._weights * self._scale + self._mean, deviation * self._scale

    def skill(self):
        """How much better than the mean it predicts each observation from all others.

        Returns:
            float, at most 1: one minus the squared errors as a share of those of the mean; 0 and less is chance.
        """
        errors = self._weights / np.diag(self._inverse)
        number = len(errors)
        # The mean of the others is off by so much, too.
        chance = np.sum((self._targets * number / max(number - 1, 1)) ** 2)
        return float(1.0 - np.sum(errors**2) / chance) if chance > 0 else 0.0

    @property
    def _noise(self):
        return float(np.exp(self.hyperparameters[-1])) + _JITTER

    def _prior(self, num_genes, num_positions):
        hamming = np.full(num_genes, np.log(_MEAN_HAMMING / self._num_differing))
        position = np.full(num_positions, np.log(_MEAN_POSITION / max(num_positions, 1)))
        means = np.concatenate([hamming, position, np.log(_AMPLITUDES), [np.log(_NOISE)]])
        variances = np.full(len(means), _VARIANCE)
        variances[-1] = _NOISE_VARIANCE
        return means, variances

    def _prepared(self, codes, positions):
        """The candidates as matrices: which options they have, and their positions in standard deviations."""
        columns = []
        for gene, number in enumerate(self._num_options):
            # NOTE: inactive is an option of its own; one that no observation has differs from all of them.
            shifted = np.minimum(codes[:, gene] + 1, number)
            columns.append(shifted[:, None] == np.arange(number))
        has = np.concatenate(columns, axis=1).astype(float) if columns else np.zeros((len(codes), 0))
        return has, (positions - self._center) / self._spread

    def _kernels(self, first, second, logs):
        (has, place), (other_has, other_place) = first, second
        num_genes, num_positions = len(self._num_options), place.shape[1]
        hamming, position = np.exp(logs[:num_genes]), np.exp(logs[num_genes : num_genes + num_positions])
        amplitudes = np.exp(logs[num_genes + num_positions : -1])
        by_option = np.repeat(hamming, self._num_options)
        apart = hamming.sum() - (has * by_option) @ other_has.T
        squares = ((place**2) @ position)[:, None] + ((other_place**2) @ position)[None, :]
        distance = 0.5 * squares - (place * position) @ other_place.T
        trend = place @ other_place.T / num_positions
        return amplitudes, np.exp(-apart), np.exp(-np.maximum(distance, 0.0)), trend, hamming, position

    def _loss(self, logs, targets, means, variances):
        """The negative logarithm of the posterior of the weights, and its gradient."""
        has, place = self._inputs
        amplitudes, first, second, trend, hamming, position = self._kernels(self._inputs, self._inputs, logs)
        noise = np.exp(logs[-1])
        covariance = _total(amplitudes, first, second, trend)
        try:
            factor = np.linalg.cholesky(covariance + (noise + _JITTER) * np.eye(len(targets)))
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(logs)
        inverse = cho_solve((factor, True), np.eye(len(targets)))
        weights = inverse @ targets
        off = (logs - means) / variances
        loss = 0.5 * targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * off @ (logs - means)
        change = 0.5 * (inverse - np.outer(weights, weights))
        product = first * second
        by_first = change * (amplitudes[0] * first + amplitudes[2] * product)
        by_second = change * (amplitudes[1] * second + amplitudes[2] * product)
        starts = np.concatenate([[0], np.cumsum(self._num_options)[:-1]]).astype(int)
        shared = np.add.reduceat(np.sum(has * (by_first @ has), axis=0), starts) if len(starts) else np.zeros(0)
        spread = (place**2).T @ by_second.sum(axis=1) - np.sum(place * (by_second @ place), axis=0)
        by_amplitude = [np.sum(change * part) for part in (first, second, product, trend)]
        gradient = np.concatenate(
            [
                hamming * (shared - by_first.sum()),
                -position * spread,
                amplitudes * by_amplitude,
                [noise * change.trace()],
            ]
        )
        return loss, gradient + off


def _total(amplitudes, first, second, trend):
    return first * (amplitudes[0] + amplitudes[2] * second) + amplitudes[1] * second + amplitudes[3] * trend
