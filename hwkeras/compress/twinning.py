"""The twin: a tf_keras model equal in outputs to a Keras 3 one, because tfmot takes no other."""

from __future__ import annotations

import keras

from hwkeras.compress.equality import ask
from hwkeras.compress.equality import first_difference
from hwkeras.compress.equality import probe
from hwkeras.compress.equality import require_equal
from hwkeras.compress.equality import vocabularies
from hwkeras.compress.graph_walk import GraphWalk
from hwkeras.compress.graph_walk import flat_functional
from hwkeras.compress.graph_walk import plain_name
from hwkeras.compress.legacy import tf_keras


def twin(model):
    """Rebuilds a Keras 3 model layer by layer in tf_keras, copies its weights, and checks that both answer alike.

    Shared layers stay shared; nested models are flattened, their layers named `outer_inner`; several inputs and outputs
    become flat lists. What tfmot handles better in parts is split: a separable convolution into a depthwise one and a
    1x1, an activation such as relu6 into a layer behind its convolution, both directions of a recurrent layer into two
    layers. A bare operation such as `x + y` becomes the layer that does the same, or one that computes it as Keras 3
    does. The twin computes in float32.

    Args:
        model: keras.Model, Sequential or functional, built.

    Returns:
        tf_keras.Model, not compiled.

    Raises:
        UserError: not a Keras 3 model, or one without a layer graph, or already quantized.
        CompressionError: a layer without an equal in tf_keras (named), or outputs that differ on seeded random inputs
            by more than 1e-5, for outputs beyond one 1e-5 of the largest (with figures and the first layer that
            differs).
    """
    return Twin(model).copy


class Twin:
    """A Keras 3 model and its tf_keras twin, layer by layer.

    Args:
        model: keras.Model, Sequential or functional, built.

    Attributes:
        copy: tf_keras.Model, the twin; not compiled.
        walk: GraphWalk that made it; says which layer became which.
        samples: list of numpy arrays, the random inputs on which both were found equal.
    """

    def __init__(self, model):
        plain = flat_functional(model)
        inputs = [_input(tensor) for tensor in plain.inputs]
        self.walk = GraphWalk()
        outputs = self.walk.rebuild(plain, inputs)
        self.copy = tf_keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name=plain_name(model.name))
        self.walk.copy_weights()
        self.samples = probe(plain, vocabularies(inputs, self.walk.lookups))
        require_equal(
            answers(model, self.samples),
            ask(self.copy, self.samples),
            f"The tf_keras twin must equal its model {model.name!r}",
            lambda: first_difference(plain, self.walk, self.samples),
        )


def answers(model, samples):
    """The answers of a Keras 3 model itself, which may override `call`, whatever the structure of its inputs.

    Args:
        model: keras.Model with a layer graph.
        samples: list of numpy arrays, one an input.

    Returns:
        Structure of tensors.
    """
    structure = model.inputs if isinstance(model, keras.Sequential) else model.input
    packed = keras.tree.pack_sequence_as(structure, samples)
    return model(packed[0] if isinstance(packed, list) and len(packed) == 1 else packed, training=False)


def _input(tensor):
    return tf_keras.Input(batch_shape=tuple(tensor.shape), dtype=tensor.dtype, name=plain_name(tensor.name))
