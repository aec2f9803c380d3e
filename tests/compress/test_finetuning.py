"""What a fine-tuning leaves behind: nothing."""

import gc

import keras
import numpy as np
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

import hwkeras as hw

X = np.random.default_rng(0).normal(size=(16, 6, 6, 1)).astype("float32")
Y = np.arange(16) % 2


def new_model():
    keras.backend.clear_session()
    layers = [keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers, keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def num_graphs_of_training():
    gc.collect()
    return sum(isinstance(each, FuncGraph) and "train" in each.name for each in gc.get_objects())


@pytest.mark.parametrize("recipe", ["int8_qat", "prune=0.5", "cluster=4"])
def test_no_graph_of_a_recipe_s_training_stays(recipe):
    def compressed():
        return hw.compress(new_model(), recipe, (X, Y), validation_data=(X, Y), epochs=1, batch_size=8)

    compressed()
    before = num_graphs_of_training()
    compressed()
    compressed()
    assert num_graphs_of_training() == before
