"""One function for each kind of layer: Keras tensors in, a Keras tensor out.

Built-in Keras 3 layers alone, all of which have a tf_keras twin and become built-in TFLite operators that take int8;
every layer has a name that starts with the architecture's layer name.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from hwkeras.build.dense_output_blocks import pixel_classifier
from hwkeras.build.dense_output_blocks import transposed_conv
from hwkeras.build.dense_output_blocks import upsample
from hwkeras.build.recurrent_blocks import recurrent
from hwkeras.build.sound_blocks import log_mel
from hwkeras.space.kinds import GATES

# Channels squeezed to a quarter, as in MobileNetV3 (10.1109/ICCV.2019.00140).
_SE_RATIO = 4
# Of layer normalization: several of the 255 steps in which int8 knows variances near 1. A smaller one is rounded away,
# and where a variance is rounded to 0 the reciprocal of its root is infinite.
_LAYER_NORM_EPSILON = 0.1


@dataclass(frozen=True)
class Style:
    """What holds for all blocks of a model.

    Args:
        batch_norm_momentum: float in [0, 1). Defaults to `0.9`.
        kernel_l2: float, weight of the kernels' L2 penalty. Defaults to `0.0`.
    """

    batch_norm_momentum: float = 0.9
    kernel_l2: float = 0.0

    def regularizer(self):
        """A new Keras regularizer, or None."""
        return keras.regularizers.L2(self.kernel_l2) if self.kernel_l2 else None

    def surrounded(self, x, width, name):
        """What goes into a convolution.

        Args:
            x: Keras tensor.
            width: int, columns of the kernel.
            name: str, of the convolution.

        Returns:
            pair of a Keras tensor and the padding that is left to the convolution.
        """
        return x, "same"

    def whole(self, x, layer):
        """What a mean over all columns is taken of.

        Args:
            x: Keras tensor.
            layer: Layer that takes the mean.

        Returns:
            Keras tensor.
        """
        return x


@dataclass(frozen=True)
class CausalStyle(Style):
    """No column of an output depends on a later column of the input."""

    def surrounded(self, x, width, name):
        """Zeros stand before the first column; see `Style.surrounded`."""
        if width == 1:
            return x, "same"
        return layers.ZeroPadding2D(((0, 0), (width - 1, 0)), name=f"{name}_past")(x), "valid"


def build_block(layer, tensors, style):
    """Builds the Keras layers of one layer.

    Args:
        layer: Layer.
        tensors: list of Keras tensors, the outputs of the layer's inputs in order.
        style: Style.

    Returns:
        Keras tensor.
    """
    return _BLOCKS[layer.kind](layer, tensors, style)


def _input(layer, tensors, style):
    return keras.Input(layer.params["shape"], dtype=layer.params["dtype"], name=layer.name)


def _embedding(layer, tensors, style):
    params = layer.params
    y = layers.Embedding(params["vocabulary"], params["units"], name=f"{layer.name}_table")(tensors[0])
    if not params["projection"]:
        return y
    # Lan et al., ALBERT, arXiv:1909.11942: a table of few columns and a matrix instead of a table of many.
    project = layers.Dense(
        params["projection"], kernel_regularizer=style.regularizer(), name=f"{layer.name}_projection"
    )
    return project(y)


def _conv(layer, tensors, style):
    (x,) = tensors
    y = _convolved(x, layer, style, layer.name)
    y = _squeeze_excite(y, layer.name, style) if layer.params["se"] else y
    return _shortcut(x, y, layer)


def _separable_conv(layer, tensors, style):
    (x,) = tensors
    y = _depthwise(x, layer, style)
    y = _squeeze_excite(y, layer.name, style) if layer.params["se"] else y
    y = _convolved(y, layer, style, f"{layer.name}_point", kernel=1, stride=1)
    return _shortcut(x, y, layer)


def _inverted_bottleneck(layer, tensors, style):
    # Sandler et al., MobileNetV2, 10.1109/CVPR.2018.00474.
    (x,) = tensors
    inner = x.shape[-1] * layer.params["expansion"]
    y = x
    if layer.params["expansion"] > 1:
        y = _convolved(x, layer, style, f"{layer.name}_expand", filters=inner, kernel=1, stride=1)
    y = _depthwise(y, layer, style)
    return _projected(x, y, layer, style)


def _fused_inverted_bottleneck(layer, tensors, style):
    # Tan & Le, EfficientNetV2, arXiv:2104.00298.
    (x,) = tensors
    inner = x.shape[-1] * layer.params["expansion"]
    y = _convolved(x, layer, style, f"{layer.name}_expand", filters=inner)
    return _projected(x, y, layer, style)


def _residual(layer, tensors, style):
    # He et al., 10.1109/CVPR.2016.90, the basic block.
    (x,) = tensors
    params = layer.params
    y = _convolved(x, layer, style, f"{layer.name}_first")
    last = "linear" if params["skip"] else params["activation"]
    y = _convolved(y, layer, style, f"{layer.name}_second", stride=1, activation=last)
    y = _squeeze_excite(y, layer.name, style) if params["se"] else y
    if not params["skip"]:
        return y
    if params["stride"] != 1 or x.shape[-1] != params["filters"]:
        x = _convolved(x, layer, style, f"{layer.name}_shortcut", kernel=1, activation="linear")
    y = layers.Add(name=f"{layer.name}_add")([x, y])
    return _activated(y, params["activation"], layer.name)


def _depthwise_conv(layer, tensors, style):
    return _depthwise(tensors[0], layer, style)


def _squeeze_excite_block(layer, tensors, style):
    return _squeeze_excite(tensors[0], layer.name, style, layer.params["squeezed"])


def _attention(layer, tensors, style):
    # Vaswani et al., arXiv:1706.03762, with each branch normalized in front of its shortcut (Liu et al., Swin
    # Transformer V2, 10.1109/CVPR52688.2022.01170): a batch normalization there vanishes in the dense layer before it.
    (x,), name, ffn = tensors, layer.name, layer.params["ffn"]
    shape, channels, heads = x.shape[1:], x.shape[-1], layer.params["heads"]
    x = layers.Reshape((shape[0] * shape[1], channels), name=f"{name}_positions")(x)
    attend = layers.MultiHeadAttention(
        heads, channels // heads, kernel_regularizer=style.regularizer(), name=f"{name}_heads"
    )
    y = _branch_normalized(attend(x, x), layer, style, f"{name}_heads")
    x = layers.Add(name=f"{name}_add")([x, y])
    if ffn:
        y = layers.Dense(ffn, kernel_regularizer=style.regularizer(), name=f"{name}_ffn")(x)
        y = _activated(y, layer.params["activation"], f"{name}_ffn")
        y = layers.Dense(channels, kernel_regularizer=style.regularizer(), name=f"{name}_ffn_back")(y)
        x = layers.Add(name=f"{name}_ffn_add")([x, _branch_normalized(y, layer, style, f"{name}_ffn")])
    return layers.Reshape(shape, name=name)(x)


def _branch_normalized(x, layer, style, name):
    # In front of a layer normalization too, where it brings the variances near 1.
    x = _normalized(x, True, style, name)
    return _layer_normalized(x, f"{name}_ln") if layer.params["normalization"] == "layer" else x


def _layer_normalized(x, name):
    # Without gain and bias (Xu et al., arXiv:1911.07013), and of operators that int8 has: the layer of Keras negates
    # the mean, which a file can in float alone.
    mean, variance = (
        layers.GlobalAveragePooling1D("channels_first", keepdims=True, name=f"{name}_{moment}")
        for moment in ("mean", "variance")
    )
    x = layers.Subtract(name=f"{name}_centered")([x, mean(x)])
    squares = layers.Multiply(name=f"{name}_squares")([x, x])
    inverse = keras.ops.rsqrt(variance(squares) + _LAYER_NORM_EPSILON)
    return layers.Multiply(name=f"{name}_scaled")([x, inverse])


def _attention_pool(layer, tensors, style):
    (x,), name = tensors, layer.name
    positions = x.shape[1] * x.shape[2]
    x = layers.Reshape((positions, x.shape[-1]), name=f"{name}_positions")(x)
    scores = layers.Dense(1, kernel_regularizer=style.regularizer(), name=f"{name}_scores")(x)
    scores = layers.Softmax(name=f"{name}_softmax")(layers.Reshape((1, positions), name=f"{name}_row")(scores))
    mean = layers.Dot(axes=(2, 1), name=f"{name}_mean")([scores, x])
    return layers.Flatten(name=name)(mean)


def _pool(pooling):
    def block(layer, tensors, style):
        params = layer.params
        return pooling(params["size"], strides=params["stride"], padding=params["padding"], name=layer.name)(tensors[0])

    return block


def _global_average_pool(layer, tensors, style):
    return layers.GlobalAveragePooling2D(name=layer.name)(style.whole(tensors[0], layer))


def _flatten(layer, tensors, style):
    return layers.Flatten(name=layer.name)(tensors[0])


def _reshape(layer, tensors, style):
    return layers.Reshape(layer.params["shape"], name=layer.name)(tensors[0])


def _frames(layer, tensors, style):
    (x,) = tensors
    return layers.Reshape((1, x.shape[1], x.shape[2] * x.shape[3]), name=layer.name)(x)


def _activation(layer, tensors, style):
    return _activated(tensors[0], layer.params["activation"], layer.name)


def _batch_norm(layer, tensors, style):
    return layers.BatchNormalization(momentum=style.batch_norm_momentum, name=layer.name)(tensors[0])


def _slice(layer, tensors, style):
    # There is no layer that cuts a vector, but one that cuts a sequence, of whatever it has to each step.
    (x,), begin, size = tensors, layer.params["begin"], layer.params["size"]
    steps = layers.Reshape((x.shape[-1], 1), name=f"{layer.name}_steps")(x)
    cropping = (begin, x.shape[-1] - begin - size)
    steps = layers.Cropping1D(cropping, dtype=x.dtype, name=f"{layer.name}_crop")(steps)
    return layers.Reshape((size,), name=layer.name)(steps)


def _dense(layer, tensors, style):
    units = layer.params["units"]
    y = layers.Dense(units, kernel_regularizer=style.regularizer(), name=layer.name)(tensors[0])
    return _activated(y, layer.params["activation"], layer.name)


def _dropout(layer, tensors, style):
    return layers.Dropout(layer.params["rate"], name=layer.name)(tensors[0])


def _add(layer, tensors, style):
    return layers.Add(name=layer.name)(tensors)


def _multiply(layer, tensors, style):
    return layers.Multiply(name=layer.name)(tensors)


def _concat(layer, tensors, style):
    return layers.Concatenate(name=layer.name)(tensors)


def _classifier(layer, tensors, style):
    params = layer.params
    dense = layers.Dense(
        params["classes"], activation=params["activation"], kernel_regularizer=style.regularizer(), name=layer.name
    )
    return dense(tensors[0])


def _regressor(layer, tensors, style):
    return layers.Dense(layer.params["outputs"], kernel_regularizer=style.regularizer(), name=layer.name)(tensors[0])


def _convolved(x, layer, style, name, **changes):
    params = {**layer.params, **changes}
    x, padding = style.surrounded(x, _width(params), name)
    y = layers.Conv2D(
        params["filters"],
        params["kernel"],
        strides=params["stride"],
        padding=padding,
        use_bias=not params["batch_norm"],
        kernel_regularizer=style.regularizer(),
        name=f"{name}_conv",
    )(x)
    return _activated(_normalized(y, params["batch_norm"], style, name), params["activation"], name)


def _depthwise(x, layer, style):
    params, name = layer.params, f"{layer.name}_depth"
    x, padding = style.surrounded(x, _width(params), name)
    y = layers.DepthwiseConv2D(
        params["kernel"],
        strides=params["stride"],
        padding=padding,
        use_bias=not params["batch_norm"],
        depthwise_regularizer=style.regularizer(),
        name=f"{name}_conv",
    )(x)
    return _activated(_normalized(y, params["batch_norm"], style, name), params["activation"], name)


def _width(params):
    return params["kernel"] if isinstance(params["kernel"], int) else params["kernel"][1]


def _projected(x, y, layer, style):
    y = _squeeze_excite(y, layer.name, style) if layer.params["se"] else y
    y = _convolved(y, layer, style, f"{layer.name}_project", kernel=1, stride=1, activation="linear")
    return _shortcut(x, y, layer)


def _shortcut(x, y, layer):
    return layers.Add(name=f"{layer.name}_add")([x, y]) if layer.params["skip"] else y


def _squeeze_excite(x, name, style, squeezed=None):
    channels = x.shape[-1]
    squeezed = squeezed or max(1, channels // _SE_RATIO)
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_se_pool")(x)
    y = layers.Conv2D(squeezed, 1, kernel_regularizer=style.regularizer(), name=f"{name}_se_squeeze")(y)
    y = layers.ReLU(name=f"{name}_se_relu")(y)
    y = layers.Conv2D(channels, 1, kernel_regularizer=style.regularizer(), name=f"{name}_se_excite")(y)
    y = layers.Activation("hard_sigmoid", name=f"{name}_se_gate")(y)
    return layers.Multiply(name=f"{name}_se_scale")([x, y])


def _normalized(x, is_on, style, name):
    return layers.BatchNormalization(momentum=style.batch_norm_momentum, name=f"{name}_bn")(x) if is_on else x


def _activated(x, activation, name):
    if activation == "linear":
        return x
    if activation == "hard_swish":
        return layers.Activation("hard_silu", name=f"{name}_hard_swish")(x)
    if activation in GATES:
        return layers.Activation(activation, name=f"{name}_{activation}")(x)
    return layers.ReLU(max_value=6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)


_BLOCKS = {
    "input": _input,
    "conv": _conv,
    "separable_conv": _separable_conv,
    "inverted_bottleneck": _inverted_bottleneck,
    "fused_inverted_bottleneck": _fused_inverted_bottleneck,
    "residual": _residual,
    "depthwise_conv": _depthwise_conv,
    "squeeze_excite": _squeeze_excite_block,
    "log_mel": log_mel,
    "embedding": _embedding,
    "attention": _attention,
    "attention_pool": _attention_pool,
    "gru": recurrent(layers.GRU),
    "lstm": recurrent(layers.LSTM),
    "max_pool": _pool(layers.MaxPooling2D),
    "average_pool": _pool(layers.AveragePooling2D),
    "global_average_pool": _global_average_pool,
    "flatten": _flatten,
    "reshape": _reshape,
    "frames": _frames,
    "activation": _activation,
    "batch_norm": _batch_norm,
    "slice": _slice,
    "dense": _dense,
    "dropout": _dropout,
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
    "classifier": _classifier,
    "regressor": _regressor,
    "upsample": upsample,
    "transposed_conv": transposed_conv,
    "pixel_classifier": pixel_classifier,
}
