"""Keras 3 models copied layer by layer, through the public cloning of their graph."""

from __future__ import annotations

import keras

from hwkeras.errors import UserError


def functional(model):
    """Any model with a layer graph as a plain functional one, on the same layers and not compiled.

    Args:
        model: keras.Model, Sequential or functional, built.

    Returns:
        keras.Model with the structure of inputs and outputs the model has.

    Raises:
        UserError: not a Keras 3 model, or one without a layer graph.
    """
    inputs, outputs = require_graph(model)
    if isinstance(model, keras.Sequential):
        return keras.Model(inputs[0], outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def require_graph(model):
    """The ends of a model with a layer graph.

    Args:
        model: keras.Model.

    Returns:
        pair of lists of Keras tensors, its inputs and its outputs.

    Raises:
        UserError: not a Keras 3 model, or one without a layer graph.
    """
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
    return inputs, outputs


def copy_layer(layer, **changes):
    """A new layer, not built, of the configuration of another.

    Args:
        layer: operation of a Keras 3 model.
        **changes: configuration keys with their new values.

    Returns:
        Operation of the same class and name.

    Raises:
        UserError: the layer cannot be made from its configuration.
    """
    try:
        return type(layer).from_config({**layer.get_config(), **changes})
    except (TypeError, ValueError, NotImplementedError) as error:
        raise UserError(
            "Channel pruning makes every layer anew from its configuration. Received: layer "
            f"{layer.name!r} of class {type(layer).__name__}, which refuses: {str(error).splitlines()[0]} "
            "Replace it by built-in Keras layers, or give its class `get_config` and `from_config`."
        ) from error


def copy_model(model, copy, widths=None):
    """A model of the same graph whose layers are made by a function; nested models are copied inside out.

    Args:
        model: keras.Model, Sequential or functional, built.
        copy: callable, an operation of the model -> the operation to put in its place; called once for each.
        widths: mapping of the id of a nested model to the lengths of its inputs' last axes. Defaults to `None`: all
            inputs stay as they are.

    Returns:
        keras.Model, Sequential where the model is; built, not compiled, its weights not copied.

    Raises:
        UserError: as for `functional`, or what `copy` raises.
    """
    copies = {}

    def copied(operation):
        if id(operation) not in copies:
            copies[id(operation)] = whole(operation) if isinstance(operation, keras.Model) else copy(operation)
        return copies[id(operation)]

    def whole(inner):
        plain = functional(inner)
        inputs = new_inputs(plain, (widths or {}).get(id(inner)))
        if isinstance(inner, keras.Sequential):
            return keras.Sequential([inputs[0], *map(copied, inner.layers)], name=inner.name)
        inputs = keras.tree.pack_sequence_as(plain.input, inputs)
        return keras.models.clone_model(plain, input_tensors=inputs, clone_function=copied)

    return whole(model)


def new_inputs(plain, widths=None):
    """New inputs for a copy of a model, of the names, types and shapes of its own.

    Args:
        plain: keras.Model made by `functional`.
        widths: sequence of int, the length of the last axis of each. Defaults to `None`, those they have.

    Returns:
        List of KerasTensor, in the order of `plain.inputs`.
    """
    layers = {id(layer.output): layer for layer in plain.layers if isinstance(layer, keras.layers.InputLayer)}
    widths = widths or [tensor.shape[-1] for tensor in plain.inputs]
    return [
        copy_layer(layers[id(tensor)], batch_shape=(*tensor.shape[:-1], width)).output
        for tensor, width in zip(plain.inputs, widths, strict=True)
    ]
