import random

import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.space import Draft
from hwkeras.space import NasnetSpace
from hwkeras.space import named_network
from hwkeras.space.cost import least_cost
from hwkeras.space.nasnet_cell import KNOWN_OPERATIONS
from hwkeras.space.nasnet_cell import NASNET_A_NORMAL
from hwkeras.space.nasnet_cell import NASNET_A_REDUCTION
from hwkeras.space.nasnet_cell import Block
from hwkeras.space.nasnet_cell import NasnetCell
from hwkeras.space.nasnet_cell import states
from hwkeras.space.nasnet_network import CellStep
from hwkeras.space.nasnet_network import append_cells
from hwkeras.space.shapes import pair

IDENTITIES = Block("input", "identity", "previous", "identity")


def space(**choices):
    return NasnetSpace((8, 8, 1), 4, **{"blocks": 2, "repeats": 1, "filters": 4, "stem_widths": 4} | choices)


def network(values_of, normal, reduction=None, **choices):
    kept = tuple({cell.kept for cell in (normal, reduction) if cell})
    own = space(**{"operations": KNOWN_OPERATIONS, "blocks": len(normal.blocks), "kept": kept} | choices)
    return own.architecture(values_of(own.values_of(normal, reduction)))


def random_cell(rng, num_blocks=3):
    blocks = []
    for number in range(num_blocks):
        pick = [(rng.choice(states(number)), rng.choice(KNOWN_OPERATIONS)) for _ in range(2)]
        blocks.append(Block(*pick[0], *pick[1]))
    return NasnetCell(tuple(blocks), rng.choice(("none", *states(num_blocks))))


def num_parameters(architecture):
    """Of the Keras network, batch normalizations and biases included: written down apart from `space.cost`."""
    shapes, number = architecture.output_shapes(), 0
    for layer in architecture.layers:
        channels = shapes[layer.inputs[0]][-1] if layer.inputs else 0
        if layer.kind == "conv":
            extent = int(np.prod(pair(layer.params["kernel"])))
            number += extent * channels * layer.params["filters"] + 4 * layer.params["filters"]
        elif layer.kind == "depthwise_conv":
            number += layer.params["kernel"] ** 2 * channels + channels
        elif layer.kind == "classifier":
            number += (channels + 1) * layer.params["classes"]
    return number


def test_nasnet_a_mobile_has_the_published_parameters_and_operations():
    mobile = named_network("nasnet_a_mobile", (224, 224, 3), 1000)
    shapes = mobile.output_shapes()
    biases = sum(shapes[layer.name][-1] for layer in mobile.layers if layer.kind == "depthwise_conv")
    # Keras Applications' own count, and the article's operations, in millions.
    assert num_parameters(mobile) - biases == 5_326_716
    assert biases == 15_353
    assert least_cost(mobile).macs / 1e6 == pytest.approx(564, rel=0.001)
    assert shapes["pool"] == (1056,)
    assert [shapes[f"stage{stage}_cell4_concat"] for stage in (1, 2, 3)] == [(28, 28, 264), (14, 14, 528), (7, 7, 1056)]


def test_nasnet_a_is_a_point_of_the_space(values_of):
    whole = NasnetSpace(
        (64, 64, 3),
        10,
        blocks=5,
        operations=KNOWN_OPERATIONS,
        kept=("none", "previous", "block2"),
        repeats=(2, 4),
        filters=(22, 44),
        stem_widths=(16, 32),
        stem_strides=2,
        stem_reductions=2,
    )
    values = whole.values_of(NASNET_A_NORMAL, NASNET_A_REDUCTION) | {"repeats": 4, "filters": 44, "stem/width": 32}
    assert whole.cells(values_of(values)) == {"normal": NASNET_A_NORMAL, "reduction": NASNET_A_REDUCTION}
    assert whole.architecture(values_of(values)).hash == named_network("nasnet_a_mobile", (64, 64, 3), 10).hash


def test_a_cell_concatenates_what_no_block_takes_and_what_is_kept():
    assert NASNET_A_NORMAL.outputs == ("previous", "block1", "block2", "block3", "block4", "block5")
    assert NASNET_A_REDUCTION.outputs == ("block2", "block3", "block4", "block5")
    assert NasnetCell(NASNET_A_REDUCTION.blocks).outputs == ("block3", "block4", "block5")
    assert NasnetCell((IDENTITIES, Block("block1", "identity", "block1", "identity"))).outputs == ("block2",)
    assert NasnetCell((IDENTITIES,), kept="block1").outputs == ("block1",)


