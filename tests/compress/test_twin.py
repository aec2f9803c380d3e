import keras
import numpy as np
import pytest

from hwkeras.compress import twin
from hwkeras.compress.equality import allowed
from hwkeras.compress.equality import difference
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.twinning import Twin
from hwkeras.compress.twinning import answers
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

L = keras.layers
ops = keras.ops


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


def both_directions():
    token = keras.Input((6,))  # Tokens as floats, as a plain Input declares them.
    h = L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="sum")(L.Embedding(9, 4)(token))
    h = L.TimeDistributed(L.Dense(4, activation="relu"))(h)
    return keras.Model(token, L.Dense(3, activation="softmax")(L.Bidirectional(L.GRU(3))(h)))


def masked():
    token = keras.Input((6,), dtype="int32")
    h = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.Embedding(9, 4, mask_zero=True)(token))
    return keras.Model(token, L.GlobalAveragePooling1D()(h))


def translator():
    # Keras 3 loses the mask where a layer has several inputs; its twin must as well.
    said, meant = keras.Input((6,), dtype="int32"), keras.Input((5,), dtype="int32")
    words = L.Embedding(9, 4, mask_zero=True)
    _, *states = L.LSTM(4, return_state=True)(words(said))
    h = L.LSTM(4, return_sequences=True)(words(meant), initial_state=states)
    return keras.Model([said, meant], L.Dense(9, activation="softmax")(h))


def every_state():
    signal = keras.Input((5, 3))
    h, *states = L.Bidirectional(L.LSTM(3, return_sequences=True, return_state=True))(signal)
    again = L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="mul")
    return keras.Model(signal, again(h, initial_state=states))


def video():
    frames = keras.Input((3, 8, 8, 2))
    eye = keras.Sequential([keras.Input((8, 8, 2)), L.Conv2D(3, 3), L.BatchNormalization(), L.Flatten()], name="eye")
    other = L.TimeDistributed(L.Flatten())(L.TimeDistributed(L.Conv2D(2, 3, activation="relu6"))(frames))
    return keras.Model(frames, L.Dense(2)(L.Concatenate()([L.TimeDistributed(eye)(frames), other])))


def encoder(x, width=8):
    x = L.LayerNormalization(epsilon=1e-6)(x + L.Dropout(0.1)(L.MultiHeadAttention(2, width // 2)(x, x)))
    return L.LayerNormalization(epsilon=1e-6)(x + L.Dense(width)(L.Dense(2 * width, activation="gelu")(x)))


def transformer():
    token = keras.Input((7,), dtype="int32")
    h = encoder(L.Embedding(11, 8)(token) + np.linspace(-1, 1, 56, dtype="float32").reshape(7, 8))
    return keras.Model(token, L.Dense(3, activation="softmax")(ops.mean(encoder(h), axis=1)))


def masked_transformer():
    token = keras.Input((7,), dtype="int32")
    return keras.Model(token, L.GlobalAveragePooling1D()(encoder(L.Embedding(11, 8, mask_zero=True)(token))))


def bare_operations():
    image = keras.Input((8, 8, 4))
    x = L.Conv2D(4, 3, padding="same")(image)
    h = ops.relu(1.0 - (x + image) * 0.5 / 3) - x
    h = ops.leaky_relu(h * ops.max(h, axis=[1, 2], keepdims=True), 0.3)
    t = ops.reshape(ops.transpose(h, (0, 3, 1, 2)), (-1, 4, 64))
    t = ops.softmax(ops.matmul(t, ops.transpose(t, (0, 2, 1))))
    h = ops.concatenate([ops.mean(h, axis=(1, 2)), t[:, 0, ::2], ops.sqrt(ops.abs(t[:, 1]))], axis=-1)
    h = ops.squeeze(ops.expand_dims(h, 1), 1) + np.arange(10, dtype="float32")
    return keras.Model(image, [*ops.split(h, 2, axis=-1), ops.argmax(h, axis=-1), ops.gelu(h), ops.maximum(h, 0.1)])


def augmented():
    image = keras.Input((16, 16, 3))
    h = L.RandomZoom(0.1)(L.RandomRotation(0.1)(L.RandomFlip("horizontal")(image)))
    return keras.Model(image, L.Conv2D(2, 3)(L.GaussianNoise(0.1)(L.CenterCrop(6, 6)(L.Resizing(8, 8)(h)))))


def normalized():
    image = keras.Input((6, 6, 3), dtype="uint8")
    h = L.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.1, 0.2, 0.3])(L.Rescaling([1 / 255, 1 / 255, 1 / 128])(image))
    return keras.Model(image, L.Normalization(axis=None, mean=0.2, variance=2.0, invert=True)(h))


def odd_names():
    image = keras.Input((8, 8, 3), name="my input")
    h = L.Conv2D(2, 3, activation="relu6", name="a b")(image)
    return keras.Model(image, L.Conv2D(2, 1, name="a_b")(L.ReLU(name="a_b_relu6")(h)), name="my net")


def new_activations():
    features = keras.Input((4,))
    return keras.Model(features, L.Activation("squareplus")(L.Dense(4, activation="log_softmax")(features)))


def python_function():
    features = keras.Input((4,))
    return keras.Model(features, L.Lambda(lambda x: x * 2 + 1, name="mine")(L.Dense(3)(features)))


def shared_and_nested():
    left, right = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    encoder = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(4, 3), L.Flatten()], name="encoder")
    shared = L.Dense(5, activation="elu")
    a, b = shared(encoder(left)), shared(encoder(right))
    return keras.Model([left, right], {"sum": L.Add()([a, b]), "difference": L.Subtract()([a, b])})


