"""Scores of untrained networks, against sums done by hand."""

import math

import keras
import numpy as np
import pytest

from hwkeras.build.zero_cost import NAMES
from hwkeras.build.zero_cost import naswot
from hwkeras.build.zero_cost import score
from hwkeras.errors import UserError
from hwkeras.testing import tiny_cnn

SAMPLES = np.array([[1.0, 2.0], [-1.0, 1.0]], dtype="float32")


def dense_net(hidden, last, activation="relu", last_activation="softmax", biases=None):
    """Two dense layers of given kernels, without biases unless some are given for the first."""
    inputs = keras.Input((len(hidden),))
    first = keras.layers.Dense(len(hidden[0]), activation=activation, use_bias=biases is not None)
    second = keras.layers.Dense(len(last[0]), activation=last_activation, use_bias=False)
    model = keras.Model(inputs, second(first(inputs)))
    weights = [np.array(hidden, dtype="float32"), np.array(last, dtype="float32")]
    model.set_weights(weights if biases is None else [weights[0], np.array(biases, dtype="float32"), weights[1]])
    return model


def test_naswot_of_two_patterns():
    # They agree with themselves in three units, with each other in one: |3 1; 1 3| = 8.
    assert naswot([[1, 1, 0], [0, 1, 1]]) == pytest.approx(math.log(3.001**2 - 1.0), rel=1e-12)


def test_naswot_is_the_sum_over_agreeing_units():
    patterns = np.random.default_rng(0).random((6, 500)) < 0.3
    kernel = [[np.sum(one == other) for other in patterns] for one in patterns]
    assert naswot(patterns) == pytest.approx(np.linalg.slogdet(kernel + 1e-3 * np.eye(6))[1], rel=1e-12)


def test_naswot_of_a_network():
    # Units of the samples before the rectifier: (1, 2, -3) and (-1, 1, 0), so on are 110 and 010: they agree in two.
    model = dense_net([[1.0, 0.0, 1.0], [0.0, 1.0, -2.0]], np.ones((3, 2)))
    model.layers[1].set_weights([np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -2.0]], dtype="float32")])
    assert score(model, SAMPLES)["zero_cost_naswot"] == pytest.approx(math.log(3.001**2 - 4.0), rel=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("last_activation", ["softmax", "linear"])
def test_synflow_of_two_layers(activation, last_activation):
    # Absolute kernels from ones: hidden (3, 6), and each path is counted once a layer: 2 * (3 * 3 + 6 * 7) = 102.
    model = dense_net([[1.0, -2.0], [2.0, 4.0]], [[1.0, -2.0], [-3.0, 4.0]], activation, last_activation)
    found = score(model, SAMPLES)["zero_cost_synflow"]
    assert found == pytest.approx(math.log(102.0), rel=1e-6)


def test_synflow_passes_layers_that_are_activations():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(2, use_bias=False),
            keras.layers.ReLU(max_value=1.0),
            keras.layers.Dense(2, use_bias=False),
            keras.layers.Softmax(),
        ]
    )
    model.set_weights([np.array([[1.0, -2.0], [2.0, 4.0]]), np.array([[1.0, -2.0], [-3.0, 4.0]])])
    assert score(model, SAMPLES)["zero_cost_synflow"] == pytest.approx(math.log(102.0), rel=1e-6)


def test_the_norm_of_the_gradient():
    # With no kernel the outputs are equal whatever the labels are: the gradient of the only layer is x (p - label).
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros")(inputs))
    labels = np.eye(2)[np.random.default_rng(7).integers(2, size=2)]
    expected = np.linalg.norm(SAMPLES.T @ (0.5 - labels) / 2)
    assert score(model, SAMPLES, seed=7)["zero_cost_grad_norm"] == pytest.approx(expected, rel=1e-5)


def test_the_network_is_afterwards_as_before_and_scores_the_same():
    model = tiny_cnn()
    x = np.random.default_rng(0).random((16, *model.input_shape[1:])).astype("float32")
    weights, outputs = [weight.copy() for weight in model.get_weights()], model(x).numpy()
    first = score(model, x)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(outputs, model(x).numpy())
    assert not any("call" in vars(layer) for layer in model.layers)
    assert score(model, x) == first and tuple(first) == NAMES
    assert all(isinstance(value, float) and math.isfinite(value) for value in first.values())


def test_batches_decide_in_normalization():
    """Inputs far above 0: without the statistics of the batch every unit would be on for every sample."""
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(8, kernel_initializer="ones")(inputs)
    outputs = keras.layers.ReLU()(keras.layers.BatchNormalization()(outputs))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(outputs))
    x = 100.0 + np.arange(8.0).reshape(2, 4)
    assert score(model, x)["zero_cost_naswot"] == pytest.approx(2.0 * math.log(8.001), rel=1e-9)
    np.testing.assert_array_equal(model.layers[2].moving_mean, np.zeros(8))


@pytest.mark.parametrize("scale", [0.0, 1e30, float("inf")])
def test_whatever_the_weights_are_the_scores_are_finite(scale):
    model = dense_net(np.full((2, 3), scale), np.full((3, 2), scale), biases=[0.0] * 3)
    assert all(math.isfinite(value) for value in score(model, SAMPLES).values())


def test_a_network_without_units_has_scores():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    assert all(math.isfinite(value) for value in score(model, np.zeros((2, 4, 4, 1))).values())


def test_a_nested_network_is_seen_through():
    inner = dense_net([[1.0, 0.0, 1.0], [0.0, 1.0, -2.0]], np.eye(3), last_activation="linear")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    assert score(model, SAMPLES)["zero_cost_naswot"] == pytest.approx(math.log(3.001**2 - 4.0), rel=1e-9)


def test_one_sample_is_not_enough():
    with pytest.raises(UserError, match=r"`x` must hold at least two samples. Received: shape \(1, 2\). Pass a batch"):
        score(dense_net(np.eye(2), np.eye(2)), SAMPLES[:1])


def test_several_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, keras.layers.Add()(inputs))
    with pytest.raises(UserError, match="its one input and its one output. Received: .* 2 inputs and 1 outputs"):
        score(model, SAMPLES)
