"""A bare operation of Keras 3, such as `keras.ops.matmul`, as a tf_keras layer that computes it.

Keras 3 on TensorFlow computes with TensorFlow tensors, so an operation without weights needs no translation: the layer
holds it and calls it. Its description is kept as text, because a model is cloned through the configurations of its
layers.
"""

from __future__ import annotations

import json
import weakref

import keras
import tensorflow as tf

from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import CompressionError

_INPUT = "__input__"
# Operations without a description, such as the Python function of a Lambda layer: never written down, only held.
_HELD = weakref.WeakValueDictionary()
_HELD_PREFIX = "held:"


@tf_keras.utils.register_keras_serializable(package="hwkeras")
class KerasOperation(tf_keras.layers.Layer):
    """Calls one Keras 3 operation without weights; masks end here, as they do at operations in Keras 3.

    Args:
        operation: str, `describe(operation)`.
        arguments: str, `describe_arguments(args, kwargs)`. Defaults to those of an operation called on one tensor.
        **kwargs: of every tf_keras layer.
    """

    def __init__(self, operation, arguments='{"args": [{"class_name": "__input__", "config": 0}]}', **kwargs):
        super().__init__(**kwargs)
        self._operation = operation
        self._arguments = arguments
        found, written = _found(operation), json.loads(arguments)

        # A function: of an attribute that is a layer, tf_keras would take the weights for its own.
        @tf.autograph.experimental.do_not_convert
        def compute(tensors):
            return found(*_filled(written["args"], tensors), **_filled(written.get("kwargs", {}), tensors))

        self._compute = compute

    def call(self, inputs):
        """Computes the operation.

        Args:
            inputs: tensor, or list of tensors in the order of the arguments.

        Returns:
            What the operation returns.
        """
        return self._compute(list(inputs) if isinstance(inputs, list | tuple) else [inputs])

    def compute_mask(self, inputs, mask=None):
        """No mask."""
        return None

    def get_config(self):
        """The two texts, and what every tf_keras layer has."""
        return {**super().get_config(), "operation": self._operation, "arguments": self._arguments}


def describe(operation):
    """An operation as text.

    Args:
        operation: keras.Operation without weights.

    Returns:
        str: its Keras serialization as JSON; of a Lambda layer, and where there is none, the key under which this
        process holds it.
    """
    text = None if isinstance(operation, keras.layers.Lambda) else _serialized(operation)
    if text is not None:
        return text
    key = f"{_HELD_PREFIX}{operation.name}:{id(operation)}"
    _HELD[key] = operation
    return key


def describe_arguments(args, kwargs):
    """The arguments of a call as text, each tensor replaced by its number.

    Args:
        args: tuple of positional arguments with Keras tensors in them.
        kwargs: dict.

    Returns:
        str, JSON.

    Raises:
        TypeError: an argument that has no serialization.
    """
    numbers = iter(range(len(keras.tree.flatten((args, kwargs)))))

    def written(value):
        if isinstance(value, keras.KerasTensor):
            return {"class_name": _INPUT, "config": next(numbers)}
        if isinstance(value, keras.Variable):
            value = keras.ops.convert_to_numpy(value)
        return keras.saving.serialize_keras_object(value)

    written_args, written_kwargs = keras.tree.map_structure(written, (args, kwargs))
    return json.dumps({"args": written_args, "kwargs": written_kwargs})


def _serialized(operation):
    try:
        return json.dumps(keras.saving.serialize_keras_object(operation))
    except (NotImplementedError, TypeError, ValueError):
        return None


def _found(description):
    if not description.startswith(_HELD_PREFIX):
        return keras.saving.deserialize_keras_object(json.loads(description))
    operation = _HELD.get(description)
    if operation is None:
        raise CompressionError(
            "A Python function in a model lives only in the process that loaded it. Received: "
            f"{description.removeprefix(_HELD_PREFIX)!r}, which is gone. Make the twin again with `hwkeras.twin`."
        )
    return operation


def _filled(value, tensors):
    """Written arguments with the tensors back in place."""
    if isinstance(value, list):
        return [_filled(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == _INPUT:
        return tensors[value["config"]]
    if "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return {key: _filled(item, tensors) for key, item in value.items()}
