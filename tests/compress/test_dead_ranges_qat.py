"""Activations that are nothing but zero, in networks trained quantized; those of other networks are in convert's."""

import keras
import numpy as np
import pytest

from hwkeras.compress import flatbuffer
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.qat import quantize_aware
from hwkeras.convert.dead_ranges import has_dead_ranges
from hwkeras.convert.file_objects import unpack
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.interpreter import resolution

K = tf_keras.layers
OFF = tf_keras.initializers.Constant(-50.0)
X = np.random.default_rng(0).normal(size=(32, 8, 8, 1)).astype("float32")
Y = np.random.default_rng(1).normal(size=(32, 3)).astype("float32")


class Training:
    """A fine-tuning of three steps."""

    validation_data = None

    def gentler(self, share):
        return self

    def fit(self, model, callbacks=()):
        model.compile(tf_keras.optimizers.Adam(0.01), "mse")
        return model.fit(X, Y, epochs=3, batch_size=32, verbose=0, callbacks=list(callbacks)).history


def trained(*between):
    keras.utils.set_random_seed(0)
    start = x = tf_keras.Input((8, 8, 1))
    for layer in (K.Conv2D(4, 3, activation="relu"), *between, K.Flatten(), K.Dense(3)):
        x = layer(x)
    quantized, _, _ = quantize_aware(tf_keras.Model(start, x), Training())
    return quantized


def tensors(content):
    """Name, shape, scales, zero points and values of every tensor of a file."""
    model = unpack(content)
    facts = []
    for tensor in model.subgraphs[0].tensors:
        quantization, data = tensor.quantization, model.buffers[tensor.buffer].data
        numbers = [None if quantization is None else each for each in (quantization.scale, quantization.zeroPoint)]
        facts.append(
            (tensor.name, tensor.type, tuple(tensor.shape))
            + tuple(None if each is None else np.asarray(each).tolist() for each in (*numbers, data))
        )
    return facts


def test_a_live_network_becomes_the_same_file_in_two_steps(monkeypatch):
    quantized = trained(K.Conv2D(2, 1, activation="relu"))
    alone = to_flatbuffer(quantized, "int8", [X])
    assert not has_dead_ranges(alone)
    asked = []
    monkeypatch.setattr(flatbuffer, "has_dead_ranges", lambda content: asked.append(content) or True)
    assert tensors(to_flatbuffer(quantized, "int8", [X])) == tensors(alone)
    assert asked


@pytest.mark.parametrize("kind", [K.Conv2D, K.Conv2DTranspose])
def test_a_dead_network_loads_and_computes_what_the_model_does(kind):
    quantized = trained(kind(2, 1, activation="relu", bias_initializer=OFF), K.Conv2D(4, 1, bias_initializer="ones"))
    content = to_flatbuffer(quantized, "int8", [X])
    assert not has_dead_ranges(content)
    runner = Runner(content)
    found = np.concatenate([runner.run([each[None]])[0] for each in X])
    np.testing.assert_allclose(found, quantized(X).numpy(), atol=3 * resolution(runner.outputs[0]))
