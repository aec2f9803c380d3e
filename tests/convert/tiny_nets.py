"""Small networks of the kinds a search builds, with samples of their input."""

import keras
import numpy as np

L = keras.layers
NUM_CLASSES = 4


def _head(inputs, x):
    return keras.Model(inputs, L.Dense(NUM_CLASSES, activation="softmax")(x))


def cnn():
    inputs = keras.Input((12, 12, 1))
    x = L.ReLU(6)(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)))
    for _ in range(2):
        y = L.ReLU(6)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
        x = L.Add()([x, L.BatchNormalization()(L.Conv2D(8, 1, use_bias=False)(y))])
    return _head(inputs, L.GlobalAveragePooling2D()(x))


def squeeze_excite():
    inputs = keras.Input((8, 8, 3))
    x = L.Activation("hard_swish")(L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(inputs)))
    gate = L.Conv2D(4, 1, activation="relu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, L.Conv2D(8, 1, activation="hard_sigmoid")(gate)])
    return _head(inputs, L.Flatten()(x))


def mlp():
    layers = [L.Dense(40), L.BatchNormalization(), L.ReLU(), L.Dropout(0.2), L.Dense(40, "relu"), L.Dense(40, "relu")]
    return keras.Sequential([keras.Input((20,)), *layers, L.Dense(NUM_CLASSES, activation="softmax")])


def conv1d():
    inputs = keras.Input((24, 3))
    x = L.ReLU()(L.BatchNormalization()(L.Conv1D(8, 3, padding="same")(inputs)))
    return _head(inputs, L.GlobalMaxPooling1D()(L.SeparableConv1D(8, 3)(L.MaxPooling1D(2)(x))))


def attention():
    inputs = keras.Input((6, 8))
    x = L.LayerNormalization()(inputs)
    x = L.Add()([x, L.MultiHeadAttention(2, 4)(x, x)])
    return _head(inputs, L.GlobalAveragePooling1D()(L.Dense(16, "gelu")(L.LayerNormalization()(x))))


def embedding():
    inputs = keras.Input((6,), dtype="int32")
    return _head(inputs, L.GlobalAveragePooling1D()(L.Embedding(30, 8)(inputs)))


def gru():
    inputs = keras.Input((6, 3))
    return _head(inputs, L.GRU(6)(inputs))


def lstm():
    inputs = keras.Input((6, 3))
    return _head(inputs, L.LSTM(6)(inputs))


def samples(model, count=64, seed=0):
    """Inputs uniform in [0, 1), or token ids; and labels."""
    rng = np.random.default_rng(seed)
    shape = (count, *model.inputs[0].shape[1:])
    whole = "int" in model.inputs[0].dtype
    x = rng.integers(0, 30, shape).astype(np.int32) if whole else rng.random(shape).astype(np.float32)
    return x, rng.integers(0, NUM_CLASSES, count)


def train(model, epochs=2):
    x, y = samples(model)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=epochs, verbose=0)
    return model
