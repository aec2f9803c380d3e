import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.build import batch_norm_momentum
from hwkeras.build import cosine_learning_rate
from hwkeras.build import peak_learning_rate
from hwkeras.build.fit_plan import FitPlan
from hwkeras.build.fit_plan import label_shape
from hwkeras.build.schedule import CosineRate
from hwkeras.build.schedule import num_warm_up_steps


def test_peak():
    assert peak_learning_rate(64) == 4e-3
    assert peak_learning_rate(1024) == 8e-3
    assert peak_learning_rate(4) == 2e-3


def test_cosine_exactly():
    # 20 steps: 2 of warm-up, then half a cosine over 18.
    assert num_warm_up_steps(20) == 2
    assert num_warm_up_steps(5000) == 100
    rates = [cosine_learning_rate(step, 20, 3.0) for step in range(22)]
    assert rates[:3] == [1.0, 2.0, 3.0]
    assert rates[2 + 9] == pytest.approx(1.5)
    assert rates[2 + 6] == pytest.approx(3.0 * 0.75)
    assert rates[20:] == [0.0, 0.0]
    assert cosine_learning_rate(0, 1, 3.0) == 3.0


@given(num_steps=st.integers(1, 10_000), peak=st.floats(1e-5, 1.0))
def test_rates_rise_to_the_peak_and_fall(num_steps, peak):
    rise = num_warm_up_steps(num_steps)
    steps = sorted({0, rise // 2, rise, (rise + num_steps) // 2, num_steps - 1})
    rates = [cosine_learning_rate(step, num_steps, peak) for step in steps]
    assert all(0.0 < rate <= peak for rate in rates)
    assert cosine_learning_rate(rise, num_steps, peak) == peak
    assert rates[steps.index(rise) :] == sorted(rates[steps.index(rise) :], reverse=True)


def test_momentum_exactly():
    assert batch_norm_momentum(1) == batch_norm_momentum(50) == 0.8
    assert batch_norm_momentum(100) == 0.9
    assert batch_norm_momentum(375) == pytest.approx(1 - 1 / 37.5)
    assert batch_norm_momentum(1000) == batch_norm_momentum(10**6) == 0.99


@given(num_steps=st.integers(51, 999))
def test_the_horizon_is_a_tenth_of_the_training(num_steps):
    assert 1 / (1 - batch_norm_momentum(num_steps)) == pytest.approx(num_steps / 10)


# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
X = np.zeros((100, 2), "float32")


class Batches(keras.utils.PyDataset):
    def __init__(self, length):
        super().__init__()
        self.length = length

    @property
    def num_batches(self):
        return self.length

    def __getitem__(self, index):
        return X[:10], np.zeros((10, 3))


def dataset(batch_size):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, np.zeros((100, 3)))).batch(batch_size)


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        (dict(x=X), (4, 1, 32)),
        (dict(x=X, batch_size=10, epochs=3), (10, 3, 10)),
        (dict(x=X, batch_size=10, epochs=3, initial_epoch=1), (10, 2, 10)),
        (dict(x=[X, X], batch_size=10, validation_split=0.25), (8, 1, 10)),
        (dict(x={"a": X}, batch_size=64), (2, 1, 64)),
        (dict(x=X, batch_size=10, steps_per_epoch=4), (4, 1, 10)),
        (dict(x=Batches(7)), (7, 1, 64)),
        (dict(x=Batches(None)), None),
        (dict(x=Batches(None), steps_per_epoch=3, epochs=2), (3, 2, 64)),
        (dict(x=(batch for batch in [X])), None),
        (dict(x=X, epochs=1, initial_epoch=1), None),
        (dict(), None),
    ],
)
def test_number_of_steps(arguments, plan):
    assert FitPlan.of(arguments) == (plan and FitPlan(*plan))


def test_number_of_steps_of_tf_data():
    assert FitPlan.of(dict(x=dataset(30), epochs=2)) == FitPlan(4, 2, 64)
    assert FitPlan.of(dict(x=dataset(30).repeat())) is None
    assert FitPlan.of(dict(x=dataset(30), epochs=2)).num_steps == 8


def test_label_shapes():
    assert label_shape(dict(x=X, y=np.zeros((100, 3)))) == (100, 3)
    assert label_shape(dict(x=dataset(30))) == (None, 3)
    assert label_shape(dict(x=Batches(2))) == (10, 3)
    assert label_shape(dict(x=dataset(30).map(lambda x, y: x))) is None
    assert label_shape(dict(x=X, y=[0] * 100)) is None
    assert label_shape(dict(x=(batch for batch in [X]))) is None


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate.numpy()))


def fitted_rates(*callbacks):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    rates = Rates()
    cosine = CosineRate(steps_per_epoch=10, num_epochs=2, peak=3.0)
    model.fit(X, np.zeros((100, 1)), batch_size=10, epochs=2, verbose=0, callbacks=[cosine, *callbacks, rates])
    return rates.seen


def test_every_step_has_its_rate():
    expected = [cosine_learning_rate(step, 20, 3.0) for step in range(20)]
    np.testing.assert_allclose(fitted_rates(), expected, rtol=1e-6)


def test_a_rate_set_by_somebody_else_stands():
    given = keras.callbacks.LearningRateScheduler(lambda epoch: 0.25)
    assert fitted_rates(given) == [0.25] * 20
