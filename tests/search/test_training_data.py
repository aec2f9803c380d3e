import keras
import numpy as np
import pytest

from hwkeras.data import DataWarning
from hwkeras.data import StoredArray
from hwkeras.data import stored
from hwkeras.data.array_folder import MappedArray
from hwkeras.errors import DataError
from hwkeras.search import streams
from hwkeras.search.training_data import TrainingData

X = np.arange(40 * 4, dtype="float32").reshape(40, 4)
Y = np.tile(np.arange(4), 10)
VALID = {"validation_data": (X[:4], Y[:4])}


def stored_array(x=X):
    return StoredArray(MappedArray(x), np.asarray)


def read(args, kwargs=None, **options):
    return TrainingData.from_fit_arguments(args, kwargs or {}, **options)


class Shuffled(keras.utils.PyDataset):
    """Another order in each process, as many data sets have."""

    def __init__(self, x=X, y=Y, seed=0, num_batches=5):
        super().__init__()
        self._x, self._y, self._num_batches = x, y, num_batches
        self._order = np.random.default_rng(seed).permutation(len(x))

    @property
    def num_batches(self):
        return self._num_batches

    def __getitem__(self, index):
        chosen = self._order[8 * index : 8 * index + 8]
        return self._x[chosen], self._y[chosen]


def test_validation_data_is_kept_as_it_is():
    data = TrainingData.from_fit_arguments((X, Y), {"validation_data": (X[:4], Y[:4]), "epochs": 2})
    assert data.fit_args[0] is X
    np.testing.assert_array_equal(data.x_valid, X[:4])
    assert data.fit_kwargs["epochs"] == 2


def test_a_fifth_is_split_off_the_same_for_the_same_seed():
    first = TrainingData.from_fit_arguments((X, Y), {}, seed=3)
    again = TrainingData.from_fit_arguments((), {"x": X, "y": Y}, seed=3)
    assert len(first.x_valid) == 8
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.x_valid, again.x_valid)
    seen = np.concatenate([first.fit_args[0], first.x_valid])
    np.testing.assert_array_equal(np.sort(seen[:, 0]), X[:, 0])
    assert TrainingData.from_fit_arguments((X, Y), {}, seed=4).fingerprint != first.fingerprint


def test_validation_split_is_honored():
    assert len(TrainingData.from_fit_arguments((X, Y), {"validation_split": 0.5}).x_valid) == 20


def test_balanced_class_weights_are_those_of_the_training_part():
    x, y = np.arange(12.0)[:, None], np.array([0] * 8 + [1] * 4)
    given = {"validation_data": (x, y), "class_weight": "balanced"}
    assert TrainingData.from_fit_arguments((x[:10], y[:10]), given).fit_kwargs["class_weight"] == {0: 0.625, 1: 2.5}
    given = {"validation_data": (x, y), "class_weight": {1: 3.0}}
    assert TrainingData.from_fit_arguments((x, y), given).fit_kwargs["class_weight"] == {1: 3.0}


def test_datasets_are_taken():
    import tensorflow as tf

    train = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    valid = tf.data.Dataset.from_tensor_slices((X[:8], Y[:8])).batch(3)
    data = TrainingData.from_fit_arguments((train,), {"validation_data": valid})
    np.testing.assert_array_equal(data.x_valid, X[:8])
    np.testing.assert_array_equal(data.y_valid, Y[:8])
    assert data.fit_args == (train,) and data.fit_kwargs["shuffle"] is False  # what Keras would warn of
    assert read((Shuffled(),), VALID).fit_kwargs["shuffle"] is True
    assert read((Shuffled(),), VALID | {"shuffle": False}).fit_kwargs["shuffle"] is False


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, r"`search` needs training data .* Received: x=None"),
        ((X, Y[:3]), {}, r"same length\. Received: 40 inputs and 3 labels"),
        (([X, X], Y), {}, r"Received: x of type list without `validation_data`"),
    ],
)
def test_what_is_wrong_is_said(args, kwargs, said):
    with pytest.raises(DataError, match=said):
        TrainingData.from_fit_arguments(args, kwargs)


