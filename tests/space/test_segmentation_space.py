"""The space for a class at every pixel and its kinds of layers: networks, laws and costs by hand."""

import itertools
import json
import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import Draft
from hwkeras.space import SegmentationSpace
from hwkeras.space.cost import least_cost
from hwkeras.space.description import num_assignments

TINY = dict(levels=1, output_strides=1, depths=1, widths=4, kernels=3, activations="relu", decoder_widths=1)
WHOLE = dict(levels=2, output_stride=1, type="conv", activation="relu", skip="concat", upsampling="nearest")
LEVELS = {f"level{level}/{name}": value for level in range(3) for name, value in (("depth", 1), ("kernel", 3))}


def values(**changes):
    widths = {"level0/width": 8, "level1/width": 16, "level2/width": 24}
    return {**WHOLE, **LEVELS, **widths, "decoder_width": 0.5, **changes}


def test_a_u_net_by_hand(values_of):
    space = SegmentationSpace((16, 24, 3), 5)
    architecture = space.architecture(values_of(values(**{"level1/depth": 2})))
    layers = {layer.name: layer for layer in architecture.layers}
    assert list(layers) == [
        *("input", "level0_block1", "level1_block1", "level1_block2", "level2_block1"),
        *("up1_point", "up1", "up1_concat", "up1_block", "up0_point", "up0", "up0_concat", "up0_block", "classifier"),
    ]
    shapes = architecture.output_shapes()
    assert [shapes[name] for name in ("level0_block1", "level1_block2", "level2_block1")] == [
        (16, 24, 8),
        (8, 12, 16),
        (4, 6, 24),
    ]
    assert (shapes["up1"], shapes["up1_concat"], shapes["up1_block"]) == ((8, 12, 8), (8, 12, 24), (8, 12, 8))
    assert (shapes["up0_concat"], shapes["up0_block"], architecture.output_shape) == (
        (16, 24, 12),
        (16, 24, 4),
        (16, 24, 5),
    )
    assert layers["up1_concat"].inputs == ("up1", "level1_block2")
    assert layers["up0_concat"].inputs == ("up0", "level0_block1")
    assert layers["classifier"].params["activation"] == "softmax"
    assert "upsample x2" in architecture.summary() and architecture.summary().endswith("pixel_classifier5")


def test_an_addition_has_as_many_channels_as_the_encoder(values_of):
    space = SegmentationSpace((16, 16, 3), 1)
    architecture = space.architecture(values_of(values(skip="add", upsampling="transposed")))
    shapes = architecture.output_shapes()
    assert (shapes["up1"], shapes["up1_add"], shapes["up1_block"]) == ((8, 8, 16), (8, 8, 16), (8, 8, 8))
    assert {layer.kind for layer in architecture.layers} >= {"transposed_conv", "add"}
    assert architecture.layers[-1].params["activation"] == "sigmoid" and architecture.output_shape == (16, 16, 1)


def test_without_connections_the_decoder_is_a_chain(values_of):
    architecture = SegmentationSpace((16, 16, 3), 2).architecture(values_of(values(skip="none", upsampling="bilinear")))
    assert all(len(layer.inputs) <= 1 for layer in architecture.layers)
    assert "upsample x2 bilinear" in architecture.summary()


def test_answers_at_half_resolution_are_spread(values_of):
    architecture = SegmentationSpace((16, 16, 3), 2).architecture(values_of(values(output_stride=2)))
    shapes = architecture.output_shapes()
    assert (shapes["level0_block1"], shapes["up0_block"]) == ((8, 8, 8), (8, 8, 4))
    assert architecture.output_shape == (16, 16, 2)
    assert architecture.layers[-1].params["factor"] == 2
    assert architecture.summary().endswith("pixel_classifier2 x2")


def test_inverted_bottlenecks_that_repeat_have_a_shortcut(values_of):
    of = values_of(values(type="inverted_bottleneck", expansion=2, **{"level1/depth": 2, "level0/depth": 2}))
    layers = {layer.name: layer for layer in SegmentationSpace((16, 16, 1), 3).architecture(of).layers}
    assert layers["level0_block1"].kind == "conv"
    assert [layers[name].params["skip"] for name in ("level0_block2", "level1_block1", "level1_block2")] == [
        True,
        False,
        True,
    ]


def test_every_assignment_is_a_network_of_its_own(values_of):
    options = dict(TINY, widths=(4, 6), decoder_widths=(1, 0.5), levels=(1, 2), output_strides=(1, 2), expansions=2)
    space = SegmentationSpace((8, 8, 2), 3, **options, block_types=("conv", "inverted_bottleneck"))
    free = {choice.name: choice.values for choice in space.choices}
    hashes = set()
    for chosen in itertools.product(*free.values()):
        assigned = dict(zip(free, chosen, strict=True))
        architecture = space.architecture(values_of(assigned))
        assert (architecture.input_shape, architecture.output_shape) == ((8, 8, 2), (8, 8, 3))
        assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
        hashes.add(architecture.hash)
    assert len(hashes) == num_assignments(space.choices) == 2 * 2 * 3 * 3 * 2 * (2**2 + 2**3)


