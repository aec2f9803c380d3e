"""What each kind of layer does to channels: which weights they index, which channels come out, which are tied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras
import numpy as np

# Roles of a weight's axis towards its channels: the weight computes the channel, scales it after normalizing, reads it
# for the next layer, or merely has an entry for it (a bias, a moving mean).
ROLES = MAKES, SCALES, READS, RIDES = "makes", "scales", "reads", "rides"
# Keys of a layer's configuration that make new channels; other sizes follow from what comes in.
_PRODUCING = frozenset({"filters", "units", "output_dim"})


@dataclass(frozen=True, eq=False)
class WeightAxis:
    """One axis of one weight, and the channel at each of its places.

    Args:
        weight: str, name of the weight, such as `"kernel"`.
        axis: int, negative, counted from the last.
        channels: int array of shape (length of the axis,).
        role: str, `MAKES`, `SCALES`, `READS` or `RIDES`.
    """

    weight: str
    axis: int
    channels: Any
    role: str


@dataclass(frozen=True, eq=False)
class Effect:
    """What a layer does to channels.

    Args:
        makes: int array of shape (num_channels,), the channels of the last axis of its output.
        axes: tuple of WeightAxis, of all its weights that have an entry for each channel. Defaults to `()`.
        sizes: mapping of configuration key to the channels it counts, such as `filters`. Defaults to none.
    """

    makes: Any
    axes: tuple[WeightAxis, ...] = ()
    sizes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_bound(self):
        """bool, whether the layer's configuration or weights depend on its channels."""
        return bool(self.axes or self.sizes)

    @property
    def is_producer(self):
        """bool, whether the layer makes channels of its own, as a convolution does."""
        return not _PRODUCING.isdisjoint(self.sizes)


class NotFollowed(Exception):
    """A call that mixes channels in a way no rule describes; the text says how."""


def effect_of(layer, reads, shape, ties):
    """What one call of a layer does to channels.

    Args:
        layer: operation of a Keras 3 model, built.
        reads: list of int arrays, the channels of each input tensor.
        shape: tuple, the output tensor's shape with the batch.
        ties: ChannelTies, in which channels are made and tied.

    Returns:
        Effect.

    Raises:
        NotFollowed: no rule describes this call.
    """
    rule = _RULES.get(type(layer)) or _bare_rule(type(layer))
    if rule is None:
        raise NotFollowed("no rule says how its outputs depend on its input channels")
    if getattr(layer, "data_format", None) == "channels_first":
        raise NotFollowed("its channels are not on the last axis (data_format='channels_first')")
    effect = rule(layer, reads, shape, ties)
    if len(effect.makes) != (shape[-1] or 0):
        raise NotFollowed("its output does not have the channels of its input")
    _refuse_unknown_weights(layer, effect)
    if getattr(layer, "activation", None) not in _POINTWISE:
        name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        ties.fix(effect.makes, f"the activation {name!r} of {layer.name!r} is not known to treat channels one by one")
    return effect


def _refuse_unknown_weights(layer, effect):
    """LoRA, quantized kernels, renormalization: weights beside those a rule slices."""
    known = {axis.weight for axis in effect.axes}
    unknown = sorted({weight.name for weight in getattr(layer, "weights", ())} - known)
    if unknown and effect.is_bound:
        raise NotFollowed(f"it holds weights no rule knows: {', '.join(unknown)}")


def _convolution(layer, reads, shape, ties):
    (read,) = reads
    makes = ties.new(layer.filters)
    # Channel k of every group reads through the same place of the kernel: the groups shrink alike.
    grouped, made = read.reshape(layer.groups, -1), makes.reshape(layer.groups, -1)
    for group in range(1, layer.groups):
        ties.tie(grouped[0], grouped[group])
        ties.tie(made[0], made[group])
    kernel = (WeightAxis("kernel", -2, grouped[0], READS), WeightAxis("kernel", -1, makes, MAKES))
    return Effect(makes, (*kernel, WeightAxis("bias", -1, makes, RIDES)), {"filters": makes})


def _transposed_convolution(layer, reads, shape, ties):
    (read,) = reads
    makes = ties.new(layer.filters)
    kernel = (WeightAxis("kernel", -1, read, READS), WeightAxis("kernel", -2, makes, MAKES))
    return Effect(makes, (*kernel, WeightAxis("bias", -1, makes, RIDES)), {"filters": makes})


def _depthwise_convolution(layer, reads, shape, ties):
    (read,) = reads
    makes = np.repeat(read, layer.depth_multiplier)
    return Effect(makes, (WeightAxis("kernel", -2, read, MAKES), WeightAxis("bias", -1, makes, RIDES)))


def _separable_convolution(layer, reads, shape, ties):
    (read,) = reads
    makes = ties.new(layer.filters)
    axes = (
        WeightAxis("depthwise_kernel", -2, read, READS),
        WeightAxis("pointwise_kernel", -2, np.repeat(read, layer.depth_multiplier), READS),
        WeightAxis("pointwise_kernel", -1, makes, MAKES),
        WeightAxis("bias", -1, makes, RIDES),
    )
    return Effect(makes, axes, {"filters": makes})