def test_an_empty_validation_set_is_said():
    import tensorflow as tf

    empty = tf.data.Dataset.from_tensor_slices((X, Y)).take(0).batch(4)
    with pytest.raises(DataError, match="Received: an empty dataset"):
        TrainingData.from_fit_arguments((X, Y), {"validation_data": empty})


def test_positional_arguments_are_those_of_fit():
    data = read((X, Y, 8, 3, 0), VALID)
    assert data.fit_args == (X, Y) and data.num_epochs == 3
    assert data.fit_kwargs["batch_size"] == 8 and data.fit_kwargs["verbose"] == 0


def test_weights_of_samples_are_split_with_them():
    data = read((X, Y), {"sample_weight": X[:, 0]})
    np.testing.assert_array_equal(data.fit_kwargs["sample_weight"], data.fit_args[0][:, 0])
    data = read((stored_array(), Y), {"sample_weight": X[:, 0]}, train_share=0.5)
    np.testing.assert_array_equal(data.fit_kwargs["sample_weight"], data.fit_args[0][:][:, 0])


def test_what_stays_in_files_is_split_as_an_array_is(tmp_path):
    whole = read((X, Y), seed=3, train_share=0.5)
    np.save(tmp_path / "x.npy", X)
    for x in (stored_array(), np.load(tmp_path / "x.npy", mmap_mode="r")):
        data = read((x, Y), seed=3, train_share=0.5)
        assert isinstance(data.x, StoredArray) and data.x is data.fit_args[0] and isinstance(data.x_valid, np.ndarray)
        np.testing.assert_array_equal(data.x_valid, whole.x_valid)
        np.testing.assert_array_equal(data.y_valid, whole.y_valid)
        np.testing.assert_array_equal(data.x[:], whole.x)
        np.testing.assert_array_equal(data.fit_args[1], whole.fit_args[1])
        assert data.num_samples == whole.num_samples == 16


def test_who_they_are_is_told_by_the_contents_of_files():
    first, again = read((stored_array(), Y)), read((stored_array(), Y))
    assert first.fingerprint == again.fingerprint
    others = [read((stored_array(X + 1), Y)), read((stored_array(X[::-1]), Y)), read((stored_array(), Y[::-1]))]
    assert len({data.fingerprint for data in [first, *others]}) == 4
    assert read((stored_array(), Y), train_share=0.5).fingerprint == first.fingerprint


def test_each_training_reads_the_files_in_batches_of_its_own():
    data = read((stored_array(), Y), {"batch_size": 8, "sample_weight": X[:, 0], **VALID})
    (batches,), kwargs = data.for_training(seed=1, initial_epoch=2)
    assert len(batches) == 5 and batches.epoch == 2 and kwargs["shuffle"] is False and "sample_weight" not in kwargs
    seen = [batches[index] for index in range(5)]
    for x, y, weights in seen:
        np.testing.assert_array_equal(x[:, 0], weights)
        np.testing.assert_array_equal(Y[(x[:, 0] / 4).astype(int)], y)
    assert not np.array_equal(np.concatenate([x for x, *_ in seen]), X)
    (again,), _ = data.for_training(seed=1, initial_epoch=2)
    np.testing.assert_array_equal(again[3][0], seen[3][0])
    (other,), _ = data.for_training(seed=2, initial_epoch=2)
    assert not np.array_equal(other[3][0], seen[3][0])
    assert data.fit_kwargs["sample_weight"] is not None  # the next training needs them too
    (endless,), _ = read((stored_array(), Y), {"steps_per_epoch": 7, "shuffle": False, **VALID}).for_training()
    assert endless.num_batches is None and np.array_equal(endless[0][0], X[:32])
    assert read((X, Y), VALID).for_training()[0][0] is X


