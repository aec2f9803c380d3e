"""Searches on data that are not in memory: files, memory maps, tf.data, PyDatasets and generators, end to end."""

import json
import weakref

import keras
import numpy as np
import pytest
from PIL import Image

import hwkeras as hw
from hwkeras.data import StoredArray
from hwkeras.data import load_dataset
from hwkeras.data.array_folder import MappedArray
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.search import Economy

# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def open_tuner(space, directory, **options):
    usual = {"device": "fake", "precision": "int8", "objectives": ["accuracy", "size_bytes"], "oracle": "random"}
    return hw.HardwareTuner(space, directory=directory, seed=0, progress=None, **(usual | {"max_trials": 1} | options))


class Watched(StoredArray):
    """Knows how many of its samples are held by anybody at a time."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.taken, self.held, self.most_held = [], [0], [0]

    def __getitem__(self, key):
        samples = super().__getitem__(key)
        self.taken.append(len(samples))
        self.held[0] += len(samples)
        self.most_held[0] = max(self.most_held[0], self.held[0])
        weakref.finalize(samples, self._let_go, len(samples))
        return samples

    def _let_go(self, number):
        self.held[0] -= number


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    """Digits as PNG files, in class folders."""
    root, (x, y) = tmp_path_factory.mktemp("digits"), digits
    for place in range(100):
        path = root / str(y[place]) / f"{place}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((x[place, ..., 0] * 255).astype(np.uint8)).save(path)
    return root


def test_a_search_never_holds_all_of_what_stays_in_files(small_space, digits, tmp_path):
    x, y = digits
    train = Watched(MappedArray(x[:1500]), np.asarray)
    economy = Economy(zero_cost=True, inherit_weights=True, stop_hopeless=True)
    tuner = open_tuner(small_space(), tmp_path / "run", economy=economy, max_trials=2)
    tuner.search(train, y[:1500], validation_data=(x[1500:], y[1500:]), epochs=3, batch_size=64)
    assert len(tuner.candidates()) == 2 and tuner.best().metrics["accuracy"] > 0.3
    assert sum(train.taken) > 2 * 3 * 1500
    # 200 to calibrate by are the most that is asked for at a time; batches are read ahead.
    assert max(train.taken) == 200 and train.most_held[0] < 750


def test_pictures_in_files_are_searched_on_and_the_search_goes_on(small_space, folder, tmp_path):
    def search(max_trials, dataset):
        tuner = open_tuner(small_space(), tmp_path / "run", max_trials=max_trials)
        valid = (dataset.x_valid, dataset.y_valid)
        tuner.search(dataset.x_train, dataset.y_train, validation_data=valid, epochs=1, batch_size=16)
        return tuner

    search(1, load_dataset(folder, stream=True))
    first = (tmp_path / "run" / "trial_0" / "int8.tflite").read_bytes()
    tuner = search(2, load_dataset(folder, stream=True))
    assert (tmp_path / "run" / "trial_0" / "int8.tflite").read_bytes() == first
    assert [candidate.trial for candidate in tuner.candidates()] == ["0", "1"]
    assert (tuner.export(tmp_path / "bundle") / "manifest.json").exists()
    file = next(folder.rglob("*.png"))
    content = file.read_bytes()
    try:
        Image.new("L", (8, 8), 99).save(file)
        with pytest.raises(UserError, match="belongs to another data set"):
            search(3, load_dataset(folder, stream=True))
    finally:
        file.write_bytes(content)


def test_a_file_damaged_meanwhile_ends_the_search_with_its_name(small_space, folder, tmp_path):
    dataset = load_dataset(folder, stream=True)
    first, last = (sorted(folder.rglob("*.png"))[place] for place in (0, -1))
    contents = {file: file.read_bytes() for file in (first, last)}
    tuner = open_tuner(small_space(), tmp_path / "run", precision="float32", max_trials=3)
    try:
        for file, content in contents.items():
            file.write_bytes(content[: len(content) // 2])
        with pytest.raises(
            DataError, match=r"^Every image must be readable\. Received: .*\.png \(.*\)\. Remove it"
        ) as caught:
            tuner.search(
                dataset.x_train, dataset.y_train, validation_data=(dataset.x_valid, dataset.y_valid), batch_size=16
            )
        assert any(str(file) in str(caught.value) for file in contents)
    finally:
        for file, content in contents.items():
            file.write_bytes(content)


class Halves(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self._x, self._y = x, y

    def __len__(self):
        return len(self._x) // 50

    def __getitem__(self, index):
        # Beyond its end it gives empty batches for ever, as slices do.
        return self._x[50 * index : 50 * index + 50], self._y[50 * index : 50 * index + 50]


def _known(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(300).batch(50), {}


def _of_unknown_length(x, y):
    import tensorflow as tf

    whole = tf.data.Dataset.from_tensor_slices((x, y)).filter(lambda x, y: tf.reduce_sum(x) > 0)
    return whole.map(lambda x, y: (x, tf.one_hot(y, 10))).batch(50), {}


def _endless(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(50).repeat(), {"steps_per_epoch": 4, "validation_steps": 2}


def _pydataset(x, y):
    return Halves(x, y), {}


def _generator(x, y):
    def batches():
        while True:
            for start in range(0, len(x), 50):
                yield x[start : start + 50], keras.utils.to_categorical(y[start : start + 50], 10)

    return batches(), {"steps_per_epoch": 4, "validation_steps": 2}


# Keras' word for the end of what did not tell its length.
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("batched", [_known, _of_unknown_length, _endless, _pydataset, _generator])
def test_what_comes_in_batches_is_searched_on_and_the_search_goes_on(small_space, digits, tmp_path, batched):
    x, y = digits

    def search(max_trials):
        tuner = open_tuner(small_space(), tmp_path / "run", max_trials=max_trials, economy=Economy(zero_cost=True))
        data, steps = batched(x[:300], y[:300])
        valid, _ = batched(x[300:400], y[300:400])
        tuner.search(data, validation_data=valid, epochs=2, **steps)
        return tuner

    search(1)
    tuner = search(2)
    candidates = tuner.candidates()
    assert len(candidates) == 2 and all(candidate.status == "ok" for candidate in candidates)
    assert all("val_accuracy" in candidate.metrics for candidate in candidates)
    samples_x, samples_y = tuner.run.check_samples()
    assert samples_x.shape[1:] == (8, 8, 1) and len(samples_x) == len(samples_y) == 64
    assert json.loads((tmp_path / "run" / "search.json").read_text())["epochs"] == 2


def test_recipes_fine_tune_on_samples_of_what_streams(small_space, digits, tmp_path):
    import tensorflow as tf

    x, y = digits
    train, valid = (
        tf.data.Dataset.from_tensor_slices((x[part], y[part])).batch(50) for part in (slice(300), slice(300, 400))
    )
    tuner = open_tuner(small_space(), tmp_path / "run", compression=["prune=0.5"])
    tuner.search(train, validation_data=valid, epochs=1)
    assert "prune=0.5" in {candidate.precision for candidate in tuner.candidates()}


def test_a_searcher_takes_what_stays_in_files(digits):
    x, y = digits
    searcher = hw.Searcher(["conv", "pool"], epochs=1, budget=1)
    model = searcher.search(StoredArray(MappedArray(x[:200]), np.asarray), y[:200], batch_size=32)
    assert model.output_shape == (None, 10)
