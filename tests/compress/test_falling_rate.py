import pytest

from hwkeras.compress.falling_rate import FallingRate
from hwkeras.compress.legacy import tf_keras


class Rates(tf_keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(tf_keras.backend.get_value(self.model.optimizer.learning_rate)))


def rates(dense_data, callbacks=(), epochs=5):
    """The rates of a training of two steps an epoch."""
    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(3)])
    model.compile(tf_keras.optimizers.Adam(0.01), tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seen = Rates()
    model.fit(
        *dense_data,
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[FallingRate(0.01, 2 * epochs), *callbacks, seen],
    )
    return seen.seen


def test_the_rate_is_held_and_falls_to_nearly_nothing(dense_data):
    seen = rates(dense_data, epochs=10)
    assert len(seen) == 20
    assert seen[:15] == pytest.approx([0.01] * 15)
    assert seen[14:] == sorted(seen[14:], reverse=True)
    assert seen[-1] < 0.001


def test_a_rate_of_the_users_stands(dense_data):
    schedule = tf_keras.callbacks.LearningRateScheduler(lambda epoch: 0.002)
    assert rates(dense_data, [schedule]) == pytest.approx([0.002] * 10)
