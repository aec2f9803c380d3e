"""Architecture -> an uncompiled, functional keras.Model."""

from __future__ import annotations

import keras

from hwkeras.build.blocks import CausalStyle
from hwkeras.build.blocks import Style
from hwkeras.build.blocks import build_block
from hwkeras.errors import UserError


def build_model(architecture, *, batch_norm_momentum=0.9, kernel_l2=0.0):
    """Builds the network of an architecture, not compiled.

    Args:
        architecture: `space.Architecture`.
        batch_norm_momentum: float in [0, 1), of every batch normalization. Defaults to `0.9`: Keras' own 0.99 needs
            more steps than a short training has.
        kernel_l2: float, weight of an L2 penalty on kernels. Defaults to `0.0`.

    Returns:
        keras.Model of input shape (batch, *architecture.input_shape) and output shape
        (batch, *architecture.output_shape).

    Raises:
        UserError: a momentum outside [0, 1), or a negative penalty.
    """
    if not 0.0 <= batch_norm_momentum < 1.0:
        raise UserError(
            f"`batch_norm_momentum` must be in [0, 1). Received: batch_norm_momentum={batch_norm_momentum!r}."
        )
    if not kernel_l2 >= 0.0:
        raise UserError(f"`kernel_l2` must be 0 or more. Received: kernel_l2={kernel_l2!r}. For no penalty pass 0.")
    is_causal = any(layer.kind == "frames" for layer in architecture.layers)
    style = CausalStyle if is_causal else Style
    tensors = block_outputs(architecture, style(batch_norm_momentum, kernel_l2))
    first, last = architecture.layers[0].name, architecture.layers[-1].name
    return keras.Model(tensors[first], tensors[last], name=f"net_{architecture.hash[:12]}")


def block_outputs(architecture, style):
    """Builds every layer.

    Args:
        architecture: `space.Architecture`.
        style: Style.

    Returns:
        dict of layer name to Keras tensor.
    """
    tensors = {}
    for layer in architecture.layers:
        tensors[layer.name] = build_block(layer, [tensors[name] for name in layer.inputs], style)
    return tensors