def _dense(layer, reads, shape, ties):
    (read,) = reads
    makes = ties.new(layer.units)
    axes = (
        WeightAxis("kernel", -2, read, READS),
        WeightAxis("kernel", -1, makes, MAKES),
        WeightAxis("bias", -1, makes, RIDES),
    )
    return Effect(makes, axes, {"units": makes})


def _embedding(layer, reads, shape, ties):
    makes = ties.new(layer.output_dim)
    return Effect(makes, (WeightAxis("embeddings", -1, makes, MAKES),), {"output_dim": makes})


def _batch_normalization(layer, reads, shape, ties):
    (read,) = reads
    _require_last_axis(layer, shape)
    riding = [WeightAxis(name, -1, read, RIDES) for name in ("beta", "moving_mean", "moving_variance")]
    return Effect(read, (WeightAxis("gamma", -1, read, SCALES), *riding))


def _layer_normalization(layer, reads, shape, ties):
    (read,) = reads
    _require_last_axis(layer, shape)
    return Effect(read, (WeightAxis("gamma", -1, read, MAKES), WeightAxis("beta", -1, read, RIDES)))


def _require_last_axis(layer, shape):
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    if [axis % len(shape) for axis in axes] != [len(shape) - 1]:
        raise NotFollowed(f"it normalizes axis {layer.axis}, not the last one alone")


def _prelu(layer, reads, shape, ties):
    (read,) = reads
    if layer.alpha.shape[-1] != len(read):
        raise NotFollowed("it shares its slopes between channels")
    return Effect(read, (WeightAxis("alpha", -1, read, RIDES),))


def _passed_on(layer, reads, shape, ties):
    return Effect(reads[0])


def _permuted(layer, reads, shape, ties):
    if layer.dims[-1] != len(layer.dims):
        raise NotFollowed("it moves the channels to another axis")
    return Effect(reads[0])


def _reshaped(layer, reads, shape, ties):
    """Memory is row by row: where the new last axis holds whole rows of channels, it repeats them."""
    (read,) = reads
    last = shape[-1]
    if not last or not len(read) or last % len(read):
        raise NotFollowed("it splits the channels over several axes, or their number is open")
    makes = np.tile(read, last // len(read))
    target = getattr(layer, "target_shape", (-1,))
    return Effect(makes, sizes={} if target[-1] == -1 else {"target_shape": makes})


def _merged(layer, reads, shape, ties):
    return Effect(_tied(layer, reads, ties))


def _tied(layer, reads, ties):
    """Place by place, as adding does; one channel beside many is read by all of them."""
    widest = max(reads, key=len)
    for read in reads:
        if len(read) == len(widest):
            ties.tie(widest, read)
        else:
            ties.fix(read, f"{layer.name!r} spreads it over all channels of another tensor")
    return widest


def _concatenated(layer, reads, shape, ties):
    if layer.axis % len(shape) == len(shape) - 1:
        return Effect(np.concatenate(reads))
    return Effect(_tied(layer, reads, ties))


def _bare_rule(cls):
    """The rule of an operation that is no layer, such as the `x + 3.0` in keras.applications' MobileNetV3."""
    is_bare = cls.__module__ in ("keras.src.ops.numpy", "keras.src.ops.nn")
    return _merged if is_bare and cls.__name__ in _BARE_POINTWISE else None


_BARE_POINTWISE = frozenset(
    "Abs Add Divide Elu Gelu HardSigmoid HardSilu LeakyRelu Maximum Minimum Multiply Negative Relu Relu6 Sigmoid Silu "
    "Softplus Square Subtract Tanh TrueDivide".split()
)

_POINTWISE = {
    None,
    *(
        getattr(keras.activations, name)
        for name in (
            "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid mish "
            "relu relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus tanh "
            "tanh_shrink"
        ).split()
    ),
}


def _layers(names, dimensions=("",)):
    return [getattr(keras.layers, name + ending) for name in names.split() for ending in dimensions]


_RULES = {
    keras.layers.Embedding: _embedding,
    keras.layers.Dense: _dense,
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.LayerNormalization: _layer_normalization,
    keras.layers.PReLU: _prelu,
    keras.layers.Permute: _permuted,
    keras.layers.Concatenate: _concatenated,
    **dict.fromkeys(_layers("Conv", ("1D", "2D", "3D")), _convolution),
    **dict.fromkeys(_layers("Conv", ("1DTranspose", "2DTranspose", "3DTranspose")), _transposed_convolution),
    **dict.fromkeys(_layers("DepthwiseConv", ("1D", "2D")), _depthwise_convolution),
    **dict.fromkeys(_layers("SeparableConv", ("1D", "2D")), _separable_convolution),
    **dict.fromkeys(_layers("Flatten Reshape"), _reshaped),
    **dict.fromkeys(_layers("Add Average Maximum Minimum Multiply Subtract"), _merged),
    **dict.fromkeys(
        _layers(
            "Activation ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise Identity "
            "LeakyReLU ReLU RepeatVector Resizing"
        ),
        _passed_on,
    ),
    **dict.fromkeys(
        _layers(
            "AveragePooling Cropping GlobalAveragePooling GlobalMaxPooling MaxPooling SpatialDropout UpSampling "
            "ZeroPadding",
            ("1D", "2D", "3D"),
        ),
        _passed_on,
    ),
}
