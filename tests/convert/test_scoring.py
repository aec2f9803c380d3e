import keras
import numpy as np
import pytest

from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert
from hwkeras.convert import convert_all
from hwkeras.convert import predict
from hwkeras.convert import score
from hwkeras.convert import scoring
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.interpreter import dequantize
from hwkeras.convert.interpreter import quantize
from hwkeras.errors import DataError
from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from tests.convert import tiny_nets

L = keras.layers
DETAIL = {"quantization": (0.5, -3), "dtype": np.int8}


@pytest.fixture(scope="module")
def mlp():
    keras.utils.set_random_seed(0)
    model = tiny_nets.train(tiny_nets.mlp(), epochs=5)
    x, y = tiny_nets.samples(model, 100)
    return model, convert_all(model, PRECISIONS, x), x, y


def test_quantization_rounds_and_saturates():
    assert quantize(np.array([0.0, 1.0, 0.7, 1e9, -1e9]), DETAIL).tolist() == [-3, -1, -2, 127, -128]
    assert dequantize(np.array([-3, -1, 127], np.int8), DETAIL).tolist() == [0.0, 1.0, 65.0]


@pytest.mark.parametrize("name", ["cnn", "squeeze_excite", "conv1d", "attention", "embedding", "lstm"])
def test_batched_answers_are_the_single_ones(name):
    model = getattr(tiny_nets, name)()
    x, _ = tiny_nets.samples(model, 75)
    precisions = PRECISIONS if name != "lstm" else PRECISIONS[:3]
    for precision, converted in convert_all(model, precisions, x).items():
        single = Runner(converted.flatbuffer)
        rows = scoring._rows(single, x)
        expected = np.concatenate([single.run([row[i : i + 1] for row in rows])[0] for i in range(75)])
        slack = 0.004 if precision == "int8" else 1e-5
        assert np.abs(predict(converted.flatbuffer, x) - expected).max() <= slack


@pytest.mark.parametrize("name, follows", [("cnn", True), ("attention", True), ("squeeze_excite", False)])
def test_which_graphs_follow_a_batch(name, follows):
    model = getattr(tiny_nets, name)()
    x, _ = tiny_nets.samples(model)
    file = convert(model, "float32").flatbuffer
    single = Runner(file)
    assert (scoring._batched_runner(file, single, scoring._rows(single, x), 1) is not None) is follows


def test_a_graph_that_mixes_its_batch_goes_one_by_one():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, L.Lambda(lambda x: x - keras.ops.mean(x, axis=0, keepdims=True) + x)(inputs))
    x = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    assert np.allclose(predict(convert(model, "float32").flatbuffer, x), x, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 64, 65, 100])
def test_every_number_of_samples(mlp, count):
    model, files, x, _ = mlp
    outputs = predict(files["float32"].flatbuffer, x[:count])
    assert outputs.shape == (count, 4) and outputs.dtype == np.float32
    if count:
        assert np.abs(outputs - model.predict(x[:count], verbose=0)).max() < 1e-5


def test_outputs_of_any_rank_become_rows():
    inputs = keras.Input((4, 3))
    file = convert(keras.Model(inputs, L.Dense(2)(inputs)), "float32").flatbuffer
    assert predict(file, np.zeros((5, 4, 3))).shape == (5, 8)


def test_integer_inputs_take_real_numbers(mlp):
    model, files, x, _ = mlp
    assert np.abs(predict(files["int8"].flatbuffer, x) - model.predict(x, verbose=0)).max() < 0.03


def test_several_inputs_by_order_and_by_name():
    height, age = keras.Input((3,), name="height"), keras.Input((4,), name="age")
    model = keras.Model([height, age], L.Dense(2)(L.Concatenate()([age, height])))
    rng = np.random.default_rng(0)
    x = [rng.random((20, 3)).astype(np.float32), rng.random((20, 4)).astype(np.float32)]
    file = convert(model, "float32").flatbuffer
    expected = model.predict(x, verbose=0)
    assert np.abs(predict(file, x) - expected).max() < 1e-5
    assert np.abs(predict(file, {"age": x[1], "height": x[0]}) - expected).max() < 1e-5


def test_every_form_of_labels_gives_the_accuracy_of_keras(mlp):
    model, files, x, y = mlp
    file = files["float32"].flatbuffer
    expected = float((model.predict(x, verbose=0).argmax(axis=1) == y).mean())
    for labels in (y, y[:, None], y.astype(np.float32), np.eye(4)[y], y.tolist()):
        assert score(file, x, labels) == expected


def test_single_sigmoid_output():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, L.Dense(1, activation="sigmoid", kernel_initializer="ones")(inputs))
    x = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 0.0], [-2.0, 1.0]])
    file = convert(model, "float32").flatbuffer
    assert score(file, x, [1, 0, 1, 0]) == 1.0
    assert score(file, x, np.array([[1], [0], [0], [0]])) == 0.75
    with pytest.raises(DataError, match=r"Labels must be in 0\.\.1. Received: 0\.\.2"):
        score(file, x, [0, 1, 2, 0])


def test_refusals(mlp):
    _, files, x, y = mlp
    file = files["float32"].flatbuffer
    with pytest.raises(DataError, match=r"one label for each sample. Received: 100 samples, y of shape \(99,\)"):
        score(file, x, y[1:])
    with pytest.raises(DataError, match=r"one-hot \(n, 4\). Received: shape \(100, 5\)"):
        score(file, x, np.eye(5)[y])
    with pytest.raises(DataError, match="whole numbers or one-hot. Received: dtype float64"):
        score(file, x, y + 0.5)
    with pytest.raises(DataError, match="whole numbers or one-hot. Received: dtype <U"):
        score(file, x, y.astype(str))
    with pytest.raises(DataError, match=r"Labels must be in 0\.\.3. Received: 1\.\.4"):
        score(file, x, np.clip(y, 0, 3) + 1)
    with pytest.raises(DataError, match="at least one sample"):
        score(file, x[:0], y[:0])
    with pytest.raises(DataError, match=r"must have the shape \(n, 20\). Received: shape \(100, 4, 5\)"):
        predict(file, x.reshape(100, 4, 5))


def test_not_a_tflite_file():
    with pytest.raises(ModelFileError, match="must load in the LiteRT interpreter. Received: 9 bytes, refused with"):
        predict(b"not a net", np.zeros((1, 2)))


def test_several_outputs():
    inputs = keras.Input((5,))
    file = convert(keras.Model(inputs, [L.Dense(2)(inputs), L.Dense(3)(inputs)]), "float32").flatbuffer
    with pytest.raises(UserError, match="one output is needed. Received: 2 outputs"):
        predict(file, np.zeros((1, 5)))
