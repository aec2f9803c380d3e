"""The front end inside a network: the numbers of `LogMel`, which no training moves and no precision rounds."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.build import build_model
from hwkeras.build.sound_blocks import LogMelPicture
from hwkeras.compress import twin
from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert
from hwkeras.convert import convert_all
from hwkeras.convert import convert_untrained
from hwkeras.convert import predict
from hwkeras.data import LogMel
from hwkeras.errors import CompressionError
from hwkeras.errors import ConversionError
from hwkeras.measure import analyze
from hwkeras.space import Draft
from hwkeras.space.cost import least_cost

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
RATE = 4000
USUAL = LogMel(RATE, 0.2, num_mels=10)
# Of what is float32 through and through, at energies near the floor.
CLOSE = 5e-4


def params(front_end, waveforms):
    pictures = front_end(waveforms)[..., 0]
    names = ("sample_rate", "frame", "hop", "low_hz", "high_hz")
    return {name: getattr(front_end, name) for name in names} | {
        "mean": [float(value) for value in pictures.mean(axis=(0, 1))],
        "deviation": [float(value) for value in pictures.std(axis=(0, 1)) + 0.1],
    }


def plain(front_end):
    """A layer that standardizes nothing."""
    given = params(front_end, np.zeros((1, front_end.num_samples)))
    return LogMelPicture(**given | {"mean": [0] * front_end.num_mels, "deviation": [1] * front_end.num_mels})


def sounds(number, front_end=USUAL, seed=0):
    """Tones of all levels in noise of all levels."""
    rng = np.random.default_rng(seed)
    times = np.arange(front_end.num_samples) / front_end.sample_rate
    hertz, level, noise = (
        each[:, None]
        for each in (
            rng.uniform(70, front_end.sample_rate / 2, number),
            10 ** rng.uniform(-5, -0.1, number),
            10 ** rng.uniform(-7, -1, number),
        )
    )
    waveforms = level * np.sin(2 * np.pi * hertz * times) + noise * rng.normal(size=(number, len(times)))
    return np.clip(waveforms, -1, 1).astype("float32")


USUAL_LAYER = plain(USUAL)


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_numbers_are_those_of_log_mel(seed):
    waveforms = sounds(2, seed=seed)
    np.testing.assert_allclose(np.asarray(USUAL_LAYER(waveforms)), USUAL(waveforms), atol=CLOSE)


@pytest.mark.parametrize(
    ("rate", "seconds", "numbers"),
    [
        (8000, 0.3, {}),
        (8000, 0.3, {"hop_ms": 32}),  # frames side by side
        (8000, 0.3, {"hop_ms": 40, "num_mels": 8}),  # and with gaps
        (8000, 0.29, {"frame_ms": 25, "hop_ms": 10}),  # three rows to a frame
        (11025, 0.1, {"num_mels": 12}),  # 353 samples, a prime number, to a frame
        (RATE, 0.032, {"num_mels": 4}),  # one frame
    ],
)
def test_of_every_length_of_frames_and_hops(rate, seconds, numbers):
    front_end = LogMel(rate, seconds, **numbers)
    waveforms = sounds(4, front_end)
    layer = plain(front_end)
    pictures = np.asarray(layer(waveforms))
    assert pictures.shape[1:] == front_end.shape == layer.compute_output_shape(waveforms.shape)[1:]
    np.testing.assert_allclose(pictures, front_end(waveforms), atol=CLOSE)


def test_silence_is_the_floor_and_a_full_tone_is_finite():
    silence = np.zeros((1, USUAL.num_samples), "float32")
    np.testing.assert_allclose(np.asarray(USUAL_LAYER(silence)), np.log(1e-6), rtol=1e-6)
    square = np.sign(np.sin(np.arange(USUAL.num_samples) / 5.0))[None].astype("float32")
    np.testing.assert_allclose(np.asarray(USUAL_LAYER(square)), USUAL(square), atol=CLOSE)


def net():
    draft = Draft((USUAL.num_samples,))
    draft.append("log_mel", "log_mel", **params(USUAL, sounds(20)))
    draft.append("conv", "conv", filters=4, stride=2)
    draft.append("pool", "global_average_pool")
    draft.append("classifier", "classifier", classes=2)
    return draft.finish()


def data(number, seed=0):
    """Sounds in which the class is whether they are high."""
    y = np.arange(number) % 2
    times = np.arange(USUAL.num_samples) / RATE
    tones = np.sin(2 * np.pi * np.where(y, 1200, 200)[:, None] * times)
    return (0.3 * tones + 0.1 * sounds(number, seed=seed)).astype("float32"), y.astype("int64")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = build_model(net())
    model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(*data(64), epochs=8, batch_size=16, verbose=0)
    return model


@pytest.fixture(scope="module")
def files(model):
    return convert_all(model, PRECISIONS, data(64)[0])


def test_training_moves_nothing_and_the_bands_are_standardized(model):
    layer = model.get_layer("log_mel")
    assert layer.weights == []
    known, waveforms = params(USUAL, sounds(20)), sounds(20)
    expected = (USUAL(waveforms)[..., 0] - known["mean"]) / known["deviation"]
    np.testing.assert_allclose(np.asarray(layer(waveforms))[..., 0], expected, atol=10 * CLOSE)
    again = LogMelPicture.from_config(layer.get_config())
    np.testing.assert_array_equal(np.asarray(again(waveforms)), np.asarray(layer(waveforms)))


def test_a_saved_model_is_the_same(model, tmp_path):
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    x, _ = data(4)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_file_takes_floats_and_hears_as_the_model_does(model, files, precision):
    x, y = data(40, seed=1)
    file = files[precision]
    answers = predict(file.flatbuffer, x)
    assert (answers.argmax(axis=1) == y).mean() > 0.9
    np.testing.assert_allclose(answers, model.predict(x, verbose=0), atol={"float32": 1e-4}.get(precision, 0.1))
    assert len(convert_untrained(model, precision)[precision]) == file.size_bytes
    assert file.op_names.count("LOG") == 1
    assert ("QUANTIZE" in file.op_names) == (precision == "int8")
    assert {path.split("/")[0] for path in file.node_paths.values()} >= {"log_mel", "classifier"}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_energies_stay_what_they_are_in_every_precision(precision):
    inputs = keras.Input((USUAL.num_samples,))
    layer = LogMelPicture(**params(USUAL, sounds(20)))
    loudest = keras.layers.GlobalMaxPooling2D()(layer(inputs))
    model = keras.Model(inputs, loudest)
    waveforms = sounds(32)
    file = convert(model, precision, waveforms)
    expected = np.asarray(layer(waveforms)).max(axis=(1, 2, 3))[:, None]
    # One step of 255 of what comes out; had the energies been rounded, the quiet sounds would be all alike.
    step = np.ptp(expected) / 255 if precision == "int8" else 1e-3
    np.testing.assert_allclose(predict(file.flatbuffer, waveforms), expected, atol=1.5 * step)


def test_what_it_costs_at_least(files):
    known = analyze(files["float32"].flatbuffer).metrics()
    least = least_cost(net(), 4, 4).metrics()
    assert all(least[name] <= known[name] for name in least)
    assert least["macs"] == known["macs"]


def test_there_is_no_twin(model):
    with pytest.raises(CompressionError, match="Received: layer 'log_mel' of class LogMelPicture"):
        twin(model)


def test_a_front_end_stands_at_the_front():
    inputs = keras.Input((USUAL.num_samples,))
    quiet = keras.layers.Rescaling(0.5)(inputs)
    outputs = keras.layers.GlobalAveragePooling2D()(plain(USUAL)(quiet))
    with pytest.raises(ConversionError, match="must stand between the model's only input and everything else. Receiv"):
        convert(keras.Model(inputs, outputs), "float32")
    beside = keras.layers.Dense(USUAL.num_mels)(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(plain(USUAL)(inputs))
    both = keras.layers.Concatenate()([beside, pooled])
    with pytest.raises(ConversionError, match=r"layer 'log_mel_picture.*' elsewhere \(.*\)\. Compute what it"):
        convert(keras.Model(inputs, both), "float32")
