import dataclasses
import gzip
import json

import keras
import numpy as np
import pytest

import hwkeras.compress
from hwkeras.compress import Recipe
from hwkeras.compress import compress
from hwkeras.compress.flatbuffer import constant_tensors
from hwkeras.errors import CompressionError
from hwkeras.errors import ConversionError
from hwkeras.errors import DataError
from hwkeras.errors import UserError

L = keras.layers


@pytest.mark.parametrize("recipe", ["float32", "int8", "prune=0.5", "prune=0.5+int8", "int8_qat", "prune=0.5+int8_qat"])
def test_every_recipe_keeps_the_accuracy_of_the_bytes(compressed, recipe, trained, digits, accuracy_of):
    x, y = digits[1]
    wanted = float(np.mean(trained.predict(x, verbose=0).argmax(-1) == y))
    assert wanted > 0.85
    measured = accuracy_of(compressed(recipe).tflite, x, y)
    assert measured > wanted - 0.04
    assert measured == pytest.approx(compressed(recipe).report.accuracy_after, abs=1e-6)


@pytest.mark.parametrize("recipe", ["int8", "prune=0.5+int8", "int8_qat", "prune=0.5+int8_qat"])
def test_int8_files_are_integer_throughout(compressed, recipe):
    assert compressed(recipe).report.float_operators == ()
    assert all(tensor.values.dtype == np.int8 for tensor in constant_tensors(compressed(recipe).tflite))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["prune=0.8+int8_qat", "prune=0.5+cluster=16+int8_qat"])
def test_twenty_steps_arrive_in_the_file(recipe, trained, digits):
    (x, y), (x_valid, y_valid) = digits
    one = compress(trained, recipe, (x[:640], y[:640]), validation_data=(x_valid, y_valid), epochs=1, batch_size=32)
    wanted = Recipe.parse(recipe)
    assert one.report.pruned and all(layer.sparsity_in_file >= wanted.sparsity - 0.005 for layer in one.report.pruned)
    assert all(layer.values_in_file <= 16 for layer in one.report.clustered)
    assert one.report.float_operators == ()
    # So short a training does not repair everything that 80% of zeros break.
    assert one.report.accuracy_after > 0.6


def test_the_report_counts_the_bytes(compressed):
    one = compressed("prune=0.5+int8_qat")
    assert one.report.size_bytes == len(one.tflite)
    assert one.report.gzip_bytes == len(gzip.compress(one.tflite, mtime=0))
    assert one.report.gzip_bytes < compressed("int8_qat").report.gzip_bytes
    assert one.report.recipe == "prune=0.5+int8_qat"
    assert set(one.report.history) == {"prune", "int8_qat"}
    assert len(one.report.history["int8_qat"]["val_accuracy"]) == 2
    assert json.loads(json.dumps(one.report.to_json()))["layers"][0]["sparsity_asked"] == 0.5


def test_the_report_reads_as_a_text(compressed):
    text = str(compressed("prune=0.5").report)
    assert text.startswith("prune=0.5+float32: ")
    assert "  head: 0.000 -> 0.500 zeros in the file (0.5 asked)" in text
    assert "  depthwise: not pruned, tfmot never prunes a depthwise kernel" in text
    still = dataclasses.replace(compressed("int8").report, float_operators=("ADD",))
    assert str(still).endswith("still in float: ADD")


def test_the_model_given_is_left_as_it_is(compressed, trained, digits):
    assert trained.optimizer is not None
    compressed("prune=0.5")
    assert trained.evaluate(*digits[1], verbose=0)[1] > 0.85
    assert not any(np.mean(weight == 0) > 0.4 for weight in trained.get_weights() if weight.ndim == 4)


def test_quantization_aware_training_covers_a_relu_behind_a_convolution(digits):
    """tfmot alone leaves these kernels in float and forgets their zeros."""
    image = keras.Input((8, 8, 1))
    h = L.ReLU(name="relu")(L.Conv2D(8, 3, name="conv")(image))
    h = L.Activation("relu", name="dense_relu")(L.Dense(16, name="dense")(L.Flatten(name="flatten")(h)))
    model = keras.Model(image, L.Dense(10, name="head")(h))
    (x, y), _ = digits
    one = compress(model, "prune=0.6+int8_qat", (x[:256], y[:256]), epochs=1, batch_size=32)
    assert all(layer.sparsity_in_file >= 0.59 for layer in one.report.pruned)
    kernels = [weight for weight in one.model.weights if "kernel_min" in weight.name]
    assert len(kernels) == 3


def test_a_lone_batch_normalization_and_a_layer_read_twice_are_quantized(digits):
    image = keras.Input((8, 8, 1))
    h = L.Conv2D(4, 3, activation="relu", name="first")(image)
    h = L.Conv2D(4, 3, padding="same", name="conv")(L.BatchNormalization(name="lone")(h))
    h = L.Add(name="add")([h, L.BatchNormalization(name="side")(h)])
    model = keras.Model(image, L.Dense(10, name="head")(L.Flatten(name="flatten")(h)))
    (x, y), _ = digits
    assert compress(model, "int8_qat", (x[:64], y[:64]), epochs=1).report.float_operators == ()


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic"])
def test_recipes_without_training_need_no_data(dense_model, recipe):
    one = compress(dense_model, recipe, None)
    assert (one.report.recipe, dict(one.report.history), one.report.layers) == (recipe, {}, ())


