"""The promise that decides whether a size limit can be screened: the untrained file is as large as the trained one."""

import keras
import numpy as np
import pytest

from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert_all
from hwkeras.convert import convert_untrained
from hwkeras.convert.converter import flatbuffer_of
from hwkeras.convert.frozen import freeze
from hwkeras.convert.operators import operator_names
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError
from tests.convert import tiny_nets

L = keras.layers


def _sizes(files):
    return {precision: len(getattr(file, "flatbuffer", file)) for precision, file in files.items()}


def _operators(files):
    return {precision: operator_names(getattr(file, "flatbuffer", file)) for precision, file in files.items()}


def _assert_equal_before_and_after(model, precisions=PRECISIONS):
    before = convert_untrained(model, precisions)
    tiny_nets.train(model)
    after = convert_all(model, precisions, tiny_nets.samples(model)[0])
    assert _sizes(before) == _sizes(after)
    assert _operators(before) == _operators(after)
    return before, after


@pytest.mark.parametrize("name", ["cnn", "squeeze_excite", "mlp", "conv1d", "attention", "embedding"])
def test_sizes_and_operators_are_those_of_the_trained_model(name):
    _assert_equal_before_and_after(getattr(tiny_nets, name)())


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_sizes_of_recurrent_networks(name):
    _assert_equal_before_and_after(getattr(tiny_nets, name)(), ("float32", "float16", "dynamic"))


def test_static_analysis_is_that_of_the_trained_model():
    analyze = pytest.importorskip("hwkeras.measure").analyze
    before, after = _assert_equal_before_and_after(tiny_nets.cnn())
    for precision in PRECISIONS:
        assert analyze(before[precision]).metrics() == analyze(after[precision].flatbuffer).metrics()


def test_the_plain_file_of_a_fresh_model_would_be_too_small():
    model = tiny_nets.cnn()
    assert len(flatbuffer_of(freeze(model), "float32")) < len(convert_untrained(model, "float32")["float32"])


def test_branches_that_saturate_after_training_do_not_change_the_size():
    inputs = keras.Input((8, 8, 3))
    x = L.ReLU(6)(L.Conv2D(8, 3, padding="same")(inputs))
    y = L.Concatenate()([x, L.ReLU(6)(L.Conv2D(8, 1)(x))])
    y = L.Concatenate()([y, L.ReLU(6)(L.Conv2D(8, 1)(y))])
    model = keras.Model(inputs, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(y)))
    before = convert_untrained(model, PRECISIONS)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(np.abs(variable.numpy()) * 30 + rng.random(variable.shape))
    after = convert_all(model, PRECISIONS, tiny_nets.samples(model)[0])
    assert _sizes(before) == _sizes(after)


def test_frozen_layers_count_as_they_are():
    inputs = keras.Input((8,))
    frozen = [L.Dense(8, activation="relu", trainable=False), L.BatchNormalization(trainable=False)]
    x = inputs
    for layer in (*frozen, L.Dense(8, activation="relu", trainable=False), L.ReLU(6)):
        x = layer(x)
    _assert_equal_before_and_after(keras.Model(inputs, L.Dense(4, activation="softmax")(x)))


def test_weights_that_stay_equal_can_only_make_the_shipped_file_smaller():
    model = tiny_nets.mlp()
    before = _sizes(convert_untrained(model, PRECISIONS))
    never_trained = _sizes(convert_all(model, PRECISIONS, tiny_nets.samples(model)[0]))
    constant = [weight for weight in model.weights if np.ptp(weight.numpy()) == 0]
    bound = sum(16 * int(np.prod(weight.shape)) + 256 for weight in constant)
    for precision in PRECISIONS:
        assert 0 < before[precision] - never_trained[precision] <= bound


def test_the_model_is_only_read():
    model = tiny_nets.train(tiny_nets.cnn())
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    convert_untrained(model, PRECISIONS)
    after = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_same_seed_gives_the_same_bytes():
    model = tiny_nets.mlp()
    assert convert_untrained(model, "int8", seed=3) == convert_untrained(model, "int8", seed=3)


def test_unknown_precision():
    with pytest.raises(UserError, match="must be one of float32, float16, dynamic, int8. Received: 'int4'"):
        convert_untrained(tiny_nets.mlp(), ("float32", "int4"))


def test_a_loop_in_int8_is_known_before_training():
    with pytest.raises(ConversionError, match="int8 calibration cannot enter a loop"):
        convert_untrained(tiny_nets.lstm(), "int8")
