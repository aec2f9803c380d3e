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


def test_the_gradient_with_other_sources(data):
    codes, positions, targets = data
    sources = np.repeat([0, 1, 2], [20, 12, 8])
    process = GaussianProcess(5).fit(codes, positions, targets, steps=0, sources=sources)
    prior = process._prior(5, 3)
    assert len(prior[0]) == 5 + 3 + 4 + 2 + 1 + 1
    logs = prior[0] + np.random.default_rng(1).normal(scale=0.3, size=len(prior[0]))
    found = process._loss(logs, process._targets, *prior)[1]
    expected = approx_fprime(logs, lambda at: process._loss(at, process._targets, *prior)[0], 1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_another_source_of_another_level_and_scale_helps(data):
    codes, positions, targets = data
    alone = GaussianProcess(5).fit(codes[:6], positions[:6], targets[:6])
    sources = np.repeat([0, 1], [6, 24])
    told = np.concatenate([targets[:6], 7.0 - 0.1 * -targets[6:30]])
    helped = GaussianProcess(5).fit(codes[:30], positions[:30], told, sources=sources)
    errors = [np.mean((each.predict(codes[30:], positions[30:])[0] - targets[30:]) ** 2) for each in (alone, helped)]
    assert errors[1] < 0.5 * errors[0]


def test_a_source_that_misleads_is_forgotten(data):
    codes, positions, targets = data
    alone = GaussianProcess(5).fit(codes[:15], positions[:15], targets[:15])
    sources, told = np.repeat([0, 1], [15, 15]), np.concatenate([targets[:15], -targets[15:30]])
    misled = GaussianProcess(5).fit(codes[:30], positions[:30], told, steps=40, sources=sources)
    errors = [np.mean((each.predict(codes[30:], positions[30:])[0] - targets[30:]) ** 2) for each in (alone, misled)]
    assert errors[1] < 1.3 * errors[0]
    assert np.exp(-misled._parts(misled.hyperparameters)[3][0]) < 0.35


def test_what_never_changed_is_no_wonder(data):
    codes, positions, targets = data
    positions = np.column_stack([positions, np.full(40, 0.5)])
    process = GaussianProcess(5).fit(codes, positions, targets)
    changed = positions + [0.0, 0.0, 0.0, 0.5]
    assert process.predict(codes, changed)[1].max() < 10.0


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


def test_single_precision_predicts_what_double_does(data):
    codes, positions, targets = data
    process = GaussianProcess(5).fit(codes[:30], positions[:30], targets[:30])
    means, deviations = process.predict(codes, positions)
    np.testing.assert_array_equal(process.predict_mean(codes, positions), means)
    scaled = (targets[:30] - targets[:30].mean()) / targets[:30].std()
    logs = process.hyperparameters
    inputs = (*process._prepared(codes, positions), np.zeros(40, dtype=int))
    across = process._covariance(inputs, process._inputs, logs)
    covariance = process._covariance(process._inputs, process._inputs, logs) + process._noise * np.eye(30)
    alone = np.diag(process._covariance(inputs, inputs, logs))
    variances = alone - np.sum(across * np.linalg.solve(covariance, across.T).T, axis=1)
    expected = across @ np.linalg.solve(covariance, scaled) * targets[:30].std() + targets[:30].mean()
    np.testing.assert_allclose(means, expected, atol=1e-4)
    np.testing.assert_allclose(deviations, np.sqrt(variances) * targets[:30].std(), atol=1e-3)
