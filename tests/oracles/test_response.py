"""Scales of a metric: there and back, and expected improvements against drawing many times."""

import numpy as np
import pytest

from hwkeras.objectives import Objective
from hwkeras.oracles.response import LogResponse
from hwkeras.oracles.response import PlainResponse
from hwkeras.oracles.response import response_of

ACCURACY, LOSS = Objective("accuracy", "max"), Objective("val_loss", "min")


def test_the_scale_follows_from_what_was_seen():
    assert isinstance(response_of(ACCURACY, [-0.9, -0.5]), LogResponse)
    assert isinstance(response_of(LOSS, [0.3, 2.0]), LogResponse)
    assert isinstance(response_of(LOSS, [-0.3, 2.0]), PlainResponse)
    assert isinstance(response_of(Objective("val_score", "max"), [-12.0, -3.0]), PlainResponse)


@pytest.mark.parametrize(
    ("response", "losses"),
    [
        (LogResponse(-1.0), [-0.9, -0.2, -0.1]),
        (LogResponse(0.0, 1e-6), [0.1, 1.0, 2.0]),
        (PlainResponse([-1.0, 2.0, 3.0]), [-1.0, 0.0, 2.0]),
    ],
)
def test_there_and_back(response, losses):
    targets = response.targets(losses)
    np.testing.assert_allclose(response.losses(targets), losses, atol=1e-12)
    assert (np.diff(targets) < 0).all()


@pytest.mark.parametrize(
    ("response", "middle"), [(LogResponse(-1.0), -0.8), (LogResponse(0.0), 0.3), (PlainResponse([0.0, 1.0]), 0.3)]
)
@pytest.mark.parametrize("deviation", [0.05, 0.5, 1.5])
def test_expected_improvement_is_the_mean_of_many(response, middle, deviation):
    mean, best = float(response.targets(middle)), middle + 0.02
    drawn = response.losses(np.random.default_rng(0).normal(mean, deviation, 400_000))
    found = response.expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found[0] == pytest.approx(np.maximum(best - drawn, 0.0).mean(), rel=0.02)


def test_more_is_expected_of_more():
    response = LogResponse(-1.0)
    gains = response.expected_improvement(np.array([1.0, 2.0, 3.0]), np.full(3, 0.3), -0.9)
    assert (np.diff(gains) > 0).all() and (gains >= 0).all()
    assert response.expected_improvement(np.array([-50.0]), np.array([1e-3]), -0.9) == 0.0


def test_a_bad_tail_is_drawn_in():
    response = PlainResponse([0.0, 0.1, 0.2, 1e9])
    assert response.targets(1e9) == response.targets(1e6) > -10.0
