"""The space of two towers: networks and costs by hand."""

import json
import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import TwoTowerSpace
from hwkeras.space.cost import least_cost

TOWERS = {"form": "two_towers", "embedding/units": 4, "embedding/dropout": 0.0, "towers/biases": False}


def network(values_of, space=None, **values):
    return (space or TwoTowerSpace(20, 30)).architecture(values_of(values))


def test_a_dot_product_by_hand(values_of):
    architecture = network(values_of, **TOWERS, **{"towers/depth": 0})
    layers = {layer.name: layer for layer in architecture.layers}
    assert layers["input"].params["dtype"] == "int32" and architecture.input_shape == (2,)
    assert layers["user_id"].params == {"begin": 0, "size": 1} and layers["item_id"].params == {"begin": 1, "size": 1}
    assert layers["user_table"].params["vocabulary"] == 20 and layers["item_table"].params["vocabulary"] == 30
    assert layers["product"].inputs == ("user_vector", "item_vector")
    assert layers["classifier"].params == {"classes": 1, "activation": "sigmoid"}
    cost = least_cost(architecture)
    assert (cost.params, cost.macs) == (20 * 4 + 30 * 4 + 4, 4)


def test_towers_and_biases(values_of):
    values = {**TOWERS, "embedding/dropout": 0.2, "towers/biases": True}
    values |= {"towers/depth": 2, "towers/width": 16, "towers/activation": "relu"}
    architecture = network(values_of, **values)
    layers = {layer.name: layer for layer in architecture.layers}
    assert [layers[f"user_dense{number}"].params["activation"] for number in (1, 2)] == ["relu", "linear"]
    assert layers["item_dense1"].inputs == ("item_dropout",)
    assert layers["sum"].inputs == ("product", "user_bias", "item_bias")
    assert architecture.output_shapes()["sum"] == (18,)
    assert least_cost(architecture).params == (20 + 30) * 5 + 2 * (4 * 16 + 16 * 16) + 18


def test_wide_and_deep(values_of):
    values = {"form": "wide_and_deep", "embedding/units": 8, "embedding/dropout": 0.0}
    values |= {"deep/depth": 2, "deep/width": 16, "deep/activation": "hard_swish"}
    architecture = network(values_of, TwoTowerSpace(20, 30, "regression"), **values)
    shapes = architecture.output_shapes()
    assert (shapes["both"], shapes["deep2"], shapes["sum"]) == ((16,), (16,), (18,))
    assert architecture.layers[-1].kind == "regressor" and architecture.output_shape == (1,)


def test_every_drawn_network_survives_json(values_of):
    rng, space, seen = random.Random(0), TwoTowerSpace(20, 30), set()
    for _ in range(60):
        values = {choice.name: rng.choice(choice.values) for choice in space.choices}
        architecture = network(values_of, space, **values)
        assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
        assert architecture.output_shape == (space.num_classes,) == (1,)
        seen.add(architecture.hash)
    assert len(seen) > 30
    assert TwoTowerSpace(**space.to_json()) == space
    assert "towers/width       16, 32  where towers/depth is 1 or 2" in space.describe()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_users": 0}, "`num_users` must be a positive integer. Received: num_users=0."),
        ({"num_items": 2.5}, "`num_items` must be a positive integer. Received: num_items=2.5."),
        ({"task": "ranking"}, "`task` must be one of 'classification', 'regression'. Received: task='ranking'."),
        ({"forms": "dot"}, "`forms` must be one of 'two_towers', 'wide_and_deep'. Received: forms='dot'."),
        ({"deep_depths": 0}, "`deep_depths` must be a positive integer. Received: deep_depths=0."),
    ],
)
def test_a_space_cannot_be_made_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        TwoTowerSpace(**({"num_users": 20, "num_items": 30} | arguments))
