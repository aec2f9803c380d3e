"""Weights of a trained twin, back in a Keras 3 model."""

import keras
import numpy as np
import pytest

from hwkeras.compress import compress
from hwkeras.compress import return_weights
from hwkeras.compress import twin
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

L = keras.layers


def varied():
    """Split layers, a nested and a wrapped model, operations, a normalization, a Python function, a shared layer."""
    image = keras.Input((8, 8, 3), name="image")
    norm = L.Normalization(name="moments")
    norm.adapt(np.random.default_rng(0).normal(3, 2, (50, 8, 8, 3)).astype("float32"))
    inner = [keras.Input((8, 8, 3)), L.SeparableConv2D(4, 3, activation="relu6", name="parts"), L.BatchNormalization()]
    h = keras.Sequential(inner, name="inner")(norm(image)) + 1.0
    sequence = L.Bidirectional(L.GRU(3, return_sequences=True), name="both")(L.Reshape((-1, 4))(h))
    each = keras.Sequential([keras.Input((6,)), L.Dense(2, name="deep")], name="each")
    sequence = L.TimeDistributed(each, name="steps")(sequence)
    shared = L.Dense(2, name="shared")
    h = shared(shared(L.GlobalAveragePooling1D()(sequence)))
    return keras.Model(image, L.Lambda(lambda x: 2 * x, name="code")(h), name="varied")


def trained_twin(model):
    copy = twin(model)
    rng = np.random.default_rng(1)
    copy.set_weights([weight + rng.uniform(0, 0.2, weight.shape).astype("float32") for weight in copy.get_weights()])
    return copy


def test_weights_of_every_kind_of_layer_return():
    model = varied()
    before = [weight.copy() for weight in model.get_weights()]
    trained = trained_twin(model)
    returned = return_weights(trained, model)
    x = np.random.default_rng(2).normal(size=(5, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(returned(x), trained(x), atol=1e-5)
    assert np.abs(returned(x) - model(x)).max() > 1e-2
    assert [weight.path for weight in returned.weights if "parts" in weight.path]
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("recipe", ["prune=0.5", "cluster=4", "prune=0.5+cluster=4"])
def test_a_recipe_leaves_a_keras_3_model(recipe, dense_model, dense_data):
    result = compress(dense_model, recipe, dense_data, epochs=2, batch_size=8)
    returned = return_weights(result.model, dense_model)
    kernel = returned.get_layer("head").get_weights()[0]
    np.testing.assert_array_equal(kernel, result.model.get_layer("head").get_weights()[0])
    assert "prune" not in recipe or np.mean(kernel == 0) >= 0.5
    assert "cluster" not in recipe or len(np.unique(kernel)) <= 4


def test_wrappers_of_a_training_are_stripped(dense_model, dense_data):
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.5, 0, frequency=1)
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(twin(dense_model), schedule)
    wrapped.compile("sgd", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    wrapped.fit(*dense_data, verbose=0, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()])
    kernel = return_weights(wrapped, dense_model).get_layer("head").get_weights()[0]
    assert np.mean(kernel == 0) == 0.5

    start = tfmot.clustering.keras.CentroidInitialization.LINEAR
    wrapped = tfmot.clustering.keras.cluster_weights(twin(dense_model), 3, start)
    kernel = return_weights(wrapped, dense_model).get_layer("head").get_weights()[0]
    assert len(np.unique(kernel)) <= 3


def test_a_quantized_twin_is_refused(dense_model, dense_data):
    result = compress(dense_model, "int8_qat", dense_data, epochs=1)
    with pytest.raises(UserError, match="computes with rounded weights.*without 'int8_qat'"):
        return_weights(result.model, dense_model)


def test_what_is_no_twin_of_the_model_is_refused(dense_model):
    with pytest.raises(UserError, match="`trained` must be a tf_keras model. Received: keras"):
        return_weights(dense_model, dense_model)
    other = keras.Sequential([keras.Input((4,)), L.Dense(3, name="other")])
    with pytest.raises(UserError, match="no layer 'head', which layer 'head' of 'small' became"):
        return_weights(twin(other), dense_model)
    wider = keras.Sequential([keras.Input((4,)), L.Dense(5, name="head")])
    with pytest.raises(UserError, match="weights of other shapes in 'head'.*give the smaller model"):
        return_weights(twin(wider), dense_model)


def test_a_twin_that_computes_something_else_is_refused(dense_model):
    other = keras.Sequential([keras.Input((4,)), L.Dense(3, name="head"), L.Activation("relu")])
    with pytest.raises(CompressionError, match="must equal the trained twin.*Give the model that the twin was made of"):
        return_weights(twin(other), dense_model)
