"""Heads beyond pooling and flattening: attention pooling and recurrent layers at the end of a space's networks."""

import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space import SequenceSpace
from hwkeras.space.cost import least_cost
from hwkeras.space.shapes import MOST_STEPS

SMALL = dict(stages=1, depths=1, widths=8, kernels=3, strides=1, stem_strides=1, dense_units=0, dropout_rates=0.0)


def after_stages(space, draw, head, **values):
    chosen = draw(space, random.Random(0))
    chosen.values.update({"head/type": head, **values})
    layers = space.architecture(chosen).layers
    last = max(place for place, layer in enumerate(layers) if layer.name.startswith("stage"))
    return [(layer.kind, dict(layer.params)) for layer in layers[last + 1 : -1]]


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_recurrent_head_walks_over_few_steps(kind, draw):
    space = SequenceSpace((40, 3), 4, heads=("global_pool", kind), recurrent_units=(4, 6), **SMALL)
    pool, walk = after_stages(space, draw, kind, **{"head/recurrent_units": 6})
    assert pool == ("average_pool", {"size": (1, 5), "stride": (1, 5), "padding": "same"})
    assert walk == (kind, {"units": 6})
    short = SequenceSpace((8, 3), 4, heads=(kind,), recurrent_units=4, **SMALL)
    assert after_stages(short, draw, kind) == [(kind, {"units": 4})]


def test_on_a_picture_the_rows_are_the_steps(draw):
    space = ImageSpace((20, 12, 1), 4, heads=("gru",), recurrent_units=4, **SMALL, layer_types="conv", resolutions=1)
    pool, steps, walk = after_stages(space, draw, "gru")
    assert pool[1]["size"] == 3
    assert steps == ("reshape", {"shape": (1, 7, 4 * 8)})
    assert walk[0] == "gru"


def test_attention_pooling_is_a_head_by_name(draw):
    space = SequenceSpace((16, 3), 4, heads=("attention_pool", "flatten"), **SMALL)
    assert after_stages(space, draw, "attention_pool") == [("attention_pool", {})]


def test_a_single_position_is_not_weighed(draw):
    # A softmax of one number is 1, and Keras warns of it.
    space = SequenceSpace((2, 3), 4, heads=("attention_pool", "flatten"), **{**SMALL, "stem_strides": 2})
    assert after_stages(space, draw, "attention_pool") == [("global_average_pool", {})]


def test_units_are_chosen_for_recurrent_heads_alone():
    def choices(**options):
        return {choice.name: choice for choice in SequenceSpace((16, 3), 4, **options).choices}

    assert "head/recurrent_units" not in choices()
    units = choices(heads=("flatten", "gru", "lstm"))["head/recurrent_units"]
    assert units.values == (8, 16, 32)
    assert units.conditions == (("head/type", ("gru", "lstm")),)
    assert choices(heads="lstm")["head/recurrent_units"].conditions == ()


@pytest.mark.parametrize(("kind", "gates"), [("gru", 3), ("lstm", 4)])
def test_what_a_recurrent_layer_costs(kind, gates):
    draft = Draft((1, 5, 4))
    draft.append("walk", kind, units=3)
    cost = least_cost(draft.finish())
    assert cost.params == gates * 3 * (4 + 3)
    # The first state is zero.
    assert cost.macs == gates * 3 * (5 * 4 + 4 * 3)
    assert cost.peak_ram_bytes == 2 * 5 * 4
    assert draft.finish().summary() == f"{kind}3"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (
            (2, 5, 4),
            r"kind 'gru' must get a row of steps, \(1, steps, channels\)\. Received: \(2, 5, 4\) for layer 'w'",
        ),
        (
            (1, MOST_STEPS + 1, 4),
            f"kind 'gru' is written out step by step and must get {MOST_STEPS} steps or fewer. Received: "
            f"{MOST_STEPS + 1} steps for layer 'w'. Stride or pool before it.",
        ),
        ((5,), r"A gru layer must get \(height, width, channels\)\. Received: \(5,\) for layer 'w'"),
    ],
)
def test_a_recurrent_layer_wants_a_row_of_steps(shape, said):
    with pytest.raises(UserError, match=said):
        Draft(shape).append("w", "gru", units=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(heads="rnn"), r"`heads` must be one of 'global_pool', 'flatten', 'attention_pool', 'gru', 'lstm'"),
        (dict(recurrent_units=0), "`recurrent_units` must be a positive integer. Received: recurrent_units=0"),
    ],
)
def test_a_head_cannot_be_made_wrong(options, said):
    with pytest.raises(UserError, match=said):
        SequenceSpace((16, 3), 4, **options)
