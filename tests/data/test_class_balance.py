"""Uneven classes are told, and weights make up for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.data import class_weights
from hwkeras.data import load_dataset
from hwkeras.data.class_balance import notes_of_imbalance
from hwkeras.errors import DataError
from hwkeras.errors import UserError


def test_even_classes_have_no_note():
    assert notes_of_imbalance(np.array([0, 0, 0, 1]), ("a", "b")) == []


def test_uneven_classes_are_told():
    assert notes_of_imbalance(np.array([0, 1, 1, 1, 1]), ("spam", "ham")) == [
        "4 of 5 training samples are of class 'ham', 1 of class 'spam': accuracy says little of the small classes. "
        "Consider the objective f1 (`--objective f1`) and class_weight='balanced' (`--class-weight balanced`)."
    ]


def test_a_class_without_training_samples_is_told():
    assert "0 of class 'b'" in notes_of_imbalance(np.zeros(9, int), ("a", "b"))[0]


def test_the_note_is_in_the_data_set_and_in_what_a_manifest_says(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (100, 4, 4), np.uint8), np.arange(100) % 10 == 0
    np.savez(tmp_path / "set.npz", x=x, y=y.astype(int))
    (note,) = load_dataset(tmp_path / "set.npz").preprocessing["notes"]
    assert note.startswith("72 of 80 training samples are of class '0', 8 of class '1': ")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_balanced_weights_give_each_class_the_same_sum(labels):
    y = np.array(labels)
    weights = class_weights("balanced", y)
    assert set(weights) == set(labels)
    sums = [weights[index] * (y == index).sum() for index in weights]
    np.testing.assert_allclose(sums, len(y) / len(weights))


def test_balanced_weights_of_one_hot_labels_are_those_of_the_classes():
    y = np.array([0, 0, 0, 1])
    assert class_weights("balanced", np.eye(2)[y]) == class_weights("balanced", y) == {0: 4 / 6, 1: 2.0}


def test_weights_that_are_given_stand():
    assert class_weights({0: 1.0, 1: 3.0}, np.array([0, 1])) == {0: 1.0, 1: 3.0}
    assert class_weights(None, np.array([0, 1])) is None


def test_another_word_is_refused():
    with pytest.raises(UserError, match="`class_weight` must be 'balanced' or a dict of class index to weight. Rec"):
        class_weights("even", np.array([0, 1]))


def test_balanced_weights_need_an_array_of_labels():
    with pytest.raises(DataError, match="Balanced class weights are counted on an array of labels. Received: y of typ"):
        class_weights("balanced", None)


def test_masks_have_no_class_of_their_own():
    with pytest.raises(DataError, match=r"one class a sample. Received: labels of shape \(3, 4, 4\). Leave them away"):
        class_weights("balanced", np.zeros((3, 4, 4), int))
