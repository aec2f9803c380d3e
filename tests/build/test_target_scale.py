import keras
import keras_tuner as kt
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.build import HardwareHyperModel
from hwkeras.build.target_scale import TargetScale
from hwkeras.space import Draft

X = np.random.default_rng(0).normal(size=(256, 3)).astype("float32")
# Far from 0, and with a spread no weight reaches from its beginning in a few hundred steps.
NOISE = np.random.default_rng(1).normal(size=256)
Y = (5000 + 700 * (X[:, 0] - 0.5 * X[:, 1]) + 30 * NOISE).astype("float32")


class Line:
    """A space of one network: a line."""

    input_shape, num_classes = (3,), 1

    def declare(self, hp):
        hp.Fixed("nothing", 1)

    def architecture(self, hp):
        draft = Draft((3,))
        draft.append_head(1)
        return draft.finish()


@pytest.fixture
def hypermodel():
    keras.utils.set_random_seed(0)
    return HardwareHyperModel(Line(), optimizer=keras.optimizers.Adam(0.03))


def test_a_far_target_is_reached_and_errors_are_in_its_unit(hypermodel):
    hp = kt.HyperParameters()
    model = hypermodel.build(hp)
    assert hypermodel.predicts_numbers and model.loss == "mse"
    arguments = {"validation_data": (X[200:], Y[200:]), "epochs": 40, "batch_size": 16, "verbose": 0}
    history = hypermodel.fit(hp, model, X[:200], Y[:200], **arguments).history
    off = np.abs(model.predict(X[200:], verbose=0)[:, 0] - Y[200:])
    assert off.mean() < 40
    # What Keras told while it trained, and what it tells of the model as it is now.
    after = model.evaluate(X[200:], Y[200:], verbose=0, return_dict=True)
    assert after["rmse"] == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-3)
    assert history["val_rmse"][-1] == pytest.approx(after["rmse"], rel=1e-2)
    assert history["val_mae"][-1] == pytest.approx(off.mean(), rel=1e-2)
    assert history["val_rmse"][0] > 300


def test_a_training_goes_on_where_it_ended(hypermodel):
    hp = kt.HyperParameters()
    model = hypermodel.build(hp)
    hypermodel.fit(hp, model, X, Y, epochs=40, batch_size=16, verbose=0)
    trained = model.evaluate(X, Y, verbose=0, return_dict=True)["rmse"]
    again = hypermodel.fit(hp, model, X, Y, epochs=1, batch_size=256, verbose=0).history["rmse"][0]
    assert again == pytest.approx(trained, rel=0.05)


def test_a_loss_of_the_users_is_left_alone():
    hypermodel = HardwareHyperModel(Line(), loss="mae")
    hp = kt.HyperParameters()
    model = hypermodel.build(hp)
    loss = hypermodel.fit(hp, model, X, Y, verbose=0).history["loss"][0]
    assert loss == pytest.approx(5000, rel=0.1)


def test_data_that_stream_are_trained_on_as_they_are(hypermodel):
    hp = kt.HyperParameters()
    model = hypermodel.build(hp)
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(64)
    assert hypermodel.fit(hp, model, data, shuffle=False, verbose=0).history["rmse"][0] == pytest.approx(5000, rel=0.1)


def test_several_numbers_each_have_their_scale():
    y = np.array([[1.0, 100.0, 7.0], [3.0, 300.0, 7.0]])
    scale = TargetScale.of(y)
    np.testing.assert_allclose(scale.standardized(y), [[-1, -1, 0], [1, 1, 0]])
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    before = layer.get_weights()
    scale.remove_from(layer)  # never trained: left alone
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    scale.put_into(layer)
    np.testing.assert_allclose(layer.get_weights()[1], [2, 200, 7])
    scale.remove_from(layer)
    np.testing.assert_allclose(layer.get_weights()[0], before[0], rtol=1e-6)
    np.testing.assert_allclose(layer.get_weights()[1], 0, atol=1e-5)
