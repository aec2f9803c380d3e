"""A Gaussian process over candidates: which options they share, and where they lie.

The kernel is a sum of four: one over the options that differ, one over the positions, their product, and a trend,

    k(x, x') = a exp(-sum_g w_g [x_g != x'_g]) + b exp(-sum_p v_p (p - p')^2 / 2) + c (the product of the two) + d p.p'.

The first alone knows nothing of order and sizes, the second nothing of which place an option has; the product ties
them; and the trend goes on where nobody has been yet, such as at more layers than were tried. All weights are found by
the marginal likelihood (Rasmussen and Williams, 2006, ISBN 026218253X, chapter 5) under priors that hold for any space:
with few trials they rule, with many the data do.

Observations of other sources, such as an earlier search on other data, count as much as they prove: between two sources
s and t the kernel is r_s r_t times as strong, with r_0 = 1 for what is predicted; each source has a level of its own
(an intrinsic model of coregionalization, Bonilla et al., 2007, "Multi-task Gaussian process prediction"). What misleads
gets an r near 0, and costs nothing but the trials it takes to see that.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

# Prior means of the logarithms; two random candidates are apart by about this much in each kernel.
_MEAN_HAMMING, _MEAN_POSITION = 2.5, 1.0
_AMPLITUDES, _NOISE = (0.25, 0.25, 0.3, 0.2), 0.02
_VARIANCE, _NOISE_VARIANCE = 1.0, 4.0
# Of another source: how unlike it is held beforehand, -log r, how readily the data change that, and its own level.
_UNLIKE, _UNLIKE_VARIANCE, _LEVEL = 0.3, 4.0, 0.3
_JITTER, _LEAST_SPREAD = 1e-6, 1e-6
_LEAST_VARIANCE, _IMPOSSIBLE = 1e-8, 1e12


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

    def fit(self, codes, positions, targets, steps=12, sources=None):
        """Takes over observations.

        Args:
            codes: int array of shape (num_observations, num_genes).
            positions: float array of shape (num_observations, num_positions), at least one a row.
            targets: float array of shape (num_observations,), finite.
            steps: int, of the search for the weights; 0 keeps them. Defaults to `12`.
            sources: int array of shape (num_observations,), where each is from: 0 for what is predicted, other sources
                from 1 on without a gap. Their targets may have another level and scale. Defaults to `None`, all 0.

        Returns:
            GaussianProcess, this one.
        """
        self._codes, self._num_options = codes, codes.max(axis=0, initial=0) + 2
        self._center, spread = positions.mean(axis=0), positions.std(axis=0)
        # NOTE: of what was the same so far a change must not look like one of a thousand standard deviations.
        self._spread = np.where(spread > _LEAST_SPREAD, spread + 1e-9, 1.0)
        self._sources = np.zeros(len(targets), dtype=int) if sources is None else sources
        self._num_others = int(self._sources.max(initial=0))
        self._inputs = (*self._prepared(codes, positions), self._sources)
        scaled = self._scaled(targets)
        prior = self._prior(codes.shape[1], positions.shape[1])
        if self.hyperparameters is None or len(self.hyperparameters) != len(prior[0]):
            self.hyperparameters = prior[0]
        if steps:
            found = minimize(
                self._loss, self.hyperparameters, args=(scaled, *prior), jac=True, method="L-BFGS-B",
                options={"maxiter": steps},
            )  # fmt: skip
            self.hyperparameters = found.x
        covariance = self._covariance(self._inputs, self._inputs, self.hyperparameters) + self._noise * np.eye(
            len(scaled)
        )
        self._factor, self._whitening_found = np.linalg.cholesky(covariance), None
        self._weights = cho_solve((self._factor, True), scaled)
        self._targets = scaled
        return self

    def predict_mean(self, codes, positions):
        """The mean alone of `predict`, for half of its time.

        Args:
            codes: int array of shape (num_candidates, num_genes).
            positions: float array of shape (num_candidates, num_positions).

        Returns:
            float array of shape (num_candidates,).
        """
        return self._mean_of(self._across(codes, positions)[0])

    def predict(self, codes, positions):
        """Predicts what source 0 would give.

        Args:
            codes: int array of shape (num_candidates, num_genes).
            positions: float array of shape (num_candidates, num_positions).

        Returns:
            pair of float arrays of shape (num_candidates,): the mean, and the standard deviation without the noise.
        """
        across, place = self._across(codes, positions)
        amplitudes = self._parts(self.hyperparameters)[2]
        alone = amplitudes[:3].sum() + amplitudes[3] * np.mean(place**2, axis=1)
        if self._num_others:
            alone = alone + self._parts(self.hyperparameters)[4]
        explained = across @ self._whitening.T.astype(across.dtype)
        variance = alone - np.einsum("ij,ij->i", explained, explained)
        deviation = np.sqrt(np.maximum(variance, _LEAST_VARIANCE))
        return self._mean_of(across), deviation * self._scale

    def _across(self, codes, positions):
        """The kernel between some candidates and the observations, and where the candidates lie."""
        inputs = (*self._prepared(codes, positions), np.zeros(len(codes), dtype=int))
        # Many candidates, each asked about once: single precision suffices, and takes half as long.
        inputs, observed = (
            (has.astype(np.float32), place.astype(np.float32), sources)
            for has, place, sources in (inputs, self._inputs)
        )
        return self._covariance(inputs, observed, self.hyperparameters.astype(np.float32)), inputs[1]

    def _mean_of(self, across):
        return across @ self._weights * self._scale + self._mean

    def standardized(self, targets):
        """Targets as the process sees them.

        Args:
            targets: float array.

        Returns:
            float array of the same shape, in standard deviations of the observations, from their mean.
        """
        return (targets - self._mean) / self._scale

    def skill(self):
        """How much better than the mean it predicts each observation of source 0 from all others.

        Returns:
            float, at most 1: one minus the squared errors as a share of those of the mean; 0 and less is chance.
        """
        own = self._sources == 0
        errors = (self._weights / np.sum(self._whitening**2, axis=0))[own]
        number = len(errors)
        # The mean of the others is off by so much, too.
        chance = np.sum((self._targets[own] * number / max(number - 1, 1)) ** 2)
        return float(1.0 - np.sum(errors**2) / chance) if chance > 0 else 0.0

    @property
    def _whitening(self):
        """The inverse of the factor of the covariance; where only means are asked for, it is never needed."""
        if self._whitening_found is None:
            self._whitening_found = solve_triangular(self._factor, np.eye(len(self._factor)), lower=True)
        return self._whitening_found

    @property
    def _noise(self):
        return float(np.exp(self.hyperparameters[-1])) + _JITTER

    def _scaled(self, targets):
        """The targets of each source by their own mean and spread; those of source 0 are kept for the predictions."""
        scaled = np.zeros(len(targets))
        for source in reversed(range(self._num_others + 1)):
            of = self._sources == source
            self._mean, self._scale = float(targets[of].mean()), float(targets[of].std()) or 1.0
            scaled[of] = (targets[of] - self._mean) / self._scale
        return scaled

    def _prior(self, num_genes, num_positions):
        hamming = np.full(num_genes, np.log(_MEAN_HAMMING / self._num_differing))
        position = np.full(num_positions, np.log(_MEAN_POSITION / max(num_positions, 1)))
        others = np.log([*[_UNLIKE] * self._num_others, _LEVEL]) if self._num_others else []
        means = np.concatenate([hamming, position, np.log(_AMPLITUDES), others, [np.log(_NOISE)]])
        variances = np.full(len(means), _VARIANCE)
        if self._num_others:
            variances[-2 - self._num_others : -2] = _UNLIKE_VARIANCE
        variances[-1] = _NOISE_VARIANCE
        return means, variances

    def _parts(self, logs):
        """The weights: of each gene, of each position, of each kernel, how unlike each other source is, its level."""
        numbers = [len(self._num_options), len(self._center), len(_AMPLITUDES), self._num_others]
        *parts, level = np.split(np.exp(logs[:-1]), np.cumsum(numbers))
        return *parts, level.sum()

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
        (has, place, _), (other_has, other_place, _) = first, second
        hamming, position, *_ = self._parts(logs)
        by_option = np.repeat(hamming, self._num_options)
        apart = hamming.sum() - (has * by_option) @ other_has.T
        squares = ((place**2) @ position)[:, None] + ((other_place**2) @ position)[None, :]
        distance = 0.5 * squares - (place * position) @ other_place.T
        trend = place @ other_place.T / place.shape[1]
        return np.exp(-apart), np.exp(-np.maximum(distance, 0.0)), trend

    def _alike(self, first, second, logs):
        """How strong the kernel is between the sources of some candidates, and where these are the same."""
        is_same = first[2][:, None] == second[2][None, :]
        likeness = np.exp(-np.concatenate([[0.0], self._parts(logs)[3]]))
        return np.where(is_same, 1.0, likeness[first[2]][:, None] * likeness[second[2]][None, :]), is_same

    def _covariance(self, first, second, logs):
        *_, amplitudes, _, level = self._parts(logs)
        covariance = _total(amplitudes, *self._kernels(first, second, logs))
        if not self._num_others:
            return covariance
        alike, is_same = self._alike(first, second, logs)
        return alike * covariance + level * is_same

    def _loss(self, logs, targets, means, variances):
        """The negative logarithm of the posterior of the weights, and its gradient."""
        hamming, position, amplitudes, unlike, level = self._parts(logs)
        first, second, trend = self._kernels(self._inputs, self._inputs, logs)
        noise = np.exp(logs[-1])
        within = covariance = _total(amplitudes, first, second, trend)
        if self._num_others:
            alike, is_same = self._alike(self._inputs, self._inputs, logs)
            covariance = alike * within + level * is_same
        try:
            factor = np.linalg.cholesky(covariance + (noise + _JITTER) * np.eye(len(targets)))
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(logs)
        inverse = cho_solve((factor, True), np.eye(len(targets)))
        weights = inverse @ targets
        off = (logs - means) / variances
        loss = 0.5 * targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * off @ (logs - means)
        change = 0.5 * (inverse - np.outer(weights, weights))
        by_noise, by_source = noise * change.trace(), []
        if self._num_others:
            of_others = np.sum(change * alike * within * ~is_same, axis=1)
            by_unlike = -2.0 * unlike * np.bincount(self._sources, weights=of_others)[1:]
            by_source, change = [*by_unlike, level * np.sum(change * is_same)], change * alike
        by_kernel = self._slopes(change, first, second, trend, hamming, position, amplitudes)
        return loss, np.concatenate([*by_kernel, by_source, [by_noise]]) + off

    def _slopes(self, change, first, second, trend, hamming, position, amplitudes):
        """The gradient by the weights of the genes, of the positions, and of the kernels."""
        has, place, _ = self._inputs
        product = first * second
        by_first = change * (amplitudes[0] * first + amplitudes[2] * product)
        by_second = change * (amplitudes[1] * second + amplitudes[2] * product)
        starts = np.concatenate([[0], np.cumsum(self._num_options)[:-1]]).astype(int)
        shared = np.add.reduceat(np.sum(has * (by_first @ has), axis=0), starts) if len(starts) else np.zeros(0)
        spread = (place**2).T @ by_second.sum(axis=1) - np.sum(place * (by_second @ place), axis=0)
        by_amplitude = [np.sum(change * part) for part in (first, second, product, trend)]
        return hamming * (shared - by_first.sum()), -position * spread, amplitudes * by_amplitude


def _total(amplitudes, first, second, trend):
    return first * (amplitudes[0] + amplitudes[2] * second) + amplitudes[1] * second + amplitudes[3] * trend
