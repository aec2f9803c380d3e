import keras
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.convert import take_samples
from hwkeras.convert.calibration import arrange
from hwkeras.data import StoredArray
from hwkeras.data.array_folder import MappedArray
from hwkeras.errors import DataError

X = np.arange(60, dtype=np.float64).reshape(20, 3)


class _Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], np.zeros(5)


class _Endless(_Batches):
    num_batches = None

    def __getitem__(self, index):
        return X[:5] + index, np.zeros(5)


def test_array_gives_a_choice_that_depends_on_the_seed_only():
    first, again, other = take_samples(X, 8), take_samples(X, 8), take_samples(X, 8, seed=1)
    assert first.shape == (8, 3) and first.dtype == np.float32
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(first, np.sort(first, axis=0))


def test_all_samples_where_there_are_fewer():
    assert np.array_equal(take_samples(X, 100), X)


def test_integers_stay_integers():
    assert take_samples(np.arange(6, dtype=np.int32).reshape(3, 2), 2).dtype == np.int32


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_inputs_keep_their_rows_together(kind):
    first, second = take_samples(kind([X, X * 2]), 5)
    assert np.array_equal(first * 2, second)


def test_dict_of_inputs():
    taken = take_samples({"a": X, "b": -X}, 5)
    assert np.array_equal(taken["a"], -taken["b"])


@pytest.mark.parametrize("with_labels", [True, False])
def test_tensorflow_data_set(with_labels):
    dataset = tf.data.Dataset.from_tensor_slices((X, np.zeros(20)) if with_labels else X).batch(6)
    assert np.array_equal(take_samples(dataset, 8), X[:8])


def test_tensorflow_data_set_of_several_inputs():
    dataset = tf.data.Dataset.from_tensor_slices(({"a": X, "b": -X}, np.zeros(20))).batch(6)
    assert np.array_equal(take_samples(dataset, 8)["b"], -X[:8])


def test_endless_tensorflow_data_set_is_read_only_as_far_as_needed():
    dataset = tf.data.Dataset.from_tensor_slices((X, np.zeros(20))).batch(6).repeat()
    assert np.array_equal(take_samples(dataset, 8), X[:8])


def test_py_data_set():
    assert np.array_equal(take_samples(_Batches(), 8), X[:8])
    assert np.array_equal(take_samples(_Batches(), 100), X)
    assert take_samples(_Endless(), 12).shape == (12, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    broken = X.copy()
    broken[3, 1] = value
    with pytest.raises(DataError, match="must be finite. Received: 1 values that are NaN or infinite"):
        take_samples(broken, 20)


def test_refusals():
    with pytest.raises(DataError, match="at least 1. Received: num_samples=0"):
        take_samples(X, 0)
    with pytest.raises(DataError, match=r"Received: an array of shape \(0, 3\)"):
        take_samples(X[:0], 4)
    with pytest.raises(DataError, match=r"same number of samples. Received: \[19, 20\]"):
        take_samples([X, X[1:]], 4)
    with pytest.raises(DataError, match="must be numbers. Received: dtype <U1"):
        take_samples(np.array(["a", "b"]), 4)
    with pytest.raises(DataError, match="Received: int"):
        take_samples(7, 4)
    with pytest.raises(DataError, match=r"must be batched. Received: single samples. Call `.batch\(32\)`"):
        take_samples(tf.data.Dataset.from_tensor_slices((X[:, 0], X[:, 1])), 4)
    with pytest.raises(DataError, match="an empty data set"):
        take_samples(tf.data.Dataset.from_tensor_slices((X, X)).batch(4).take(0), 4)


def test_arrange_orders_by_name_and_refuses_what_does_not_fit():
    names, shapes, dtypes = ("a", "b"), ((3,), (3,)), (np.dtype("float32"), np.dtype("int32"))
    arrays = arrange({"b": X, "a": -X}, names, shapes, dtypes)
    assert np.array_equal(arrays[0], -X) and arrays[1].dtype == np.int32
    with pytest.raises(DataError, match=r"for the inputs \['a', 'b'\]. Received: \['a'\]"):
        arrange({"a": X}, names, shapes, dtypes)
    with pytest.raises(DataError, match=r"takes 2 inputs \(a, b\). Received: 1 arrays"):
        arrange(X, names, shapes, dtypes)
    with pytest.raises(DataError, match=r"input 'b' must have the shape \(n, 3\). Received: shape \(20, 2\)"):
        arrange([X, X[:, :2]], names, shapes, dtypes)
    with pytest.raises(DataError, match=r"same number of samples. Received: \[19, 20\]"):
        arrange([X, X[1:]], names, shapes, dtypes)


def test_of_what_stays_in_files_only_samples_are_read():
    read = []

    class Counting(MappedArray):
        def read(self, places):
            read.extend(places)
            return super().read(places)

    x = StoredArray(Counting(X), np.asarray)
    assert np.array_equal(take_samples(x, 8), take_samples(X, 8)) and len(read) == 9  # one tells the shape
    assert np.array_equal(take_samples({"a": x}, 8)["a"], take_samples(X, 8))
    assert np.array_equal(take_samples([x, X], 3)[0], take_samples(X, 3))
