"""Batches that are made as they are asked for: each depends on the seed, the epoch and its index alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.build import Batches
from hwkeras.build.batches import change_batches
from hwkeras.build.fit_plan import FitPlan
from hwkeras.build.fit_plan import is_batched
from hwkeras.errors import DataError
from hwkeras.errors import UserError

X = np.arange(10.0, dtype=np.float32)[:, None]
Y = np.arange(10)
# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class OnDisk:
    """Read like an array, and no array."""

    shape, dtype = (10, 1), np.dtype("float32")

    def __len__(self):
        return 10

    def __getitem__(self, indices):
        if not isinstance(indices, np.ndarray) or indices.dtype.kind != "i":
            raise TypeError(f"int arrays alone, not {indices!r}")
        return X[indices]


class Recorder(keras.Model):
    """Learns nothing and remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def train_step(self, data):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        self.seen.append([None if each is None else np.asarray(each) for each in (x, y, weights)])
        return {"loss": 0.0}


def seen_by_fit(data, **arguments):
    model = Recorder()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(data, verbose=0, **arguments)
    return model.seen


def noisy(x, y, rng):
    return x + rng.random(x.shape, dtype=np.float32), y


def epoch_of(batches):
    return [int(number) for _, y in batches for number in y]


def test_an_epoch_holds_every_sample_once_and_the_last_batch_is_short():
    batches = Batches(X, Y, 4)
    assert (len(batches), batches.num_batches, batches.num_samples, batches.batch_size) == (3, 3, 10, 4)
    assert [len(y) for _, y in batches] == [4, 4, 2]
    assert sorted(epoch_of(batches)) == list(range(10)) != epoch_of(batches)
    assert all(np.array_equal(x[:, 0], y) for x, y in batches)
    assert epoch_of(Batches(X, Y, 4, shuffle=False)) == list(range(10))


def test_each_epoch_has_an_order_of_its_own_for_the_same_seed_the_same():
    orders = []
    for seed in (0, 0, 1):
        batches = Batches(X, Y, 4, seed=seed)
        for epoch in (0, 1):
            batches.epoch = epoch
            orders.append(epoch_of(batches))
    assert orders[:2] == orders[2:4]
    assert len(set(map(tuple, orders))) == 4


def test_a_batch_does_not_depend_on_who_asks_first():
    one, other = (Batches(X, Y, 4, change=noisy, seed=3) for _ in range(2))
    forward = [one[index] for index in range(3)]
    backward = [other[index] for index in (2, 1, 0)][::-1]
    for here, there in zip(forward, backward, strict=True):
        assert np.array_equal(here[0], there[0]) and np.array_equal(here[1], there[1])
    assert not np.array_equal(forward[0][0], np.float32(forward[0][1])[:, None])
    one.epoch = 1
    added = [x[:, 0] - y for x, y in [*forward, *one]]
    assert len({round(float(value), 6) for each in added for value in each}) == 20


def test_what_is_read_like_an_array_and_weights_and_no_targets():
    batches = Batches(OnDisk(), Y, 4, sample_weight=Y * 0.5, seed=1)
    for x, y, weights in batches:
        assert np.array_equal(x[:, 0], y) and np.array_equal(weights, y * 0.5)
    assert [len(batch) for batch in Batches(tf.constant(X), batch_size=4)] == [1, 1, 1]


@pytest.mark.parametrize("workers", [1, 3])
def test_fit_gets_new_batches_each_epoch_whatever_the_workers(workers):
    data = Batches(X, Y, 4, sample_weight=Y, change=noisy, seed=2, workers=workers)
    seen = seen_by_fit(data, epochs=2, shuffle=False)
    expected = []
    for epoch in (0, 1):
        again = Batches(X, Y, 4, sample_weight=Y, change=noisy, seed=2)
        again.epoch = epoch
        expected += list(again)
    assert len(seen) == 6
    for given, wanted in zip(seen, expected, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(given, wanted, strict=True))
    assert data.epoch == 2


