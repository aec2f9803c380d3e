"""One Keras 3 layer in, the tf_keras layers that do the same out: the table of what the two write differently."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.activations import FUNCTIONS
from hwkeras.compress.activations import activation_layer
from hwkeras.compress.activations import has_twin
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.signatures import default_of
from hwkeras.compress.signatures import parameters_of
from hwkeras.errors import CompressionError

# Class -> {Keras 3 key: tf_keras key}.
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
# Keys tf_keras does not know -> the value with which they change nothing. Of others Keras 3's own default is it.
_KERAS_3_ONLY = {
    "data_format": "channels_last",
    "lora_rank": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "rms_scaling": False,
}
# Keys tf_keras knows in a signature, without meaning what Keras 3 means.
_MEANT_OTHERWISE = frozenset({"renorm", "renorm_clipping"})
# Keys that never change what a trained layer answers.
_IGNORED = frozenset(
    {"dtype", "lora_alpha", "query_shape", "value_shape", "key_shape", "renorm_momentum", "seed", "use_cudnn"}
)
# What every tf_keras layer takes, and recurrent ones, without naming it in a signature.
_TAKEN_BY_ALL = frozenset({"activity_regularizer", "dtype", "name", "trainable", "zero_output_for_mask"})
# Layers whose activation comes last, so that it may as well be a layer of its own. tfmot quantizes the split form.
_ENDS_IN_ACTIVATION = frozenset({"Conv1D", "Conv2D", "Conv2DTranspose", "Dense", "DepthwiseConv2D", "SeparableConv1D"})
_UNSPLIT = frozenset(FUNCTIONS) - {"hard_sigmoid", "hard_silu"}
# In tf_keras these hold Python code or other layers: no table of keys says they are equal.
_REFUSED = frozenset({"Bidirectional", "Lambda", "RNN", "StackedRNNCells", "TimeDistributed", "Wrapper"})
# A mean this many deviations from zero is subtracted before scaling.
_FAR_MEAN = 4.0
_WAY_OUT = "Replace it by built-in Keras layers, or convert the model uncompressed with `hwkeras.convert`."


@dataclass(frozen=True, eq=False)
class Translation:
    """What one Keras 3 layer or operation became.

    Args:
        parts: tuple of tf_keras layers.
        call: function of `(args, kwargs, tensors)`, the arguments of the call with tf_keras tensors in place and those
            tensors in a row, to the result. Defaults to `None`: the parts one after another.
        has_weights: bool, whether the parts' weights in a row are the layer's. Defaults to `True`.
    """

    parts: tuple
    call: Callable | None = None
    has_weights: bool = True

    def __call__(self, args, kwargs, tensors):
        """Calls the parts as the layer was called.

        Args:
            args: list or tuple, positional arguments.
            kwargs: dict, keyword arguments.
            tensors: list of the tensors among the arguments.

        Returns:
            tf_keras tensor or a structure of them.
        """
        if self.call is not None:
            return self.call(args, kwargs, tensors)
        first, *rest = self.parts
        result = first(*args, **accepted(first, kwargs))
        for part in rest:
            result = part(result)
        return result


@tf_keras.utils.register_keras_serializable(package="hwkeras")
class MaskEnd(tf_keras.layers.Layer):
    """Hands its input on without the mask."""

    def call(self, inputs):
        """The same values.

        Args:
            inputs: tensor.

        Returns:
            Tensor.
        """
        return tf.identity(inputs)

    def compute_mask(self, inputs, mask=None):
        """No mask."""
        return None


def without_mask(translation, name):
    """A translation that does not see the mask of its first input.

    Args:
        translation: Translation.
        name: str, of the layer.

    Returns:
        Translation.
    """
    end = MaskEnd(name=f"{name}_mask_end")

    def call(args, kwargs, tensors):
        return translation((end(args[0]), *args[1:]), kwargs, tensors)

    return Translation((*translation.parts, end), call, translation.has_weights)


def accepted(layer, kwargs):
    """Keyword arguments without the masks that a tf_keras layer takes from its inputs instead."""
    names = inspect.signature(layer.call).parameters
    return {key: value for key, value in kwargs.items() if key in names or not key.endswith("mask")}


def is_translatable(layer):
    """Whether `translate` knows the layer's class.

    Args:
        layer: an operation of a Keras 3 model.

    Returns:
        bool; False for custom layers, bare operations such as `x * 2`, and layers that hold layers.
    """
    name = type(layer).__name__
    return is_built_in(layer) and name not in _REFUSED and hasattr(tf_keras.layers, name)


def is_built_in(layer):
    """Whether an operation is one of Keras' own layers.

    Args:
        layer: an operation of a Keras 3 model.

    Returns:
        bool.
    """
    return getattr(keras.layers, type(layer).__name__, None) is type(layer)


def translate(layer, name):
    """Makes the tf_keras layers that do what a Keras 3 layer does; weights are not copied.

    Args:
        layer: keras.layers.Layer.
        name: str, the first tf_keras layer's name.

    Returns:
        Translation.

    Raises:
        CompressionError: no twin exists; the message names the layer.
    """
    if not is_translatable(layer):
        raise no_twin(layer, "tf_keras has no equal of its class")
    class_name = type(layer).__name__
    if class_name == "Normalization":
        return _rescaled(layer, name)
    config = translated_config(layer, name)
    if class_name == "SeparableConv2D":
        return Translation(_separate(layer, config))
    activation = config.pop("activation", None)
    if class_name == "Activation":
        return Translation((activation_layer(activation, name),))
    return Translation(_make(layer, class_name, config, activation))


def translated_config(layer, name):
    """The configuration tf_keras takes for a layer; the activation stays Keras 3's name.

    Args:
        layer: keras.layers.Layer of a class that tf_keras has too.
        name: str, of the tf_keras layer.

    Returns:
        dict of keyword arguments.

    Raises:
        CompressionError: a setting tf_keras does not have.
    """
    known = parameters_of(getattr(tf_keras.layers, type(layer).__name__)) | _TAKEN_BY_ALL
    renamed = _RENAMED.get(type(layer).__name__, {})
    config = {"name": name, "dtype": "float32"}
    for key, value in layer.get_config().items():
        if key not in config and _is_kept(layer, key, value, {*known, *renamed}):
            config[renamed.get(key, key)] = _value(layer, key, value)
    return config


def made(layer, config):
    """A tf_keras layer of the same class.

    Args:
        layer: keras.layers.Layer.
        config: dict of keyword arguments, the activation a function.

    Returns:
        tf_keras layer.

    Raises:
        CompressionError: tf_keras refuses the configuration.
    """
    return _constructed(layer, type(layer).__name__, config)


def no_twin(layer, reason):
    """The error of a layer that cannot be translated.

    Args:
        layer: an operation of a Keras 3 model.
        reason: str, without a period.

    Returns:
        CompressionError.
    """
    return CompressionError(
        f"Every layer of a model to compress needs an equal layer in tf_keras. Received: layer {layer.name!r} of class "
        f"{type(layer).__name__}: {reason}. {_WAY_OUT}"
    )


def _separate(layer, config):
    """A separable convolution as its two halves: tfmot makes the same of it, under names that may be taken."""
    shared = {key: config[key] for key in ("trainable", "data_format", "dtype")}
    depthwise = {key: config[key] for key in ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")}
    pointwise = {key: config[key] for key in ("filters", "use_bias", "activity_regularizer", "bias_regularizer")}
    for rule in ("regularizer", "constraint"):
        depthwise[f"depthwise_{rule}"] = config[f"depthwise_{rule}"]
        pointwise[f"kernel_{rule}"] = config[f"pointwise_{rule}"]
    pointwise.update(shared, name=config["name"], kernel_size=1, bias_constraint=config["bias_constraint"])
    depthwise.update(shared, name=f"{config['name']}_depthwise", use_bias=False)
    (first,) = _make(layer, "DepthwiseConv2D", depthwise, "linear")
    return (first, *_make(layer, "Conv2D", pointwise, config["activation"]))


def _rescaled(layer, name):
    """A normalization with fixed moments as `scale * x + offset`, which has no weights that training could move."""
    mean, variance = (np.asarray(keras.ops.convert_to_numpy(part), np.float64) for part in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    if layer.invert:
        steps = [(deviation, mean)]
    elif (np.abs(mean) > _FAR_MEAN * deviation).any():
        # Scaling first would round away what is left when the mean is subtracted.
        steps = [(np.ones_like(mean), -mean), (1 / deviation, np.zeros_like(mean))]
    else:
        steps = [(1 / deviation, -mean / deviation)]
    names = [name, f"{name}_scale"]
    parts = [
        tf_keras.layers.Rescaling(_plain(scale), _plain(offset), name=name, dtype="float32")
        for name, (scale, offset) in zip(names, steps, strict=False)
    ]
    return Translation(tuple(parts), has_weights=False)


def _plain(values):
    """A number where all are equal, else nested lists without the batch axis, which is 1."""
    values = values[0]
    return float(values.flat[0]) if (values == values.flat[0]).all() else values.tolist()


def _make(layer, class_name, config, activation):
    # One of our own functions inside a layer would be refused by tfmot's activation wrapper.
    is_split = class_name in _ENDS_IN_ACTIVATION and activation is not None and activation not in _UNSPLIT
    if activation is not None and activation not in FUNCTIONS and not is_split:
        raise no_twin(layer, f"tf_keras has no activation {activation!r} inside this layer")
    if activation is not None:
        config["activation"] = FUNCTIONS["linear" if is_split else activation]
    part = _constructed(layer, class_name, config)
    tail = (activation_layer(activation, f"{config['name']}_{activation}"),) if is_split else ()
    return (part, *tail)


def _constructed(layer, class_name, config):
    try:
        return getattr(tf_keras.layers, class_name)(**config)
    except (TypeError, ValueError) as error:
        raise no_twin(layer, f"tf_keras refuses its configuration: {error}") from error


def _is_kept(layer, key, value, known):
    # Initializers are left behind: the trained weights are copied.
    if key in _IGNORED or key.endswith("_initializer"):
        return False
    if key in known and key not in _MEANT_OTHERWISE:
        return True
    default = _KERAS_3_ONLY.get(key, default_of(type(layer), key))
    if value != default:
        raise no_twin(layer, f"tf_keras knows no {key}={value!r}")
    return False


def _value(layer, key, value):
    if key == "activation" and value is not None:
        _check_activation(layer, value)
        return value
    if key.endswith("_activation"):
        _check_activation(layer, value)
        if value not in FUNCTIONS:
            raise no_twin(layer, f"tf_keras has no activation {value!r} inside this layer")
        return FUNCTIONS[value]
    if key.endswith("_regularizer"):
        return _namesake(layer, tf_keras.regularizers, value)
    if key.endswith("_constraint"):
        return _namesake(layer, tf_keras.constraints, value)
    return value


def _check_activation(layer, value):
    if not isinstance(value, str) or not has_twin(value):
        said = value if isinstance(value, str) else value.get("config", value)
        raise no_twin(layer, f"tf_keras has no equal of its activation {said!r}")


def _namesake(layer, module, value):
    """The tf_keras regularizer or constraint of the same class and arguments."""
    if value is None:
        return None
    cls = getattr(module, value["class_name"], None)
    if cls is None or not value["module"].startswith("keras."):
        raise no_twin(layer, f"tf_keras has no equal of {value['class_name']!r}")
    return cls(**value["config"])
