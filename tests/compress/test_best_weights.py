"""The best weights of a quantization-aware training are kept, by validation data."""

import keras
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.compress.best_weights import BestWeights
from hwkeras.compress.legacy import tf_keras

KEPT = "of the weights trained as int8, {} are kept: none were better on validation data"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 0).astype("int64")
    return (x[:300], y[:300]), (x[300:], y[300:])


@pytest.fixture(scope="module")
def model(data):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(*data[0], epochs=10, verbose=0)
    return model


def test_a_training_that_only_harms_changes_nothing(model, data):
    train, valid = data
    wrong = (train[0], 1 - train[1])
    result = hw.compress(model, "int8_qat", wrong, validation_data=valid, epochs=3, learning_rate=3.0)
    assert result.report.history["int8_qat"]["val_accuracy"][-1] < 0.5
    assert result.report.accuracy_after == pytest.approx(result.report.accuracy_before, abs=0.02)
    assert result.report.notes == (KEPT.format("those before training"),)
    assert KEPT.format("those before training") in str(result.report)


def test_without_validation_data_the_last_weights_are_kept(model, data):
    train, valid = data
    wrong = (train[0], 1 - train[1])
    result = hw.compress(model, "int8_qat", wrong, epochs=3, learning_rate=3.0)
    assert result.report.notes == ()
    assert np.mean(result.model.predict(valid[0], verbose=0).argmax(-1) == valid[1]) < 0.5


@pytest.mark.parametrize(
    ("weights", "arguments", "kept"),
    [
        ((3.0, 1.0, 1.0, 0.0), {}, (3, 1.0)),  # of equal ones the later
        ((3.0, 2.0, 1.0, 3.0), {"validation_freq": 2}, (2, 2.0)),  # the third is not looked at
        ((9.0, 9.0, 9.0, 9.0), {}, (0, -1.5)),
        ((float("nan"), 0.5, float("nan"), 0.0), {}, (2, 0.5)),
    ],
)
def test_the_best_by_the_loss(weights, arguments, kept):
    """A model of one weight, whose validation loss is least at 1."""
    model = tf_keras.Sequential([tf_keras.Input((1,)), tf_keras.layers.Dense(1, use_bias=False)])
    model.compile(tf_keras.optimizers.SGD(0.0), "mse")
    model.set_weights([np.array([[-1.5]], "float32")])
    to_come = iter(weights)
    step = tf_keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: model.set_weights([np.array([[next(to_come)]], "float32")])
    )
    x = np.array([[1.0], [2.0]], "float32")
    best = BestWeights((x, x), 2)
    model.fit(x, x, batch_size=2, epochs=4, verbose=0, validation_data=(x, x), callbacks=[step, best], **arguments)
    assert (best.epoch, float(model.get_weights()[0][0, 0])) == kept
