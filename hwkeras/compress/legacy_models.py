"""A legacy (tf_keras) model rebuilt as an equal Keras 3 one."""

from __future__ import annotations

import inspect

import keras
import tensorflow as tf

from hwkeras.compress.equality import ask
from hwkeras.compress.equality import difference
from hwkeras.compress.equality import probe
from hwkeras.compress.equality import require_equal
from hwkeras.compress.equality import said_of
from hwkeras.compress.equality import vocabularies
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy_graph import replay
from hwkeras.compress.legacy_operations import LEGACY_OPERATIONS
from hwkeras.compress.signatures import default_of
from hwkeras.compress.signatures import parameters_of
from hwkeras.errors import UserError

# Class -> {tf_keras key: Keras 3 key}.
_RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}}
# Keys Keras 3 does not know, or that never change what a trained layer answers.
_IGNORED = frozenset(
    {"batch_input_shape", "dtype", "implementation", "key_shape", "query_shape", "seed", "time_major", "value_shape"}
)
_TAKEN_BY_ALL = frozenset({"activity_regularizer", "name", "trainable"})
_WAY_OUT = "Rebuild the model in Keras 3 and set its weights."


def to_keras_3(model):
    """Rebuilds a tf_keras model layer by layer in Keras 3, copies its weights, and checks that both answer alike.

    Args:
        model: tf_keras.Model, Sequential or functional, built; nested models are flattened.

    Returns:
        keras.Model, not compiled.

    Raises:
        UserError: a model without a layer graph, or a layer Keras 3 has no equal of (named).
        CompressionError: outputs that differ on seeded random inputs by more than 1e-5 (see `hwkeras.twin`).
    """
    if not getattr(model, "_is_graph_network", False):
        raise UserError(
            "A legacy model must have a layer graph: Sequential or functional, and built. Received: "
            f"{type(model).__name__} {model.name!r}. {_WAY_OUT}"
        )
    rebuilding = _Rebuilding()
    inputs = [
        keras.Input(batch_shape=tuple(tensor.shape), dtype=tensor.dtype.name, name=layer.name)
        for tensor, layer in zip(model.inputs, model._input_layers, strict=True)
    ]
    outputs = replay(model, inputs, rebuilding.visit)
    copy = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])
    copy.name = model.name
    rebuilding.copy_weights()
    samples = probe(copy, vocabularies(inputs, rebuilding.lookups))
    require_equal(
        ask(model, samples),
        ask(copy, samples),
        f"The Keras 3 copy must equal its legacy model {model.name!r}",
        lambda: said_of(rebuilding.compared(model, samples)),
        _WAY_OUT,
    )
    return copy


class _Rebuilding:
    """One pass through a tf_keras model; remembers which layer became which."""

    def __init__(self):
        self._layers = {}  # id of a tf_keras layer -> (that layer, its Keras 3 layer)
        self._names = set()
        self.lookups = []

    def visit(self, layer, args, kwargs):
        """Calls a layer's Keras 3 copy."""
        if isinstance(layer, tf_keras.Model):
            return replay(layer, _tensors(args, kwargs), self.visit)
        if isinstance(layer, tf_keras.layers.Embedding):
            self.lookups.append((args[0], layer.input_dim))
        return self._copy(layer)(*args, **_accepted(self._copy(layer), kwargs))

    def copy_weights(self):
        """Copies every layer's weights to its copy."""
        for old, new in self._layers.values():
            if old.weights:
                new.set_weights(old.get_weights())

    def compared(self, model, samples):
        """Every layer asked alone, with what the legacy model gives it.

        Args:
            model: tf_keras.Model.
            samples: list of arrays.

        Returns:
            List of (layer, difference, scale).
        """
        found = []

        def visit(layer, args, kwargs):
            if isinstance(layer, tf_keras.Model):
                return replay(layer, _tensors(args, kwargs), visit)
            wanted = layer(*args, **kwargs)
            amount, scale, _ = difference(wanted, self._copy(layer)(*args, **_accepted(self._copy(layer), kwargs)))
            found.append((layer, amount, scale))
            return wanted

        replay(model, [tf.convert_to_tensor(array) for array in samples], visit)
        return found

    def _copy(self, layer):
        if id(layer) not in self._layers:
            name = layer.name
            while name in self._names:
                name += "_"
            self._names.add(name)
            self._layers[id(layer)] = (layer, _translated(layer, name))
        return self._layers[id(layer)][1]


