"""One Keras 3 layer in, the tf_keras layers that do the same out: the table of what the two write differently."""

import keras

from hwkeras.compress.activations import FUNCTIONS
from hwkeras.compress.activations import LAYERS
from hwkeras.compress.activations import activation_layer
from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import CompressionError

# Class -> {Keras 3 key: tf_keras key}.
_RENAMED = {"LeakyReLU": {"negative_slope": "alpha"}}
# Keys tf_keras does not know -> the value with which they change nothing.
_KERAS_3_ONLY = {
    "flash_attention": None,
    "lora_rank": None,
    "quantization_config": None,
    "renorm": False,
    "rms_scaling": False,
    "renorm_clipping": None,
    "sliding_window": None,
    "use_gate": False,
}
# Keys that never change what a trained layer answers.
_IGNORED = frozenset(
    {"dtype", "lora_alpha", "query_shape", "value_shape", "key_shape", "renorm_momentum", "seed", "use_cudnn"}
)
# Layers whose activation comes last, so that it may as well be a layer of its own. tfmot quantizes the split form.
_ENDS_IN_ACTIVATION = frozenset({"Conv1D", "Conv2D", "Conv2DTranspose", "Dense", "DepthwiseConv2D", "SeparableConv1D"})
_SPLIT = frozenset({*LAYERS, "hard_sigmoid", "hard_silu"})
# In tf_keras these hold Python code or other layers: no table of keys says they are equal.
_REFUSED = frozenset({"Bidirectional", "Lambda", "RNN", "StackedRNNCells", "TimeDistributed", "Wrapper"})
_WAY_OUT = "Replace it by built-in Keras layers, or convert the model uncompressed with `hwkeras.convert`."


def is_translatable(layer):
    """Whether `translate` knows the layer's class.

    Args:
        layer: an operation of a Keras 3 model.

    Returns:
        bool; False for custom layers, bare operations such as `x * 2`, and `Lambda`.
    """
    name = type(layer).__name__
    is_builtin = getattr(keras.layers, name, None) is type(layer)
    return is_builtin and name not in _REFUSED and hasattr(tf_keras.layers, name)


def translate(layer, name):
    """Makes the tf_keras layers that do what a Keras 3 layer does; weights are not copied.

    Args:
        layer: keras.layers.Layer.
        name: str, the first tf_keras layer's name.

    Returns:
        Tuple of tf_keras layers, to be called one after another; their weights in a row are the layer's.

    Raises:
        CompressionError: no twin exists; the message names the layer.
    """
    if not is_translatable(layer):
        raise _no_twin(layer, "tf_keras has no equal of its class")
    class_name = type(layer).__name__
    config = {
        key: _value(layer, key, value) for key, value in layer.get_config().items() if _is_kept(layer, key, value)
    }
    config.update(name=name, dtype="float32")
    for old, new in _RENAMED.get(class_name, {}).items():
        config[new] = config.pop(old)
    if class_name == "SeparableConv2D":
        return _separate(layer, config)
    activation = config.pop("activation", None)
    if class_name == "Activation":
        return (activation_layer(activation, name),)
    return _make(layer, class_name, config, activation)


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


def _make(layer, class_name, config, activation):
    cls = getattr(tf_keras.layers, class_name)
    # One of our own functions inside a layer would be refused by tfmot's activation wrapper.
    is_split = class_name in _ENDS_IN_ACTIVATION and activation in _SPLIT
    if activation in LAYERS and not is_split:
        raise _no_twin(layer, f"tf_keras has no activation {activation!r} inside this layer")
    if activation is not None:
        config["activation"] = FUNCTIONS["linear" if is_split else activation]
    try:
        made = cls(**config)
    except (TypeError, ValueError) as error:
        raise _no_twin(layer, f"tf_keras refuses its configuration: {error}") from error
    tail = (activation_layer(activation, f"{config['name']}_{activation}"),) if is_split else ()
    return (made, *tail)


def _is_kept(layer, key, value):
    if key in _KERAS_3_ONLY:
        if value != _KERAS_3_ONLY[key]:
            raise _no_twin(layer, f"tf_keras knows no {key}={value!r}")
        return False
    # Initializers are left behind: the trained weights are copied.
    return key not in _IGNORED and not key.endswith("_initializer")


def _value(layer, key, value):
    if key == "activation" and value is not None:
        _check_activation(layer, value)
        return value
    if key.endswith("_activation"):
        _check_activation(layer, value)
        return FUNCTIONS[value]
    if key.endswith("_regularizer"):
        return _namesake(layer, tf_keras.regularizers, value)
    if key.endswith("_constraint"):
        return _namesake(layer, tf_keras.constraints, value)
    return value


def _check_activation(layer, value):
    if not isinstance(value, str) or value not in {*FUNCTIONS, *LAYERS}:
        said = value if isinstance(value, str) else value.get("config", value)
        raise _no_twin(layer, f"tf_keras has no equal of its activation {said!r}")


def _namesake(layer, module, value):
    """The tf_keras regularizer or constraint of the same class and arguments."""
    if value is None:
        return None
    cls = getattr(module, value["class_name"], None)
    if cls is None or not value["module"].startswith("keras."):
        raise _no_twin(layer, f"tf_keras has no equal of {value['class_name']!r}")
    return cls(**value["config"])


def _no_twin(layer, reason):
    return CompressionError(
        f"Every layer of a model to compress needs an equal layer in tf_keras. Received: layer {layer.name!r} of class "
        f"{type(layer).__name__}: {reason}. {_WAY_OUT}"
    )
