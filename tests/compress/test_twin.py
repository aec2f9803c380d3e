import keras
import numpy as np
import pytest

from hwkeras.compress import twin
from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

L = keras.layers


def mobile_block():
    image = keras.Input((16, 16, 3))
    h = L.ZeroPadding2D()(L.Rescaling(1 / 127.5, offset=-1)(image))
    h = L.ReLU(max_value=6)(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, use_bias=False)(h)))
    h = L.Activation("relu6")(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(h)))
    h = L.Conv2D(8, 1, activation="hard_swish")(h)
    return keras.Model(image, L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(L.Dropout(0.3)(h))))


def squeeze_excite():
    image = keras.Input((8, 8, 4))
    h = L.Activation(keras.activations.hard_swish)(L.Conv2D(8, 3, padding="same")(image))
    gate = L.Conv2D(2, 1, activation="relu6")(L.GlobalAveragePooling2D(keepdims=True)(h))
    h = L.Multiply()([h, L.Conv2D(8, 1, activation="hard_sigmoid")(gate)])
    return keras.Model(image, L.Dense(3, activation="hard_sigmoid")(L.Flatten()(h)))


def residual():
    image = keras.Input((8, 8, 3))
    h = L.Conv2D(6, 3, padding="same", kernel_regularizer="l2", kernel_constraint="max_norm")(image)
    shortcut = h
    h = L.LeakyReLU(negative_slope=0.1)(L.AveragePooling2D(1)(h))
    h = L.Activation("leaky_relu")(L.Conv2D(6, 3, padding="same", groups=2, activation="gelu")(h))
    h = L.Concatenate()([L.Add()([h, shortcut]), shortcut, L.Softmax()(shortcut)])
    return keras.Model(image, L.Reshape((-1, 2))(L.MaxPooling2D()(L.UpSampling2D()(h))))


def separable():
    image = keras.Input((9, 9, 3))
    h = L.SeparableConv2D(5, 3, strides=2, depth_multiplier=2, activation="relu6", bias_initializer="normal")(image)
    h = L.Conv2DTranspose(4, 3, strides=2, activation="silu")(L.BatchNormalization()(h))
    return keras.Model(image, L.LayerNormalization()(h))


def signal():
    signal = keras.Input((32, 2))
    h = L.MaxPooling1D()(L.Conv1D(6, 5, padding="causal", activation="hard_silu")(signal))
    h = L.SeparableConv1D(6, 3, activation="tanh")(L.BatchNormalization()(h))
    return keras.Model(signal, L.Dense(2)(L.GlobalMaxPooling1D()(L.PReLU(alpha_initializer="normal")(h))))


def tokens():
    token = keras.Input((7,), dtype="int32")
    h = L.Embedding(11, 6)(token)
    h = L.LayerNormalization()(L.MultiHeadAttention(2, 3)(h, h))
    return keras.Model(token, L.Dense(2)(L.GlobalAveragePooling1D()(L.GRU(4, return_sequences=True)(h))))


def shared_and_nested():
    left, right = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    encoder = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(4, 3), L.Flatten()], name="encoder")
    shared = L.Dense(5, activation="elu")
    a, b = shared(encoder(left)), shared(encoder(right))
    return keras.Model([left, right], {"sum": L.Add()([a, b]), "difference": L.Subtract()([a, b])})


ARCHITECTURES = [mobile_block, squeeze_excite, residual, separable, signal, tokens, shared_and_nested]


def shaken(model):
    """The model with every weight drawn at random, so that nothing passes for being at its initial value."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.9, weight.shape).astype("float32") for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda one: one.__name__)
def test_twin_answers_like_its_model(architecture):
    model = shaken(architecture())
    copy = twin(model)
    assert isinstance(copy, tf_keras.Model)
    rng = np.random.default_rng(1)
    inputs = [rng.uniform(0, 2, (3, *tensor.shape[1:])).astype(tensor.dtype) for tensor in model.inputs]
    wanted = keras.tree.flatten(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    got = keras.tree.flatten(copy.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))
    assert len(wanted) == len(got)
    for one, other in zip(wanted, got, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4 * np.abs(one).max())


def test_a_shared_layer_stays_one_layer():
    copy = twin(shared_and_nested())
    assert sum(isinstance(layer, tf_keras.layers.Dense) for layer in copy.layers) == 1
    assert sum(isinstance(layer, tf_keras.layers.Conv2D) for layer in copy.layers) == 1


def test_a_sequential_model_has_a_twin(dense_model):
    assert [layer.name for layer in twin(dense_model).layers] == ["features", "head"]


def test_a_frozen_layer_stays_frozen_and_regularizers_come_along():
    model = residual()
    name = next(layer.name for layer in model.layers if isinstance(layer, L.Conv2D))
    model.get_layer(name).trainable = False
    layer = twin(model).get_layer(name)
    assert not layer.trainable
    assert isinstance(layer.kernel_regularizer, tf_keras.regularizers.L2)
    assert isinstance(layer.kernel_constraint, tf_keras.constraints.MaxNorm)


def test_the_model_is_left_as_it_is(dense_model):
    before = [weight.copy() for weight in dense_model.get_weights()]
    twin(dense_model).layers[-1].set_weights([np.zeros((4, 3)), np.zeros(3)])
    assert all(np.array_equal(one, other) for one, other in zip(before, dense_model.get_weights(), strict=True))


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def custom(x):
    return Doubled(name="mine")(x)


def bare(x):
    return x * 2.0


def function(x):
    return L.Activation("log_softmax", name="mine")(x)


def python(x):
    return L.Lambda(lambda value: value, name="mine")(x)


def keras_3_only(x):
    return L.RMSNormalization(name="mine")(x)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (custom, "layer 'mine' of class Doubled: tf_keras has no equal of its class"),
        (bare, "of class Multiply: tf_keras has no equal of its class"),
        (function, "layer 'mine' of class Activation: tf_keras has no equal of its activation 'log_softmax'"),
        (python, "layer 'mine' of class Lambda: tf_keras has no equal of its class"),
        (keras_3_only, "layer 'mine' of class RMSNormalization.*Replace it by built-in Keras layers"),
    ],
)
def test_a_layer_without_a_twin_is_named(block, message):
    features = keras.Input((4,))
    with pytest.raises(CompressionError, match=message):
        twin(keras.Model(features, block(L.Dense(4)(features))))


def test_an_activation_inside_a_recurrent_layer_is_refused():
    signal = keras.Input((5, 2))
    with pytest.raises(CompressionError, match="no activation 'relu6' inside this layer"):
        twin(keras.Model(signal, L.SimpleRNN(3, activation="relu6")(signal)))


def test_a_setting_only_keras_3_has_is_refused():
    image = keras.Input((4, 4, 2))
    with pytest.raises(CompressionError, match="tf_keras knows no renorm=True"):
        twin(keras.Model(image, L.BatchNormalization(renorm=True)(image)))


def test_outputs_that_differ_are_an_error_with_figures(dense_model):
    dense_model.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    with pytest.raises(
        CompressionError, match=r"within 0\.0001 of the output scale.*'small', output 0, differing by nan"
    ):
        twin(dense_model)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(
        UserError, match=r"must have a layer graph.*Received: Subclassed.*keras\.Model\(inputs, outputs\)"
    ):
        twin(Subclassed())
    with pytest.raises(UserError, match=r"not built.*call `build\(\)` on a Sequential"):
        twin(keras.Sequential([L.Dense(2)]))


def test_a_legacy_model_is_refused(dense_model):
    with pytest.raises(UserError, match="must be a Keras 3 model. Received: tf_keras"):
        twin(twin(dense_model))
