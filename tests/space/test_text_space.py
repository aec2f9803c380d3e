"""The text space and its kinds of layers: shapes, laws and costs by hand."""

import itertools
import json
import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import Draft
from hwkeras.space import TextSpace
from hwkeras.space.cost import least_cost

SMALL = dict(
    embedding_units=(4, 8),
    embedding_dropout_rates=(0.0,),
    widths=(8,),
    kernels=(3,),
    attention_heads=(1, 2),
    ffn_units=(8, 0),
    activations=("relu",),
    dense_units=(0, 8),
    dropout_rates=(0.0,),
)


def every_assignment(choices, chosen):
    """Yields every dict of active values, fixed ones included."""
    if not choices:
        yield dict(chosen)
        return
    choice, rest = choices[0], choices[1:]
    is_active = all(chosen.get(parent) in allowed for parent, allowed in choice.conditions)
    for value in choice.values if is_active else (None,):
        yield from every_assignment(rest, {**chosen, choice.name: value} if is_active else chosen)


def chain(shape, *layers, dtype="float32"):
    draft = Draft(shape, dtype=dtype)
    for number, (kind, params) in enumerate(layers):
        draft.append(f"layer{number}", kind, **params)
    return draft


def test_every_assignment_is_a_network_of_its_own(values_of):
    space = TextSpace(7, 20, 3, **SMALL)
    hashes = [
        space.architecture(values_of(values)).hash for values in every_assignment(space.choices, {"activation": "relu"})
    ]
    assert len(hashes) == len(set(hashes)) > 500


def test_a_network_of_each_encoder(values_of):
    space = TextSpace(42, 4000, 2)
    rng, seen = random.Random(0), {}
    for _ in range(60):
        values = {choice.name: rng.choice(choice.values) for choice in space.choices}
        architecture = space.architecture(values_of(values))
        assert architecture.input_shape == space.input_shape == (42,) and architecture.output_shape == (2,)
        assert architecture.layers[0].params["dtype"] == "int32"
        assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
        seen.setdefault(values["encoder"], {layer.kind for layer in architecture.layers})
    assert "attention" in seen["attention"] and "embedding" in seen["none"]
    assert seen["conv"] & {"conv", "separable_conv", "residual"}


def test_a_network_in_one_line(values_of):
    space = TextSpace(42, 4000, 2)
    chosen = {
        "activation": "hard_swish",
        "embedding/units": 8,
        "embedding/projection": 32,
        "embedding/dropout": 0.2,
        "encoder": "attention",
        "attention/positions": True,
        "attention/depth": 2,
        "attention/heads": 4,
        "attention/ffn": 64,
        "attention/normalization": "layer",
        "pooling": "attention",
        "head/dense_units": 16,
        "head/dropout": 0.4,
    }
    assert space.architecture(values_of(chosen)).summary() == (
        "embedding8 to32 | dropout0.2 | reshape | depthwise_convk1x3 linear skip | "
        "2x attention h4 f64 layer_norm hard_swish | attention_pool | dense16 hard_swish | dropout0.4 | dense2"
    )


def test_a_text_of_one_word_and_a_number_that_is_predicted(values_of):
    space = TextSpace(1, 5, 1, **SMALL)
    for values in itertools.islice(every_assignment(space.choices, {}), 0, None, 37):
        architecture = space.architecture(values_of(values))
        assert architecture.layers[-1].kind == "regressor" and architecture.output_shape == (1,)


def test_the_space_describes_itself():
    first, *lines = TextSpace(42, 4000, 2).describe().splitlines()
    assert first == "TextSpace: (42,) to 2 classes, 18 choices, 140,940 assignments"
    assert any("attention/heads" in line and "where encoder is attention" in line for line in lines)