@pytest.mark.parametrize(
    ("sides", "levels", "strides"),
    [((32, 32), (3, 2, 1), (1, 2)), ((28, 28), (2, 1), (1,)), ((24, 40), (2, 1), (1, 2)), ((6, 10), (1,), (1,))],
)
def test_what_is_usual_follows_from_the_sides(sides, levels, strides, values_of):
    space = SegmentationSpace((*sides, 3), 4)
    assert (space.levels, space.output_strides) == (levels, strides)
    rng = random.Random(0)
    for _ in range(8):
        drawn = values_of({choice.name: rng.choice(choice.values) for choice in space.choices})
        assert space.architecture(drawn).output_shape == (*sides, 4)


def test_the_space_says_what_it_leaves_open():
    assert SegmentationSpace((32, 32, 1), 3).describe().startswith("SegmentationSpace: (32, 32, 1) to 3 classes for ev")
    assert (
        SegmentationSpace((32, 32, 1), 1, **TINY)
        .describe()
        .startswith("SegmentationSpace: (32, 32, 1) to 2 classes for every pixel, 4 choices")
    )
    document = SegmentationSpace((8, 8, 1), 4, **TINY).to_json()
    assert SegmentationSpace(**json.loads(json.dumps(document))) == SegmentationSpace((8, 8, 1), 4, **TINY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"input_shape": (8, 8)}, r"`input_shape` must be \(height, width, channels\), three positive integers"),
        ({"num_classes": 0}, "`num_classes` must be a positive integer. Received: num_classes=0."),
        ({"levels": 0}, "`levels` must be a positive integer. Received: levels=0."),
        ({"output_strides": 0}, "`output_strides` must be a positive integer. Received: output_strides=0."),
        (
            {"block_types": "fire"},
            "`block_types` must be one of 'inverted_bottleneck', .* Received: .*='fire'",
        ),
        ({"decoder_widths": 1.5}, r"`decoder_widths` must be in \(0, 1\]. Received: decoder_widths=1.5."),
        ({"decoder_widths": "all"}, r"`decoder_widths` must be in \(0, 1\]. Received: decoder_widths='all'."),
        ({"skips": "dense"}, "`skips` must be one of 'concat', 'add', 'none'. Received: skips='dense'."),
        ({"upsamplings": "cubic"}, "`upsamplings` must be one of 'nearest', 'bilinear', 'transposed'. Received"),
        ({"widths": ()}, r"`widths` must hold at least one value. Received: widths=\(\)."),
        (
            {"input_shape": (30, 40, 3), "levels": (1, 3)},
            r"divisible by 8, for levels=\(1, 3\) and output_strides=\(1,\). Received: 30x40. Pass fewer levels, or "
            r"images \(and masks\) of 32x40.",
        ),
        ({"input_shape": (9, 9, 1)}, r"divisible by 2, for levels=\(1,\) .* images \(and masks\) of 10x10."),
    ],
)
def test_a_space_cannot_be_made_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        SegmentationSpace(**({"input_shape": (8, 8, 1), "num_classes": 3} | arguments))


def test_new_kinds_cannot_be_used_wrong():
    draft = Draft((4, 6, 3))
    assert draft.append("up", "upsample", factor=3) == "up" and draft.shape == (12, 18, 3)
    draft.append("wide", "transposed_conv", filters=5)
    assert draft.shape == (24, 36, 5)
    with pytest.raises(UserError, match="`interpolation` of upsample layer 'a' must be one of 'nearest', 'bilinear'"):
        draft.append("a", "upsample", interpolation="cubic")
    with pytest.raises(UserError, match="A softmax classifier must have 2 classes or more. Received: classes=1"):
        draft.append("a", "pixel_classifier", classes=1)
    draft.append("classifier", "pixel_classifier", classes=2)
    draft.append("after", "activation")
    with pytest.raises(UserError, match="A pixel_classifier must be the last layer. Received: 'classifier' before"):
        draft.finish()
    vector = Draft((4,))
    for kind, params in (("upsample", {}), ("transposed_conv", {"filters": 2}), ("pixel_classifier", {"classes": 2})):
        with pytest.raises(UserError, match=rf"A {kind} layer must get \(height, width, channels\). Received: \(4,\)"):
            vector.append("a", kind, **params)


def test_costs_by_hand():
    draft = Draft((4, 6, 3))
    draft.append("wide", "transposed_conv", filters=5)
    draft.append("up", "upsample")
    draft.append("classifier", "pixel_classifier", classes=2, factor=2)
    cost = least_cost(draft.finish())
    assert cost.params == 2 * 2 * 3 * 5 + 5 * 2
    assert cost.macs == 8 * 12 * 5 * 3 + 16 * 24 * 5 * 2
    # The answers, in front of and behind the softmax.
    assert cost.peak_ram_bytes == 2 * 32 * 48 * 2


def test_the_cost_of_a_connection_is_that_of_its_concatenation():
    draft = Draft((4, 4, 3))
    draft.append("half", "conv", filters=4, stride=2)
    draft.append("up", "upsample")
    draft.append("both", "concat", ("up", "input"))
    draft.append("classifier", "pixel_classifier", classes=1, activation="sigmoid")
    assert least_cost(draft.finish()).peak_ram_bytes == 16 * (4 + 3 + 7)
