"""What `rewrite` makes of a model: the same answers from layers that can be quantized while training."""

import keras
import numpy as np
import pytest

from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.rewriting import require_equal
from hwkeras.compress.rewriting import rewrite
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

K = tf_keras.layers
SIGNAL = (12, 4)


def model_of(shape, block, dtype="float32"):
    """A tf_keras model with every weight drawn at random, so that nothing passes for being at its initial value."""
    keras.backend.clear_session()
    start = tf_keras.Input(shape, dtype=dtype, name="start")
    model = tf_keras.Model(start, block(start))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.9, weight.shape).astype("float32") for weight in model.get_weights()])
    return model


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def answers(model, x):
    return np.asarray(model(x, training=False))


def assert_same(model, rewritten):
    """Compares on inputs of its own, beside the check `rewrite` makes itself."""
    x = np.random.default_rng(1).uniform(-1, 2, (3, *model.inputs[0].shape[1:])).astype("float32")
    if model.inputs[0].dtype.is_integer:
        x = (np.abs(x) * 3).astype("int32")
    wanted = answers(model, x)
    np.testing.assert_allclose(answers(rewritten, x), wanted, atol=1e-4 * np.abs(wanted).max())


LIFTED = {
    "conv1d": lambda x: K.Conv1D(5, 3)(x),
    "conv1d_strides": lambda x: K.Conv1D(5, 3, strides=2, padding="same", activation="relu")(x),
    "conv1d_causal": lambda x: K.Conv1D(5, 3, dilation_rate=2, padding="causal", use_bias=False)(x),
    "conv1d_dilated": lambda x: K.Conv1D(5, 3, dilation_rate=3, padding="same", activation="elu")(x),
    "conv1d_transpose": lambda x: K.Conv1DTranspose(5, 4, strides=3, activation="relu")(x),
    "conv1d_transpose_same": lambda x: K.Conv1DTranspose(5, 3, strides=2, padding="same", output_padding=1)(x),
    "depthwise1d": lambda x: K.DepthwiseConv1D(3, strides=2, depth_multiplier=2)(x),
    "separable1d": lambda x: K.SeparableConv1D(5, 3, strides=2, depth_multiplier=2, activation="tanh")(x),
    "separable1d_causal": lambda x: K.SeparableConv1D(5, 3, padding="causal", dilation_rate=2)(x),
    "max_pooling": lambda x: K.MaxPooling1D(3, strides=2, padding="same")(x),
    "average_pooling": lambda x: K.AveragePooling1D(2)(x),
    "up_sampling": lambda x: K.UpSampling1D(3)(x),
}


@pytest.mark.parametrize("name", LIFTED)
def test_a_layer_of_one_dimension_becomes_one_of_two(name):
    model = model_of(SIGNAL, LIFTED[name])
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert not [kind for kind in kinds(rewritten) if "1D" in kind]
    assert rewritten.output_shape == model.output_shape


