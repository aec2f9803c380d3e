"""Files of every precision against their Keras models, and every refusal."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert
from hwkeras.convert import convert_all
from hwkeras.convert.calibration import take_samples
from hwkeras.convert.converter import _checked
from hwkeras.convert.converter import flatbuffer_of
from hwkeras.convert.frozen import freeze
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.operators import operator_names
from hwkeras.errors import ConversionError
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from tests.convert import tiny_nets

L = keras.layers


@pytest.fixture(scope="module")
def mlp():
    keras.utils.set_random_seed(0)
    return tiny_nets.train(tiny_nets.mlp())


@pytest.mark.parametrize("name", ["cnn", "squeeze_excite", "conv1d", "attention", "embedding"])
def test_every_precision_agrees_with_keras(name):
    model = tiny_nets.train(getattr(tiny_nets, name)())
    x, _ = tiny_nets.samples(model)
    files = convert_all(model, PRECISIONS, x)
    expected = model.predict(x[:5], verbose=0)
    assert tuple(files) == PRECISIONS
    for precision, converted in files.items():
        runner = Runner(converted.flatbuffer)
        received = np.concatenate([runner.run([row[None]])[0] for row in x[:5]])
        assert np.abs(received - expected).max() <= (0.02 if precision == "int8" else 5e-3)
        assert converted.disagreement <= converted.tolerance
        assert converted.size_bytes == len(converted.flatbuffer)
        assert converted.sha256 == hashlib.sha256(converted.flatbuffer).hexdigest()
        assert converted.op_names == operator_names(converted.flatbuffer)
    assert files["float32"].max_error < 1e-5


def test_batch_is_static_and_int8_is_integer_throughout(mlp):
    x, _ = tiny_nets.samples(mlp)
    runner = Runner(convert(mlp, "int8", x).flatbuffer)
    assert runner.inputs[0]["dtype"] is np.int8 and runner.outputs[0]["dtype"] is np.int8
    assert list(runner.inputs[0]["shape_signature"]) == [1, 20]


def test_int8_weights_are_per_channel():
    model = tiny_nets.cnn()
    runner = Runner(convert(model, "int8", tiny_nets.samples(model)[0]).flatbuffer)
    details = runner._interpreter.get_tensor_details()
    assert max(len(detail["quantization_parameters"]["scales"]) for detail in details) == 8


def test_token_ids_stay_int32():
    model = tiny_nets.embedding()
    runner = Runner(convert(model, "int8", tiny_nets.samples(model)[0]).flatbuffer)
    assert runner.inputs[0]["dtype"] is np.int32


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_recurrent_layers_convert_with_their_loop(name):
    model = getattr(tiny_nets, name)()
    files = convert_all(model, ("float32", "float16", "dynamic"))
    assert "WHILE" in files["float32"].op_names
    assert files["float32"].max_error < 1e-5


def test_int8_of_a_loop_is_refused_before_it_ends_the_process():
    model = tiny_nets.gru()
    message = r"int8 calibration cannot enter a loop.*Received: StatelessWhile\. Build the layer with unroll=True"
    with pytest.raises(ConversionError, match=message):
        convert(model, "int8", tiny_nets.samples(model)[0])


def test_int8_of_an_unrolled_recurrent_layer():
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, L.Dense(2)(L.LSTM(4, unroll=True)(inputs)))
    assert convert(model, "int8", tiny_nets.samples(model)[0]).precision == "int8"


def test_several_inputs_keep_names_and_order():
    height, age = keras.Input((3,), name="height"), keras.Input((4,), name="age")
    model = keras.Model([height, age], L.Dense(2)(L.Concatenate()([age, height])))
    rng = np.random.default_rng(0)
    x = [rng.random((20, 3)), rng.random((20, 4))]
    files = convert_all(model, PRECISIONS, {"age": x[1], "height": x[0]})
    names = [detail["name"] for detail in Runner(files["int8"].flatbuffer).inputs]
    assert names == ["height", "age"]


def test_inputs_given_as_a_dict():
    height, age = keras.Input((3,), name="height"), keras.Input((3,), name="age")
    model = keras.Model({"height": height, "age": age}, L.Dense(2)(L.Subtract()([height, age])))
    files = convert_all(model, ("float32",), {"height": np.ones((4, 3)), "age": np.zeros((4, 3))})
    assert [detail["name"] for detail in Runner(files["float32"].flatbuffer).inputs] == ["age", "height"]


def test_several_outputs_are_all_compared():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, [L.Dense(2)(inputs), L.Dense(3, "softmax")(inputs)])
    files = convert_all(model, PRECISIONS, np.random.default_rng(0).random((30, 5)))
    assert len(Runner(files["int8"].flatbuffer).outputs) == 2


class _Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = L.Dense(6, "relu")
        self.norm = L.BatchNormalization()
        self.out = L.Dense(3)

    def call(self, inputs, training=False):
        return self.out(self.norm(self.hidden(inputs), training=training))


def test_subclassed_model():
    model = _Subclassed()
    model(np.zeros((2, 4)))
    assert convert(model, "float32").max_error < 1e-5


def test_subclassed_model_with_a_list_of_inputs():
    class Sum(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)

        def call(self, inputs):
            return self.dense(inputs[0]) + self.dense(inputs[1])

    model = Sum()
    model([np.zeros((2, 4)), np.zeros((2, 4))])
    assert convert(model, "float32").max_error < 1e-5


def test_the_same_model_gives_the_same_bytes(mlp):
    assert convert(mlp, "float32").sha256 == convert(mlp, "float32").sha256


@pytest.mark.parametrize("name", ["cnn", "attention", "gru"])
def test_a_rebuilt_network_gives_the_same_bytes_whatever_keras_calls_its_layers(name):
    files = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        files.append(convert(getattr(tiny_nets, name)(), "float32").flatbuffer)
    assert files[0] == files[1]


def test_conversion_leaves_the_model_alone():
    model = tiny_nets.train(tiny_nets.cnn())
    model.layers[1].trainable = False
    before = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    trainable = [variable.path for variable in model.trainable_variables]
    convert_all(model, PRECISIONS, tiny_nets.samples(model)[0])
    after = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert [variable.path for variable in model.trainable_variables] == trainable


def test_unknown_precision(mlp):
    with pytest.raises(
        UserError, match=r"`precision` must be one of float32, float16, dynamic, int8. Received: 'int4'"
    ):
        convert(mlp, "int4")
    with pytest.raises(UserError, match="Received: none"):
        convert_all(mlp, ())


def test_int8_without_calibration(mlp):
    with pytest.raises(UserError, match=r"Received: calibration=None\. Pass calibration=x_train"):
        convert(mlp, "int8")


def test_not_a_keras_3_model():
    with pytest.raises(UserError, match=r"must be a Keras 3 `keras.Model`. Received: builtins.str"):
        convert("model.keras", "float32")


@pytest.mark.parametrize("model", [keras.Sequential([L.Dense(2)]), _Subclassed()], ids=["sequential", "subclassed"])
def test_model_that_is_not_built(model):
    with pytest.raises(UserError, match=r"must be built before conversion.*Received: '.*', not built"):
        convert(model, "float32")


def test_shape_that_is_not_fixed():
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, L.GlobalAveragePooling1D()(inputs))
    with pytest.raises(UserError, match=r"must be fixed.*Received: shape \(None, None, 3\)"):
        convert(model, "float32")


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_operators_beyond_tflite_are_named_in_one_line(precision):
    inputs = keras.Input((4, 4))
    x = L.Lambda(lambda x: tf.linalg.inv(x) + tf.math.betainc(x, x, x))(inputs)
    model = keras.Model(inputs, L.Dense(4)(L.Flatten()(x)))
    with pytest.raises(ConversionError, match="the model needs Betainc, MatrixInverse, not among TFLite") as caught:
        flatbuffer_of(freeze(model), precision, [np.random.default_rng(0).random((4, 4, 4), np.float32)])
    assert "\n" not in str(caught.value)


def test_fourier_transform_is_a_builtin_operator():
    inputs = keras.Input((16,))
    x = L.Lambda(lambda x: tf.math.real(tf.signal.rfft(x)), output_shape=(9,))(inputs)
    assert "RFFT2D" in convert(keras.Model(inputs, x), "float32").op_names


def test_mixed_precision_model():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Dense(2, dtype="mixed_float16")(inputs))
    with pytest.raises(ConversionError, match=r"must compute in float32.*Received: float16 compute"):
        convert(model, "float32")


def test_layer_that_fails_on_one_sample():
    class Halves(L.Layer):
        def call(self, x):
            if x.shape[0] == 1:
                raise ValueError("an even batch is needed")
            return x

    inputs = keras.Input((4,))
    with pytest.raises(ConversionError, match=r"could not be called on one sample \(batch 1\).*even batch"):
        convert(keras.Model(inputs, Halves()(inputs)), "float32")


def test_weights_that_are_not_finite():
    model = tiny_nets.mlp()
    model.trainable_variables[0].assign(np.full((20, 40), np.nan))
    with pytest.raises(ConversionError, match=r"weight must be finite. Received: NaN or infinity in .*kernel"):
        convert(model, "float32")


def _overflowing(activation):
    inputs = keras.Input((4,))
    large = L.Dense(8, use_bias=False, kernel_initializer=keras.initializers.Constant(1e37))(inputs)
    larger = L.Dense(8, use_bias=False, kernel_initializer=keras.initializers.Constant(1e5))(large)
    return keras.Model(inputs, L.Dense(2)(L.Activation(activation)(larger)))


def test_outputs_that_are_not_finite():
    with pytest.raises(ConversionError, match="outputs must be finite. Received: NaN or infinity on the check samples"):
        convert(_overflowing("linear"), "float32")


def test_activations_that_are_not_finite_are_refused_before_calibration():
    x = np.random.default_rng(0).random((8, 4))
    with pytest.raises(ConversionError, match="activation must be finite to calibrate int8"):
        convert(_overflowing("sigmoid"), "int8", x)


def test_samples_the_model_cannot_run_on():
    model = tiny_nets.embedding()
    with pytest.raises(DataError, match="must run on the calibration samples. Received: .*not in"):
        convert(model, "float32", np.full((4, 6), 99))


def test_samples_of_another_shape(mlp):
    with pytest.raises(DataError, match=r"'input' must have the shape \(n, 20\). Received: shape \(8, 21\)"):
        convert(mlp, "float32", np.zeros((8, 21)))


def test_a_file_that_disagrees_is_refused(mlp):
    other = keras.models.clone_model(mlp)
    x, _ = tiny_nets.samples(mlp)
    file = convert(other, "float32").flatbuffer
    message = (
        r"must compute what the model computes: disagreement at most 0.001. Received: .*largest error of an output"
    )
    with pytest.raises(ConversionError, match=message):
        _checked("float32", file, [x], [mlp.predict(x[:16], verbose=0)])


def test_a_file_that_does_not_load_is_a_failed_conversion(mlp):
    x, _ = tiny_nets.samples(mlp)
    file = convert(mlp, "float32").flatbuffer
    with pytest.raises(ConversionError, match="converted float32 file does not load. A file must load in the LiteRT"):
        _checked("float32", file[: len(file) // 2], [x], [mlp.predict(x[:16], verbose=0)])


def test_values_are_frozen(mlp):
    with pytest.raises(dataclasses.FrozenInstanceError):
        convert(mlp, "float32").precision = "int8"


def test_calibration_from_a_data_set(mlp):
    x, y = tiny_nets.samples(mlp)
    from_arrays = convert(mlp, "int8", x)
    from_dataset = convert(mlp, "int8", tf.data.Dataset.from_tensor_slices((x, y)).batch(10))
    assert from_arrays.sha256 == from_dataset.sha256
    assert np.array_equal(take_samples(x, 128), x)


def test_stdout_stays_clean_and_import_is_light():
    program = (
        "import sys, hwkeras.convert\n"
        "heavy = {'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from tests.convert import tiny_nets\n"
        "model = tiny_nets.mlp()\n"
        "x, y = tiny_nets.samples(model)\n"
        "files = hwkeras.convert.convert_all(model, hwkeras.convert.PRECISIONS, x)\n"
        "hwkeras.convert.convert_untrained(model, 'int8')\n"
        "hwkeras.convert.score(files['int8'].flatbuffer, x, y)\n"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
