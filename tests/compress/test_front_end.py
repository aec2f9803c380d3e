"""Recipes on networks whose first layer, a front end, stays float in every file."""

import keras
import keras_tuner as kt
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.build import spaces
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.convert import score
from hwkeras.data import LogMel
from hwkeras.errors import DataError
from hwkeras.errors import UserError

RATE, LENGTH = 4000, 800


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(0)
    y = np.arange(96) % 2
    hertz = np.where(y, 1300, 250) * rng.uniform(0.9, 1.1, len(y))
    x = np.sin(2 * np.pi * hertz[:, None] * np.arange(LENGTH) / RATE) * rng.uniform(0.05, 0.9, (len(y), 1))
    return (x + rng.normal(0, 0.02, x.shape)).astype("float32"), y


@pytest.fixture(scope="module")
def model(sounds):
    front_end = LogMel(RATE, LENGTH / RATE)
    pictures = front_end(list(sounds[0]))
    heard = {name: getattr(front_end, name) for name in ("sample_rate", "frame", "hop", "low_hz", "high_hz")}
    heard |= {"mean": pictures.mean((0, 1, 3)).tolist(), "deviation": pictures.std((0, 1, 3)).tolist()}
    small = dict(
        stages=1, depths=1, widths=8, stem_widths=8, kernels=3, dense_units=0, layer_types="conv", heads="flatten"
    )
    space = spaces.Audio((LENGTH,), 2, front_end=heard, resolutions=1, dropout_rates=0.0, **small)
    keras.utils.set_random_seed(0)
    model = space.build(kt.HyperParameters())
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*sounds, epochs=8, batch_size=16, verbose=0)
    hw.reestimate_batch_statistics(model, sounds[0])
    return model


@pytest.mark.parametrize("recipe", ["int8", "prune=0.5", "prune=0.5+distill+int8_qat", "channels=0.5+int16x8"])
def test_what_stands_behind_a_front_end_is_compressed(model, sounds, recipe):
    result = hw.compress(model, recipe, sounds, epochs=4, batch_size=16)
    report = result.report
    assert report.size_bytes == len(result.tflite)
    assert report.gzip_bytes < report.original_gzip_bytes
    assert report.accuracy_after == score(result.tflite, *sounds) > 0.9
    assert result.model.input_shape[1:] == model.layers[1].output.shape[1:]
    if "prune" in recipe:
        assert report.pruned
        assert all(layer.sparsity_in_file >= 0.5 for layer in report.pruned)
    if "int" in recipe:
        assert report.float_operators == ()
    # The front end's constants are there, in float32.
    assert any(
        tensor.values.dtype == np.float32 and tensor.values.size > 500 for tensor in constant_tensors(result.tflite)
    )


def test_samples_are_what_the_front_end_hears(model, sounds):
    x, y = sounds
    with pytest.raises(DataError, match=r"shape the model takes, \[\(800,\)\]. Received: \[\(96, 799\)\]"):
        hw.compress(model, "int8", (x[:, 1:], y))
    with pytest.raises(DataError, match="The recipe 'int8_qat' trains and needs labels. Received: y=None"):
        hw.compress(model, "int8_qat", (x, None))


def test_a_teacher_has_the_same_front_end_or_hears_what_the_body_hears(model, sounds):
    result = hw.compress(model, "prune=0.5+distill", sounds, teacher=keras.models.clone_model(model), epochs=1)
    assert result.report.history["prune"]
    deaf = keras.Sequential([keras.Input((LENGTH,)), keras.layers.Dense(2, activation="softmax")])
    with pytest.raises(UserError, match="teacher"):
        hw.compress(model, "prune=0.5+distill", sounds, teacher=deaf)