def test_every_cell_is_a_network_of_the_right_extents(values_of):
    rng = random.Random(0)
    for _ in range(150):
        normal, reduction = random_cell(rng), random_cell(rng)
        choices = {
            "stages": rng.choice((2, 3)),
            "repeats": rng.choice((1, 2, 3)),
            "stem_reductions": rng.choice((0, 1)),
        }
        made = network(values_of, normal, reduction, **choices)
        assert made.output_shape == (4,)
        last = made.layers[-3]
        halvings = choices["stages"] - 1 + choices["stem_reductions"]
        width = 4 * 2 ** (choices["stages"] - 1)
        assert made.output_shapes()[last.name][:2] == (8 // 2**halvings,) * 2
        if normal.kept in ("none", "block1", "block2", "block3"):
            assert made.output_shapes()[last.name][-1] == width * len(normal.outputs)


def test_small_and_flat_images_have_networks(values_of):
    rng = random.Random(1)
    for shape in ((1, 1, 1), (1, 9, 2), (3, 2, 1)):
        for _ in range(10):
            own = NasnetSpace(shape, 3, blocks=2, operations=KNOWN_OPERATIONS, repeats=2, filters=2, stem_widths=2)
            values = own.values_of(*(NasnetCell(random_cell(rng, 2).blocks) for _ in range(2)))
            assert own.architecture(values_of(values)).output_shape == (3,)


def test_cells_that_nothing_takes_are_left_out(values_of):
    skipping = NasnetCell((Block("previous", "sep_conv_3x3", "previous", "identity"),))
    names = [layer.name for layer in network(values_of, skipping, stages=1, repeats=4).layers]
    # The last takes the one before the one before it: only every other cell is there.
    assert [any(name.startswith(f"stage1_cell{number}_") for name in names) for number in (1, 2, 3, 4)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_which_of_two_terms_is_the_first_makes_no_other_network(values_of):
    one = NasnetCell((Block("input", "sep_conv_3x3", "previous", "max_pool_3x3"),))
    other = NasnetCell((Block("previous", "max_pool_3x3", "input", "sep_conv_3x3"),))
    assert network(values_of, one, stages=1).hash == network(values_of, other, stages=1).hash
    third = NasnetCell((Block("previous", "max_pool_3x3", "input", "sep_conv_5x5"),))
    assert network(values_of, one, stages=1).hash != network(values_of, third, stages=1).hash


def test_shapes_that_differ_are_matched_by_one_convolution():
    draft = Draft((9, 9, 3))
    draft.append("stem", "conv", filters=4)
    identities = NasnetCell((IDENTITIES,))
    append_cells(draft, [CellStep("down", identities, 4, 2), CellStep("after", identities, 4)], "relu")
    draft.append("pool", "global_average_pool")
    draft.append_head(2)
    layers = {layer.name: layer for layer in draft.finish().layers}
    # The first cell has the stem twice: as its input, squeezed, and as it is.
    assert layers["down_input"].params["stride"] == 1
    strided = [name for name, layer in layers.items() if layer.params.get("stride") == 2]
    assert strided == ["down_block1_first_match", "down_block1_second_match", "after_previous"]
    assert all(layers[name].params["kernel"] == 1 for name in strided)


def test_a_pool_taken_twice_is_computed_once(values_of):
    twice = NasnetCell((Block("input", "avg_pool_3x3", "input", "avg_pool_3x3"),))
    (pool,) = [layer for layer in network(values_of, twice, stages=1).layers if layer.kind == "average_pool"]
    (total,) = [layer for layer in network(values_of, twice, stages=1).layers if layer.kind == "add"]
    assert total.inputs == (pool.name, pool.name)


def test_one_stage_has_no_reduction_cell(values_of):
    single = space(stages=1)
    assert {choice.name.partition("/")[0] for choice in single.choices} == {
        "normal", "repeats", "filters", "stem", "activation",
    }  # fmt: skip
    assert set(single.cells(values_of(single.values_of(NasnetCell((IDENTITIES,) * 2), None)))) == {"normal"}


def test_the_first_of_the_values_makes_a_network(values_of):
    defaults = {
        choice.name: choice.values[0] if choice.default is None else choice.default for choice in space().choices
    }
    made = space().architecture(values_of(defaults))
    assert {"depthwise_conv", "add"} <= {layer.kind for layer in made.layers}
    assert "NasnetSpace: (8, 8, 1) to 4 classes" in space().describe()


def test_a_space_written_and_read_is_the_space():
    one = space(kept=("none", "block1"), stem_reductions=1, activations=("relu", "relu6"))
    assert NasnetSpace(**one.to_json()) == one


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"blocks": 0}, "`blocks` must be a positive integer. Received: blocks=0."),
        ({"operations": ("conv",)}, "`operations` must be one of 'sep_conv_3x3', .* Received: operations='conv'"),
        (
            {"kept": ("block3",)},
            "`kept` must be one of 'none', 'input', 'previous', 'block1', 'block2'. Received: kept=",
        ),
        ({"filters": ()}, "`filters` must hold at least one value"),
        (
            {"filters": (2, 4), "stem_reductions": 2},
            r"`filters` must be 4 or more with stem_reductions=2, each of which halves them. Received: filters=\(2, 4",
        ),
        ({"stem_reductions": -1}, "`stem_reductions` must be an integer of 0 or more. Received: stem_reductions=-1."),
    ],
)
def test_choices_that_break_their_law_are_refused(choices, message):
    with pytest.raises(UserError, match=message):
        space(**choices)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NasnetCell(()), r"A cell must have at least one block. Received: blocks=\(\)."),
        (
            lambda: NasnetCell((Block("block1", "identity", "input", "identity"),)),
            "What block 1 takes must be one of input, previous. Received: 'block1'.",
        ),
        (
            lambda: NasnetCell((Block("input", "conv", "input", "identity"),)),
            "An operation of block 1 must be one of sep_conv_3x3, .* Received: 'conv'.",
        ),
        (
            lambda: NasnetCell((IDENTITIES,), kept="block2"),
            "`kept` must be one of none, input, previous, block1. Received: 'block2'.",
        ),
    ],
)
def test_cells_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    "cells",
    [
        (NasnetCell((IDENTITIES,)), NasnetCell((IDENTITIES,))),
        (NasnetCell((IDENTITIES,) * 2, kept="input"), NasnetCell((IDENTITIES,) * 2)),
        (NasnetCell((IDENTITIES,) * 2), NASNET_A_REDUCTION),
        (NasnetCell((IDENTITIES,) * 2), None),
        (NasnetCell((IDENTITIES, Block("input", "sep_conv_7x7", "input", "identity"))), NasnetCell((IDENTITIES,) * 2)),
    ],
)
def test_cells_of_another_space_are_refused(cells):
    with pytest.raises(UserError, match="A (normal|reduction) cell of this space has 2 blocks of the operations sep_"):
        space().values_of(*cells)
