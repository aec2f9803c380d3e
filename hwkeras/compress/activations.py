"""Keras 3 activations that tf_keras lacks or defines otherwise, as tf_keras functions.

tf_keras' own `hard_sigmoid` is `0.2 x + 0.5` clipped; Keras 3's, and TFLite's HARD_SWISH, is `relu6(x + 3) / 6`.
"""

import keras
import tensorflow as tf

from hwkeras.compress.keras_operation import KerasOperation
from hwkeras.compress.keras_operation import describe
from hwkeras.compress.legacy import tf_keras


@tf_keras.utils.register_keras_serializable(package="hwkeras")
def hard_sigmoid(x):
    """`relu6(x + 3) / 6`, as in Keras 3 (Howard et al., MobileNetV3, 10.1109/ICCV.2019.00140)."""
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


@tf_keras.utils.register_keras_serializable(package="hwkeras")
def hard_silu(x):
    """`x * hard_sigmoid(x)`, also called hard-swish."""
    return x * hard_sigmoid(x)


# Keras 3 name -> the function tf_keras gets. Names that mean the same in both stand for themselves.
FUNCTIONS = {
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "silu": tf_keras.activations.swish,
    **{
        name: getattr(tf_keras.activations, name)
        for name in (
            "elu",
            "exponential",
            "gelu",
            "linear",
            "mish",
            "relu",
            "selu",
            "sigmoid",
            "softmax",
            "softplus",
            "softsign",
            "tanh",
        )
    },
}

# Keras 3 name -> the tf_keras layer that does the same; tfmot and the converter fuse these, not bare functions.
LAYERS = {
    "relu6": lambda name: tf_keras.layers.ReLU(max_value=6.0, name=name),
    "leaky_relu": lambda name: tf_keras.layers.LeakyReLU(alpha=0.2, name=name),
}
# Names of the module that are no activations.
_TOOLS = frozenset({"deserialize", "get", "serialize"})


def has_twin(activation):
    """Whether `activation_layer` knows an activation.

    Args:
        activation: str, Keras 3 name.

    Returns:
        bool; False for functions of the user.
    """
    return activation not in _TOOLS and callable(getattr(keras.activations, activation, None))


def activation_layer(activation, name):
    """Makes the tf_keras layer of a Keras 3 activation.

    Args:
        activation: str, name of one of Keras 3's own.
        name: str, the layer's name.

    Returns:
        A tf_keras layer.
    """
    if activation in LAYERS:
        return LAYERS[activation](name)
    if activation in FUNCTIONS:
        return tf_keras.layers.Activation(FUNCTIONS[activation], name=name)
    return KerasOperation(describe(keras.layers.Activation(activation)), name=name)
