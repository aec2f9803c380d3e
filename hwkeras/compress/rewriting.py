"""An equal tf_keras model made of layers that train quantized, wherever such layers exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from hwkeras.compress.attention import AttentionParts
from hwkeras.compress.attention import can_be_taken_apart
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy_graph import fresh_inputs
from hwkeras.compress.legacy_graph import is_tensor
from hwkeras.compress.legacy_graph import mask_of
from hwkeras.compress.legacy_graph import replay
from hwkeras.compress.lifting import always_lifts
from hwkeras.compress.lifting import lifted_parts
from hwkeras.compress.lifting import separated
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

_LAYERS = tf_keras.layers
# Largest difference of any output, as a share of the largest absolute output.
TOLERANCE = 1e-4
# A recurrent layer becomes one copy of its operators per step; beyond this the file is no use on any device.
MAX_STEPS = 128
# Activations tfmot can quantize inside the layer; any other becomes a layer of its own.
INNER_ACTIVATIONS = ("linear", "relu", "softmax", "sigmoid", "tanh", "swish", "gelu")
_WITH_INNER_ACTIVATION = (_LAYERS.Conv2D, _LAYERS.Conv2DTranspose, _LAYERS.Dense, _LAYERS.DepthwiseConv2D)
_PROBE_SEED = 0
_PROBE_SAMPLES = 4
_OPEN_AXIS = 32


def rewrite(model):
    """Rebuilds a model from layers that can be quantized while training; the model itself is left as it is.

    One-dimensional convolutions and what stands between them become two-dimensional, separable convolutions and
    attention are taken apart, recurrent layers are unrolled, means become scaled sums, and activations tfmot does not
    know inside a layer become layers behind it. Everything else is copied. Both models are compared on random inputs.

    Args:
        model: tf_keras functional model.

    Returns:
        tf_keras.Model, not compiled.

    Raises:
        UserError: a recurrent layer that cannot be unrolled.
        CompressionError: the two models answer differently.
    """
    rewriter = _Rewriter()
    inputs = fresh_inputs(model)
    outputs = [rewriter.lowered(tensor) for tensor in replay(model, inputs, rewriter.visit)]
    rewritten = tf_keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=model.name)
    rewriter.copy_weights()
    require_equal(model, rewritten)
    return rewritten


@dataclass(frozen=True)
class _Chain:
    """The layers that do together what one layer did; `is_lifted` says whether on a signal with the extra axis."""

    layer: Any
    parts: list
    is_lifted: bool


class _Rewriter:
    """One walk through a model; remembers what each layer became and which tensors carry the extra axis."""

    def __init__(self):
        self._names = set()
        self._chains = {}  # id of a layer -> _Chain
        self._attention = {}  # id of an attention layer -> its parts
        self._lifted = {}  # id of a tensor with the extra axis -> that tensor
        self._lowered = {}  # id of a tensor with the extra axis -> the same without it

    def visit(self, layer, args, kwargs):
        """Calls on new tensors what a layer becomes.

        Args:
            layer: tf_keras layer of the old model.
            args: tuple, the call's arguments.
            kwargs: dict, the call's keyword arguments.

        Returns:
            The outputs.
        """
        tensors = [value for value in tf.nest.flatten((args, kwargs)) if is_tensor(value)]
        has_mask = any(mask_of(tensor) is not None for tensor in tensors)
        is_simple = not has_mask and len(args) == 1 and all(value is None for value in kwargs.values())
        if self._may_lift(layer, tensors, is_simple):
            return self._call_lifted(self._chains[id(layer)], args[0])
        args, kwargs = tf.nest.map_structure(self.lowered, (args, kwargs))
        if isinstance(layer, _LAYERS.MultiHeadAttention) and not has_mask and can_be_taken_apart(layer, args, kwargs):
            return self._attend(layer, args, kwargs)
        if id(layer) not in self._chains:
            self._chains[id(layer)] = self._chain(layer, self._copies(layer, args), is_lifted=False)
        first, *rest = self._chains[id(layer)].parts
        outputs = first(*args, **kwargs)
        for following in rest:
            outputs = following(outputs)
        return outputs

    def lowered(self, tensor):
        """A tensor without the extra axis.

        Args:
            tensor: any value; only tensors that carry the axis are changed.

        Returns:
            The value, or a tensor.
        """
        if id(tensor) not in self._lifted:
            return tensor
        if id(tensor) not in self._lowered:
            shape = [-1 if axis is None else axis for axis in tensor.shape[2:]]
            self._lowered[id(tensor)] = _LAYERS.Reshape(shape, name=self._name("signal"))(tensor)
        return self._lowered[id(tensor)]

    def copy_weights(self):
        """Gives the new layers the numbers of the old ones."""
        for chain in self._chains.values():
            values = chain.layer.get_weights()
            for part in chain.parts:
                shapes = [weight.shape for weight in part.weights]
                own, values = values[: len(shapes)], values[len(shapes) :]
                part.set_weights([value.reshape(shape) for value, shape in zip(own, shapes, strict=True)])
        for parts in self._attention.values():
            parts.copy_weights()

    def _name(self, wanted):
        name, number = wanted, 1
        while name in self._names:
            name, number = f"{wanted}_{number}", number + 1
        self._names.add(name)
        return name

    def _rank(self, tensor):
        """The number of axes without the extra one."""
        return len(tensor.shape) - (id(tensor) in self._lifted)

    def _may_lift(self, layer, tensors, is_simple):
        """Whether to make a call with the extra axis. What a layer's first call makes of it, it stays."""
        if any(self._rank(tensor) != 3 for tensor in tensors):
            return False
        if id(layer) not in self._chains:
            is_asked = always_lifts(layer) or any(id(tensor) in self._lifted for tensor in tensors)
            parts = lifted_parts(layer, self._name) if is_simple and is_asked else []
            if not parts:
                return False
            self._chains[id(layer)] = self._chain(layer, parts, is_lifted=True)
        return self._chains[id(layer)].is_lifted

    def _chain(self, layer, parts, is_lifted):
        return _Chain(layer, [part for made in parts for part in self._split(made, layer)], is_lifted)

    def _call_lifted(self, chain, argument):
        outputs = tf.nest.map_structure(self._raised, argument)
        for part in chain.parts:
            outputs = part(outputs)
        if len(outputs.shape) == 4:
            self._lifted[id(outputs)] = outputs
        return outputs

    def _raised(self, tensor):
        if id(tensor) in self._lifted:
            return tensor
        shape = [1, *(-1 if axis is None else axis for axis in tensor.shape[1:])]
        return _LAYERS.Reshape(shape, name=self._name("image"))(tensor)

    def _attend(self, layer, args, kwargs):
        if id(layer) not in self._attention:
            self._attention[id(layer)] = AttentionParts(layer, self._name)
        return self._attention[id(layer)](*args, **{name: value for name, value in kwargs.items() if is_tensor(value)})

    def _copies(self, layer, args):
        """The layers a layer becomes that keeps its axes."""
        config = layer.get_config()
        if isinstance(layer, _LAYERS.SeparableConv2D) and config["data_format"] == "channels_last":
            return separated(config, self._name)
        if isinstance(layer, _LAYERS.RNN | _LAYERS.Bidirectional):
            config = _unrolled(layer, config, tuple(tf.nest.flatten(args)[0].shape))
        return [type(layer).from_config({**config, "name": self._name(layer.name)})]

    def _split(self, part, layer):
        """A layer as itself and its activation, where the activation cannot be quantized inside it; a mean as a sum."""
        if isinstance(part, _LAYERS.Average):
            share = 1.0 / len(layer.inbound_nodes[0].keras_inputs)
            return [_LAYERS.Add(name=part.name), _LAYERS.Rescaling(share, name=self._name(f"{part.name}_share"))]
        if type(part) not in _WITH_INNER_ACTIVATION or part.activation.__name__ in INNER_ACTIVATIONS:
            return [part]
        name = self._name(f"{part.name}_{part.activation.__name__}")
        linear = type(part).from_config({**part.get_config(), "activation": "linear"})
        return [linear, _LAYERS.Activation(part.activation, name=name)]