def test_validation_data_that_stay_in_files_are_read_within_bounds(monkeypatch):
    valid = (stored_array(), Y, X[:, 0])
    np.testing.assert_array_equal(read((X, Y), {"validation_data": valid}).x_valid, X)
    monkeypatch.setattr(stored, "MAX_HELD_SAMPLES", 8)
    data = read((X, Y), {"validation_data": valid})
    assert np.bincount(data.y_valid).tolist() == [2, 2, 2, 2]
    x, y, weights = data.fit_kwargs["validation_data"]
    assert x is data.x_valid and y is data.y_valid and np.array_equal(weights, x[:, 0])
    assert len(read((stored_array(), Y), {"validation_split": 0.5}).x_valid) == 8


def test_what_takes_arrays_alone_gets_samples(monkeypatch):
    x, y, weights = read((X, Y), VALID).in_memory()
    assert x is X and y is Y and weights is None
    monkeypatch.setattr(stored, "MAX_HELD_SAMPLES", 8)
    x, y, weights = read((stored_array(), Y), {"sample_weight": X[:, 0], **VALID}).in_memory()
    assert np.bincount(y).tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(x[:, 0], weights)
    monkeypatch.undo()
    x, y, weights = read((Shuffled(),), VALID).in_memory()
    assert len(x) == 40 and weights is None
    np.testing.assert_array_equal(Y[(x[:, 0] / 4).astype(int)], y)


def test_a_shuffled_dataset_is_known_again():
    import tensorflow as tf

    def dataset(x=X, **order):
        whole = tf.data.Dataset.from_tensor_slices((x, Y))
        return (whole.shuffle(40, **order) if order else whole).batch(8)

    def who(train, valid=VALID["validation_data"]):
        return read((train,), {"validation_data": valid}).fingerprint

    assert who(dataset()) == who(dataset()) != who(dataset(X + 1))
    assert who(dataset(seed=1)) == who(dataset(seed=2)) == who(dataset(X + 1, seed=1)) != who(dataset())
    assert who(dataset(seed=1)) != who(dataset(seed=1).take(3))
    assert who(dataset(seed=1)) != who(dataset(X.astype("float64"), seed=1))
    # Whatever the order of validation data, they tell one data set from another.
    assert who(dataset(), dataset()) == who(dataset(), dataset(seed=1)) != who(dataset(), dataset(X + 1))


def test_pydatasets_and_generators_are_known_again():
    def who(x, **arguments):
        return read((x,), VALID | arguments).fingerprint

    def generator(x=X):
        while True:
            yield x[:8] * np.random.default_rng().normal(), Y[:8]

    assert who(Shuffled(seed=1)) == who(Shuffled(seed=2)) != who(Shuffled(num_batches=4))
    assert who(generator(), steps_per_epoch=3) == who(generator(), steps_per_epoch=3)
    assert who(generator(), steps_per_epoch=3) != who(generator(X.astype("float16")), steps_per_epoch=3)
    valid = Shuffled(seed=1), Shuffled(seed=2), Shuffled(X + 1)
    first, again, other = (read((X, Y), {"validation_data": each}) for each in valid)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert len(first.x_valid) == 40 and not np.array_equal(first.x_valid, again.x_valid)


def test_a_generator_goes_on_where_the_training_before_stopped():
    numbers = iter(range(100))
    data = read((((X[:8] + number, Y[:8]) for number in numbers),), {"steps_per_epoch": 4, **VALID})
    assert data.num_samples is None and isinstance(data.x, np.ndarray) and len(data.x) == 32  # for statistics
    (first,), _ = data.for_training()
    (again,), _ = data.for_training()
    assert again is first and first.num_batches is None
    begun = next(numbers)
    assert [int(first[0][0][0, 0]) for _ in range(3)] == [begun + 1, begun + 2, begun + 3]


def test_a_generator_that_ends_is_said():
    data = read((((X[:8], Y[:8]) for _ in range(9)),), {"steps_per_epoch": 2, **VALID})
    with pytest.raises(
        DataError, match=r"must not end: .*Received: one that ended after 9 batches\. Let it go on"
    ) as caught:
        for index in range(9):
            data.fit_args[0][index]
    assert data.fit_args[0].damage is caught.value


