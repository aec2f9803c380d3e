"""One-dimensional layers as two-dimensional ones over an axis of size 1, the form that tfmot and TFLite know.

A signal of shape (length, channels) becomes an image of shape (1, length, channels). The weights are the same numbers
in the same order.
"""

from __future__ import annotations

from hwkeras.compress.legacy import tf_keras

_LAYERS = tf_keras.layers
_SHARED = ("trainable", "dtype")
_CONVOLUTION = ("padding", "use_bias", "activation", "bias_regularizer", "activity_regularizer", "bias_constraint")


def lifted_parts(layer, name):
    """The two-dimensional layers that do on a lifted signal what a one-dimensional layer does on the signal.

    Args:
        layer: tf_keras layer.
        name: function str -> str that makes a free layer name of a wanted one.

    Returns:
        List of tf_keras layers, to be called one after another; empty where no such layers are known.
    """
    config = layer.get_config()
    make = _MAKERS.get(type(layer))
    is_other = config.get("data_format") == "channels_first" or config.get("noise_shape") is not None
    return [] if make is None or is_other else make(config, name)


def always_lifts(layer):
    """Whether a layer is worth reshaping its input for; the others follow what they get.

    Args:
        layer: tf_keras layer.

    Returns:
        bool.
    """
    return type(layer) in _ALWAYS


def _wide(value):
    """A setting of one axis, for two of which the first is of size 1."""
    return (1, value[0] if isinstance(value, list | tuple) else value)


def _square(value):
    """The same stride along both axes, as a depthwise convolution asks; along an axis of size 1 it changes nothing."""
    return _wide(value)[1], _wide(value)[1]


def _padded(config, name):
    """What `causal` padding asks for in front of a convolution: the layers, and the padding that is then left to do."""
    if config["padding"] != "causal":
        return [], config["padding"]
    left = (_wide(config["kernel_size"])[1] - 1) * _wide(config["dilation_rate"])[1]
    return [_LAYERS.ZeroPadding2D(((0, 0), (left, 0)), name=name(f"{config['name']}_causal"))], "valid"


def _taken(config, *keys):
    return {key: config[key] for key in (*_SHARED, *keys) if key in config}


def _convolution(config, name):
    before, padding = _padded(config, name)
    settings = _taken(config, *_CONVOLUTION, "filters", "groups", "kernel_regularizer", "kernel_constraint")
    settings.update(padding=padding, kernel_size=_wide(config["kernel_size"]), strides=_wide(config["strides"]))
    settings["dilation_rate"] = _wide(config["dilation_rate"])
    return [*before, _LAYERS.Conv2D(name=name(config["name"]), **settings)]


def _transposed(config, name):
    if _wide(config["dilation_rate"]) != (1, 1):
        return []
    settings = _taken(config, *_CONVOLUTION, "filters", "kernel_regularizer", "kernel_constraint")
    settings.update(kernel_size=_wide(config["kernel_size"]), strides=_wide(config["strides"]))
    if config["output_padding"] is not None:
        settings["output_padding"] = (0, _wide(config["output_padding"])[1])
    return [_LAYERS.Conv2DTranspose(name=name(config["name"]), **settings)]


def _depthwise(config, name):
    before, padding = _padded(config, name)
    keys = ("depth_multiplier", "depthwise_regularizer", "depthwise_constraint")
    settings = _taken(config, *_CONVOLUTION, *keys)
    settings.update(padding=padding, kernel_size=_wide(config["kernel_size"]), strides=_square(config["strides"]))
    settings["dilation_rate"] = _wide(config["dilation_rate"])
    return [*before, _LAYERS.DepthwiseConv2D(name=name(config["name"]), **settings)]


def _separable(config, name):
    first = {**config, "name": f"{config['name']}_depthwise", "use_bias": False, "activation": "linear"}
    first.update(bias_regularizer=None, activity_regularizer=None, bias_constraint=None)
    return [*_depthwise(first, name), _pointwise(config, name)]


def separated(config, name):
    """A separable convolution of images as its two halves.

    Args:
        config: dict, the configuration of a tf_keras SeparableConv2D with its channels last.
        name: function str -> str that makes a free layer name of a wanted one.

    Returns:
        List of a tf_keras DepthwiseConv2D and a Conv2D with a kernel of 1 x 1.
    """
    keys = ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
    settings = _taken(config, *keys, "depthwise_regularizer", "depthwise_constraint")
    first = _LAYERS.DepthwiseConv2D(use_bias=False, name=name(f"{config['name']}_depthwise"), **settings)
    return [first, _pointwise(config, name)]