def test_the_arguments_make_the_space_again():
    space = TextSpace(42, 4000, 2, encoders="conv", widths=[8, 16])
    assert TextSpace(**json.loads(json.dumps(space.to_json()))) == space
    assert not any(choice.name.startswith("attention/") for choice in space.choices)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(length=0), r"`length` must be a positive integer\. Received: length=0"),
        (dict(vocabulary=2.5), r"`vocabulary` must be a positive integer\. Received: vocabulary=2\.5"),
        (dict(num_classes=0), r"`num_classes` must be .* Received: num_classes=0"),
        (dict(encoders=("rnn",)), r"`encoders` must be one of 'conv', 'attention', 'none'\. Received: encoders='rnn'"),
        (dict(conv_types=("fire",)), r"`conv_types` must be one of 'conv', 'separable_conv', 'residual'\. Received"),
        (dict(poolings=()), r"`poolings` must hold at least one value"),
        (dict(normalizations=("group",)), r"`normalizations` must be one of 'batch', 'layer'\. Received: .*='group'"),
        (dict(projections=(-1,)), r"`projections` must be an integer of 0 or more\. Received: projections=-1"),
        (dict(dropout_rates=(1.0,)), r"`dropout_rates` must be in \[0, 1\)\. Received: dropout_rates=1\.0"),
        (dict(attention_heads=(3,)), r"`attention_heads` must divide the channels.*Received: 3 heads for 8 channels"),
        (dict(projections=(20,), attention_heads=(8,)), r"Received: 8 heads for 20 channels"),
    ],
)
def test_a_space_that_cannot_be(options, said):
    with pytest.raises(UserError, match=said):
        TextSpace(**{"length": 42, "vocabulary": 4000, "num_classes": 2, **options})


def test_heads_that_divide_nothing_do_no_harm_without_attention():
    TextSpace(42, 4000, 2, encoders=("conv", "none"), attention_heads=(7,))
    TextSpace(42, 4000, 2, embedding_units=(5,), projections=(28,), attention_heads=(7,))


def test_shapes_by_hand():
    words = ("embedding", {"vocabulary": 9, "units": 4})
    assert chain((5,), words, dtype="int32").shape == (5, 4)
    assert chain((5,), ("embedding", {"vocabulary": 9, "units": 4, "projection": 6})).shape == (5, 6)
    image = (("attention", {"heads": 3, "ffn": 2}), ("attention", {"normalization": "layer"}))
    assert chain((4, 5, 6), *image).shape == (4, 5, 6)
    assert chain((4, 5, 6), ("attention_pool", {})).shape == (6,)


@pytest.mark.parametrize(
    ("shape", "kind", "params", "said"),
    [
        (
            (5, 4),
            "embedding",
            {"vocabulary": 9, "units": 4},
            r"must get a row of numbers.*Received: \(5, 4\) for layer",
        ),
        ((5, 4), "attention", {}, r"A attention layer must get \(height, width, channels\)\. Received: \(5, 4\)"),
        ((5,), "attention_pool", {}, r"A attention_pool layer must get \(height, width, channels\)\. Received: \(5,\)"),
        ((1, 5, 4), "attention", {"heads": 3}, r"`heads` of layer 'layer0' must divide.*heads=3, channels=4\. Pass a"),
        ((1, 5, 4), "attention", {"normalization": "none"}, r"`normalization` of attention layer 'layer0' must be one"),
    ],
)
def test_layers_that_cannot_be(shape, kind, params, said):
    with pytest.raises(UserError, match=said):
        chain(shape, (kind, params))


def test_the_type_of_an_input():
    with pytest.raises(UserError, match=r"`dtype` of input layer 'input' must be one of 'float32', 'int32'\. Received"):
        Draft((5,), dtype="int8")
    assert Draft((5,), dtype="int32").append("flat", "flatten") == "flat"


def test_what_a_table_costs():
    cost = least_cost(chain((5,), ("embedding", {"vocabulary": 9, "units": 4, "projection": 6})).finish())
    assert cost.params == cost.size_bytes == 9 * 4 + 4 * 6
    assert cost.macs == 5 * 4 * 6
    assert cost.peak_ram_bytes == 5 * 4 + 5 * 6


def test_what_attention_costs():
    cost = least_cost(chain((1, 5, 4), ("attention", {"heads": 2, "ffn": 3})).finish())
    assert cost.params == 4 * 4 * 4 + 2 * 4 * 3
    assert cost.macs == 5 * 4 * 4 * 4 + 2 * (5 * 5 * 4) + 2 * (5 * 4 * 3)
    # Queries, keys, the source that the shortcut needs, and the scores of two heads.
    assert cost.peak_ram_bytes == 3 * 5 * 4 + 2 * 5 * 5
    pool = least_cost(chain((1, 5, 4), ("attention_pool", {})).finish())
    assert (pool.params, pool.macs, pool.peak_ram_bytes) == (4, 2 * 5 * 4, 5 * 4 + 5 + 4)
