"""Recurrent layers as Keras layers: every precision agrees, the cost holds, they learn an order, they have a twin."""

import keras
import numpy as np
import pytest

from hwkeras.build import build_model
from hwkeras.compress import compress
from hwkeras.compress import twin
from hwkeras.convert import PRECISIONS
from hwkeras.convert import convert_all
from hwkeras.convert import convert_untrained
from hwkeras.convert import score
from hwkeras.measure import analyze
from hwkeras.space import Draft
from hwkeras.space.cost import least_cost

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
KINDS = ["gru", "lstm"]
STEPS, CHANNELS = 5, 3


def net(kind, steps=STEPS, units=6):
    draft = Draft((1, steps, CHANNELS))
    draft.append("walk", kind, units=units)
    draft.append("classifier", "classifier", classes=2)
    return draft.finish()


def ordered(number, seed=0):
    """Sequences with one high and one low step: the class is which comes first, which no mean of steps tells."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.1, (number, 1, STEPS, CHANNELS)).astype("float32")
    places = np.stack([rng.choice(STEPS, 2, replace=False) for _ in range(number)])
    x[np.arange(number), 0, places[:, 0]] += 1
    x[np.arange(number), 0, places[:, 1]] -= 1
    return x, (places[:, 0] < places[:, 1]).astype("int64")


@pytest.fixture(params=KINDS, scope="module")
def trained(request):
    keras.utils.set_random_seed(0)
    model = build_model(net(request.param))
    model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(*ordered(512), epochs=12, batch_size=32, verbose=0)
    return request.param, model


def test_every_precision_knows_the_order(trained):
    kind, model = trained
    x, y = ordered(200, seed=1)
    files = convert_all(model, PRECISIONS, ordered(128)[0])
    for precision, file in files.items():
        assert score(file.flatbuffer, x, y) > 0.95, precision
        assert "WHILE" not in file.op_names
    assert files["int8"].max_error < 0.05
    known = analyze(files["float32"].flatbuffer).metrics()
    least = least_cost(net(kind), 4, 4).metrics()
    assert all(least[name] <= known[name] for name in least)
    assert least["macs"] == known["macs"]


def test_an_untrained_file_is_as_large_as_the_trained_one(trained):
    _, model = trained
    files = convert_all(model, PRECISIONS, ordered(128)[0])
    sizes = {precision: len(file) for precision, file in convert_untrained(model, PRECISIONS).items()}
    assert sizes == {precision: file.size_bytes for precision, file in files.items()}


def test_it_can_be_compressed(trained):
    _, model = trained
    x, _ = ordered(4)
    np.testing.assert_allclose(twin(model).predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    pruned = compress(model, "prune=0.5+int8", ordered(128), validation_data=ordered(64, seed=2), epochs=1)
    assert pruned.report.pruned
    assert all(layer.sparsity_in_file >= 0.49 for layer in pruned.report.pruned)


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_enough(kind):
    architecture = net(kind, steps=1, units=1)
    x = np.random.default_rng(0).normal(size=(16, 1, 1, CHANNELS)).astype("float32")
    files = convert_all(build_model(architecture), ("float32", "int8"), x)
    known = analyze(files["float32"].flatbuffer).metrics()
    least = least_cost(architecture, 4, 4).metrics()
    assert all(least[name] <= known[name] for name in least)


def test_the_penalty_reaches_both_kernels():
    model = build_model(net("gru"), kernel_l2=0.5)
    kernels = [weight for weight in model.trainable_variables if weight.name.endswith("kernel")]
    assert len(kernels) == 3
    expected = 0.5 * sum(float(np.sum(np.square(kernel.numpy()))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
