"""The space for tables and its kinds of layers: networks, laws and costs by hand."""

import json

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import Draft
from hwkeras.space import TabularSpace
from hwkeras.space.cost import least_cost
from hwkeras.space.description import num_assignments


def assignments(space):
    """Yields every dict of active values, fixed ones included."""

    def extended(choices, chosen):
        if not choices:
            yield dict(chosen)
            return
        first, *rest = choices
        is_active = all(chosen.get(parent) in allowed for parent, allowed in first.conditions)
        for value in first.values if is_active else (None,):
            yield from extended(rest, {**chosen, first.name: value} if is_active else chosen)

    return extended(list(space.choices), {})


def test_every_assignment_is_a_network_of_its_own(values_of):
    space = TabularSpace((5,), 3, depths=(2, 1, 0), widths=(4, 5), dropout_rates=(0.0, 0.5), activations=("relu",))
    every = list(assignments(space))
    assert len(every) == num_assignments(space.choices) == 1 + 2 * 3 * 2 * 2 * (1 + 2)
    architectures = [space.architecture(values_of(values)) for values in every]
    assert len({architecture.hash for architecture in architectures}) == len(every)
    for architecture in architectures:
        assert (architecture.input_shape, architecture.output_shape) == ((5,), (3,))
        assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


def test_a_block_by_hand(values_of):
    space = TabularSpace((5,), 1)
    values = dict(depth=2, width=16, gate="sigmoid", activation="relu6", batch_norm=True, dropout=0.1, residual=True)
    architecture = space.architecture(values_of(values))
    kinds = ["dense", "batch_norm", "activation", "dense", "multiply"]
    assert [layer.kind for layer in architecture.layers] == [
        "input",
        *kinds,
        "dropout",
        *kinds,
        "add",
        "dropout",
        "regressor",
    ]
    layers = {layer.name: layer for layer in architecture.layers}
    assert layers["block2_gate"].inputs == ("block1_dropout",)
    assert layers["block2_gate"].params["activation"] == "sigmoid"
    assert layers["block2_gated"].inputs == ("block2_activation", "block2_gate")
    assert layers["block2_add"].inputs == ("block1_dropout", "block2_gated")
    cost = least_cost(architecture)
    assert cost.params == cost.macs == 2 * 5 * 16 + 2 * 16 * 16 + 16
    assert cost.peak_ram_bytes == 3 * 16


def test_depth_0_is_the_linear_model(values_of):
    architecture = TabularSpace((5,), 3).architecture(values_of({"depth": 0}))
    assert architecture.summary() == "dense3"
    assert TabularSpace((5,), 3, depths=0).choices[0].is_fixed


def test_the_space_says_what_it_leaves_open():
    text = TabularSpace((5,), 1).describe()
    assert text.startswith("TabularSpace: (5,) to one number, 7 choices, 1,081 assignments")
    assert "residual    True, False  where depth is 2 or 3" in text
    document = TabularSpace((5,), 4, widths=8).to_json()
    assert TabularSpace(**document) == TabularSpace((5,), 4, widths=(8,))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"input_shape": (5, 1)}, r"`input_shape` must be \(features,\), one positive integer. Received: .*\(5, 1\)"),
        ({"input_shape": 5}, r"`input_shape` must be \(features,\), one positive integer. Received: input_shape=5."),
        ({"num_classes": 0}, "`num_classes` must be a number of classes, or 1 to predict a number. Received: .*=0"),
        ({"depths": (1, -1)}, "`depths` must be an integer of 0 or more. Received: depths=-1."),
        ({"widths": 0}, "`widths` must be a positive integer. Received: widths=0."),
        ({"gates": "tanh"}, "`gates` must be one of 'none', 'sigmoid', 'hard_sigmoid'. Received: gates='tanh'."),
        ({"activations": "sigmoid"}, "`activations` must be one of 'relu', .* Received: activations='sigmoid'."),
        ({"dropout_rates": 1}, r"`dropout_rates` must be in \[0, 1\). Received: dropout_rates=1."),
        ({"residuals": ()}, r"`residuals` must hold at least one value. Received: residuals=\(\)."),
        ({"batch_norms": "yes"}, "`batch_norms` must be True or False. Received: batch_norms='yes'."),
    ],
)
def test_a_space_cannot_be_made_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        TabularSpace(**({"input_shape": (5,), "num_classes": 3} | arguments))


def test_new_kinds_cannot_be_used_wrong():
    draft = Draft((5,))
    with pytest.raises(
        UserError, match="A slice layer must end within its input. Received: begin=4, size=2 of 5 values"
    ):
        draft.append("cut", "slice", begin=4, size=2)
    draft.append("a", "slice", begin=1, size=3)
    assert draft.shape == (3,)
    draft.append("b", "slice", ("input",), begin=0, size=2)
    with pytest.raises(
        UserError, match=r"A multiply layer must get equal shapes. Received: \[\(3,\), \(2,\)\] for 'm'."
    ):
        draft.append("m", "multiply", ("a", "b"))
    image = Draft((4, 4, 3))
    with pytest.raises(UserError, match=r"A slice layer must get a vector. Received: \(4, 4, 3\) for layer 'cut'."):
        image.append("cut", "slice", begin=0, size=1)
    assert image.append("norm", "batch_norm") == "norm" and image.shape == (4, 4, 3)


def test_cost_of_a_product_by_hand():
    draft = Draft((6,))
    draft.append("a", "slice", begin=0, size=3)
    draft.append("b", "slice", ("input",), begin=3, size=3)
    draft.append("product", "multiply", ("a", "b"))
    draft.append("classifier", "classifier", classes=1, activation="sigmoid")
    cost = least_cost(draft.finish())
    assert (cost.params, cost.macs, cost.peak_ram_bytes) == (3, 3, 9)


def test_gates_are_for_dense_layers():
    draft = Draft((5,))
    for place, gate in enumerate(("sigmoid", "hard_sigmoid")):
        draft.append(f"gate{place}", "dense", units=5, activation=gate)
    with pytest.raises(UserError, match="`activation` of activation layer 'a' must be one of 'relu', 'relu6', .*"):
        draft.append("a", "activation", activation="sigmoid")