def test_int8_needs_no_labels(dense_model, dense_data):
    assert compress(dense_model, "int8", (dense_data[0], None)).report.float_operators == ()


def test_zero_sparsity_asks_for_nothing(dense_model):
    assert compress(dense_model, "prune=0", None).report.history == {}


def test_the_room_can_be_called(dense_model):
    assert hwkeras.compress(dense_model, Recipe(), None).tflite == compress(dense_model, "float32", None).tflite


def test_several_inputs_are_compressed(dense_data):
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    h = L.Concatenate(name="both")([left, right])
    model = keras.Model([left, right], L.Dense(3, name="head")(h))
    x, y = dense_data
    report = compress(model, "prune=0.5+int8", ([x, -x], y), epochs=1, batch_size=16).report
    assert report.pruned[0].sparsity_in_file == 0.5


def test_fit_arguments_reach_fit(dense_model, dense_data):
    from hwkeras.compress.legacy import tf_keras

    epochs = []
    callback = tf_keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    compress(dense_model, "int8_qat", dense_data, epochs=2, callbacks=[callback], class_weight={0: 1.0, 1: 2.0, 2: 1.0})
    assert epochs == [0, 1]


@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        keras.losses.mean_squared_error,
        keras.losses.Huber(delta=0.5),
        keras.losses.CategoricalCrossentropy(from_logits=True),
    ],
)
def test_the_loss_is_the_compiled_one(dense_model, dense_data, loss):
    x, y = dense_data
    dense_model.compile(loss=loss)
    assert compress(dense_model, "prune=0.5", (x, np.eye(3)[y]), epochs=1, batch_size=8).report.history["prune"]["loss"]


class TestErrors:
    def test_a_custom_loss(self, dense_model, dense_data):
        dense_model.compile(loss=lambda wanted, got: keras.ops.mean(got))
        with pytest.raises(UserError, match="one built-in loss.*which has no equal in tf_keras"):
            compress(dense_model, "prune=0.5", dense_data)

    def test_a_loss_that_cannot_be_told(self, dense_model, dense_data):
        x, _ = dense_data
        with pytest.raises(UserError, match=r"labels of dtype float32 and shape \(64, 4\).*model\.compile\(loss=...\)"):
            compress(dense_model, "prune=0.5", (x, x))

    def test_a_loss_that_is_not_finite(self, dense_model, dense_data):
        x, y = dense_data
        dense_model.compile(loss="mse")
        with pytest.raises(CompressionError, match="must end with a finite loss. Received: loss=nan after 1 epochs"):
            compress(dense_model, "prune=0.5", (x, np.full((64, 3), np.nan)), epochs=1, batch_size=16)

    @pytest.mark.parametrize("argument", ["epochs", "batch_size", "learning_rate"])
    def test_a_number_that_is_not_positive(self, dense_model, dense_data, argument):
        with pytest.raises(UserError, match=rf"`{argument}` must be positive. Received: {argument}=0"):
            compress(dense_model, "int8_qat", dense_data, **{argument: 0})

    def test_an_argument_fit_does_not_get(self, dense_model, dense_data):
        with pytest.raises(UserError, match="passes on callbacks, .*Received: steps_per_epoch, validation_split"):
            compress(dense_model, "int8_qat", dense_data, validation_split=0.1, steps_per_epoch=3)

    def test_data_that_is_no_pair(self, dense_model, dense_data):
        with pytest.raises(DataError, match=r"must be a tuple \(x, y\). Received: ndarray"):
            compress(dense_model, "int8", dense_data[0])

    def test_samples_of_another_shape(self, dense_model, dense_data):
        x, y = dense_data
        with pytest.raises(DataError, match=r"the model takes, \[\(4,\)\]. Received: \[\(64, 2\)\]"):
            compress(dense_model, "int8", (x[:, :2], y))
        with pytest.raises(DataError, match=r"Received: \[\(0, 4\)\]"):
            compress(dense_model, "int8", (x[:0], y[:0]))

    def test_labels_that_are_missing(self, dense_model, dense_data):
        with pytest.raises(DataError, match="'int8_qat' trains and needs labels. Received: y=None"):
            compress(dense_model, "int8_qat", (dense_data[0], None))

    def test_labels_of_another_length(self, dense_model, dense_data):
        with pytest.raises(DataError, match="one label per sample. Received: 64 samples, 63 labels"):
            compress(dense_model, "int8", (dense_data[0], dense_data[1][1:]))

    def test_an_open_input_shape(self):
        image = keras.Input((None, None, 1))
        model = keras.Model(image, L.GlobalAveragePooling2D()(L.Conv2D(2, 3)(image)))
        with pytest.raises(UserError, match=r"inputs of fixed shape.*\(None, None, None, 1\)"):
            compress(model, "float32", None)

    def test_what_the_converter_refuses(self):
        volume = keras.Input((4, 4, 4, 1))
        model = keras.Model(volume, L.MaxPooling3D()(volume), name="volume")
        with pytest.raises(ConversionError, match="must convert to a float32 '.tflite'. Received: model 'volume'"):
            compress(model, "float32", None)