FOLLOWING = {
    "normalization": lambda x: K.ReLU()(K.BatchNormalization()(x)),
    "global_average": lambda x: K.GlobalAveragePooling1D()(x),
    "global_maximum": lambda x: K.GlobalMaxPooling1D(keepdims=True)(x),
    "flatten": lambda x: K.Dense(3)(K.Flatten()(x)),
    "padding": lambda x: K.Cropping1D((1, 0))(K.ZeroPadding1D((2, 1))(x)),
    "dropout": lambda x: K.SpatialDropout1D(0.2)(K.Dropout(0.2)(x)),
    "slopes": lambda x: K.PReLU(shared_axes=[1])(K.PReLU()(K.LeakyReLU()(x))),
    "softmax": lambda x: K.Softmax()(K.Activation("gelu")(x)),
    "residual": lambda x: K.Add()([K.Conv1D(6, 3, padding="same")(x), x]),
    "concatenation": lambda x: K.Concatenate()([x, K.MaxPooling1D(3, 1, "same")(x)]),
    "along_time": lambda x: K.Concatenate(axis=1)([x, x]),
    "gate": lambda x: K.Multiply()([x, K.Dense(6, activation="sigmoid")(K.GlobalAveragePooling1D(keepdims=True)(x))]),
    "normalized_in_time": lambda x: K.BatchNormalization(axis=1)(x),
    "dense": lambda x: K.Dense(3)(x),
    "recurrent": lambda x: K.GRU(3)(x),
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_follows_a_convolution_of_one_dimension_answers_alike(name):
    model = model_of(SIGNAL, lambda x: FOLLOWING[name](K.Conv1D(6, 3)(x)))
    assert_same(model, rewrite(model))


def test_nothing_stands_between_a_convolution_and_its_normalization():
    def block(x):
        for number in range(2):
            x = K.ReLU()(K.BatchNormalization()(K.Conv1D(5, 3, use_bias=False, name=f"conv_{number}")(x)))
        return K.Flatten()(K.MaxPooling1D()(x))

    wanted = ["InputLayer", "Reshape", *["Conv2D", "BatchNormalization", "ReLU"] * 2, "MaxPooling2D", "Flatten"]
    rewritten = rewrite(model_of(SIGNAL, block))
    assert kinds(rewritten) == wanted
    assert rewritten.get_layer("conv_1").kernel.shape == (1, 3, 5, 5)


def test_a_shared_convolution_stays_one():
    def block(x):
        shared = K.Conv1D(4, 3, padding="same")
        return K.Subtract()([shared(x), shared(K.ReLU()(shared(x)))])

    model = model_of(SIGNAL, block)
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert kinds(rewritten).count("Conv2D") == 1


def test_an_activation_shared_between_ranks_answers_alike():
    def block(x):
        shared = K.Activation("elu")
        return shared(K.Dense(3)(K.Flatten()(shared(K.Conv1D(4, 3)(x)))))

    model = model_of(SIGNAL, block)
    assert_same(model, rewrite(model))


def test_a_length_may_stay_open():
    model = model_of((None, 4), lambda x: K.Conv1D(5, 3)(x))
    assert rewrite(model).output_shape == (None, None, 5)


def test_a_convolution_with_channels_first_is_left_as_it_is():
    start = tf_keras.Input((4, 12))
    model = tf_keras.Model(start, K.MaxPooling1D(data_format="channels_first")(start))
    assert "MaxPooling1D" in kinds(rewrite(model))


def test_a_separable_convolution_becomes_its_halves():
    model = model_of((8, 8, 3), lambda x: K.SeparableConv2D(5, 3, strides=2, name="both", activation="elu")(x))
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert kinds(rewritten) == ["InputLayer", "DepthwiseConv2D", "Conv2D", "Activation"]
    assert [layer.name for layer in rewritten.layers[1:]] == ["both_depthwise", "both", "both_elu"]


@pytest.mark.parametrize("activation", ["elu", "selu", "softplus", "mish", "exponential"])
def test_an_activation_tfmot_does_not_know_becomes_a_layer(activation):
    model = model_of((4,), lambda x: K.Dense(3, activation=activation)(x))
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert kinds(rewritten) == ["InputLayer", "Dense", "Activation"]


ATTENTION = {
    "self": lambda x: K.MultiHeadAttention(2, 3)(x, x),
    "sizes": lambda x: K.MultiHeadAttention(3, 2, value_dim=5, output_shape=7, use_bias=False, dropout=0.1)(x, x),
    "cross": lambda x: K.MultiHeadAttention(2, 3)(x, K.MaxPooling1D()(x), K.AveragePooling1D()(x)),
    "by_name": lambda x: K.MultiHeadAttention(2, 3)(query=K.Dense(5)(x), value=x, key=x),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_is_taken_apart(name):
    model = model_of((6, 4), ATTENTION[name])
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert "MultiHeadAttention" not in kinds(rewritten)
    assert kinds(rewritten).count("MatMul") == 2


def test_shared_attention_is_taken_apart_once():
    def block(x):
        shared = K.MultiHeadAttention(2, 2)
        x = K.Add()([x, shared(x, x)])
        return shared(x, x)

    model = model_of((6, 4), block)
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert kinds(rewritten).count("Dense") == 4


WHOLE_ATTENTION = {
    "causal": lambda x: K.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    "scores": lambda x: K.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[0],
    "two_axes": lambda x: K.MultiHeadAttention(2, 3, attention_axes=(1, 2))(
        K.Reshape((3, 2, 4))(x), K.Reshape((3, 2, 4))(x)
    ),
}


@pytest.mark.parametrize("name", WHOLE_ATTENTION)
def test_attention_of_other_kinds_stays_whole(name):
    model = model_of((6, 4), WHOLE_ATTENTION[name])
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert "MultiHeadAttention" in kinds(rewritten)


RECURRENT = {
    "gru": lambda x: K.GRU(3, return_sequences=True)(x),
    "lstm": lambda x: K.LSTM(3)(x),
    "simple": lambda x: K.SimpleRNN(3, go_backwards=True)(x),
    "bidirectional": lambda x: K.Bidirectional(K.LSTM(3, return_sequences=True), merge_mode="sum")(x),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_layer_is_unrolled(name):
    model = model_of((5, 4), RECURRENT[name])
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    layer = rewritten.layers[-1]
    inner = [layer.forward_layer, layer.backward_layer] if name == "bidirectional" else [layer]
    assert all(one.unroll for one in inner)


def test_masks_travel_on():
    def block(x):
        return K.GRU(3)(K.Conv1D(4, 3, padding="same")(K.Embedding(9, 4, mask_zero=True)(x)))

    model = model_of((6,), block, dtype="int32")
    rewritten = rewrite(model)
    assert_same(model, rewritten)
    assert "Conv1D" in kinds(rewritten)


@pytest.mark.parametrize(("shape", "said"), [((None, 4), r"\(None, None, 4\)"), ((200, 4), r"\(None, 200, 4\)")])
def test_a_recurrent_layer_of_many_or_unknown_steps_is_refused(shape, said):
    model = model_of(shape, lambda x: K.LSTM(3, name="memory")(x))
    message = f"at most 128. Received: layer 'memory' of class LSTM on an input of shape {said}. Use 'float16' or 'dyn"
    with pytest.raises(UserError, match=message):
        rewrite(model)


def test_a_recurrent_layer_without_unrolling_is_refused():
    model = model_of((3, 8, 4), lambda x: K.ConvLSTM1D(2, 3, name="memory")(x))
    with pytest.raises(UserError, match=r"layer 'memory' of class ConvLSTM1D on an input of shape \(None, 3, 8, 4\)"):
        rewrite(model)


def test_a_frozen_layer_stays_frozen():
    model = model_of(SIGNAL, lambda x: K.Conv1D(3, 3, name="frozen", trainable=False, kernel_regularizer="l2")(x))
    layer = rewrite(model).get_layer("frozen")
    assert not layer.trainable
    assert isinstance(layer.kernel_regularizer, tf_keras.regularizers.L2)


def test_the_model_given_is_left_as_it_is():
    model = model_of(SIGNAL, lambda x: K.Conv1D(3, 3)(x))
    before = [weight.copy() for weight in model.get_weights()]
    rewritten = rewrite(model)
    rewritten.set_weights([0 * weight for weight in rewritten.get_weights()])
    assert all(map(np.array_equal, before, model.get_weights()))


def test_several_inputs_and_outputs_keep_their_order():
    left, right = tf_keras.Input((8, 2), name="left"), tf_keras.Input((4,), dtype="int32", name="right")
    words = K.Embedding(7, 3)(right)
    model = tf_keras.Model([left, right], [K.Flatten()(words), K.Conv1D(2, 3)(left), left])
    rewritten = rewrite(model)
    assert rewritten.input_names == ["left", "right"]
    assert [tuple(tensor.shape) for tensor in rewritten.outputs] == [tuple(tensor.shape) for tensor in model.outputs]


def test_models_that_differ_are_an_error_with_figures():
    one = model_of((4,), lambda x: K.Dense(3)(x))
    other = tf_keras.models.clone_model(one)
    other.set_weights([2 * weight for weight in one.get_weights()])
    with pytest.raises(
        CompressionError, match=r"equal itself within 0\.0001 .*output 0, differing by [0-9.]+ at a scale"
    ):
        require_equal(one, other)
