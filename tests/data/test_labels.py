import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.data import class_indices
from hwkeras.data.labels import Classes
from hwkeras.errors import DataError

INDICES = [0, 2, 1, 2, 0]


@pytest.mark.parametrize(
    "y",
    [
        np.array(INDICES),
        np.array(INDICES, np.uint8)[:, None],
        np.array(INDICES) * 10 - 7,
        np.array(["ant", "bee", "cow"])[INDICES],
        np.array([b"ant", b"bee", b"cow"])[INDICES],
        np.eye(3)[INDICES],
        np.eye(3, dtype=np.uint8)[INDICES],
        np.eye(3, dtype=bool)[INDICES],
        INDICES,
    ],
    ids=["int", "uint8 column", "offset", "str", "bytes", "one-hot", "one-hot uint8", "one-hot bool", "list"],
)
def test_every_form_of_labels_gives_the_same_indices(y):
    indices = class_indices(y)
    assert indices.dtype == np.int64 and indices.tolist() == INDICES


def test_names_are_those_of_the_labels():
    assert Classes.of(np.array([3, 7, 3])).names == ("3", "7")
    assert Classes.of(np.array(["b", "a"])).names == ("a", "b")
    assert Classes.of(np.array([True, False])).names == ("0", "1")


def test_one_hot_counts_columns_without_samples():
    assert Classes.of(np.eye(4)[[0, 1]]).names == ("0", "1", "2", "3")


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=60))
def test_indices_keep_the_order_and_round_trip(labels):
    classes, indices = Classes.of(labels), class_indices(labels)
    assert [classes.values[index] for index in indices] == labels
    assert sorted(set(indices.tolist())) == list(range(len(set(labels))))
    assert class_indices(indices).tolist() == indices.tolist()


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=5), min_size=1, max_size=30))
def test_strings_round_trip(labels):
    classes = Classes.of(np.array(labels))
    assert [classes.values[index] for index in class_indices(np.array(labels))] == np.array(labels).tolist()


@given(st.integers(2, 8), st.lists(st.integers(0, 7), min_size=1, max_size=40))
def test_one_hot_equals_its_indices(num_classes, labels):
    indices = [label % num_classes for label in labels]
    assert class_indices(np.eye(num_classes)[indices]).tolist() == indices


@pytest.mark.parametrize(
    "y, message",
    [
        (np.array([0.5, 1.5]), r"Received: dtype float64, first \[0.5, 1.5\].*pass y.astype\(int\)"),
        (np.array([0.0, 1.0]), "whole numbers, strings or one-hot. Received: dtype float64"),
        (np.array([{}, None]), "whole numbers, strings or one-hot. Received: dtype object"),
        (np.array([[1, 1], [0, 1]]), r"must be one-hot.*first row \[\[1, 1\]\].*Pass class numbers"),
        (np.array([[0.2, 0.8]]), "must be one-hot: one 1 and otherwise 0"),
        (np.array([["a", "b"]]), "must be one-hot.*dtype <U1"),
        (np.zeros((2, 2, 2), int), r"must have the shape \(n,\), \(n, 1\) or one-hot.*Received: \(2, 2, 2\)"),
        (np.array(3), r"Received: \(\)"),
    ],
)
def test_labels_of_no_known_form(y, message):
    with pytest.raises(DataError, match=message):
        class_indices(y)


def test_a_class_not_seen_in_training():
    with pytest.raises(DataError, match=r"one of the 2 classes of the training labels \(a, b\). Received: 'c'"):
        Classes.of(np.array(["a", "b"])).indices(np.array(["a", "c"]))
    with pytest.raises(DataError, match=r"must be one-hot of 3 columns. Received: shape \(2,\)"):
        Classes.of(np.eye(3)).indices(np.array([0, 1]))
