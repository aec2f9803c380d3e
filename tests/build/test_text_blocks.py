"""Tables of words and attention as Keras layers: every form converts, costs what `space.cost` says, has a twin."""

import dataclasses

import keras
import numpy as np
import pytest

from hwkeras.build import build_model
from hwkeras.build.blocks import Style
from hwkeras.build.model import block_outputs
from hwkeras.build.spaces import Text
from hwkeras.build.zero_cost import score
from hwkeras.compress import compress
from hwkeras.compress import twin
from hwkeras.convert import convert_all
from hwkeras.convert import convert_untrained
from hwkeras.data import load_dataset
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from hwkeras.space import Draft
from hwkeras.space.cost import least_cost

# Keras 3 reads TensorFlow's variables for NumPy 2 in a way that NumPy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
LENGTH, VOCABULARY = 9, 30
TABLE = {"vocabulary": VOCABULARY, "units": 8}
# Name -> layers between the row of words and the classifier, as (kind, parameters).
NETS = {
    "pooling alone": ({}, [("global_average_pool", {})]),
    "a factorized table": ({"projection": 12}, [("global_average_pool", {})]),
    "attention pooling": ({}, [("attention_pool", {})]),
    "attention": ({}, [("attention", {"heads": 2}), ("global_average_pool", {})]),
    "a transformer": (
        {"projection": 12},
        [("attention", {"heads": 4, "ffn": 16}), ("attention", {"heads": 1, "ffn": 8}), ("attention_pool", {})],
    ),
    "layer normalization": (
        {},
        [("attention", {"heads": 2, "ffn": 16, "normalization": "layer"}), ("global_average_pool", {})],
    ),
    "convolution": (
        {},
        [("conv", {"filters": 12, "kernel": (1, 3)}), ("max_pool", {"size": (1, LENGTH)}), ("flatten", {})],
    ),
}


def net(table, layers):
    draft = Draft((LENGTH,), dtype="int32")
    draft.append("words", "embedding", **TABLE, **table)
    draft.append("row", "reshape", shape=(1, *draft.shape))
    for number, (kind, params) in enumerate(layers):
        draft.append(f"layer{number}", kind, **params)
    draft.append("classifier", "classifier", classes=3)
    return draft.finish()


def words(number=40):
    return np.random.default_rng(0).integers(0, VOCABULARY, (number, LENGTH)).astype("int32")


@pytest.fixture(params=NETS, scope="module")
def architecture(request):
    return net(*NETS[request.param])


@pytest.fixture(scope="module")
def model(architecture):
    keras.utils.set_random_seed(0)
    made = build_model(architecture)
    for variable in made.trainable_variables:  # biases and scales are equal as long as nothing is trained
        variable.assign(variable + keras.random.normal(variable.shape, stddev=0.2))
    return made


def test_keras_shapes_are_the_inferred_ones(architecture):
    tensors = block_outputs(architecture, Style())
    assert {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()} == architecture.output_shapes()
    assert tensors["input"].dtype == "int32"


def test_every_form_converts_in_every_precision(model):
    # Conversion refuses a file that disagrees with the model, or holds other than builtin operators.
    converted = convert_all(model, calibration=words(100))
    assert set(converted) == {"float32", "float16", "dynamic", "int8"}
    int8 = converted["int8"]
    assert int8.disagreement < 0.3
    assert {op.dtype for op in analyze(int8.flatbuffer).ops} <= {"INT8", "INT32", "BOOL"}
    assert analyze(int8.flatbuffer).weight_bytes < analyze(converted["float32"].flatbuffer).weight_bytes / 2


def test_every_form_has_a_twin(model):
    np.testing.assert_allclose(twin(model)(words(4)), model(words(4)), atol=1e-5)


def test_the_cost_is_that_of_the_file(architecture):
    files = convert_untrained(build_model(architecture), ("int8", "float32"))
    for precision, num_bytes in (("int8", 1), ("float32", 4)):
        actual = analyze(files[precision]).metrics()
        least = least_cost(architecture, num_bytes, num_bytes).metrics()
        assert all(least[name] <= actual[name] for name in least), (precision, least, actual)
        assert least["macs"] == actual["macs"]
        assert least["params"] >= 0.8 * actual["params"]


def test_layers_are_named_after_the_architecture():
    model = build_model(net(*NETS["a transformer"]))
    weighted = {layer.name.partition("_")[0] for layer in model.layers if layer.weights}
    assert weighted == {"words", "layer0", "layer1", "layer2", "classifier"}


def test_the_penalty_reaches_every_dense_layer():
    model = build_model(net(*NETS["a transformer"]), kernel_l2=0.5)
    kernels = [variable for variable in model.trainable_variables if variable.path.endswith("kernel")]
    # A projection, twice the four of attention and the two behind it, the scores, the classifier.
    assert len(kernels) == 1 + 2 * (4 + 2) + 1 + 1
    expected = 0.5 * sum(float(np.sum(np.square(kernel.numpy()))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_batch_normalization_costs_nothing_in_the_file():
    def num_operators(normalization):
        layers = [("attention", {"heads": 2, "ffn": 16, "normalization": normalization}), ("global_average_pool", {})]
        return len(analyze(convert_untrained(build_model(net({}, layers)), ("int8",))["int8"]).ops)

    # Mean, difference, square, variance, a sum, its reciprocal root, a product; batch normalization is in the weights.
    assert num_operators("layer") - num_operators("batch") == 2 * 7


def test_zero_cost_scores_of_a_table():
    scores = score(build_model(net(*NETS["a transformer"])), words(16))
    assert scores["zero_cost_naswot"] > 0 and scores["zero_cost_grad_norm"] > 0
    assert np.isfinite(list(scores.values())).all()


@pytest.mark.slow
def test_a_transformer_trains_quantized():
    keras.utils.set_random_seed(0)
    x = words(600)
    y = (x[:, 0] + x[:, 1] > VOCABULARY).astype("int64")
    model = build_model(net(*NETS["a transformer"]))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=12, verbose=0)
    # The file is refused where it disagrees with the network that was trained.
    report = compress(model, "int8_qat", (x, y), epochs=2).report
    assert "trains in float" not in str(report)


def test_the_space_of_a_data_set(tmp_path):
    rows = "".join(f"{k % 2}\tthe {'good bad'.split()[k % 2]} word number {k}\n" for k in range(20))
    (tmp_path / "set.tsv").write_text(rows)
    dataset = load_dataset(tmp_path / "set.tsv", kind="text")
    space = Text.of(dataset, encoders=("conv",)).space
    # Padding, the unknown, the words: the, good, bad, word, number, and 0 and 00 for the numbers.
    assert (space.length, space.vocabulary, space.num_classes) == (5, 9, 2)
    assert space.encoders == ("conv",)
    stranger = dataclasses.replace(dataset, preprocessing={})
    with pytest.raises(UserError, match="made for texts. Received: data set 'set' without a tokenizer. .*kind='text'"):
        Text.of(stranger)
    with pytest.raises(UserError, match="The choices of this space are .*Received: 'stages'"):
        Text.of(dataset, stages=2)
