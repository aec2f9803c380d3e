"""The programs of the articles: they run with only the import line changed, on real data."""

import numpy as np
import pytest

import hwkeras as hw
from hwkeras.errors import UserError


@pytest.fixture(scope="module")
def pictures(digits):
    """Digits enlarged to 32x32x3: (train_data, train_labels), (test_data, test_labels)."""
    x, y = digits
    large = np.kron(x[:900], np.ones((1, 4, 4, 3), "float32"))
    return (large[:700], y[:700]), (large[700:], y[700:900])


@pytest.mark.slow
def test_a_search_space_and_a_searcher(pictures):
    (train_data, train_labels), (test_data, test_labels) = pictures
    from hwkeras import Searcher
    from hwkeras import SearchSpace

    space = SearchSpace(
        input_shape=(32, 32, 3),
        output_shape=(10,),
        num_layers=5,
        layer_types=["conv", "pool", "fc"],
        conv_kernels=[3, 3],
        conv_strides=[1, 1],
        pool_sizes=[2, 2],
        pool_strides=[2, 2],
        fc_sizes=[64, 128],
    )
    searcher = Searcher(space, optimizer="adam", epochs=4, budget=2, seed=1)
    model = searcher.search(train_data, train_labels)
    loss, accuracy = model.evaluate(test_data, test_labels, verbose=0)
    assert accuracy > 0.5
    assert len(searcher.tuner.candidates()) == 2
    assert all(candidate.architecture.endswith("dense10") for candidate in searcher.tuner.candidates())


@pytest.mark.slow
def test_a_plain_dict_searched_at_random_with_a_budget(digits):
    x, y = digits
    search_space = {
        "global_pooling": [True, False],
        "dense_units": [16, 32, 64],
        "dropout_rate": [0.0, 0.2, 0.4, 0.6],
    }
    searcher = hw.Searcher(search_space, epochs=6, budget=3, seed=0)
    model = searcher.search(x[:1000], y[:1000])
    assert model.evaluate(x[1000:], y[1000:], verbose=0)[1] > 0.6
    tried = [tuple(sorted(t.hyperparameters.values.items())) for t in searcher.tuner.oracle.trials.values()]
    assert len(set(tried)) == 3


@pytest.mark.slow
def test_an_architecture_as_a_list_of_actions(digits):
    x, y = digits
    architecture = ["conv", "pool", "pool"]
    searcher = hw.Searcher(architecture, epochs=6, seed=0)
    model = searcher.search(x[:1000], y[:1000])
    assert model.evaluate(x[1000:], y[1000:], verbose=0)[1] > 0.6
    assert len(searcher.tuner.candidates()) == 1

    same = hw.build_model(hw.architecture_from_actions(architecture, (8, 8, 1), 10))
    assert [layer.name for layer in same.layers] == [layer.name for layer in model.layers]


def test_a_model_trained_and_written_as_a_tflite_file(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (x_train, y_train), x_test = (digits[0][:600], digits[1][:600]), digits[0][600:700]
    import hwkeras as tf

    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 1)),
            tf.keras.layers.Conv2D(16, (3, 3), activation="relu"),
            tf.keras.layers.MaxPooling2D((2, 2)),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=3, verbose=0)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    tflite_model = converter.convert()
    with open("compressed_model.tflite", "wb") as file:
        file.write(tflite_model)

    assert hw.benchmark("compressed_model.tflite").ok
    from hwkeras.convert import predict

    answers = predict((tmp_path / "compressed_model.tflite").read_bytes(), x_test)
    np.testing.assert_allclose(answers, model.predict(x_test, verbose=0), atol=0.05)

    converter.representative_dataset = lambda: ([x_train[i : i + 1]] for i in range(50))
    assert len(converter.convert()) < len(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def test_an_optimization_nobody_knows():
    converter = hw.lite.TFLiteConverter.from_keras_model(None)
    converter.optimizations = ["SPEED"]
    with pytest.raises(UserError, match=r"`optimizations` may hold Optimize\.DEFAULT\. Received: 'SPEED'"):
        converter.convert()
