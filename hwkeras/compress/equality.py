"""Whether two models answer alike, asked with random inputs, and which layer is the first that does not."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.graph_walk import GraphWalk
from hwkeras.compress.graph_walk import takes_mode
from hwkeras.errors import CompressionError

# Largest difference of any output, for outputs up to one; as a share of the largest output beyond.
TOLERANCE = 1e-5
# Of outputs far below one, such as the probabilities of a thousand classes, the difference is at most this share.
_SHARE_OF_SMALL = 1e-3
_SEED = 0
_NUM_SAMPLES = 4
# Length given to an axis the model leaves open: of an image, of anything else.
_OPEN_SIDE, _OPEN_AXIS = 96, 32
_BYTE_VALUES = 256
_WAY_OUT = (
    "Check that its weights are finite and its dtype is float32, or convert it uncompressed with `hwkeras.convert`."
)


def probe(model, vocabularies):
    """Random inputs for a model: normal numbers; for tokens whole numbers.

    Args:
        model: keras.Model made by `functional`.
        vocabularies: list of int or None, one an input: how many values its tokens have.

    Returns:
        List of numpy arrays, one an input.
    """
    rng = np.random.default_rng(_SEED)
    return [_random(tensor, size, rng) for tensor, size in zip(model.inputs, vocabularies, strict=True)]


def vocabularies(inputs, lookups):
    """How many values the tokens of each input may have.

    Args:
        inputs: list of symbolic tensors, the model's inputs.
        lookups: list of (tensor of indices, size of the vocabulary).

    Returns:
        List of int, or None for an input that reaches no embedding.
    """
    sources = [(_ancestors(tensor), size) for tensor, size in lookups]
    return [min((size for found, size in sources if id(one) in found), default=None) for one in inputs]


def difference(wanted, got):
    """How far two answers are apart.

    Args:
        wanted: array or structure of arrays.
        got: the same.

    Returns:
        tuple of the largest absolute difference (NaN where either holds one), the largest absolute wanted value, and
        the number of the flattened output they belong to: the one that lies furthest beyond what is allowed.
    """
    found = []
    for number, (one, other) in enumerate(zip(keras.tree.flatten(wanted), tf.nest.flatten(got), strict=True)):
        one, other = (np.asarray(keras.ops.convert_to_numpy(part), np.float64) for part in (one, other))
        if one.shape != other.shape:
            found.append((np.inf, 0.0, number))
        else:
            found.append((_largest(one - other), _largest(one), number))
    return max(found, key=lambda one: np.inf if np.isnan(one[0]) else one[0] / max(allowed(one[1]), 1e-30))


def allowed(scale):
    """The largest difference two equal answers may have.

    Args:
        scale: float, largest absolute value of the answer.

    Returns:
        float.
    """
    return min(TOLERANCE * max(scale, 1.0), _SHARE_OF_SMALL * scale)


def first_difference(model, walk, inputs):
    """Says which layer's twin answers differently, each asked alone with what the model gives it.

    Args:
        model: keras.Model made by `functional`.
        walk: GraphWalk that has rebuilt it, with weights.
        inputs: list of arrays.

    Returns:
        str, the end of a sentence.
    """
    comparison = _Comparison(walk)
    comparison.rebuild(model, [keras.ops.convert_to_tensor(array) for array in inputs])
    return said_of(comparison.found)


def said_of(found):
    """Says in words which layer differs.

    Args:
        found: list of (layer, difference, scale), each layer asked alone, in the order of the model.

    Returns:
        str, the end of a sentence.
    """
    beyond = [one for one in found if not one[1] <= allowed(one[2])]
    if beyond:
        operation, amount, scale = beyond[0]
        return (
            f"the first layer that differs is {operation.name!r} of class {type(operation).__name__}, by {amount:.3g} "
            f"at a scale of {scale:.3g}"
        )
    if not found:
        return "it has no layers"
    operation, amount, scale = max(found, key=lambda one: one[1] / max(one[2], 1e-30))
    return (
        "no layer alone differs by as much, the differences add up; the largest is that of "
        f"{operation.name!r} of class {type(operation).__name__}, {amount:.3g} at a scale of {scale:.3g}"
    )


def ask(model, samples):
    """The answers of a model with flat lists of inputs.

    Args:
        model: tf_keras.Model, or keras.Model with one input or a list of them.
        samples: list of numpy arrays.

    Returns:
        Structure of tensors.
    """
    return model(samples if len(samples) > 1 else samples[0], training=False)


def require_equal(wanted, got, what, reason, way_out=_WAY_OUT):
    """Refuses answers that are not equal.

    Args:
        wanted: structure of arrays.
        got: structure of arrays.
        what: str, what must equal what, the subject of the message.
        reason: function without arguments to a str that says where the difference comes from.
        way_out: str, what to do about it. Defaults to what helps with a model that is computed in another precision.

    Raises:
        CompressionError: they differ (with figures).
    """
    amount, scale, number = difference(wanted, got)
    if not amount <= allowed(scale):
        raise CompressionError(
            f"{what} within {TOLERANCE:g}. Received: output {number}, differing by {amount:.3g} at a scale of "
            f"{scale:.3g}; {reason()}. {way_out}"
        )


class _Comparison(GraphWalk):
    """The walk on arrays: every layer is called, its twin beside it on the same inputs."""

    def __init__(self, walk):
        super().__init__()
        self.translations = walk.translations
        self.found = []  # (operation, difference, scale)

    def apply(self, operation, translation, args, kwargs, tensors):
        if takes_mode(translation):
            kwargs = {**kwargs, "training": False}
        wanted = operation(*args, **kwargs)
        amount, scale, _ = difference(wanted, translation(args, kwargs, tensors))
        self.found.append((operation, amount, scale))
        return wanted


def _largest(array):
    return float(np.max(np.abs(array))) if array.size else 0.0


def _ancestors(tensor):
    """The ids of a symbolic tensor, of tf_keras or Keras 3, and of all it comes from."""
    found, waiting = set(), [tensor]
    while waiting:
        one = waiting.pop()
        if id(one) in found:
            continue
        found.add(id(one))
        layer, index, _ = one._keras_history
        node = layer._inbound_nodes[index]
        waiting.extend(node.keras_inputs if hasattr(node, "keras_inputs") else node.arguments.keras_tensors)
    return found


def _random(tensor, vocabulary, rng):
    batch, *axes = tensor.shape
    is_image = len(axes) == 3
    shape = (batch or _NUM_SAMPLES, *(axis or (_OPEN_SIDE if is_image else _OPEN_AXIS) for axis in axes))
    if vocabulary is None and "int" not in tensor.dtype and tensor.dtype != "bool":
        return rng.normal(size=shape).astype(tensor.dtype)
    size = vocabulary or (_BYTE_VALUES if tensor.dtype == "uint8" else 2)
    return rng.integers(0, size, shape).astype(tensor.dtype)
