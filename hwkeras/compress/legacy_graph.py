"""The layer graph of a tf_keras model: its calls one after another, so that a model can be built again differently."""

from __future__ import annotations

import tensorflow as tf

from hwkeras.compress.legacy import tf_keras


def calls_of(model):
    """The calls of a model's layers, each after those it reads from.

    Args:
        model: tf_keras functional model, without models nested in it.

    Returns:
        List of tf_keras nodes; a layer that is shared appears once per call, input layers not at all.
    """
    # A layer remembers every graph it was ever called in; only the model knows which calls are its own.
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def fresh_inputs(model):
    """New inputs of the shapes, types and names of a model's.

    Args:
        model: tf_keras functional model.

    Returns:
        List of tf_keras tensors.
    """
    return [
        tf_keras.Input(batch_shape=tuple(tensor.shape), dtype=tensor.dtype, name=layer.name)
        for tensor, layer in zip(model.inputs, model._input_layers, strict=True)
    ]


def replay(model, inputs, visit):
    """Makes a model's calls again, each through `visit`.

    Args:
        model: tf_keras functional model.
        inputs: list of tensors in place of `model.inputs`.
        visit: function `(layer, args, kwargs) -> outputs`; the arguments are those of the call with the new tensors in
            place of the model's own, the outputs as many as the layer's.

    Returns:
        List of tensors in place of `model.outputs`.
    """
    tensors = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
    for node in calls_of(model):
        args, kwargs = tf.nest.map_structure(
            lambda value: tensors.get(id(value), value), (tuple(node.call_args), dict(node.call_kwargs))
        )
        outputs = tf.nest.flatten(visit(node.layer, args, kwargs))
        tensors.update(zip(map(id, tf.nest.flatten(node.outputs)), outputs, strict=True))
    return [tensors[id(tensor)] for tensor in model.outputs]


def is_tensor(value):
    """Whether an argument of a call is a symbolic tensor.

    Args:
        value: any.

    Returns:
        bool.
    """
    return hasattr(value, "_keras_history")


def mask_of(tensor):
    """The Keras mask that travels with a tensor.

    Args:
        tensor: a tf_keras tensor.

    Returns:
        A tensor, or None.
    """
    return getattr(tensor, "_keras_mask", None)


class Readers:
    """Who reads what in a model.

    Args:
        model: tf_keras functional model.
    """

    def __init__(self, model):
        self._readers = {layer.name: [] for layer in model.layers}
        self._sources = {layer.name: [] for layer in model.layers}
        self._num_calls = {layer.name: 0 for layer in model.layers}
        for node in calls_of(model):
            self._num_calls[node.layer.name] += 1
            for tensor in node.keras_inputs:
                self._sources[node.layer.name].append(tensor._keras_history.layer)
                self._readers[tensor._keras_history.layer.name].append(node.layer)
        for tensor in model.outputs:
            self._readers[tensor._keras_history.layer.name].append(None)

    def only_reader(self, layer):
        """The layer that alone reads another, both of them called once.

        Args:
            layer: tf_keras layer of the model.

        Returns:
            tf_keras layer, or None: several read it, none does, it is an output of the model, or a layer is shared.
        """
        readers = self._readers[layer.name]
        is_alone = len(readers) == 1 and readers[0] is not None and self._num_calls[layer.name] == 1
        return readers[0] if is_alone and self._num_calls[readers[0].name] == 1 else None

    def sources(self, layer):
        """The layers a layer reads.

        Args:
            layer: tf_keras layer of the model.

        Returns:
            List of tf_keras layers, one per tensor of each call.
        """
        return self._sources[layer.name]
