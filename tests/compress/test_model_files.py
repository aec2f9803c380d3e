"""Models from files of every Keras, and the files that are refused."""

import json
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from hwkeras.compress import load_model
from hwkeras.compress import twin
from hwkeras.compress.legacy import tf_keras
from hwkeras.compress.legacy import tfmot
from hwkeras.compress.legacy_models import to_keras_3
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

L = keras.layers
T = tf_keras.layers


def legacy_model():
    """Layers Keras 3 writes otherwise, a nested and a wrapped model, bare TensorFlow operations, a shared layer."""
    token = tf_keras.Input((7,))
    h = T.Bidirectional(T.LSTM(3, return_sequences=True))(T.Embedding(11, 6)(token))
    h = (T.MultiHeadAttention(2, 3)(h, value=h) + h) * 2.0
    inner = tf_keras.Sequential([tf_keras.Input((6,)), T.Dense(4), T.LeakyReLU(alpha=0.1)], name="inner")
    h = T.GlobalAveragePooling1D()(T.TimeDistributed(inner)(h))
    normed = tf_keras.Sequential([tf_keras.Input((4,)), T.Dense(4, kernel_regularizer="l2"), T.BatchNormalization()])
    shared = T.Dense(4, activation="swish", kernel_constraint="max_norm")
    return tf_keras.Model(token, shared(shared(normed(h))), name="old")


def tokens(count=3):
    return np.random.default_rng(0).integers(0, 11, (count, 7)).astype("float32")


def saved_quietly(model, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says that the format is old; that is what is asked for here.
        model.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "folder"])
def test_a_legacy_model_becomes_an_equal_keras_3_one(name, tmp_path):
    model = legacy_model()
    path = saved_quietly(model, tmp_path / name, **({"save_format": "tf"} if name == "folder" else {}))
    loaded = load_model(path)
    assert isinstance(loaded, keras.Model) and loaded.name == "old"
    np.testing.assert_allclose(loaded(tokens()), model(tokens()), atol=1e-5)
    assert sum(isinstance(layer, L.Dense) for layer in loaded.layers) == 2
    np.testing.assert_allclose(twin(loaded)(tokens()), model(tokens()), atol=1e-5)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_keras_3_model_is_loaded(name, tmp_path, dense_model):
    loaded = load_model(str(saved_quietly(dense_model, tmp_path / name)))
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(loaded(x), dense_model(x))
    assert not loaded.compiled


@pytest.mark.parametrize(("name", "params"), [("vww_96.h5", 221794), ("pretrainedResnet.h5", 78666)])
def test_real_legacy_files(shared_data, name, params):
    model = load_model(shared_data / name)
    assert model.count_params() == params
    truth = tf_keras.models.load_model(shared_data / name, compile=False)
    x = np.random.default_rng(0).random((2, *model.input_shape[1:])).astype("float32")
    wanted = truth(x, training=False).numpy()
    assert wanted.max() - wanted.min() > 0.1
    np.testing.assert_allclose(model(x), wanted, atol=1e-5)


def test_a_lambda_is_refused_unless_asked_for_by_name(tmp_path):
    legacy = tf_keras.Sequential([tf_keras.Input((4,)), T.Lambda(lambda x: x * 2, name="doubled")])
    model = keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: x * 2, name="doubled")])
    paths = [saved_quietly(legacy, tmp_path / "legacy.h5"), saved_quietly(model, tmp_path / "model.h5")]
    paths += [saved_quietly(model, tmp_path / "model.keras"), saved_quietly(legacy, tmp_path / "old", save_format="tf")]
    for path in paths:
        with pytest.raises(UserError, match="Python code and is not run.*layer 'doubled'.*--allow-lambda doubled"):
            load_model(path)
        with pytest.raises(UserError, match="layer 'doubled'"):
            load_model(path, allow_lambda=["another"])
        loaded = load_model(path, allow_lambda=["doubled"])
        np.testing.assert_array_equal(loaded(np.ones((1, 4))), 2 * np.ones((1, 4)))
        np.testing.assert_array_equal(twin(loaded)(np.ones((1, 4))), 2 * np.ones((1, 4)))


def test_nothing_of_a_refused_file_is_run(tmp_path):
    marker = tmp_path / "was here"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    model = keras.Sequential([keras.Input((4,)), L.Lambda(eval(f"lambda x: ({code}, x)[1]"), name="evil")])
    path = saved_quietly(model, tmp_path / "model.keras")
    marker.unlink()  # Building the model ran it.
    with pytest.raises(UserError, match="Lambda layer 'evil'"):
        load_model(path)
    assert not marker.exists()


