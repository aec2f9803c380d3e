import keras
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.build import reestimate_batch_statistics
from hwkeras.data import StoredArray
from hwkeras.data.array_folder import MappedArray
from hwkeras.errors import UserError

RNG = np.random.default_rng(0)


def one_norm(**arguments):
    return keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(**arguments)])


def batches_of(x, size):
    return tf.data.Dataset.from_tensor_slices(x).batch(size)


def test_statistics_of_one_layer_are_exactly_those_of_the_data():
    x = RNG.normal(100.0, 2.0, size=(256, 3)).astype("float32")
    model = one_norm()
    assert reestimate_batch_statistics(model, x, batch_size=64) == 1
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.layers[0].moving_variance.numpy(), x.astype("float64").var(axis=0), rtol=1e-4)


def test_a_smaller_last_batch_is_left_out_unless_it_is_the_only_one():
    x = RNG.normal(size=(10, 3)).astype("float32")
    model = one_norm()
    reestimate_batch_statistics(model, batches_of(x, 4))
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), x[:8].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.layers[0].moving_variance.numpy(), x[:8].var(axis=0), rtol=1e-5)
    reestimate_batch_statistics(model, x)
    np.testing.assert_allclose(model.layers[0].moving_variance.numpy(), x.var(axis=0), rtol=1e-5)


def test_at_most_so_many_samples():
    x = RNG.normal(size=(40, 3)).astype("float32")
    model = one_norm()
    reestimate_batch_statistics(model, batches_of(x, 4), max_samples=8)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), x[:8].mean(axis=0), rtol=1e-5)
    drawn = x[np.sort(np.random.default_rng(3).permutation(40)[:8])]
    reestimate_batch_statistics(model, x, batch_size=8, max_samples=8, seed=3)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), drawn.mean(axis=0), rtol=1e-5)


class Endless(keras.utils.PyDataset):
    def __init__(self, x, num_batches):
        super().__init__()
        self.x, self.length = x, num_batches

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return self.x, np.zeros(len(self.x)), np.ones(len(self.x))


@pytest.mark.parametrize("num_batches", [2, None])
def test_every_form_of_data(num_batches):
    x = RNG.normal(size=(8, 3)).astype("float32")
    forms = [
        x,
        batches_of(x, 8),
        tf.data.Dataset.from_tensor_slices((x, np.zeros(8))).batch(8).repeat(),
        Endless(x, num_batches),
        iter([(x, np.zeros(8)), (x, np.zeros(8))]),
    ]
    for form in forms:
        model = one_norm()
        assert reestimate_batch_statistics(model, form) == 1
        np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), x.mean(axis=0), rtol=1e-5)


def test_several_inputs():
    x = {"a": RNG.normal(size=(20, 3)).astype("float32"), "b": RNG.normal(size=(20, 3)).astype("float32")}
    inputs = {name: keras.Input((3,), name=name) for name in x}
    norm = keras.layers.BatchNormalization()
    # One layer called twice: its statistics are those of all that passes.
    model = keras.Model(inputs, keras.layers.Add()([norm(inputs["a"]), norm(inputs["b"])]))
    both = np.concatenate([x["a"], x["b"]])
    for form in (x, batches_of(x, 20)):
        norm.moving_mean.assign(np.zeros(3))
        assert reestimate_batch_statistics(model, form) == 1
        np.testing.assert_allclose(norm.moving_mean.numpy(), both.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(norm.moving_variance.numpy(), both.var(axis=0), rtol=1e-5)


def test_the_second_layer_sees_batches_normalized_by_the_first():
    x = RNG.normal(5.0, 3.0, size=(64, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), *(keras.layers.BatchNormalization() for _ in range(2))])
    assert reestimate_batch_statistics(model, x, batch_size=64) == 2
    np.testing.assert_allclose(model.layers[1].moving_mean.numpy(), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(model.layers[1].moving_variance.numpy(), np.ones(3), atol=1e-3)


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)
        self.norm = keras.layers.BatchNormalization()

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build((*shape[:-1], 4))

    def call(self, x):
        return self.norm(self.dense(x))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.dropout = keras.layers.Dropout(0.5)
        self.head = keras.layers.Dense(2)

    def call(self, x):
        return self.head(self.dropout(self.block(x)))


def nested():
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    return keras.Sequential([keras.Input((3,)), keras.layers.GaussianNoise(1.0), inner, keras.layers.Dense(2)])


