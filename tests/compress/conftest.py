import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

L = keras.layers


@pytest.fixture(scope="package")
def digits():
    """Images (1797, 8, 8, 1) in [0, 1] and labels: 1400 to train on, 397 to validate."""
    data = load_digits()
    x = (data.images[..., None] / 16).astype("float32")
    return (x[:1400], data.target[:1400]), (x[1400:], data.target[1400:])


@pytest.fixture(scope="package")
def trained(digits):
    """A small network of every shape the recipes treat differently, trained for real."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    h = L.Conv2D(12, 3, padding="same", use_bias=False, name="stem")(image)
    h = L.ReLU(6, name="stem_relu")(L.BatchNormalization(momentum=0.9, name="stem_norm")(h))
    h = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(h)
    h = L.Activation("hard_silu", name="swish")(L.BatchNormalization(momentum=0.9, name="depthwise_norm")(h))
    gate = L.Conv2D(4, 1, activation="relu", name="squeeze")(L.GlobalAveragePooling2D(keepdims=True, name="pool")(h))
    h = L.Multiply(name="gate")([h, L.Conv2D(12, 1, activation="hard_sigmoid", name="excite")(gate)])
    branch = L.SeparableConv2D(12, 3, padding="same", activation="relu6", name="separable")(h)
    h = L.MaxPooling2D(name="max_pool")(L.Add(name="residual")([h, branch]))
    model = keras.Model(image, L.Dense(10, activation="softmax", name="head")(L.Flatten(name="flatten")(h)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*digits[0], epochs=6, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="package")
def compressed(trained, digits):
    """The function recipe -> Compressed of the trained network; a recipe is run once for all tests."""
    from hwkeras.compress import compress

    results = {}

    def of(recipe):
        if recipe not in results:
            results[recipe] = compress(trained, recipe, digits[0], validation_data=digits[1], epochs=2)
        return results[recipe]

    return of


@pytest.fixture
def dense_model():
    """The smallest model that can be pruned; one weight of 4 x 3."""
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,), name="features"), L.Dense(3, name="head")], name="small")


@pytest.fixture
def dense_data():
    """64 samples of 4 features with 3 classes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(64, 4)).astype("float32"), rng.integers(0, 3, 64)


def accuracy_of(flatbuffer, x, y):
    """Accuracy of a file on an interpreter, integers at both ends where the file has them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    if taken["dtype"] == np.int8:
        scale, zero = taken["quantization"]
        x = np.clip(np.round(x / scale + zero), -128, 127).astype(np.int8)
    answers = []
    for sample in x:
        interpreter.set_tensor(taken["index"], sample[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given["index"])[0].argmax())
    return float(np.mean(np.array(answers) == y))


@pytest.fixture(name="accuracy_of")
def _accuracy_of():
    return accuracy_of
