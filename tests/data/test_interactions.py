"""Rows of (user, item, target) as data sets, and ids never seen."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.data import IdEncoder
from hwkeras.data import load_dataset
from hwkeras.errors import DataError

IDS = st.lists(st.tuples(st.text("abü1", min_size=1, max_size=2), st.integers(0, 9)), min_size=1, max_size=40)


def write(tmp_path, rows, header="user,item,liked"):
    path = tmp_path / "liked.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    return path


def load(path, **options):
    return load_dataset(path, kind="interactions", **options)


def rows(number=60, seed=0):
    rng = np.random.default_rng(seed)
    return [(f"u{rng.integers(6)}", int(rng.integers(5)), number % 2) for number in range(number)]


@given(IDS)
@settings(max_examples=50, deadline=None)
def test_json_keeps_the_numbers(pairs):
    words = np.array([[str(user), str(item)] for user, item in pairs])
    encoder = IdEncoder.fit(words)
    again = IdEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    numbers = encoder(words)
    np.testing.assert_array_equal(again(pairs), numbers)
    assert numbers.dtype == np.int32 and numbers.shape == (len(pairs), 2)
    assert (numbers.max(axis=0) < [encoder.num_users, encoder.num_items]).all()
    for column, ids in zip(words.T.tolist(), numbers.T.tolist(), strict=True):
        # One number for each id seen twice, none of them 0.
        often = {word for word in column if column.count(word) > 1}
        assert len({number for word, number in zip(column, ids, strict=True) if word in often}) == len(often)
        assert all((number > 0) == (word in often) for word, number in zip(column, ids, strict=True))


def test_a_file_becomes_pairs_of_row_numbers(tmp_path):
    dataset = load(write(tmp_path, rows()))
    assert dataset.input_shape == (2,) and dataset.x_train.dtype == np.int32
    assert dataset.task == "classification" and dataset.class_names == ("0", "1")
    encoder = IdEncoder.from_json(dataset.preprocessing["ids"])
    assert encoder.users == tuple(f"u{number}" for number in range(6)) and encoder.num_items == 6
    assert encoder([("u0", 4), ("u0", "4"), ("nobody", 4), ("u0", ""), (None, 99)]).tolist() == [
        [1, 5],
        [1, 5],
        [0, 5],
        [1, 0],
        [0, 0],
    ]


def test_ids_that_training_never_saw_are_told(tmp_path):
    unique = [(f"u{number}", number % 5, number % 2) for number in range(60)]
    dataset = load(write(tmp_path, unique))
    assert (dataset.x_valid[:, 0] == 0).all() and (dataset.x_valid[:, 1] > 0).all()
    told = "12 of 12 validation rows hold an id that training saw once or never."
    assert dataset.preprocessing["notes"] == [told]
    repeated = [("u1", 1, number % 2) for number in range(20)]
    (told,) = load(write(tmp_path, repeated)).preprocessing["notes"]
    assert told.startswith("4 of 4 validation rows are equal to a training row (the target aside)")


def test_ratings_are_a_regression(tmp_path):
    stars = [(user, item, 1 + number % 5) for number, (user, item, _) in enumerate(rows())]
    dataset = load(write(tmp_path, stars))
    assert dataset.task == "regression" and sorted(set(dataset.y_train)) == [1, 2, 3, 4, 5]
    with pytest.raises(DataError, match="answers yes or no: it has two classes. Received: .* with 5. For ratings pass"):
        load(write(tmp_path, stars), task="classification")


def test_arrays(tmp_path):
    path = tmp_path / "set.npz"
    x = np.random.default_rng(0).integers(0, 7, (60, 2))
    np.savez(path, x_train=x, y_train=np.arange(60) % 2, x_test=x[:5], y_test=[0, 1, 0, 1, 0])
    dataset = load(path)
    assert dataset.x_test.shape == (5, 2) and dataset.preprocessing["notes"][0].startswith("5 of 5 test rows are equal")
    np.savez(path, x=x, y=np.arange(60) / 60)
    assert load(path).task == "regression"
    for wrong in (np.zeros((60, 3), int), np.zeros((60, 2)), np.zeros(60, int)):
        np.savez(path, x=wrong, y=np.arange(60) % 2)
        with pytest.raises(
            DataError, match=r"`x_train` must hold pairs \(user, item\) of words or whole numbers, shape"
        ):
            load(path)


def test_other_columns_are_refused(tmp_path):
    more = [(*row[:2], "x", row[2]) for row in rows()]
    with pytest.raises(
        DataError, match="must have three columns: user, item and target. Received: .* with u, i, c, y."
    ):
        load(write(tmp_path, more, "u,i,c,y"))


@pytest.mark.parametrize("document", [None, {}, {"format": 2, "users": [], "items": []}, {"format": 1, "users": []}])
def test_json_that_holds_no_ids(document):
    with pytest.raises(DataError, match="Ids in JSON must hold format=1, users and items. Received: "):
        IdEncoder.from_json(document)