def test_validation_data_of_several_inputs_and_of_some_steps():
    import tensorflow as tf

    valid = tf.data.Dataset.from_tensor_slices(({"a": X, "b": X + 1}, Y, X[:, 0])).batch(6).repeat()
    data = read(({"a": X, "b": X}, Y), {"validation_data": valid, "validation_steps": 3})
    np.testing.assert_array_equal(data.x_valid["b"], X[:18] + 1)
    np.testing.assert_array_equal(data.fit_kwargs["validation_data"][2], X[:18, 0])
    assert "validation_steps" not in data.fit_kwargs


def test_validation_data_larger_than_memory_are_read_in_part(monkeypatch):
    monkeypatch.setattr(stored, "MAX_HELD_BYTES", 20 * 5 * 8)
    with pytest.warns(DataWarning, match=r"the first 40 validation samples, the 800 B that .*in an order, shuffle"):
        data = read((X, Y), {"validation_data": Shuffled(np.tile(X, (2, 1)), np.tile(Y, 2), num_batches=10)})
    assert len(data.x_valid) == 40


def endless():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).repeat()


def unbatched():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y))


@pytest.mark.parametrize(
    ("x", "kwargs", "said"),
    [
        (lambda: stored_array(), {"y": None}, r"one input, with labels\. Received: x of type StoredArray and y=None"),
        (lambda: [stored_array()], {"y": Y}, r"one input, with labels\. Received: x of type list\. Pass x and y, or"),
        (lambda: stored_array(), {"y": Y[1:]}, r"same length\. Received: 40 inputs and 39 labels"),
        (
            lambda: (batch for batch in [(X, Y)]),
            {},
            r"An epoch must have an end\. Received: x of type generator, .*steps_per",
        ),
        (endless, {}, r"An epoch must have an end\. Received: x of type _RepeatDataset, which has none"),
        (lambda: Shuffled(num_batches=None), {}, r"An epoch must have an end\. Received: x of type Shuffled"),
        (unbatched, {}, r"must come in batches\. Received: training data of single samples\. Call `\.batch\(32\)`"),
        (lambda: Shuffled(), {"y": Y}, r"Labels come with the batches\. Received: x of type Shuffled, and y"),
        (
            lambda: [X],
            {"validation_data": endless},
            r"Validation data must have an end\. Received: _RepeatDataset, .*steps=",
        ),
        (lambda: [X], {"validation_data": unbatched}, r"must come in batches\. Received: data of single samples"),
        (lambda: [X], {"validation_data": lambda: endless().map(lambda x, y: x)}, r"Validation data must have an end"),
        (
            lambda: [X],
            {"validation_data": lambda: unbatched().map(lambda x, y: x).batch(4)},
            r"must be \(x, y\), .*Received: data of",
        ),
        (
            lambda: [X],
            {"validation_data": lambda: unbatched().map(lambda x, y: (x,)).batch(4)},
            r"Received: data of tuple of 1",
        ),
    ],
)
def test_what_is_wrong_with_streams_is_said(x, kwargs, said):
    kwargs = {name: value() if callable(value) else value for name, value in kwargs.items()}
    with pytest.raises(DataError, match=said) as caught:
        TrainingData.from_fit_arguments((), {"x": x(), **VALID, **kwargs})
    assert "\n" not in str(caught.value)


def test_a_form_that_a_dataset_does_not_tell_is_no_error():
    import tensorflow as tf

    spec = (tf.TensorSpec(None, tf.float32), tf.TensorSpec(None, tf.int64))
    dataset = tf.data.Dataset.from_generator(lambda: iter([(X, Y)]), output_signature=spec)
    assert streams.num_batches_of(dataset) is None
    assert read((dataset,), {"validation_data": dataset}).x_valid.shape == X.shape