@pytest.mark.parametrize("is_eager", [False, True])
@pytest.mark.parametrize("make", [Subclassed, nested])
def test_any_model_and_nothing_else_moves(make, is_eager):
    keras.utils.set_random_seed(0)
    x = RNG.normal(3.0, 2.0, size=(64, 3)).astype("float32")
    model = make()
    model.compile("sgd", "mse", run_eagerly=is_eager)
    # A subclassed model not built yet is built by the first batch.
    assert reestimate_batch_statistics(model, x) == 1
    (norm,) = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    before = {variable.path: variable.numpy() for variable in model.variables}
    norm.moving_mean.assign(np.zeros(4))
    reestimate_batch_statistics(model, x)
    assert norm.momentum == 0.99
    assert "call" not in vars(norm)
    # Dropout and noise are off: the same statistics again, and no other variable has moved.
    after = {variable.path: variable.numpy() for variable in model.variables}
    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value, err_msg=path)
    dense = next(layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dense))
    np.testing.assert_allclose(norm.moving_mean.numpy(), dense(x).numpy().mean(axis=0), rtol=1e-4, atol=1e-5)


def test_training_goes_on_as_before():
    x, y = RNG.normal(size=(32, 3)).astype("float32"), np.zeros((32, 3))
    model = one_norm()
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=32, verbose=0)
    reestimate_batch_statistics(model, x + 10)
    mean = model.layers[0].moving_mean.numpy()
    model.fit(x, y, batch_size=32, verbose=0)
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), 0.99 * mean + 0.01 * x.mean(axis=0), rtol=1e-4)


def test_frozen_layers_keep_their_statistics():
    model = keras.Sequential([keras.Input((3,)), *(keras.layers.BatchNormalization() for _ in range(2))])
    model.layers[0].trainable = False
    assert reestimate_batch_statistics(model, RNG.normal(4.0, size=(8, 3)).astype("float32")) == 1
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), np.zeros(3))
    assert np.all(model.layers[1].moving_mean.numpy() > 1)


def test_a_model_without_batch_normalization_is_left_alone():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert reestimate_batch_statistics(model, np.zeros((4, 3), "float32")) == 0


def test_statistics_that_are_not_finite_are_not_taken():
    x = np.zeros((4, 3), "float32")
    x[0, 0] = np.nan
    model = one_norm()
    assert reestimate_batch_statistics(model, x) == 0
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), np.zeros(3))


def test_a_failure_leaves_the_model_as_it_was():
    model = one_norm()
    batches = [np.ones((4, 3), "float32"), np.ones((4, 5), "float32")]
    with pytest.raises(ValueError, match="shape"):
        reestimate_batch_statistics(model, iter(batches))
    norm = model.layers[0]
    np.testing.assert_array_equal(norm.moving_mean.numpy(), np.zeros(3))
    np.testing.assert_array_equal(norm.moving_variance.numpy(), np.ones(3))
    assert norm.momentum == 0.99
    assert "call" not in vars(norm)


def test_renormalized_layers():
    x = RNG.normal(4.0, 2.0, size=(64, 3)).astype("float32")
    model = one_norm(renorm=True)
    assert reestimate_batch_statistics(model, x, batch_size=64) == 1
    np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), x.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "arguments", "said"),
    [
        (np.zeros((0, 3)), {}, r"`x` must hold at least one sample. Received: none"),
        (iter([]), {}, r"`x` must hold at least one sample"),
        (np.zeros((4, 3)), dict(batch_size=0), r"`batch_size` must be 1 or more. Received: batch_size=0"),
        (np.zeros((4, 3)), dict(max_samples=0), r"`max_samples` must be 1 or more. Received: max_samples=0"),
    ],
)
def test_what_cannot_be_used_is_said(x, arguments, said):
    with pytest.raises(UserError, match=said):
        reestimate_batch_statistics(one_norm(), x, **arguments)


def test_a_short_training_with_keras_default_momentum_is_worth_more(digits):
    x, y = digits
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1))]
    for filters in (16, 32):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:1200], y[:1200], batch_size=64, epochs=3, verbose=0)
    before = model.evaluate(x[1200:], y[1200:], verbose=0)[1]
    assert reestimate_batch_statistics(model, x[:1200]) == 2
    after = model.evaluate(x[1200:], y[1200:], verbose=0)[1]
    assert before < 0.4
    assert after > before + 0.3


def test_what_stays_in_files_is_read_in_batches():
    x = RNG.normal(100.0, 2.0, size=(300, 3)).astype("float32")
    sizes = []

    class Counting(StoredArray):
        def __getitem__(self, key):
            sizes.append(len(key))
            return super().__getitem__(key)

    streamed, whole = one_norm(), one_norm()
    reestimate_batch_statistics(streamed, Counting(MappedArray(x), np.asarray), batch_size=32, max_samples=200)
    reestimate_batch_statistics(whole, x, batch_size=32, max_samples=200)
    assert sizes == [32] * 6 + [8]
    for mine, other in zip(streamed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