def _unrolled(layer, config, shape):
    """The configuration of a recurrent layer without its loop: the converter cannot calibrate inside one."""
    is_wrapper = isinstance(layer, _LAYERS.Bidirectional)
    inner = layer.forward_layer if is_wrapper else layer
    if "unroll" not in inner.get_config() or len(shape) != 3 or shape[1] is None or shape[1] > MAX_STEPS:
        raise UserError(
            "'int8_qat' unrolls a recurrent layer, because nothing can be calibrated inside a loop; that takes a "
            f"fixed number of steps, at most {MAX_STEPS}. Received: layer {layer.name!r} of class "
            f"{type(inner).__name__} on an input of shape {shape}. Use 'float16' or 'dynamic' instead of 'int8_qat'."
        )
    if not is_wrapper:
        return {**config, "unroll": True}
    both = [key for key in ("layer", "backward_layer") if config.get(key)]
    return {**config, **{key: {**config[key], "config": {**config[key]["config"], "unroll": True}} for key in both}}


def require_equal(model, rewritten):
    """Compares two models on seeded random inputs.

    Args:
        model: tf_keras.Model.
        rewritten: tf_keras.Model of the same inputs and outputs.

    Raises:
        CompressionError: outputs that differ by more than `TOLERANCE` of their scale (with figures).
    """
    rng = np.random.default_rng(_PROBE_SEED)
    sizes = [layer.input_dim for layer in model.layers if isinstance(layer, _LAYERS.Embedding)]
    probe = [_random_input(tensor, min(sizes, default=2), rng) for tensor in model.inputs]
    argument = probe if len(probe) > 1 else probe[0]
    wanted, got = (tf.nest.flatten(one(argument, training=False)) for one in (model, rewritten))
    for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
        difference, scale = float(np.max(np.abs(one - other))), float(np.max(np.abs(one)))
        if one.shape != other.shape or not difference <= TOLERANCE * scale:
            raise CompressionError(
                f"A model rewritten for quantization-aware training must equal itself within {TOLERANCE:g} of the "
                f"output scale. Received: model {model.name!r}, output {number}, differing by {difference:.3g} at a "
                f"scale of {scale:.3g}. Use 'int8' instead of 'int8_qat'."
            )


def _random_input(tensor, vocabulary, rng):
    batch, *axes = tensor.shape
    shape = (batch or _PROBE_SAMPLES, *(axis or _OPEN_AXIS for axis in axes))
    if tensor.dtype.is_integer:
        return rng.integers(0, vocabulary, shape).astype(tensor.dtype.as_numpy_dtype)
    return rng.normal(size=shape).astype(tensor.dtype.as_numpy_dtype)
