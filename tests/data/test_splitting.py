import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.data import split
from hwkeras.data.splitting import split_indices
from hwkeras.errors import DataError
from hwkeras.errors import UserError

LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=200).map(np.array)
SHARES = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


@given(LABELS, SHARES, SEEDS)
def test_disjoint_complete_and_deterministic(y, share, seed):
    train, valid = split_indices(y, share, seed)
    assert sorted([*train, *valid]) == list(range(len(y)))
    assert len(train) >= 1 and len(valid) >= 1
    again = split_indices(y, share, seed)
    assert np.array_equal(train, again[0]) and np.array_equal(valid, again[1])


@given(LABELS, SHARES, SEEDS)
def test_stratified_within_one_sample(y, share, seed):
    train, valid = split_indices(y, share, seed)
    counts = np.bincount(y)
    if counts.max() < 2:
        return
    for label in np.unique(y):
        assert abs((y[valid] == label).sum() - share * counts[label]) <= 1
        assert (y[train] == label).any()


@given(LABELS, SHARES)
def test_size_of_the_part(y, share):
    wanted = np.clip(round(len(y) * share), 1, len(y) - 1)
    assert wanted - len(np.unique(y)) <= len(split_indices(y, share)[1]) <= wanted


@given(LABELS, SEEDS)
def test_one_hot_labels_split_like_their_indices(y, seed):
    for one, other in zip(split_indices(y, 0.3, seed), split_indices(np.eye(7)[y], 0.3, seed), strict=True):
        assert np.array_equal(one, other)


def test_exact_counts():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    x_train, y_train, x_valid, y_valid = split(np.arange(100), y, 0.2)
    assert np.bincount(y_valid).tolist() == [10, 6, 4]
    assert np.array_equal(y[x_valid], y_valid) and np.array_equal(y[x_train], y_train)


def test_another_seed_gives_another_part():
    y = np.zeros(100, int)
    assert not np.array_equal(split_indices(y, 0.2, 0)[1], split_indices(y, 0.2, 1)[1])


def test_several_inputs_and_one_hot_targets_keep_their_form():
    x, y = np.arange(40).reshape(20, 2), np.eye(2)[np.arange(20) % 2]
    x_train, y_train, x_valid, y_valid = split({"a": x, "b": -x}, y, 0.25)
    assert np.array_equal(x_train["a"], -x_train["b"]) and y_train.shape == (15, 2) and y_valid.shape == (5, 2)
    assert np.array_equal(split([x, -x], y, 0.25)[2][0], x_valid["a"])


def test_targets_that_are_no_classes_are_split_all_the_same():
    assert len(split_indices(np.linspace(0, 1, 50), 0.2)[1]) == 10
    assert len(split_indices(np.arange(50), 0.2)[1]) == 10
    assert len(split_indices(np.zeros((50, 3)), 0.2)[1]) == 10


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_share_outside_its_range(share):
    with pytest.raises(UserError, match=rf"must be in \(0, 1\). Received: {share}. For a fifth pass 0.2"):
        split(np.zeros(4), np.zeros(4, int), share)


def test_refusals():
    with pytest.raises(DataError, match="At least two samples are needed.*Received: 1"):
        split(np.zeros(1), np.zeros(1, int))
    with pytest.raises(DataError, match=r"data of shape \(3,\), labels of shape \(4,\)"):
        split(np.zeros(3), np.zeros(4, int))
    with pytest.raises(DataError, match=r"data of shape \(3,\), labels of shape \(\)"):
        split(np.zeros(3), 1)
