"""Quantization-aware training of single layers and small graphs; whole recipes are in the matrix."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.compress.flatbuffer import float_operators
from hwkeras.compress.flatbuffer import to_flatbuffer
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.preservation import Preservation
from hwkeras.compress.qat import quantize_aware
from hwkeras.compress.quantize_scheme import placements
from hwkeras.compress.quantizers import DepthwiseQuantizer
from hwkeras.compress.quantizers import LayerQuantization
from hwkeras.compress.quantizers import OutputQuantizer
from hwkeras.compress.rewriting import rewrite
from hwkeras.errors import UserError

K = tf_keras.layers


class Training:
    """A fine-tuning of a few steps towards random numbers, and the callbacks it was given."""

    def __init__(self, model, num_steps=3, rate=0.01):
        rng = np.random.default_rng(0)
        self.x = [self._random(tensor, rng) for tensor in model.inputs]
        self.y = [rng.normal(size=(32, *tensor.shape[1:])).astype("float32") for tensor in model.outputs]
        self.num_steps, self.rate = num_steps, rate
        self.validation_data = None

    def gentler(self, share):
        return self

    @staticmethod
    def _random(tensor, rng):
        shape = (32, *tensor.shape[1:])
        if tensor.dtype.is_integer:
            return rng.integers(0, 5, shape).astype("int32")
        return rng.uniform(-1, 3, shape).astype("float32")

    def fit(self, model, callbacks=()):
        self.callbacks = callbacks
        model.compile(tf_keras.optimizers.Adam(self.rate), "mse")
        return model.fit(
            self.x, self.y, epochs=self.num_steps, batch_size=32, verbose=0, callbacks=list(callbacks)
        ).history


def model_of(shape, block, dtype="float32"):
    keras.backend.clear_session()
    start = tf_keras.Input(shape, dtype=dtype, name="start")
    return tf_keras.Model(start, block(start), name="small")


def trained(model, **keeps):
    return quantize_aware(model, Training(model), **keeps)


def rounded(model):
    """Names of the layers whose output or activation is rounded while the model trains."""
    plan = placements(rewrite(model))
    return {
        name
        for name, placement in plan.items()
        if placement.quantization and (placement.quantization.activation or placement.quantization.output)
    }


class TestPlaces:
    """Where the int8 file rounds, the training does."""

    @pytest.mark.parametrize("relu", [lambda: K.ReLU(6.0, name="relu"), lambda: K.Activation("relu", name="relu")])
    def test_a_convolution_its_normalization_and_relu_are_one(self, relu):
        model = model_of((6, 6, 2), lambda x: relu()(K.BatchNormalization(name="norm")(K.Conv2D(3, 3, name="conv")(x))))
        assert rounded(model) == {"relu"}

    def test_a_relu_that_no_operator_takes_in_is_one_of_its_own(self):
        model = model_of((6, 6, 2), lambda x: K.ReLU(4.0, name="relu")(K.Conv2D(3, 3, name="conv")(x)))
        assert rounded(model) == {"conv", "relu"}

    def test_what_is_read_twice_is_rounded(self):
        def block(x):
            h = K.Conv2D(3, 3, padding="same", name="conv")(x)
            return K.Add(name="add")([K.BatchNormalization(name="norm")(h), h])

        assert rounded(model_of((6, 6, 2), block)) == {"conv", "norm", "add"}

    def test_an_output_of_the_model_is_rounded(self):
        start = tf_keras.Input((6, 6, 2))
        h = K.Conv2D(3, 3, name="conv")(start)
        assert rounded(tf_keras.Model(start, [h, K.ReLU(name="relu")(h)])) == {"conv", "relu"}

    def test_a_shared_layer_is_rounded(self):
        def block(x):
            shared = K.Dense(4, name="shared")
            return K.ReLU(name="relu")(shared(K.BatchNormalization(name="norm")(shared(x))))

        assert rounded(model_of((4,), block)) == {"shared", "norm", "relu"}

    def test_a_concatenation_rounds_for_its_parts(self):
        def block(x):
            parts = [
                K.Conv2D(2, 1, activation="relu", name="one")(x),
                K.ReLU(name="relu")(K.Conv2D(2, 1, name="two")(x)),
            ]
            return K.Concatenate(name="both")([*parts, K.Conv2D(2, 1, activation="sigmoid", name="three")(x)])

        assert rounded(model_of((4, 4, 2), block)) == {"both", "three"}

    def test_operators_of_fixed_range_are_left_alone(self):
        model = model_of(
            (4,), lambda x: K.Softmax(name="two")(K.Activation("tanh", name="one")(K.Dense(3, name="d")(x)))
        )
        assert rounded(model) == {"d"}

    def test_an_activation_within_a_layer_is_not_lost_behind_a_normalization(self):
        def block(x):
            return K.BatchNormalization(name="norm")(K.Conv2D(2, 1, activation="relu", name="conv")(x))

        assert rounded(model_of((4, 4, 2), block)) == {"conv", "norm"}


class TestRanges:
    def test_the_first_batch_sets_the_range_and_later_ones_move_it(self):
        layer = tf_keras.layers.Layer()
        quantizer = OutputQuantizer()
        variables = quantizer.build(None, "output", layer)
        first = np.array([-1.0, 3.0], "float32")
        got = quantizer(first, True, variables).numpy()
        np.testing.assert_allclose(got, first, atol=4 / 255)
        assert [float(variables[end]) for end in ("min_var", "max_var")] == [-1.0, 3.0]
        quantizer(np.array([1.0, 5.0], "float32"), True, variables)
        np.testing.assert_allclose([float(variables[end]) for end in ("min_var", "max_var")], [-0.95, 3.1], rtol=1e-5)

    def test_zeros_say_nothing_of_the_range(self):
        quantizer = OutputQuantizer()
        variables = quantizer.build(None, "output", tf_keras.layers.Layer())
        zeros, batch = np.zeros(2, "float32"), np.array([-1.0, 3.0], "float32")
        np.testing.assert_array_equal(quantizer(zeros, True, variables), zeros)
        # The range a file would be given is one of numbers, whatever comes after the zeros.
        np.testing.assert_allclose(quantizer(batch, False, variables), [0.0, 1.0])
        for seen in (batch, zeros):
            quantizer(seen, True, variables)
            assert [float(variables[end]) for end in ("min_var", "max_var")] == [-1.0, 3.0]

    def test_every_channel_of_a_depthwise_kernel_has_all_steps(self):
        kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype("float32")
        kernel *= np.array([1.0, 0.1, 0.01, 0.001], "float32")[:, None]
        variables = DepthwiseQuantizer().build(kernel.shape, "kernel", tf_keras.layers.Layer())
        got = DepthwiseQuantizer()(tf.constant(kernel), True, variables).numpy()
        largest = np.abs(kernel).max(axis=(0, 1))
        assert (np.abs(got - kernel) <= 0.51 * largest / 127).all()

    def test_outside_training_the_range_stays(self):
        variables = OutputQuantizer().build(None, "output", tf_keras.layers.Layer())
        OutputQuantizer()(np.array([-1.0, 1.0], "float32"), True, variables)
        got = OutputQuantizer()(np.array([-9.0, 9.0], "float32"), False, variables).numpy()
        np.testing.assert_allclose(got, [-1.0, 1.0], atol=2 / 255)

    def test_a_short_training_ends_with_ranges_of_what_is_rounded(self):
        model = model_of((4,), lambda x: K.Dense(3, name="dense")(x))
        model.set_weights([weight * 0.01 for weight in model.get_weights()])
        quantized, _, _ = quantize_aware(model, Training(model, rate=1e-6))
        ranges = {weight.name.split("/")[-1]: weight.numpy() for weight in quantized.weights}
        assert 0.001 < ranges["post_activation_max:0"] - ranges["post_activation_min:0"] < 0.2

    def test_a_configuration_says_what_it_was_made_with(self):
        assert LayerQuantization(output=True).get_config() == {"weights": {}, "activation": False, "output": True}


BLOCKS = {
    "maximum": ((6, 6, 2), lambda x: K.Maximum()([K.Conv2D(3, 3)(x), K.Conv2D(3, 3)(x)])),
    "minimum_average_subtract": (
        (4, 4, 2),
        lambda x: K.Subtract()([K.Average()([x, K.Conv2D(2, 1)(x)]), K.Minimum()([x, K.Conv2D(2, 1)(x)])]),
    ),
    "slopes": ((6, 6, 2), lambda x: K.PReLU(shared_axes=[1, 2])(K.LeakyReLU()(K.Conv2D(3, 3)(x)))),
    "lone_normalization": ((6, 6, 2), lambda x: K.Conv2D(3, 3)(K.BatchNormalization()(K.MaxPooling2D()(x)))),
    "transposed": ((4, 4, 2), lambda x: K.ReLU()(K.BatchNormalization()(K.Conv2DTranspose(3, 3, strides=2)(x)))),
    "up_sampling": ((4, 4, 2), lambda x: K.Conv2D(3, 3)(K.UpSampling2D()(K.ZeroPadding2D()(x)))),
    "attention": ((6, 4), lambda x: K.Add()([x, K.MultiHeadAttention(2, 3)(x, x)])),
    "signal": ((12, 2), lambda x: K.GlobalAveragePooling1D()(K.ReLU()(K.BatchNormalization()(K.Conv1D(4, 3)(x))))),
    "gate": ((4, 4, 3), lambda x: K.Multiply()([x, K.Dense(3, activation="sigmoid")(K.GlobalAveragePooling2D()(x))])),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_what_tfmot_refuses_trains_and_becomes_integers(name):
    shape, block = BLOCKS[name]
    model = model_of(shape, block)
    fine_tuning = Training(model)
    quantized, history, notes = quantize_aware(model, fine_tuning)
    assert notes == ()
    assert len(history["loss"]) == 3
    content = to_flatbuffer(quantized, "int8", fine_tuning.x)
    assert float_operators(content) == ()


def test_integers_go_in_as_they_are():
    model = model_of((5,), lambda x: K.Dense(3)(K.Flatten()(K.Embedding(7, 2, name="words")(x))), dtype="int32")
    fine_tuning = Training(model)
    quantized, _, notes = quantize_aware(model, fine_tuning)
    assert notes == ()
    assert any("embeddings_max" in weight.name for weight in quantized.weights)
    assert float_operators(to_flatbuffer(quantized, "int8", fine_tuning.x)) == ()


def test_two_inputs_and_a_shared_layer():
    left, right = tf_keras.Input((8, 2), name="left"), tf_keras.Input((8, 2), name="right")
    shared = K.Conv1D(4, 3, activation="relu")
    model = tf_keras.Model([left, right], [K.Subtract()([shared(left), shared(right)]), shared(left)])
    fine_tuning = Training(model)
    quantized, _, notes = quantize_aware(model, fine_tuning)
    assert notes == ()
    assert sum("kernel:0" in weight.name for weight in quantized.trainable_variables) == 1
    assert [tuple(tensor.shape) for tensor in quantized.inputs] == [(None, 8, 2)] * 2


FLOATS = {
    "LayerNormalization": ((6, 4), lambda x: K.LayerNormalization(name="odd")(x), "calibrated after training"),
    "GRU": ((3, 4), lambda x: K.GRU(3, name="odd")(x), "its steps are unrolled"),
    "GroupNormalization": ((6, 4), lambda x: K.GroupNormalization(2, name="odd")(x), "nothing of GroupNormalization"),
    "MultiHeadAttention": (
        (4, 4),
        lambda x: K.MultiHeadAttention(2, 2, name="odd")(x, x, use_causal_mask=True),
        "without a mask",
    ),
    "MaxPooling1D": ((6, 4), lambda x: K.MaxPooling1D(name="odd", data_format="channels_first")(x), "nothing of MaxP"),
}


@pytest.mark.parametrize("kind", FLOATS)
def test_what_trains_in_float_is_said_and_its_output_rounded(kind):
    shape, block, reason = FLOATS[kind]
    model = model_of(shape, lambda x: K.Dense(2, name="head")(K.Flatten()(block(K.Dense(4, name="first")(x)))))
    fine_tuning = Training(model)
    quantized, _, (note,) = quantize_aware(model, fine_tuning)
    assert note.startswith(f"layer 'odd' ({kind}) trains in float: ")
    assert reason in note
    names = [layer.name for layer in quantized.layers]
    assert names[names.index("odd") + 1].startswith("quant_rounded")
    assert float_operators(to_flatbuffer(quantized, "int8", fine_tuning.x)) == ()


SEQUENCES = {
    "one": lambda x: K.GRU(3, return_sequences=True)(x),
    "both_ways": lambda x: K.Concatenate()(
        [K.GRU(3, return_sequences=True)(x), K.GRU(3, return_sequences=True, go_backwards=True)(x)]
    ),
    "stacked": lambda x: K.GRU(3, return_sequences=True)(K.Dropout(0.1)(K.SimpleRNN(3, return_sequences=True)(x))),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_steps_of_a_sequence_become_integers(name):
    model = model_of((3, 4), lambda x: K.Dense(2)(K.GlobalAveragePooling1D()(SEQUENCES[name](x))))
    fine_tuning = Training(model)
    quantized, _, _ = quantize_aware(model, fine_tuning)
    assert float_operators(to_flatbuffer(quantized, "int8", fine_tuning.x)) == ()


def test_layers_with_a_mask_train_in_float():
    def block(x):
        h = K.LSTM(3, name="memory")(K.Dense(4, name="inner")(K.Embedding(7, 3, mask_zero=True, name="words")(x)))
        return K.Dense(2, name="head")(h)

    _, _, notes = trained(model_of((4,), block, dtype="int32"))
    assert [note.split("'")[1] for note in notes] == ["words", "inner", "memory"]
    assert "receives or makes a mask" in notes[0]


def test_the_model_given_is_left_as_it_is():
    model = model_of((6, 4), lambda x: K.Conv1D(3, 3)(x))
    before = [weight.copy() for weight in model.get_weights()]
    trained(model)
    assert all(map(np.array_equal, before, model.get_weights()))


class TestRefusals:
    def test_nothing_to_train_quantized(self):
        model = model_of((4, 3), lambda x: K.LayerNormalization(name="norm")(K.GRU(3, name="memory")(x)))
        message = (
            r"model 'small' in which layer 'memory' \(GRU\) trains in float: .*; layer 'norm' .*Use 'int8' instead"
        )
        with pytest.raises(UserError, match=message):
            trained(model)

    def test_no_weights_at_all(self):
        with pytest.raises(UserError, match="a dense layer or an embedding. Received: model 'small'. Use 'int8'"):
            trained(model_of((4, 4, 1), lambda x: K.MaxPooling2D()(x)))


def patterned(values, seed=0):
    """Every kernel half zeros, the rest four values."""
    rng = np.random.default_rng(seed)
    return [
        value if value.ndim < 2 else (rng.integers(1, 5, value.shape) * (rng.random(value.shape) < 0.5) / 4.0)
        for value in values
    ]


PATTERNS = {
    "conv1d": ((12, 3), lambda x: K.Conv1D(8, 3)(x)),
    "pointwise": ((4, 4, 2), lambda x: K.Conv2D(8, 1, activation="relu")(x)),
    "separable1d": ((12, 3), lambda x: K.SeparableConv1D(8, 3)(x)),
    "transposed": ((4, 4, 2), lambda x: K.Conv2DTranspose(4, 3, strides=2)(x)),
    "attention": ((6, 4), lambda x: K.MultiHeadAttention(2, 3)(x, x)),
    "gru": ((3, 4), lambda x: K.Dense(2)(K.GRU(3)(x))),
}


def kernels(model):
    return [weight for weight in model.trainable_variables if weight.name.endswith("kernel:0")]


class TestPreservation:
    @pytest.mark.parametrize("name", PATTERNS)
    def test_zeros_and_clusters_hold_in_every_layer(self, name):
        shape, block = PATTERNS[name]
        model = model_of(shape, block)
        model.set_weights(patterned(model.get_weights()))
        before = sorted((int((weight.numpy() == 0).sum()), weight.shape.num_elements()) for weight in kernels(model))
        quantized, _, _ = trained(model, keeps_zeros=True, keeps_clusters=True)
        after = kernels(quantized)
        assert sorted((int((weight.numpy() == 0).sum()), weight.shape.num_elements()) for weight in after) == before
        assert all(len(np.unique(weight.numpy())) <= 5 for weight in after)

    def test_without_being_asked_they_are_lost(self):
        model = model_of((12, 3), PATTERNS["conv1d"][1])
        model.set_weights(patterned(model.get_weights()))
        quantized, _, _ = trained(model)
        (kernel,) = kernels(quantized)
        assert np.mean(kernel.numpy() == 0) < 0.1

    def test_zeros_alone(self):
        model = model_of((12, 3), PATTERNS["conv1d"][1])
        model.set_weights(patterned(model.get_weights()))
        is_zero = model.get_weights()[0] == 0
        (kernel,) = kernels(trained(model, keeps_zeros=True)[0])
        assert np.array_equal(kernel.numpy().reshape(is_zero.shape) == 0, is_zero)
        assert len(np.unique(kernel.numpy())) > 6

    def test_clusters_alone_may_leave_zero(self):
        model = model_of((12, 3), PATTERNS["conv1d"][1])
        model.set_weights(patterned(model.get_weights()))
        (kernel,) = kernels(trained(model, keeps_clusters=True)[0])
        assert len(np.unique(kernel.numpy())) == 5
        assert (kernel.numpy() != 0).all()

    def test_a_pointwise_convolution_without_zeros_in_a_channel_keeps_all_its_weights(self):
        """tfmot sets the smallest weight of each such channel to zero (tensorflow/model-optimization#979)."""
        model = model_of((4, 4, 2), lambda x: K.Conv2D(6, 1, use_bias=False)(x))
        values = np.array([[0.25, 0.5, 0.0, 0.75, 0.5, 0.25], [0.5, 0.25, 0.5, 0.25, 0.75, 0.5]], "float32")
        model.set_weights([values.reshape(1, 1, 2, 6)])
        (kernel,) = kernels(trained(model, keeps_zeros=True, keeps_clusters=True)[0])
        assert (kernel.numpy() == 0).sum() == 1

    def test_each_cluster_moves_to_the_mean_of_its_weights(self):
        variable = tf_keras.backend.variable([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
        callback = Preservation([variable], keeps_zeros=True, keeps_clusters=True)
        variable.assign([[1.5, 2.5, 0.3], [3.0, 2.0, 1.0]])
        callback.on_train_batch_end(0)
        np.testing.assert_allclose(variable.numpy(), [[2.0, 2.0, 0.0], [2.0, 2.0, 2.0]])

    def test_biases_are_left_alone(self):
        variable = tf_keras.backend.variable([0.0, 0.0])
        callback = Preservation([variable], keeps_zeros=True, keeps_clusters=True)
        variable.assign([1.0, 2.0])
        callback.on_train_batch_end(0)
        assert variable.numpy().tolist() == [1.0, 2.0]
