"""Keras 3 layers that hold layers, as tf_keras layers that tfmot can look into."""

from __future__ import annotations

import keras
import tensorflow as tf

from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.translation import Translation
from hwkeras.compress.translation import accepted
from hwkeras.compress.translation import no_twin
from hwkeras.compress.translation import translate
from hwkeras.compress.translation import translated_config

_MERGES = {
    "concat": tf_keras.layers.Concatenate,
    "sum": tf_keras.layers.Add,
    "mul": tf_keras.layers.Multiply,
    "ave": tf_keras.layers.Average,
}
# What works on each position of a sequence alone does so without a wrapper around it.
_POSITIONWISE = frozenset({"Activation", "Dense", "Dropout", "ELU", "LeakyReLU", "ReLU", "Rescaling"})
_TIME_AXIS = 1


@tf_keras.utils.register_keras_serializable(package="hwkeras")
class TimeReversal(tf_keras.layers.Layer):
    """A sequence from its end to its start; its mask ends here."""

    def call(self, inputs):
        """Reverses axis 1.

        Args:
            inputs: tensor of shape (batch, time, ...).

        Returns:
            Tensor of the same shape.
        """
        return tf.reverse(inputs, [_TIME_AXIS])

    def compute_mask(self, inputs, mask=None):
        """No mask."""
        return None


def is_wrapper(layer):
    """Whether `translate_wrapper` knows the layer.

    Args:
        layer: an operation of a Keras 3 model.

    Returns:
        bool.
    """
    return type(layer) in (keras.layers.Bidirectional, keras.layers.TimeDistributed)


def translate_wrapper(layer, name):
    """Makes the tf_keras layers of a Bidirectional or TimeDistributed layer; weights are not copied.

    Args:
        layer: keras.layers.Bidirectional, or keras.layers.TimeDistributed around a layer that is no model.
        name: str, the first tf_keras layer's name.

    Returns:
        Translation.

    Raises:
        CompressionError: a layer inside has no twin.
    """
    return _bidirectional(layer, name) if isinstance(layer, keras.layers.Bidirectional) else _distributed(layer, name)


def _bidirectional(layer, name):
    """Both directions as layers of the model: tfmot prunes and clusters them there, not inside a wrapper."""
    forward = _recurrent(layer.forward_layer, f"{name}_forward")
    backward = _recurrent(layer.backward_layer, f"{name}_backward")
    if layer.return_state or layer.merge_mode is None:
        whole = tf_keras.layers.Bidirectional(forward, layer.merge_mode, backward_layer=backward, name=name)
        return Translation((whole,))
    merge = _MERGES[layer.merge_mode](name=name)
    flips = (TimeReversal(name=f"{name}_reversal"),) if layer.return_sequences else ()

    def call(args, kwargs, tensors):
        there, back = _halves(kwargs)
        one = forward(*args, **accepted(forward, there))
        other = backward(*args, **accepted(backward, back))
        for flip in flips:
            other = flip(other)
        return merge([one, other])

    return Translation((forward, backward, *flips, merge), call)


def _recurrent(layer, name):
    config = translated_config(layer, name)
    (part,) = translate(layer, name).parts
    # Keras' wrapper sets this on its layers behind their configuration.
    if hasattr(part, "zero_output_for_mask"):
        part = type(part).from_config({**part.get_config(), "zero_output_for_mask": config["return_sequences"]})
    return part


def _halves(kwargs):
    """The arguments of each direction: the first half of the initial states is the forward layer's."""
    states = kwargs.get("initial_state")
    if states is None:
        return kwargs, kwargs
    middle = len(states) // 2
    return {**kwargs, "initial_state": states[:middle]}, {**kwargs, "initial_state": states[middle:]}


def _distributed(layer, name):
    inner = layer.layer
    if type(inner).__name__ in _POSITIONWISE:
        return translate(inner, name)
    parts = translate(inner, f"{name}_each").parts
    names = [name, *(part.name for part in parts[1:])]
    return Translation(
        tuple(tf_keras.layers.TimeDistributed(part, name=name) for part, name in zip(parts, names, strict=True))
    )


def distribute_model(layer, model, name):
    """Calls a tf_keras model on every time step.

    Args:
        layer: keras.layers.TimeDistributed, for the message.
        model: tf_keras.Model with one input and one output.
        name: str, the layer's name.

    Returns:
        Translation without weights of its own.

    Raises:
        CompressionError: a model with several inputs or outputs.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise no_twin(layer, "the model inside has several inputs or outputs")
    return Translation((tf_keras.layers.TimeDistributed(model, name=name),), has_weights=False)
