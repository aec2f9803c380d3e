"""Keras models of a few hundred weights, so that a test of a whole path takes a second."""

from __future__ import annotations

import keras


def tiny_mlp(num_features=4, num_classes=3, seed=0):
    """A dense network with one hidden layer of 8.

    Args:
        num_features: int. Defaults to `4`.
        num_classes: int. Defaults to `3`.
        seed: int, of the weights. Defaults to `0`.

    Returns:
        keras.Model from (batch, num_features) to class probabilities (batch, num_classes), not compiled.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((num_features,)),
            layers.Dense(8, activation="relu", kernel_initializer=_initializer(seed), name="hidden"),
            layers.Dense(num_classes, activation="softmax", kernel_initializer=_initializer(seed + 1), name="classes"),
        ],
        name="tiny_mlp",
    )


def tiny_cnn(input_shape=(8, 8, 1), num_classes=3, seed=0):
    """Convolution, batch normalization, ReLU, depthwise convolution, pooling, dense: what mobile networks are made of.

    Args:
        input_shape: tuple of int (height, width, channels). Defaults to `(8, 8, 1)`.
        num_classes: int. Defaults to `3`.
        seed: int, of the weights. Defaults to `0`.

    Returns:
        keras.Model from (batch, *input_shape) to class probabilities (batch, num_classes), not compiled.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(
                4, 3, padding="same", use_bias=False, kernel_initializer=_initializer(seed), name="convolution"
            ),
            layers.BatchNormalization(name="normalization"),
            layers.ReLU(name="activation"),
            layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=_initializer(seed + 1), name="depthwise"),
            layers.GlobalAveragePooling2D(name="pooling"),
            layers.Dense(num_classes, activation="softmax", kernel_initializer=_initializer(seed + 2), name="classes"),
        ],
        name="tiny_cnn",
    )


def _initializer(seed):
    return keras.initializers.GlorotUniform(seed=seed)
