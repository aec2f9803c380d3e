"""Blocks of networks that answer for every pixel: maps become larger again, and the last one holds classes.

Rows and columns are repeated by a `Resizing` layer, one operator of a file: Keras' `UpSampling2D` becomes five, one of
which (TILE) TensorFlow Lite for Microcontrollers does not have.
"""

from __future__ import annotations

from keras import layers


def upsample(layer, tensors, style):
    """Builds an `upsample` layer.

    Args:
        layer: Layer.
        tensors: list of one Keras tensor.
        style: `blocks.Style`.

    Returns:
        Keras tensor.
    """
    return _enlarged(tensors[0], layer.params["factor"], layer.params["interpolation"], layer.name)


def transposed_conv(layer, tensors, style):
    """Builds a `transposed_conv` layer, the up-convolution of Ronneberger et al., 10.1007/978-3-319-24574-4_28.

    Its windows do not overlap, so there is no checkerboard of pixels written more often than others. A batch
    normalization would not become part of the operator in a file that was trained quantized: it has a bias.

    Args:
        layer: Layer.
        tensors: list of one Keras tensor.
        style: `blocks.Style`.

    Returns:
        Keras tensor.
    """
    factor = layer.params["factor"]
    convolution = layers.Conv2DTranspose(
        layer.params["filters"],
        factor,
        strides=factor,
        padding="same",
        kernel_regularizer=style.regularizer(),
        name=layer.name,
    )
    return convolution(tensors[0])


def pixel_classifier(layer, tensors, style):
    """Builds a `pixel_classifier` layer: a 1x1 convolution, enlarged where it has a factor, and the activation.

    Args:
        layer: Layer.
        tensors: list of one Keras tensor.
        style: `blocks.Style`.

    Returns:
        Keras tensor.
    """
    name, factor = layer.name, layer.params["factor"]
    scores = layers.Conv2D(layer.params["classes"], 1, kernel_regularizer=style.regularizer(), name=f"{name}_scores")(
        tensors[0]
    )
    if factor > 1:
        scores = _enlarged(scores, factor, "bilinear", f"{name}_upsample")
    return layers.Activation(layer.params["activation"], name=name)(scores)


def _enlarged(x, factor, interpolation, name):
    _, height, width, _ = x.shape
    return layers.Resizing(height * factor, width * factor, interpolation=interpolation, name=name)(x)