def _tensors(args, kwargs):
    """What a nested model was called on; whether it trains, and masks, come from its caller and its inputs."""
    return tf.nest.flatten((args, {key: value for key, value in kwargs.items() if key not in ("training", "mask")}))


def _accepted(layer, kwargs):
    if not isinstance(layer, keras.layers.Layer):
        return kwargs
    names = inspect.signature(layer.call).parameters
    return {key: value for key, value in kwargs.items() if key in names and value is not None}


def _translated(layer, name):
    class_name = type(layer).__name__
    if class_name == "TFOpLambda":
        return _operation(layer)
    if class_name == "Lambda":
        return keras.layers.Lambda(layer.function, name=name, arguments=layer.arguments)
    if class_name == "Bidirectional":
        inner = [_translated(part, part.name) for part in (layer.forward_layer, layer.backward_layer)]
        return keras.layers.Bidirectional(inner[0], merge_mode=layer.merge_mode, backward_layer=inner[1], name=name)
    if class_name == "TimeDistributed":
        is_model = isinstance(layer.layer, tf_keras.Model)
        inner = to_keras_3(layer.layer) if is_model else _translated(layer.layer, layer.layer.name)
        return keras.layers.TimeDistributed(inner, name=name)
    cls = getattr(keras.layers, class_name, None)
    if cls is None or getattr(tf_keras.layers, class_name, None) is not type(layer):
        raise _no_copy(layer, "Keras 3 has no equal of its class")
    config = _config(layer, cls, name)
    try:
        return cls(**config)
    except (TypeError, ValueError) as error:
        raise _no_copy(layer, f"Keras 3 refuses its configuration: {error}") from error


def _operation(layer):
    operation = LEGACY_OPERATIONS.get(layer.symbol)
    if operation is None:
        raise _no_copy(layer, f"Keras 3 has no equal of the operation {layer.symbol!r}")
    return operation


def _config(layer, cls, name):
    known = parameters_of(cls) | _TAKEN_BY_ALL
    renamed = _RENAMED.get(type(layer).__name__, {})
    config = {"name": name, "dtype": "float32"}
    for key, value in layer.get_config().items():
        new = renamed.get(key, key)
        if key in _IGNORED or key.endswith("_initializer") or new in config:
            continue
        if new in known:
            config[new] = _value(layer, key, value)
        elif value != default_of(type(layer), key):
            raise _no_copy(layer, f"Keras 3 knows no {key}={value!r}")
    return config


def _value(layer, key, value):
    if isinstance(value, list | tuple):
        value = list(value)
        return value[0] if key == "axis" and len(value) == 1 else value
    if key.endswith("activation") and value == "hard_sigmoid":
        raise _no_copy(layer, "its hard_sigmoid is 0.2 x + 0.5 where Keras 3 has (x + 3) / 6")
    if value is None or not isinstance(value, dict):
        return value
    module = keras.regularizers if key.endswith("_regularizer") else keras.constraints
    cls = getattr(module, value["class_name"], None)
    if cls is None:
        raise _no_copy(layer, f"Keras 3 has no equal of {value['class_name']!r}")
    return cls(**value["config"])


def _no_copy(layer, reason):
    return UserError(
        f"Every layer of a legacy model needs an equal one in Keras 3. Received: layer {layer.name!r} of class "
        f"{type(layer).__name__}: {reason}. {_WAY_OUT}"
    )
