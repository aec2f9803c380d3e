"""Expected improvement of the hypervolume, against the hypervolume itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.oracles import pareto
from hwkeras.oracles.improvement import Cells
from hwkeras.oracles.response import PlainResponse


def certain(losses):
    return -np.asarray(losses, dtype=float), np.full(len(losses), 1e-9)


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_without_doubt_it_is_what_the_hypervolume_grows_by(seed, num_cheap, num_members):
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties are among them.
    dear, cheap = rng.integers(0, 8, num_members) / 8, rng.integers(0, 8, (num_members, num_cheap)) / 8
    reference = np.ones(num_cheap)
    candidates, costs = rng.integers(0, 9, 5) / 8, rng.integers(0, 9, (5, num_cheap)) / 8
    found = Cells(dear, cheap, 1.0, reference).expected_improvement(PlainResponse([0.0]), *certain(candidates), costs)
    members, top = np.column_stack([dear, cheap]), np.ones(num_cheap + 1)
    before = pareto.hypervolume(members, top)
    for gain, loss, cost in zip(found, candidates, costs, strict=True):
        after = pareto.hypervolume(np.vstack([members, [loss, *cost]]), top)
        assert gain == pytest.approx(after - before, abs=1e-7)


def test_with_doubt_it_is_the_mean_of_many():
    rng = np.random.default_rng(0)
    dear, cheap = np.array([0.5, 0.3, 0.1]), np.array([[0.2], [0.5], [0.8]])
    cells = Cells(dear, cheap, 1.0, np.ones(1))
    found = cells.expected_improvement(PlainResponse([0.0]), np.array([-0.4]), np.array([0.2]), np.array([[0.4]]))
    members, top = np.column_stack([dear, cheap]), np.ones(2)
    before = pareto.hypervolume(members, top)
    drawn = [pareto.hypervolume(np.vstack([members, [loss, 0.4]]), top) for loss in rng.normal(0.4, 0.2, 4000)]
    assert found[0] == pytest.approx(np.mean(drawn) - before, rel=0.05)


def test_many_members_cut_as_long_as_it_pays():
    rng = np.random.default_rng(0)
    dear, cheap = rng.random(300), rng.random((300, 3))
    cells = Cells(dear, cheap, 1.0, np.ones(3))
    gains = cells.expected_improvement(PlainResponse([0.0]), *certain([0.01, 0.99]), np.array([[0.01] * 3, [0.9] * 3]))
    assert gains[0] > gains[1] >= 0.0


def test_what_lies_beyond_the_reference_adds_nothing():
    cells = Cells(np.array([]), np.zeros((0, 1)), 1.0, np.array([1.0]))
    gains = cells.expected_improvement(PlainResponse([0.0]), *certain([0.0, 2.0, 0.5]), np.array([[1.5], [0.0], [0.5]]))
    np.testing.assert_allclose(gains, [0.0, 0.0, 0.25], atol=1e-7)
