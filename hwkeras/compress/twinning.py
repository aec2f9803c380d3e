"""The twin: a tf_keras model equal in outputs to a Keras 3 one, because tfmot takes no other."""

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.translation import is_translatable
from hwkeras.compress.translation import translate
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

# Largest difference of any output, as a share of the largest absolute output.
TOLERANCE = 1e-4
_PROBE_SEED = 0
_PROBE_SAMPLES = 4
# Length given to an axis the model leaves open.
_OPEN_AXIS = 32


def twin(model):
    """Rebuilds a Keras 3 model layer by layer in tf_keras, copies its weights, and checks that both answer alike.

    Shared layers stay shared; nested models are flattened, their layers named `outer_inner`; several inputs and outputs
    become flat lists. What tfmot handles better in parts is split: a separable convolution into a depthwise one and a
    1x1, an activation such as relu6 into a layer behind its convolution. The twin computes in float32.

    Args:
        model: keras.Model, Sequential or functional, built.

    Returns:
        tf_keras.Model, not compiled.

    Raises:
        UserError: not a Keras 3 model, or one without a layer graph.
        CompressionError: a layer without an equal in tf_keras (named), or outputs that differ by more than 1e-4 of the
            output scale on seeded random inputs (with figures).
    """
    functional = _functional(model)
    inputs = [_input(tensor) for tensor in functional.inputs]
    walk = _GraphWalk()
    outputs = walk.rebuild(functional, inputs, prefix="")
    copy = tf_keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=model.name)
    walk.copy_weights()
    _check_equal(functional, copy)
    return copy


def _functional(model):
    """Any model with a layer graph as a plain functional one, on the same layers."""
    if not isinstance(model, keras.Model):
        raise UserError(
            f"`model` must be a Keras 3 model. Received: {type(model).__module__}.{type(model).__name__}. "
            "Load or build it with `keras`, not with `tf_keras`."
        )
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise UserError(
            "`model` must have a layer graph: a built Sequential or functional model. "
            f"Received: {type(model).__name__} {model.name!r}, which is subclassed or not built. "
            "Rebuild it with `keras.Model(inputs, outputs)`, or call `build()` on a Sequential."
        )
    return keras.Model(inputs, outputs, name=model.name)


def _input(tensor):
    return tf_keras.Input(batch_shape=tuple(tensor.shape), dtype=tensor.dtype, name=tensor.name)


class _GraphWalk:
    """One walk through a model and the models nested in it; remembers which layer became which."""

    def __init__(self):
        self._chains = {}  # id of a Keras 3 layer -> (that layer, its tf_keras layers)

    def rebuild(self, functional, inputs, prefix):
        """Calls the twins of a functional model's layers on tf_keras tensors.

        Args:
            functional: keras.Model made by `_functional`.
            inputs: list of tf_keras tensors, in the order of `functional.inputs`.
            prefix: str put before each layer's name.

        Returns:
            List of tf_keras tensors, in the order of `functional.outputs`.
        """
        operations = {operation.name: operation for operation in functional.operations}
        for operation in operations.values():
            self._refuse_unknown(operation, prefix)
        config = functional.get_config()
        tensors = dict(zip(map(tuple, config["input_layers"]), inputs, strict=True))
        pending = [
            (entry["name"], index, node)
            for entry in config["layers"]
            for index, node in enumerate(entry["inbound_nodes"])
        ]
        while pending:
            waiting = [call for call in pending if not self._run(call, operations, tensors, prefix)]
            if len(waiting) == len(pending):
                raise CompressionError(f"A layer graph must have no cycle. Received: {functional.name!r}.")
            pending = waiting
        return [tensors[tuple(key)] for key in config["output_layers"]]

    def copy_weights(self):
        """Copies every layer's weights to its twin."""
        for layer, chain in self._chains.values():
            values = layer.get_weights()
            for part in chain:
                part.set_weights(values[: len(part.weights)])
                values = values[len(part.weights) :]

    def _refuse_unknown(self, operation, prefix):
        is_known = isinstance(operation, keras.Model | keras.layers.InputLayer) or is_translatable(operation)
        if not is_known:
            translate(operation, prefix + operation.name)

    def _run(self, call, operations, tensors, prefix):
        """Makes one call of one layer; False when an input is not there yet."""
        name, index, node = call
        keys = _tensor_keys(node)
        if not all(key in tensors for key in keys):
            return False
        args = _with_tensors(node["args"], tensors)
        kwargs = {key: _with_tensors(value, tensors) for key, value in node["kwargs"].items() if value is not None}
        outputs = self._call(operations[name], args, kwargs, prefix)
        tensors.update({(name, index, place): tensor for place, tensor in enumerate(outputs)})
        return True

    def _call(self, layer, args, kwargs, prefix):
        name = prefix + layer.name
        if isinstance(layer, keras.Model):
            return self.rebuild(_functional(layer), keras.tree.flatten(args), prefix=f"{name}_")
        if id(layer) not in self._chains:
            self._chains[id(layer)] = (layer, translate(layer, name))
        first, *rest = self._chains[id(layer)][1]
        result = first(*args, **kwargs)
        for following in rest:
            result = following(result)
        return tf.nest.flatten(result)


def _is_tensor(value):
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _tensor_keys(value):
    if _is_tensor(value):
        return [tuple(value["config"]["keras_history"])]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [key for item in value for key in _tensor_keys(item)]


def _with_tensors(value, tensors):
    """A serialized argument with the tf_keras tensors in place of the Keras 3 ones."""
    if _is_tensor(value):
        return tensors[tuple(value["config"]["keras_history"])]
    if isinstance(value, dict):
        return {key: _with_tensors(item, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_tensors(item, tensors) for item in value)
    return value


def _check_equal(model, copy):
    rng = np.random.default_rng(_PROBE_SEED)
    probe = [_random_input(tensor, _smallest_vocabulary(model), rng) for tensor in model.inputs]
    wanted = keras.tree.flatten(model(probe, training=False))
    got = tf.nest.flatten(copy(probe if len(probe) > 1 else probe[0], training=False))
    for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
        one, other = keras.ops.convert_to_numpy(one), np.asarray(other)
        difference, scale = float(np.max(np.abs(one - other))), float(np.max(np.abs(one)))
        if not difference <= TOLERANCE * scale:
            raise CompressionError(
                f"The tf_keras twin must equal its model within {TOLERANCE:g} of the output scale. Received: model "
                f"{model.name!r}, output {number}, differing by {difference:.3g} at a scale of {scale:.3g}. Check that "
                "its weights are finite and its dtype is float32, or convert it uncompressed with `hwkeras.convert`."
            )


def _random_input(tensor, vocabulary, rng):
    batch, *axes = tensor.shape
    shape = (batch or _PROBE_SAMPLES, *(axis or _OPEN_AXIS for axis in axes))
    if "int" in tensor.dtype:
        return rng.integers(0, vocabulary, shape).astype(tensor.dtype)
    return rng.normal(size=shape).astype(tensor.dtype)


def _smallest_vocabulary(model):
    """Exclusive upper end for random token inputs, safe for every embedding of the model."""
    sizes = [layer.input_dim for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    sizes += [_smallest_vocabulary(layer) for layer in model.layers if isinstance(layer, keras.Model)]
    return min(sizes, default=2)
