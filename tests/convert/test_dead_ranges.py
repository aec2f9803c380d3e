"""Activations that are nothing but zero, with the real converter and the real kernels."""

import keras
import numpy as np
import pytest

from hwkeras.convert import convert
from hwkeras.convert.converter import _converter
from hwkeras.convert.dead_ranges import has_dead_ranges
from hwkeras.convert.dead_ranges import revived
from hwkeras.convert.dead_ranges import widened
from hwkeras.convert.file_objects import unpack
from hwkeras.convert.frozen import freeze
from hwkeras.convert.interpreter import Runner
from hwkeras.errors import ModelFileError

L = keras.layers
OFF = keras.initializers.Constant(-50.0)
X = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")


def net(*between):
    keras.utils.set_random_seed(0)
    first = L.Conv2D(4, 3, activation="relu")
    return keras.Sequential([keras.Input((8, 8, 1)), first, *between, L.Flatten(), L.Dense(3, activation="softmax")])


DEAD = {
    "conv": lambda: [L.Conv2D(2, 1, activation="relu", bias_initializer=OFF), L.Conv2D(4, 1, bias_initializer="ones")],
    "depthwise_conv": lambda: [L.DepthwiseConv2D(3, activation="relu", bias_initializer=OFF), L.MaxPooling2D()],
    "conv_transpose": lambda: [L.Conv2DTranspose(4, 2, strides=2, activation="relu", bias_initializer=OFF)],
    "dense": lambda: [L.GlobalAveragePooling2D(), L.Dense(4, activation="relu", bias_initializer=OFF), L.Dense(4)],
    "pooled": lambda: [L.Conv2D(2, 1, activation="relu", bias_initializer=OFF), L.GlobalAveragePooling2D()],
}


def plain(model):
    """What TensorFlow's converter makes of a model by itself."""
    return bytes(_converter(freeze(model), "int8", [X]).convert())


@pytest.mark.parametrize("name", DEAD)
def test_a_file_with_dead_activations_loads_and_computes_what_the_model_does(name):
    model = net(*DEAD[name]())
    alone = plain(model)
    assert has_dead_ranges(alone)
    converted = convert(model, "int8", X)
    assert not has_dead_ranges(converted.flatbuffer)
    assert converted.max_error < 0.01


def test_without_it_the_kernels_refuse_the_file():
    with pytest.raises(ModelFileError, match="failed to create XNNPACK runtime"):
        Runner(plain(net(*DEAD["conv"]())))


def contents(flatbuffer):
    model = unpack(flatbuffer)
    tensors = model.subgraphs[0].tensors
    data = [model.buffers[tensor.buffer].data for tensor in tensors]
    scales = [None if tensor.quantization is None else tensor.quantization.scale for tensor in tensors]
    return (
        [(tensor.name, tensor.type, tuple(tensor.shape)) for tensor in tensors],
        [None if each is None else each.tolist() for each in data],
        [None if each is None else each.tolist() for each in scales],
    )


def test_in_two_steps_a_live_network_becomes_the_same_file():
    model = net(L.Conv2D(2, 1, activation="relu"))
    alone = plain(model)
    assert not has_dead_ranges(alone)
    assert contents(revived(_converter(freeze(model), "int8", [X]))) == contents(alone)


def test_only_dead_ranges_are_widened():
    converter = _converter(freeze(net(*DEAD["conv"]())), "int8", [X])
    converter._experimental_calibrate_only = True
    calibrated = bytes(converter.convert())
    before, after = (unpack(content).subgraphs[0].tensors for content in (calibrated, widened(calibrated)))
    changed = [
        (float(one.quantization.max[0]), float(other.quantization.max[0]))
        for one, other in zip(before, after, strict=True)
        if one.quantization is not None and one.quantization.max is not None
        if one.quantization.max[0] != other.quantization.max[0]
    ]
    ((was, now),) = changed
    assert was < 1e-30 < 1e-6 < now < 0.01
