import numpy as np
import pytest

from hwkeras.errors import DataError
from hwkeras.search.training_data import TrainingData

X = np.arange(40 * 4, dtype="float32").reshape(40, 4)
Y = np.tile(np.arange(4), 10)


def test_validation_data_is_kept_as_it_is():
    data = TrainingData.from_fit_arguments((X, Y), {"validation_data": (X[:4], Y[:4]), "epochs": 2})
    assert data.fit_args[0] is X
    np.testing.assert_array_equal(data.x_valid, X[:4])
    assert data.fit_kwargs["epochs"] == 2


def test_a_fifth_is_split_off_the_same_for_the_same_seed():
    first = TrainingData.from_fit_arguments((X, Y), {}, seed=3)
    again = TrainingData.from_fit_arguments((), {"x": X, "y": Y}, seed=3)
    assert len(first.x_valid) == 8
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.x_valid, again.x_valid)
    seen = np.concatenate([first.fit_args[0], first.x_valid])
    np.testing.assert_array_equal(np.sort(seen[:, 0]), X[:, 0])
    assert TrainingData.from_fit_arguments((X, Y), {}, seed=4).fingerprint != first.fingerprint


def test_validation_split_is_honored():
    assert len(TrainingData.from_fit_arguments((X, Y), {"validation_split": 0.5}).x_valid) == 20


def test_datasets_are_taken():
    import tensorflow as tf

    train = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    valid = tf.data.Dataset.from_tensor_slices((X[:8], Y[:8])).batch(3)
    data = TrainingData.from_fit_arguments((train,), {"validation_data": valid})
    np.testing.assert_array_equal(data.x_valid, X[:8])
    np.testing.assert_array_equal(data.y_valid, Y[:8])
    assert data.fit_args == (train,)


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, r"`search` needs training data .* Received: x=None"),
        ((X, Y[:3]), {}, r"same length\. Received: 40 inputs and 3 labels"),
        (([X, X], Y), {}, r"Received: x of type list without `validation_data`"),
    ],
)
def test_what_is_wrong_is_said(args, kwargs, said):
    with pytest.raises(DataError, match=said):
        TrainingData.from_fit_arguments(args, kwargs)


def test_an_empty_validation_set_is_said():
    import tensorflow as tf

    empty = tf.data.Dataset.from_tensor_slices((X, Y)).take(0).batch(4)
    with pytest.raises(DataError, match="Received: an empty dataset"):
        TrainingData.from_fit_arguments((X, Y), {"validation_data": empty})
