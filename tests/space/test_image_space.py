import json
import random

import keras_tuner
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.space import ImageSpace
from hwkeras.space.stage import LAYER_TYPES

SMALL = dict(
    stages=2,
    depths=(1, 2),
    widths=(8, 16),
    kernels=(3,),
    expansions=(2, 4),
    activations=("relu",),
    stem_widths=(8,),
    stem_strides=(1,),
    dense_units=(0, 8),
    dropout_rates=(0.0,),
)


def every_assignment(space, values_of):
    """Yields every dict of active values of a space."""

    def extend(chosen, choices):
        if not choices:
            yield dict(chosen)
            return
        choice, rest = choices[0], choices[1:]
        is_active = all(chosen.get(parent) in allowed for parent, allowed in choice.conditions)
        for value in choice.values if is_active else (None,):
            yield from extend({**chosen, choice.name: value} if is_active else chosen, rest)

    fixed = {choice.name for choice in space.choices if choice.is_fixed}
    for values in extend({}, space.choices):
        yield {name: value for name, value in values.items() if name not in fixed}


def blocks(values):
    """The stages as a list of blocks: what two assignments of one network have in common."""
    listed = []
    for stage in ("stage1", "stage2"):
        of = {key: values.get(f"{stage}/{key}") for key in ("type", "width", "expansion", "squeeze_excite", "skip")}
        for block in range(values.get(f"{stage}/depth", 0)):
            is_residual = of["type"] == "residual"
            has_skip = (of["skip"] is not False) if is_residual else bool(of["skip"]) and block > 0
            stride = values[f"{stage}/stride"] if block == 0 else 1
            listed.append((of["type"], of["width"], of["expansion"], of["squeeze_excite"], stride, has_skip))
    return listed


def test_no_two_assignments_are_one_network_but_stages_that_go_on(values_of):
    small = dict(SMALL, layer_types=("conv", "inverted_bottleneck", "residual"), widths=(8,), resolutions=(1,))
    space = ImageSpace((8, 8, 1), 10, **dict(small, heads=("global_pool",), dense_units=(0,), expansions=(2,)))
    seen = {}
    for values in every_assignment(space, values_of):
        seen.setdefault(space.architecture(values_of(values)).hash, []).append(values)
    assert sum(map(len, seen.values())) > 500
    for alike in seen.values():
        assert all(blocks(values) == blocks(alike[0]) for values in alike)


def test_with_stages_that_differ_equal_networks_mean_equal_values(values_of):
    # The second stage always strides: it never goes on as the first.
    space = ImageSpace(
        (8, 8, 1), 10, **dict(SMALL, strides=(2,), layer_types=LAYER_TYPES, widths=(8,), expansions=(2,))
    )
    assignments = list(every_assignment(space, values_of))
    hashes = {space.architecture(values_of(values)).hash for values in assignments}
    assert len(hashes) == len(assignments) > 500


@given(seed=st.integers(0, 2**31))
@settings(max_examples=80, deadline=None)
def test_every_sample_is_a_classifier_and_inactive_values_change_nothing(seed, draw, values_of):
    space = ImageSpace((28, 28, 1), 10)
    hp = draw(space, random.Random(seed))
    architecture = space.architecture(hp)
    assert architecture.output_shape == (10,)
    assert architecture.input_shape == (28, 28, 1)
    active = {name for name, *_ in _active(space, hp)}
    assert set(hp.values) == active
    inactive = {choice.name: choice.values[-1] for choice in space.choices if choice.name not in active}
    assert space.architecture(values_of({**inactive, **hp.values})) == architecture


def _active(space, hp):
    for choice in space.choices:
        if not choice.is_fixed and all(hp.values.get(parent) in allowed for parent, allowed in choice.conditions):
            yield (choice.name,)


def test_the_default_switches_every_scope_on():
    hp = keras_tuner.HyperParameters()
    ImageSpace((28, 28, 1), 10).declare(hp)
    assert hp.inactive_scopes == []
    assert {parameter.name for parameter in hp.space} == set(hp.values)
    assert {"stage1/type", "stage1/depth", "stage1/width", "stage3/expansion", "head/dropout"} <= set(hp.values)


def test_conditions(values_of):
    hp = keras_tuner.HyperParameters()
    space = ImageSpace((28, 28, 1), 10)
    space.declare(hp)
    conditions = {p.name: [(c.name, c.values) for c in p.conditions] for p in hp.space}
    assert conditions["stage1/depth"] == conditions["stage1/type"] == conditions["stage2/depth"] == []
    assert conditions["stage1/skip"] == [("stage1/depth", [2, 3])]
    assert conditions["stage2/width"] == [("stage2/depth", [1, 2, 3])]
    assert conditions["stage3/expansion"] == [
        ("stage2/depth", [1, 2, 3]),
        ("stage3/depth", [1, 2, 3]),
        ("stage3/type", ["inverted_bottleneck", "fused_inverted_bottleneck"]),
    ]


