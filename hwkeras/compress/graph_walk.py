"""One walk through the graph of a Keras 3 model, layer by layer, on tf_keras tensors."""

from __future__ import annotations

import inspect
import re

import keras

from hwkeras.compress.layer_graph import require_graph
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.operations import is_operation
from hwkeras.compress.operations import translate_operation
from hwkeras.compress.translation import is_translatable
from hwkeras.compress.translation import no_twin
from hwkeras.compress.translation import translate
from hwkeras.compress.translation import without_mask
from hwkeras.compress.wrappers import distribute_model
from hwkeras.compress.wrappers import is_wrapper
from hwkeras.compress.wrappers import translate_wrapper
from hwkeras.errors import UserError

# What a layer name may not hold in tf_keras.
_NOT_IN_NAMES = r"[^A-Za-z0-9_.\-/]"


def flat_functional(model):
    """Any model with a layer graph as a plain functional one, on the same layers.

    Args:
        model: keras.Model.

    Returns:
        keras.Model with flat lists of inputs and outputs.

    Raises:
        UserError: not a Keras 3 model, without a layer graph, or quantized.
    """
    inputs, outputs = require_graph(model)
    return keras.Model(inputs, outputs, name=model.name)


def plain_name(name):
    """A name that tf_keras takes.

    Args:
        name: str, a Keras 3 name.

    Returns:
        str.
    """
    return re.sub(_NOT_IN_NAMES, "_", name)


class GraphWalk:
    """Walks through a model and the models nested in it; remembers which layer became which.

    Attributes:
        translations: dict of id to (operation, Translation), in the order in which they were met.
        lookups: list of (tensor of indices, size of the vocabulary), one a call of an embedding.
    """

    def __init__(self):
        self.translations = {}
        self.lookups = []
        self._names = set()

    def rebuild(self, model, inputs, prefix="", mode=None):
        """Calls the twins of a functional model's layers on tf_keras tensors.

        Args:
            model: keras.Model made by `functional`.
            inputs: list of tf_keras tensors, in the order of `model.inputs`.
            prefix: str put before each layer's name. Defaults to `""`.
            mode: bool, `training` as the model is called with. Defaults to `None`, as its caller is.

        Returns:
            List of tf_keras tensors, in the order of `model.outputs`.
        """
        values = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
        # The nodes are Keras' own record of the calls. The public one, `get_config`, fails where an argument or a
        # Lambda cannot be written down.
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    outputs = self._run(node, values, prefix, mode)
                    values.update(zip(map(id, node.outputs), outputs, strict=True))
        return [values[id(tensor)] for tensor in model.outputs]

    def copy_weights(self):
        """Copies every layer's weights to its twin.

        Raises:
            CompressionError: weights of another number or shape.
        """
        for layer, translation in self.translations.values():
            if not translation.has_weights:
                continue
            values = layer.get_weights()
            wanted = [tuple(weight.shape) for part in translation.parts for weight in part.weights]
            if wanted != [value.shape for value in values]:
                raise no_twin(layer, f"its weights have the shapes {[v.shape for v in values]}, tf_keras' {wanted}")
            for part in translation.parts:
                part.set_weights(values[: len(part.weights)])
                values = values[len(part.weights) :]

    def apply(self, operation, translation, args, kwargs, tensors):
        """Calls one layer's twin.

        Args:
            operation: Keras 3 layer or operation.
            translation: Translation of it.
            args: positional arguments.
            kwargs: dict of keyword arguments.
            tensors: list of the tensors among the arguments.

        Returns:
            Structure of tensors.
        """
        return translation(args, kwargs, tensors)

    def _run(self, node, values, prefix, mode):
        def value_of(argument):
            return values[id(argument)] if isinstance(argument, keras.KerasTensor) else argument

        operation = node.operation
        args, kwargs = keras.tree.map_structure(value_of, (node.arguments.args, node.arguments.kwargs))
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if kwargs.get("training"):
            del kwargs["training"]  # Keras 3 writes a layer's default down; what calls the model decides.
        tensors = [values[id(tensor)] for tensor in node.arguments.keras_tensors]
        if isinstance(operation, keras.Model):
            mode = kwargs.pop("training", mode)
            # Masks are found again from the inputs.
            kwargs.pop("mask", None)
            inputs = keras.tree.flatten((args, kwargs))
            return self.rebuild(flat_functional(operation), inputs, f"{prefix}{operation.name}_", mode)
        if isinstance(operation, keras.layers.Embedding):
            self.lookups.append((tensors[0], operation.input_dim))
        translation = self._translation(node, tensors, prefix)
        if mode is not None and takes_mode(translation):
            kwargs = {"training": mode, **kwargs}
        return keras.tree.flatten(self.apply(operation, translation, args, kwargs, tensors))

    def _translation(self, node, tensors, prefix):
        operation = node.operation
        is_layer = is_translatable(operation) or is_wrapper(operation)
        # A layer keeps its weights from call to call, an operation has its constants from each.
        key = id(operation) if is_layer else id(node)
        if key not in self.translations:
            name = plain_name(prefix + operation.name)
            self.translations[key] = (operation, self._translated(node, tensors, name))
        return self.translations[key][1]

    def _translated(self, node, tensors, name):
        operation = node.operation
        _refuse_quantized(operation)
        if is_wrapper(operation):
            translation = self._wrapped(operation, tensors, name)
        elif is_translatable(operation):
            translation = translate(operation, name)
        elif is_operation(operation):
            translation = translate_operation(node, tensors, name)
        else:
            translation = translate(operation, name)  # Says why not.
        if _overlooks_mask(node, tensors):
            translation = without_mask(translation, name)
        for part in translation.parts:
            while part.name in self._names:
                part._name = f"{part.name}_"
            self._names.add(part.name)
        return translation

    def _wrapped(self, layer, tensors, name):
        if not isinstance(getattr(layer, "layer", None), keras.Model):
            return translate_wrapper(layer, name)
        inner = flat_functional(layer.layer)
        (sequence,) = tensors
        inputs = [tf_keras.Input(sequence.shape[2:], dtype=sequence.dtype)]
        outputs = self.rebuild(inner, inputs, f"{name}_")
        return distribute_model(layer, tf_keras.Model(inputs, outputs, name=f"{name}_model"), name)


def takes_mode(translation):
    """Whether a layer does one thing in training and another afterwards.

    Args:
        translation: Translation.

    Returns:
        bool.
    """
    return "training" in inspect.signature(translation.parts[0].call).parameters


def _overlooks_mask(node, tensors):
    """Whether a layer that could use its input's mask was called without it: Keras 3 does so with several inputs."""
    takes_mask = "mask" in inspect.signature(node.operation.call).parameters
    has_mask = node.arguments.kwargs.get("mask") is not None
    return takes_mask and not has_mask and getattr(tensors[0], "_keras_mask", None) is not None


def _refuse_quantized(operation):
    mode = getattr(operation, "quantization_mode", None)
    if mode is not None:
        raise UserError(
            f"A model to compress must hold float weights. Received: layer {operation.name!r}, already quantized "
            f"({mode}). Compress the model it was quantized from."
        )