def named_inputs():
    left, right, shared = keras.Input((4,), name="zz"), keras.Input((4,), name="aa"), L.Dense(3)
    return keras.Model({"zz": left, "aa": right}, {"difference": shared(left) - 2 * shared(right)})


ARCHITECTURES = [
    mobile_block, squeeze_excite, residual, separable, signal, tokens, both_directions, masked, translator, every_state,
    video, transformer, masked_transformer, bare_operations, augmented, normalized, odd_names, new_activations,
    python_function, shared_and_nested, named_inputs,
]  # fmt: skip


def shaken(model):
    """The model with every weight drawn at random, so that nothing passes for being at its initial value."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 0.9, weight.shape).astype(weight.dtype) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda one: one.__name__)
def test_twin_answers_like_its_model(architecture):
    model = shaken(architecture())
    made = Twin(model)
    assert isinstance(made.copy, tf_keras.Model)
    rng = np.random.default_rng(1)
    samples = [
        rng.integers(0, 9, one.shape).astype(one.dtype)
        if np.array_equal(one, np.rint(one))
        else rng.uniform(0, 2, one.shape).astype(one.dtype)
        for one in made.samples
    ]
    wanted = answers(model, samples)
    # A clone, too: every step of a compression makes one from the configurations of the layers.
    clone = tf_keras.models.clone_model(made.copy)
    clone.set_weights(made.copy.get_weights())
    for copy in (made.copy, clone):
        amount, scale, _ = difference(wanted, copy(samples if len(samples) > 1 else samples[0], training=False))
        assert amount <= 1e-5 * max(1, scale), (amount, scale)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("MobileNetV2", 64),
        ("MobileNetV3Small", 64),
        ("EfficientNetB0", 64),
        ("ResNet50", 64),
        ("DenseNet121", 64),
        ("NASNetMobile", 224),
    ],
)
def test_applications_have_twins(name, side):
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    made = Twin(model)
    amount, scale, _ = difference(answers(model, made.samples), made.copy(made.samples[0], training=False))
    assert amount <= 1e-5 and scale > 0.01, (amount, scale)


def check_drawn(space, draw, seeds):
    import random

    from hwkeras.build import build_model

    for seed in seeds:
        hp = draw(space, random.Random(seed))
        model = build_model(space.architecture(hp))
        rng = np.random.default_rng(seed)
        for weight in model.weights:
            if weight.ndim == 1:  # Biases and moments, which begin at zero and one.
                weight.assign(np.abs(weight + rng.normal(0, 0.1, weight.shape)))
        made = Twin(model)
        amount, scale, _ = difference(answers(model, made.samples), made.copy(made.samples[0], training=False))
        assert amount <= 1e-5, (seed, amount, scale)


def spaces():
    from hwkeras.space import AudioSpace
    from hwkeras.space import CellSpace
    from hwkeras.space import ImageSpace
    from hwkeras.space import LayerListSpace
    from hwkeras.space import NamedSpace
    from hwkeras.space import NasnetSpace
    from hwkeras.space import SegmentationSpace
    from hwkeras.space import SequenceSpace
    from hwkeras.space import TabularSpace
    from hwkeras.space import TextSpace
    from hwkeras.space import TwoTowerSpace

    return {
        "image": ImageSpace((16, 16, 3), 5),
        "layer list": LayerListSpace((16, 16, 3), (5,)),
        "cells": CellSpace((16, 16, 3), 5, cells=(1,)),
        "sequence": SequenceSpace((32, 3), 4),
        "sequence heads": SequenceSpace((16, 3), 4, heads=("gru", "lstm", "attention_pool")),
        "audio": AudioSpace((32, 20, 1), 4, backbones=("2d", "1d")),
        "audio streaming": AudioSpace((32, 20, 1), 4, streaming=True),
        "segmentation": SegmentationSpace((16, 16, 3), 4),
        "text": TextSpace(12, 50, 3),
        "tabular": TabularSpace((7,), 1),
        "two towers": TwoTowerSpace(20, 30),
        "nasnet": NasnetSpace((12, 12, 3), 5, blocks=2, repeats=(1,), stages=2),
        "named": NamedSpace("mobilenet_v2", (32, 32, 3), 5),
    }


SPACES = ["image", "layer list", "cells", "sequence", "text", "tabular", "two towers", "nasnet"]
SPACES += ["sequence heads", "audio", "audio streaming", "segmentation"]


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_the_spaces_have_twins(draw, name):
    check_drawn(spaces()[name], draw, [0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPACES, "named"])
def test_thirty_networks_of_each_space_have_twins(draw, name):
    # A named network varies in its width alone.
    check_drawn(spaces()[name], draw, range(100, 103 if name == "named" else 130))


def test_common_operations_become_layers_that_tfmot_knows():
    copy = twin(bare_operations())
    kinds = [type(layer).__name__ for layer in copy.layers]
    wanted = ["Add", "Subtract", "Multiply", "Rescaling", "Activation", "LeakyReLU", "GlobalMaxPooling2D", "Permute"]
    wanted += ["Reshape", "Softmax", "GlobalAveragePooling2D", "Concatenate"]
    assert set(wanted) <= set(kinds)
    assert kinds.count("KerasOperation") == 10, kinds


def test_both_directions_are_layers_that_can_be_pruned():
    copy = twin(both_directions())
    kinds = [type(layer).__name__ for layer in copy.layers]
    assert kinds.count("LSTM") == kinds.count("GRU") == 2
    assert "TimeDistributed" not in kinds and "Bidirectional" not in kinds


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


def test_a_base_called_for_inference_stays_in_inference():
    base = keras.Sequential([keras.Input((4,)), L.BatchNormalization(name="norm")], name="base")
    features = keras.Input((4,))
    copy = twin(keras.Model(features, L.Dense(2)(base(features, training=False))))
    norm = copy.get_layer("base_norm")
    before = norm.moving_mean.numpy()
    copy(np.random.default_rng(0).normal(5, 1, (32, 4)).astype("float32"), training=True)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), before)


def test_random_layers_work_while_training():
    copy = twin(augmented())
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    assert np.abs(copy(x, training=True) - copy(x, training=False)).max() > 1e-3


def test_a_normalization_far_from_zero_loses_nothing():
    norm = L.Normalization()
    norm.adapt(np.random.default_rng(0).normal(2000, 5, (500, 3)).astype("float32"))
    features = keras.Input((3,))
    model = keras.Model(features, norm(features))
    x = np.random.default_rng(1).normal(2000, 5, (20, 3)).astype("float32")
    np.testing.assert_allclose(twin(model)(x), model(x), atol=1e-6)


def test_the_model_is_left_as_it_is(dense_model):
    before = [weight.copy() for weight in dense_model.get_weights()]
    twin(dense_model).layers[-1].set_weights([np.zeros((4, 3)), np.zeros(3)])
    assert all(np.array_equal(one, other) for one, other in zip(before, dense_model.get_weights(), strict=True))


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def my_activation(x):
    return x


def custom(x):
    return Doubled(name="mine")(x)


def function(x):
    return L.Activation(my_activation, name="mine")(x)


def keras_3_only(x):
    return L.RMSNormalization(name="mine")(x)


def cells(x):
    return L.RNN(L.LSTMCell(3), name="mine")(L.Reshape((2, 2))(x))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (custom, "layer 'mine' of class Doubled: tf_keras has no equal of its class"),
        (function, "layer 'mine' of class Activation: tf_keras has no equal of its activation .*my_activation"),
        (keras_3_only, "layer 'mine' of class RMSNormalization.*Replace it by built-in Keras layers"),
        (cells, "layer 'mine' of class RNN: tf_keras has no equal of its class"),
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
    with pytest.raises(CompressionError, match="tf_keras knows no antialias=True"):
        twin(keras.Model(image, L.Resizing(2, 2, antialias=True)(image)))


def test_a_model_with_several_inputs_in_every_step_is_refused():
    inner_inputs = [keras.Input((4,)), keras.Input((4,))]
    inner = keras.Model(inner_inputs, L.Add()(inner_inputs)[:, :2])
    outputs = keras.Model(inner_inputs[0], [inner_inputs[0] * 2.0, inner_inputs[0]])
    frames = keras.Input((3, 4))
    with pytest.raises(CompressionError, match="the model inside has several inputs or outputs"):
        from hwkeras.compress.wrappers import distribute_model

        distribute_model(L.TimeDistributed(inner), twin(outputs), "each")
    assert frames.shape == (None, 3, 4)


def test_outputs_that_differ_are_an_error_that_names_the_first_layer(dense_model):
    dense_model.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    with pytest.raises(
        CompressionError,
        match="equal its model 'small' within 1e-05.*output 0, differing by nan.*layer that differs is 'head' of class",
    ):
        twin(dense_model)


def test_the_first_layer_that_differs_is_named_deep_inside(monkeypatch):
    from hwkeras.compress import activations

    monkeypatch.setitem(activations.FUNCTIONS, "tanh", tf_keras.activations.sigmoid)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4), L.Activation("tanh", name="wrong"), L.Dense(4)], name="in")
    model = keras.Sequential([keras.Input((4,)), L.Dense(4), inner, L.Dense(2, name="after")])
    with pytest.raises(CompressionError, match="the first layer that differs is 'wrong' of class Activation, by"):
        twin(model)


@pytest.mark.parametrize(("scale", "most"), [(0.0, 0.0), (0.001, 1e-6), (1.0, 1e-5), (50.0, 5e-4)])
def test_what_is_allowed_is_absolute_up_to_one_and_relative_beyond(scale, most):
    assert allowed(scale) == pytest.approx(most)


def test_differences_add_up_is_said_of_layers_that_all_hold():
    from hwkeras.compress.equality import said_of

    layer = L.Dense(2, name="most")
    assert "the differences add up; the largest is that of 'most' of class Dense" in said_of([(layer, 1e-7, 1.0)])
    assert said_of([]) == "it has no layers"


class Subclassed(keras.Model):
    def call(self, x):
        return x


class Overridden(keras.Model):
    def call(self, x, training=None, mask=None):
        return super().call(x) + 1.0


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(
        UserError, match=r"must have a layer graph.*Received: Subclassed.*keras\.Model\(inputs, outputs\)"
    ):
        twin(Subclassed())
    with pytest.raises(UserError, match=r"not built.*call `build\(\)` on a Sequential"):
        twin(keras.Sequential([L.Dense(2)]))
    features = keras.Input((4,))
    with pytest.raises(UserError, match="Received: Subclassed 'inner', which is subclassed"):
        twin(keras.Model(features, Subclassed(name="inner")(features)))


def test_a_model_that_computes_something_else_than_its_graph_is_refused():
    features = keras.Input((4,))
    with pytest.raises(CompressionError, match="its model 'more' within 1e-05.*no layer alone differs by as much"):
        twin(Overridden(features, L.Dense(2)(features), name="more"))


def test_a_legacy_model_is_refused(dense_model):
    with pytest.raises(UserError, match="must be a Keras 3 model. Received: tf_keras"):
        twin(twin(dense_model))


def test_a_quantized_model_is_refused(dense_model):
    dense_model.get_layer("head").quantize("int8")
    with pytest.raises(UserError, match="must hold float weights. Received: layer 'head', already quantized.*int8"):
        twin(dense_model)


def test_a_python_function_that_is_gone_is_said():
    from hwkeras.compress.keras_operation import KerasOperation

    with pytest.raises(CompressionError, match="lives only in the process that loaded it. Received: 'mine:1'"):
        KerasOperation("held:mine:1")
