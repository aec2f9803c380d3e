import gc

import keras
import numpy as np
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

from hwkeras.build.training_graphs import let_graphs_go

X, Y = np.zeros((8, 4, 4, 1), "float32"), np.zeros(8, "int64")


def new_model():
    keras.backend.clear_session()
    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def num_graphs():
    gc.collect()
    return sum(isinstance(each, FuncGraph) for each in gc.get_objects())


def train():
    model = new_model()
    let_graphs_go(model, X[:1], Y[:1])
    model.fit(X, Y, validation_data=(X, Y), epochs=1, verbose=0)


def graphs_left_by(training):
    training()
    before = num_graphs()
    training()
    training()
    return (num_graphs() - before) / 2


def test_a_training_leaves_no_graph_behind():
    assert graphs_left_by(lambda: new_model().fit(X, Y, validation_data=(X, Y), epochs=1, verbose=0)) > 10
    assert graphs_left_by(train) == 0


def test_the_training_is_the_same():
    def weights_after(is_prepared):
        keras.utils.set_random_seed(0)
        model = new_model()
        x = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
        if is_prepared:
            let_graphs_go(model, x[:1], Y[:1])
        history = model.fit(x, Y, epochs=2, verbose=0).history
        return history, model.get_weights()

    (plain, wanted), (prepared, found) = weights_after(False), weights_after(True)
    assert plain == prepared
    for each, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(each, other)


def test_a_model_that_is_not_compiled_is_left_alone():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    let_graphs_go(model, X[:1], Y[:1])
    with pytest.raises(ValueError, match="compile"):
        model.fit(np.zeros((2, 2)), np.zeros(2), verbose=0)