def rewritten(path, target, change):
    """A copy of a `.keras` file with a changed description."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            copy.writestr(name, change(content.decode()) if name == "config.json" else content)
    return target


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"module": "keras.layers", "class_name": "Den', '"module": "os", "class_name": "Den', "needs 'Dense' of os"),
        ('"activation": "linear"', '"activation": {"class_name": "__lambda__", "config": {}}', "Lambda layer 'head'"),
        (
            '"activation": "linear"',
            '"activation": {"module": "builtins", "class_name": "function", "config": "eval"}',
            "needs 'function' of builtins",
        ),
        ('"class_name": "Dense"', '"class_name": "TFSMLayer"', "of class TFSMLayer runs a program of its own"),
        ('"class_name": "Dense"', '"class_name": "PruneLowMagnitude"', "wrapped in PruneLowMagnitude.*`strip_pruning`"),
        ('"class_name": "Dense"', '"class_name": "Nonsense"', "must be readable by the Keras that wrote it"),
        ('"class_name"', '"clas_name', "must be readable by the Keras that wrote it"),
    ],
)
def test_a_doctored_file_is_refused(old, new, said, tmp_path, dense_model):
    path = saved_quietly(dense_model, tmp_path / "model.keras")

    def change(text):
        assert old in text
        return text.replace(old, new)

    with pytest.raises(UserError, match=said):
        load_model(rewritten(path, tmp_path / "doctored.keras", change))


@keras.saving.register_keras_serializable(package="Mine")
class Mine(keras.layers.Layer):
    def call(self, x):
        return x


def test_layers_of_the_user_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), Mine(name="own")])
    with pytest.raises(UserError, match="layer 'own' needs 'Mine' of .*which is not Keras' own. Load it in Python"):
        load_model(saved_quietly(model, tmp_path / "model.keras"))

    legacy = tf_keras.Sequential([tf_keras.Input((4,)), T.Dense(2, name="own")])
    path = saved_quietly(legacy, tmp_path / "legacy.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["class_name"] = "Theirs"
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(UserError, match="layer 'own' needs 'Theirs', which is not Keras' own"):
        load_model(path)


def test_a_tensorflow_operation_without_an_equal_is_refused(tmp_path):
    import tensorflow as tf

    features = tf_keras.Input((4,))
    model = tf_keras.Model(features, tf.math.cumsum(features))
    with pytest.raises(UserError, match="layer 'tf.math.cumsum' is 'math.cumsum'"):
        load_model(saved_quietly(model, tmp_path / "legacy.h5"))
    with pytest.raises(UserError, match="Keras 3 has no equal of the operation 'math.cumsum'"):
        to_keras_3(model)


def test_a_quantized_model_is_refused(tmp_path, dense_model):
    quantized = tfmot.quantization.keras.quantize_model(twin(dense_model))
    with pytest.raises(UserError, match="must hold float weights.*is already quantized. Compress the model it was"):
        load_model(saved_quietly(quantized, tmp_path / "legacy.h5"))
    dense_model.get_layer("head").quantize("int8")
    with pytest.raises(UserError, match="layer 'head' is already quantized"):
        load_model(saved_quietly(dense_model, tmp_path / "model.keras"))


def test_files_that_are_no_model_are_refused(tmp_path, dense_model):
    with pytest.raises(UserError, match="nowhere.keras, which does not exist"):
        load_model(tmp_path / "nowhere.keras")
    (tmp_path / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(UserError, match="model.tflite, which is converted already and cannot be trained"):
        load_model(tmp_path / "model.tflite")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(UserError, match="text.keras, which is none of them, or truncated"):
        load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UserError, match="other.keras, refused with: .*config.json"):
        load_model(tmp_path / "other.keras")
    with pytest.raises(UserError, match="without keras_metadata.pb: an exported graph has no layers"):
        load_model(tmp_path)
    dense_model.save_weights(tmp_path / "x.weights.h5")
    with pytest.raises(UserError, match="not weights alone. Received: .*x.weights.h5"):
        load_model(tmp_path / "x.weights.h5")


class OldSubclass(tf_keras.Model):
    def call(self, x):
        return x


def test_a_legacy_model_without_an_equal_is_refused():
    with pytest.raises(UserError, match="must have a layer graph.*Received: OldSubclass 'net'"):
        to_keras_3(OldSubclass(name="net"))
    hard = tf_keras.Sequential([tf_keras.Input((4,)), T.Dense(2, activation="hard_sigmoid", name="hard")])
    with pytest.raises(UserError, match=r"layer 'hard' of class Dense: its hard_sigmoid is 0\.2 x \+ 0\.5"):
        to_keras_3(hard)
    local = tf_keras.Sequential([tf_keras.Input((8, 2)), T.LocallyConnected1D(3, 2, name="local")])
    with pytest.raises(UserError, match="layer 'local' of class LocallyConnected1D: Keras 3 has no equal of its class"):
        to_keras_3(local)
    broken = tf_keras.Sequential([tf_keras.Input((4,)), T.Dense(2, name="broken")], name="nan")
    broken.set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    with pytest.raises(CompressionError, match="must equal its legacy model 'nan'.*'broken' of class Dense"):
        to_keras_3(broken)


def test_a_setting_only_tf_keras_has_is_refused():
    image = tf_keras.Input((4, 4, 2))
    model = tf_keras.Model(image, T.BatchNormalization(name="renormed", virtual_batch_size=None)(image))
    assert to_keras_3(model).count_params() == 8
    pooled = tf_keras.Model(image, T.Dense(2, name="odd")(image))
    pooled.get_layer("odd").get_config = lambda: {"units": 2, "name": "odd", "speed": 3}
    with pytest.raises(UserError, match="layer 'odd' of class Dense: Keras 3 knows no speed=3"):
        to_keras_3(pooled)