def test_endless_batches_go_on_with_the_next_epoch():
    data = Batches(X, Y, 4, change=noisy, endless=True)
    assert data.num_batches is None and len(data) == 3
    seen = seen_by_fit(data, epochs=3, steps_per_epoch=2, shuffle=False)
    finite = Batches(X, Y, 4, change=noisy)
    expected = list(finite)
    finite.epoch = 1
    expected += list(finite)
    assert [batch[1].tolist() for batch in seen] == [batch[1].tolist() for batch in expected]
    assert np.array_equal(seen[4][0], expected[4][0])


def test_the_length_of_a_training_is_known():
    data = Batches(X, Y, 4)
    assert is_batched(data)
    assert FitPlan.of({"x": data, "epochs": 5}) == FitPlan(3, 5, 4)
    assert FitPlan.of({"x": Batches(X, Y, 4, endless=True), "steps_per_epoch": 7}) == FitPlan(7, 1, 4)
    assert FitPlan.of({"x": Batches(X, Y, 4, endless=True)}) is None


def halved(x, y, rng):
    return x * 0 + rng.random(dtype=np.float32), np.stack([y, 1.0 - y], axis=1).astype(np.float32)


def test_batches_of_somebody_else_are_changed():
    data = Batches(X, Y, 4, sample_weight=Y, shuffle=False)
    changed = change_batches(data, halved, seed=1)
    assert changed.num_batches == 3
    x, y, weights = changed[1]
    assert np.unique(x).size == 1 and y.tolist() == [[4, -3], [5, -4], [6, -5], [7, -6]]
    assert weights.tolist() == [4, 5, 6, 7]
    seen = [float(x[0, 0]) for x, *_ in seen_by_fit(changed, epochs=2, shuffle=False)]
    assert len(set(seen)) == 6 and seen[1] == float(x[0, 0])
    assert data.epoch == changed.epoch == 2


def test_a_stream_is_changed_anew_each_epoch_and_the_same_in_each_run():
    def run():
        data = tf.data.Dataset.from_tensor_slices((X, Y.astype(np.int32), Y)).batch(4)
        changed = change_batches(data, halved, seed=5)
        assert changed.cardinality() == 3
        assert [tuple(spec.shape) for spec in changed.element_spec] == [(None, 1), (None, 2), (None,)]
        assert [spec.dtype for spec in changed.element_spec] == [tf.float32, tf.float32, tf.int64]
        return seen_by_fit(changed, epochs=2, shuffle=False)

    one, other = run(), run()
    noise = [float(x[0, 0]) for x, *_ in one]
    assert len(set(noise)) == 6 and noise == [float(x[0, 0]) for x, *_ in other]
    assert one[4][1].tolist() == [[4, -3], [5, -4], [6, -5], [7, -6]] and one[4][2].tolist() == [4, 5, 6, 7]


def test_a_stream_keeps_labels_that_are_not_changed():
    data = tf.data.Dataset.from_tensor_slices((X, Y.astype(np.uint8))).batch(4)
    changed = change_batches(data, noisy)
    assert changed.element_spec[1] == data.element_spec[1]
    assert np.concatenate([y for _, y in changed]).tolist() == Y.tolist()


def test_a_generator_is_changed_as_it_comes():
    one, other = (list(change_batches(((X[:2], Y[:2]) for _ in range(2)), noisy, seed=4)) for _ in range(2))
    assert len(one) == 2 and not np.array_equal(one[0][0], one[1][0])
    assert all(np.array_equal(here[0], there[0]) for here, there in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Batches(X, Y, 0), UserError, "`batch_size` must be 1 or more, .* Received: batch_size=0, seed=0"),
        (lambda: Batches(X, Y, seed=-1), UserError, "and `seed` 0 or more. Received: batch_size=32, seed=-1"),
        (lambda: Batches(X[:0], Y[:0]), DataError, "Batches are made of one sample or more. Received: no samples"),
        (lambda: Batches(X, Y[:3]), DataError, "x and y must have the same length. Received: 10 inputs and 3 in `y`"),
        (lambda: Batches(X, Y, sample_weight=Y[:4]), DataError, "Received: 10 inputs and 4 in `sample_weight`"),
    ],
)
def test_what_cannot_be_batched_is_said(make, error, said):
    with pytest.raises(error, match=said):
        make()
