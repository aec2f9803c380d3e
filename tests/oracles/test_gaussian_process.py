"""The process: its gradient, what it reproduces, what it knows that it does not know."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from hwkeras.oracles.gaussian_process import GaussianProcess


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 4, (40, 5)).astype(np.int16)
    positions = rng.normal(size=(40, 3))
    return codes, positions, 0.5 * codes[:, 0] - (codes[:, 1] == 2) + positions[:, 1]


def test_the_gradient_is_that_of_the_loss(data):
    codes, positions, targets = data
    process = GaussianProcess(5).fit(codes, positions, targets, steps=0)
    prior = process._prior(5, 3)
    logs = prior[0] + np.random.default_rng(1).normal(scale=0.3, size=len(prior[0]))
    scaled = (targets - targets.mean()) / targets.std()
    found = process._loss(logs, scaled, *prior)[1]
    expected = approx_fprime(logs, lambda at: process._loss(at, scaled, *prior)[0], 1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_what_was_seen_is_reproduced_and_the_rest_is_uncertain(data):
    codes, positions, targets = data
    process = GaussianProcess(5).fit(codes[:30], positions[:30], targets[:30])
    means, deviations = process.predict(codes[:30], positions[:30])
    unseen_means, unseen_deviations = process.predict(codes[30:], positions[30:])
    assert np.abs(means - targets[:30]).max() < 0.3
    assert np.corrcoef(unseen_means, targets[30:])[0, 1] > 0.8
    assert deviations.max() < np.median(unseen_deviations)
    assert process.skill() > 0.5


def test_noise_is_not_called_skill():
    skills = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        codes, positions = rng.integers(0, 3, (30, 6)), rng.normal(size=(30, 2))
        skills.append(GaussianProcess(6).fit(codes, positions, rng.normal(size=30)).skill())
    assert np.median(skills) < 0.15


def test_equal_targets_are_no_obstacle(data):
    codes, positions, _ = data
    process = GaussianProcess(5).fit(codes, positions, np.full(40, 0.7))
    means, deviations = process.predict(codes, positions)
    np.testing.assert_allclose(means, 0.7)
    assert np.isfinite(deviations).all() and process.skill() == 0.0


def test_an_option_nobody_had_is_far_from_all(data):
    codes, positions, targets = data
    process = GaussianProcess(5).fit(codes, positions, targets)
    strange = codes[:1].copy()
    strange[0, :] = 9
    assert process.predict(strange, positions[:1])[1] > process.predict(codes[:1], positions[:1])[1]


def test_kept_weights_are_kept(data):
    codes, positions, targets = data
    process = GaussianProcess(5).fit(codes, positions, targets)
    before = process.hyperparameters.copy()
    process.fit(codes[:20], positions[:20], targets[:20], steps=0)
    np.testing.assert_array_equal(process.hyperparameters, before)