def _pointwise(config, name):
    """The second half of a separable convolution."""
    settings = _taken(config, *_CONVOLUTION, "filters")
    settings.update(padding="valid", kernel_size=1)
    settings.update({f"kernel_{rule}": config[f"pointwise_{rule}"] for rule in ("regularizer", "constraint")})
    return _LAYERS.Conv2D(name=name(config["name"]), **settings)


def _pooling(cls):
    def make(config, name):
        size, strides = _wide(config["pool_size"]), _wide(config["strides"])
        return [cls(size, strides, config["padding"], name=name(config["name"]), **_taken(config))]

    return make


def _spread(cls, key):
    """For layers whose one setting is a pair (before, after) or a number."""

    def make(config, name):
        value = config[key]
        value = (1, value) if key == "size" else ((0, 0), tuple(value))
        return [cls(value, name=name(config["name"]), **_taken(config))]

    return make


def _same(cls, *keys):
    def make(config, name):
        return [cls(name=name(config["name"]), **_taken(config, *keys))]

    return make


def _on_last_axis(cls):
    """For layers of one axis; only the last of three is the last of four."""

    def make(config, name):
        axis = config["axis"][0] if isinstance(config["axis"], list | tuple) else config["axis"]
        if axis not in (-1, 2):
            return []
        return [cls.from_config({**config, "axis": -1, "name": name(config["name"])})]

    return make


def _with_slopes(config, name):
    axes = [axis + 1 for axis in config["shared_axes"] or ()] or None
    return [_LAYERS.PReLU.from_config({**config, "shared_axes": axes, "name": name(config["name"])})]


def _elementwise(cls):
    def make(config, name):
        return [cls.from_config({**config, "name": name(config["name"])})]

    return make


_MAKERS = {
    _LAYERS.Conv1D: _convolution,
    _LAYERS.Conv1DTranspose: _transposed,
    _LAYERS.DepthwiseConv1D: _depthwise,
    _LAYERS.SeparableConv1D: _separable,
    _LAYERS.MaxPooling1D: _pooling(_LAYERS.MaxPooling2D),
    _LAYERS.AveragePooling1D: _pooling(_LAYERS.AveragePooling2D),
    _LAYERS.GlobalAveragePooling1D: _same(_LAYERS.GlobalAveragePooling2D, "keepdims"),
    _LAYERS.GlobalMaxPooling1D: _same(_LAYERS.GlobalMaxPooling2D, "keepdims"),
    _LAYERS.SpatialDropout1D: _same(_LAYERS.SpatialDropout2D, "rate"),
    _LAYERS.ZeroPadding1D: _spread(_LAYERS.ZeroPadding2D, "padding"),
    _LAYERS.Cropping1D: _spread(_LAYERS.Cropping2D, "cropping"),
    _LAYERS.UpSampling1D: _spread(_LAYERS.UpSampling2D, "size"),
    _LAYERS.Flatten: _same(_LAYERS.Flatten),
    _LAYERS.BatchNormalization: _on_last_axis(_LAYERS.BatchNormalization),
    _LAYERS.Softmax: _on_last_axis(_LAYERS.Softmax),
    _LAYERS.PReLU: _with_slopes,
    **{
        cls: _elementwise(cls)
        for cls in (
            _LAYERS.Activation,
            _LAYERS.Add,
            _LAYERS.Average,
            _LAYERS.Dropout,
            _LAYERS.ELU,
            _LAYERS.LeakyReLU,
            _LAYERS.Maximum,
            _LAYERS.Minimum,
            _LAYERS.Multiply,
            _LAYERS.ReLU,
            _LAYERS.Subtract,
            _LAYERS.ThresholdedReLU,
        )
    },
    _LAYERS.Concatenate: _on_last_axis(_LAYERS.Concatenate),
}
_ALWAYS = frozenset(
    {
        _LAYERS.Conv1D,
        _LAYERS.Conv1DTranspose,
        _LAYERS.DepthwiseConv1D,
        _LAYERS.SeparableConv1D,
        _LAYERS.MaxPooling1D,
        _LAYERS.AveragePooling1D,
        _LAYERS.UpSampling1D,
    }
)
