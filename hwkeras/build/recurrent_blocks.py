"""Recurrent layers, written out step by step: Keras tensors in, a Keras tensor out."""

from __future__ import annotations

from keras import layers


def recurrent(layer_class):
    """A block that walks over a row of steps and gives the last state.

    The steps are unrolled: as a loop the layer would convert in float alone, because nothing inside a loop can be
    calibrated. Its file has about 17 operators for each step (GRU, Cho et al., 10.3115/v1/D14-1179, as Keras writes it,
    `reset_after`) or 15 (LSTM, Hochreiter & Schmidhuber, 10.1162/neco.1997.9.8.1735), the weights once.

    Args:
        layer_class: `keras.layers.GRU` or `keras.layers.LSTM`.

    Returns:
        function of a `Layer`, a list of one tensor of shape (batch, 1, steps, channels) and a `Style`; returns a tensor
        of shape (batch, units).
    """

    def block(layer, tensors, style):
        (x,) = tensors
        steps = layers.Reshape(x.shape[2:], name=f"{layer.name}_steps")(x)
        walk = layer_class(
            layer.params["units"],
            unroll=True,
            kernel_regularizer=style.regularizer(),
            recurrent_regularizer=style.regularizer(),
            name=layer.name,
        )
        return walk(steps)

    return block
