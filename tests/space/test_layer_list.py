import random

import keras_tuner
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.space import LayerListSpace
from hwkeras.space import architecture_from_actions


def kinds(architecture):
    return [layer.kind for layer in architecture.layers if layer.kind not in ("input", "flatten", "classifier")]


def test_the_arguments_of_the_articles():
    space = LayerListSpace(
        input_shape=(32, 32, 3),
        output_shape=(10,),
        num_layers=5,
        layer_types=["conv", "pool", "fc"],
        conv_kernels=[3, 3],
        conv_strides=[1, 1],
        pool_sizes=[2, 2],
        pool_strides=[2, 2],
        fc_sizes=[64, 128],
    )
    assert space == LayerListSpace()
    assert space.num_classes == 10
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    assert space.architecture(hp).summary() == "3x conv16k3 | flatten | 2x dense64 | dense10"


@given(seed=st.integers(0, 2**31), extent=st.integers(1, 9))
@settings(max_examples=80, deadline=None)
def test_lists_are_at_most_so_long_and_dense_layers_come_last(seed, extent, draw):
    space = LayerListSpace((extent, extent, 1), (3,), num_layers=4, pool_sizes=(2, 3), conv_strides=(1, 2))
    hp = draw(space, random.Random(seed))
    architecture = space.architecture(hp)
    listed = kinds(architecture)
    assert 1 <= len(listed) <= 4
    assert listed == sorted(listed, key=lambda kind: kind == "dense")
    assert architecture.output_shape == (3,)


def test_equal_networks_mean_equal_values(draw):
    space = LayerListSpace((6, 6, 1), (3,), num_layers=3, conv_filters=(8,), fc_sizes=(4, 8))
    rng, seen = random.Random(0), {}
    for _ in range(1500):
        hp = draw(space, rng)
        assert seen.setdefault(space.architecture(hp).hash, hp.values) == hp.values
    # Layouts and what fills them: 2 kinds of map layers (pools in the first two places), 2 sizes of dense layers.
    assert len(seen) == (2 + 4 + 4) + (2 * 2 + 4 * 2) + 2 * 4 + (2 + 4 + 8)


def test_pools_that_cannot_fit_are_no_choice():
    space = LayerListSpace((3, 3, 1), (2,), num_layers=3, layer_types=("pool",))
    # 3 -> 1 -> nothing: one pool is all there is.
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    assert hp.space == []
    assert kinds(space.architecture(hp)) == ["max_pool"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(output_shape=(10, 10)), r"`output_shape` must be \(num_classes,\).*output_shape=\(10, 10\)"),
        (dict(output_shape=0), r"`output_shape` must be a number of classes, or 1 .* Received: output_shape=0"),
        (dict(num_layers=0), r"`num_layers` must be a positive integer. Received: num_layers=0"),
        (dict(layer_types=("conv", "rnn")), r"`layer_types` must be one of 'conv', 'pool', 'fc'.*'rnn'"),
        (dict(fc_sizes=[]), r"`fc_sizes` must hold at least one value"),
        (dict(input_shape=(1, 1, 3), layer_types="pool"), r"At least one layer must fit the input.*pool_sizes=\(2,\)"),
    ],
)
def test_a_space_cannot_be_made_wrong(arguments, said):
    with pytest.raises(UserError, match=said):
        LayerListSpace(**arguments)


def test_actions():
    architecture = architecture_from_actions(["conv", "pool", "pool", "fc"], (32, 32, 3), 10, filters=8, units=16)
    assert architecture.summary() == "conv8k3 | 2x max_pool2 | flatten | dense16 | dense10"
    assert architecture_from_actions([], (4, 4, 1), 2).summary() == "flatten | dense2"
    strided = architecture_from_actions(["conv"], (8, 8, 1), 2, stride=2, activation="relu6", batch_norm=False)
    assert strided.summary() == "conv32k3s2 no_bn relu6 | flatten | dense2"


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (["conv", "lstm"], r"An action must be one of 'conv', 'pool', 'fc'. Received: 'lstm'"),
        (
            ["fc", "conv"],
            r"Every layer after an 'fc' must be an 'fc'. Received: 'conv' at position 2 of \['fc', 'conv'\]",
        ),
        (["pool", "pool", "pool"], r"must not pool below 1x1. Received: size=2 on 1x1 for layer 'pool3'"),
    ],
)
def test_actions_that_make_no_network(actions, said):
    with pytest.raises(UserError, match=said):
        architecture_from_actions(actions, (4, 4, 1), 3)