def test_a_single_value_is_no_hyperparameter(values_of):
    one = {name: (getattr(ImageSpace((28, 28, 1), 10), name)[0],) for name in _choice_names()}
    space = ImageSpace((28, 28, 1), 10, stages=2, min_stages=2, **one)
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    assert hp.space == []
    assert space.architecture(values_of({})).summary() == "3x conv8k3 | global_pool | dense10"


def _choice_names():
    names = list(ImageSpace.__dataclass_fields__)
    return names[names.index("layer_types") :]


def test_a_value_that_is_missing_is_said(values_of):
    with pytest.raises(UserError, match=r"must hold 'resolution'. Received: \[\]. Call declare\(hp\) first"):
        ImageSpace((28, 28, 1), 10).architecture(values_of({}))


def test_flatten_comes_after_averaging_down_to_4x4(values_of):
    fixed = dict(stages=1, depths=1, strides=1, stem_strides=1, resolutions=1, heads="flatten", layer_types="conv")
    for extent, pooled in ((28, 4), (9, 3), (5, 3), (4, 4), (1, 1)):
        space = ImageSpace((extent, extent, 1), 10, **fixed)
        hp = keras_tuner.HyperParameters()
        space.declare(hp)
        shapes = space.architecture(hp).output_shapes()
        assert shapes["flatten"] == (pooled * pooled * 8,)


def test_signals_get_kernels_of_one_row_or_column():
    space = ImageSpace((64, 1, 6), 3)
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    architecture = space.architecture(hp)
    kernels = [layer.params["kernel"] for layer in architecture.layers if "kernel" in layer.params]
    assert set(kernels) == {(3, 1)}


def test_resolutions_follow_the_input():
    assert ImageSpace((28, 28, 1), 10).resolutions == (1, 2)
    assert ImageSpace((8, 8, 1), 10).resolutions == (1,)
    assert ImageSpace((45, 45, 1), 10).resolutions == (1,)
    assert ImageSpace((45, 45, 1), 10, resolutions=(1, 3)).resolutions == (1, 3)


def test_arguments_round_trip():
    space = ImageSpace((28, 28, 1), 10, widths=[8, 8, 16])
    arguments = json.loads(json.dumps(space.to_json()))
    assert ImageSpace(**arguments) == space
    assert space.widths == (8, 16)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(input_shape=(28, 28)), r"`input_shape` must be \(height, width, channels\).*input_shape=\(28, 28\)"),
        (dict(input_shape=28), r"`input_shape` must be .*input_shape=28"),
        (dict(num_classes=0), r"`num_classes` must be a number of classes, or 1 .* Received: num_classes=0"),
        (dict(stages=0), r"`stages` must be a positive integer. Received: stages=0"),
        (dict(min_stages=4), r"`min_stages` must be from 1 to `stages`. Received: min_stages=4, stages=3"),
        (dict(min_stages=0), r"`min_stages` must be from 1 to `stages`"),
        (dict(layer_types=("conv", "lstm")), r"`layer_types` must be one of 'conv'.*layer_types='lstm'"),
        (dict(widths=()), r"`widths` must hold at least one value. Received: widths=\(\)"),
        (dict(depths=(0, 1)), r"`depths` must be a positive integer. Received: depths=0"),
        (dict(widths=(1, 8)), r"`widths` must be 2 or more with layer type 'parallel_conv'"),
        (dict(resolutions=(1, 3)), r"must divide height and width.*3 for 28x28. Usable here: 1, 2, 4, 7, 14, 28"),
        (dict(heads=("max",)), r"`heads` must be one of 'global_pool', 'flatten', 'attention_pool', .*heads='max'"),
        (dict(dropout_rates=(0, 1.5)), r"`dropout_rates` must be in \[0, 1\). Received: dropout_rates=1.5"),
        (dict(dense_units=-1), r"`dense_units` must be an integer of 0 or more. Received: dense_units=-1"),
        (dict(activations="gelu"), r"`activations` must be one of 'relu'.*activations='gelu'"),
        (dict(squeeze_excite=("yes",)), r"`squeeze_excite` must be True or False. Received: squeeze_excite='yes'"),
    ],
)
def test_a_space_cannot_be_made_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        ImageSpace(**{"input_shape": (28, 28, 1), "num_classes": 10, **arguments})


def test_every_layer_type_is_drawn(draw):
    space = ImageSpace((16, 16, 3), 4, stages=1)
    rng = random.Random(0)
    layers = [layer for _ in range(200) for layer in space.architecture(draw(space, rng)).layers]
    blocks_drawn = {layer.kind for layer in layers if layer.name.startswith("stage1")}
    assert blocks_drawn == {*LAYER_TYPES, "concat", "add"} - {"parallel_conv"}
    assert {layer.params["activation"] for layer in layers if layer.kind == "conv"} == set(space.activations)
    assert any(layer.params.get("se") for layer in layers)
    assert {"flatten", "dropout", "dense", "average_pool", "global_average_pool"} <= {layer.kind for layer in layers}
