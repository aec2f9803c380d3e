"""Gates, products and slices as Keras layers: every form converts, costs what `space.cost` says, has a twin."""

import dataclasses
import random

import keras
import numpy as np
import pytest

from hwkeras.build import build_model
from hwkeras.build.blocks import Style
from hwkeras.build.model import block_outputs
from hwkeras.build.spaces import Tabular
from hwkeras.build.spaces import TwoTower
from hwkeras.compress import twin
from hwkeras.convert import convert_all
from hwkeras.convert import convert_untrained
from hwkeras.data import load_dataset
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from hwkeras.space import TabularSpace
from hwkeras.space import TwoTowerSpace
from hwkeras.space.cost import least_cost

DEEP = dict(depth=2, width=16, gate="none", activation="relu", batch_norm=False, dropout=0.0, residual=False)
TOWERS = {"form": "two_towers", "embedding/units": 4, "embedding/dropout": 0.2, "towers/biases": True}
LAYERS = {"towers/depth": 2, "towers/width": 16, "towers/activation": "relu"}
WIDE = {"deep/depth": 1, "deep/width": 16, "deep/activation": "hard_swish"}
TABLE, NUMBER, PAIRS = TabularSpace((7,), 3), TabularSpace((7,), 1), TwoTowerSpace(20, 30)
# Name -> (space, values).
NETS = {
    "linear": (TABLE, {"depth": 0}),
    "dense": (TABLE, DEEP),
    "gates and shortcuts": (TABLE, DEEP | {"gate": "sigmoid", "residual": True, "dropout": 0.1}),
    "all of it": (
        NUMBER,
        DEEP | {"gate": "hard_sigmoid", "residual": True, "batch_norm": True, "activation": "hard_swish"},
    ),
    "a dot product": (PAIRS, TOWERS | {"towers/biases": False, "towers/depth": 0}),
    "two towers": (PAIRS, TOWERS | LAYERS),
    "wide and deep": (TwoTowerSpace(20, 30, "regression"), TOWERS | {"form": "wide_and_deep"} | WIDE),
}


@pytest.fixture(params=NETS, scope="module")
def architecture(request, values_of):
    space, values = NETS[request.param]
    return space.architecture(values_of(values))


@pytest.fixture(scope="module")
def values_of():
    class Values:
        def __init__(self, values):
            self.values = values

    return Values


@pytest.fixture(scope="module")
def model(architecture):
    keras.utils.set_random_seed(0)
    made = build_model(architecture)
    for variable in made.trainable_variables:  # biases and scales are equal as long as nothing is trained
        variable.assign(variable + keras.random.normal(variable.shape, stddev=0.2))
    return made


def samples(architecture, number=100):
    rng = np.random.default_rng(0)
    if architecture.input_shape == (2,):
        return np.stack([rng.integers(0, 20, number), rng.integers(0, 30, number)], axis=1).astype("int32")
    return rng.normal(size=(number, 7)).astype("float32")


def test_keras_shapes_are_the_inferred_ones(architecture):
    tensors = block_outputs(architecture, Style())
    assert {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()} == architecture.output_shapes()


def test_every_form_converts_in_every_precision(model, architecture):
    # Conversion refuses a file that disagrees with the model, or holds other than builtin operators.
    converted = convert_all(model, calibration=samples(architecture))
    assert set(converted) == {"float32", "float16", "dynamic", "int8"}
    assert converted["int8"].disagreement < 0.3


def test_every_form_has_a_twin(model, architecture):
    x = samples(architecture, 4)
    np.testing.assert_allclose(twin(model)(x), model(x), atol=1e-5)


def test_the_cost_is_that_of_the_file(architecture):
    files = convert_untrained(build_model(architecture), ("int8", "float32"))
    for precision, num_bytes in (("int8", 1), ("float32", 4)):
        actual = analyze(files[precision]).metrics()
        least = least_cost(architecture, num_bytes, num_bytes).metrics()
        assert all(least[name] <= actual[name] for name in least), (precision, least, actual)
        assert least["macs"] == actual["macs"]
        assert least["params"] >= 0.7 * actual["params"]


@pytest.mark.parametrize("space", [TABLE, NUMBER, PAIRS])
def test_drawn_networks_cost_no_less_than_is_said(space, draw):
    rng = random.Random(0)
    for _ in range(3):
        architecture = space.architecture(draw(space, rng))
        actual = analyze(convert_untrained(build_model(architecture), ("int8",))["int8"]).metrics()
        least = least_cost(architecture).metrics()
        assert all(least[name] <= actual[name] for name in least), architecture.summary()
        assert least["macs"] == actual["macs"], architecture.summary()


def test_a_product_of_slices_is_exact(values_of):
    space, values = NETS["a dot product"]
    model = build_model(space.architecture(values_of(values)))
    users, items = (model.get_layer(f"{side}_table_table").get_weights()[0] for side in ("user", "item"))
    kernel, bias = model.get_layer("classifier").get_weights()
    x = samples(space)
    products = users[x[:, 0]] * items[x[:, 1]]
    wanted = 1 / (1 + np.exp(-(products @ kernel + bias)))
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-5)


def test_gates_hold_back(values_of):
    space, values = NETS["gates and shortcuts"]
    model = build_model(space.architecture(values_of(values)))
    for name in ("block1_gate", "block2_gate"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([0 * kernel, bias - 100])
    outputs = model.predict(samples(space.architecture(values_of(values)), 5), verbose=0)
    np.testing.assert_allclose(outputs, outputs[:1].repeat(5, axis=0), atol=1e-6)


def test_the_space_of_interactions(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"u{rng.integers(5)},{rng.integers(4)},{number % 3}" for number in range(80)]
    (tmp_path / "set.csv").write_text("\n".join(["user,item,stars", *rows]))
    dataset = load_dataset(tmp_path / "set.csv", kind="interactions")
    space = TwoTower.of(dataset, forms=("two_towers",)).space
    assert (space.num_users, space.num_items, space.task, space.forms) == (6, 5, "regression", ("two_towers",))
    stranger = dataclasses.replace(dataset, preprocessing={})
    with pytest.raises(
        UserError, match="made for users and items. Received: data set 'set' without their ids. Load it"
    ):
        TwoTower.of(stranger)
    with pytest.raises(UserError, match="The choices of this space are task, forms, .*Received: 'depths'"):
        TwoTower(5, 6, depths=2)
    with pytest.raises(UserError, match="The choices of this space are depths, widths, .*Received: 'kernels'"):
        Tabular((5,), 2, kernels=3)
