"""What no rule follows stays whole, and the report says why."""

import keras
import numpy as np
import pytest

from hwkeras.compress.channel_rules import NotFollowed
from hwkeras.compress.channel_rules import effect_of
from hwkeras.compress.channel_ties import ChannelTies
from hwkeras.compress.channels import prune_channels

L = keras.layers


class Doubled(L.Conv2D):
    """A convolution of the user's own: its class is not one a rule knows."""

    def call(self, x):
        return 2 * super().call(x)


@keras.saving.register_keras_serializable(package="test_channels_kept")
def running_sum(x):
    return keras.ops.cumsum(x, axis=-1)


def image_net(between, after=None):
    """A convolution 'held' read by some layer, and one 'free' whose channels nothing holds."""
    image = keras.Input((8, 8, 8), name="image")
    x = L.Conv2D(16, 3, padding="same", name="free")(image)
    x = between(L.Conv2D(16, 3, padding="same", name="held")(x))
    x = after(x) if after else L.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, L.Dense(3, name="head")(x))


def sequence_net(between):
    signal = keras.Input((8, 4), name="signal")
    x = L.Dense(16, name="held")(L.Dense(16, name="free")(signal))
    return keras.Model(signal, L.Dense(3, name="head")(L.Flatten(name="flatten")(between(x))))


def tied_to_the_input(x):
    source = x
    while source.name != "image":
        source = source._keras_history.operation.input
    return L.Add(name="add")([x, L.Concatenate(name="twice")([source, source])])


KEPT = {
    "attention": (
        sequence_net,
        lambda x: L.MultiHeadAttention(2, 4, name="mha")(x, x),
        "'mha' (MultiHeadAttention) is not followed: no rule says how its outputs depend on its input channels",
    ),
    "recurrent": (sequence_net, lambda x: L.GRU(5, name="gru")(x), "'gru' (GRU) is not followed: no rule says"),
    "several_outputs": (
        sequence_net,
        lambda x: L.LSTM(5, return_state=True, name="lstm")(x)[0],
        "'lstm' (LSTM) is not followed: it has 3 outputs",
    ),
    "softmax": (
        image_net,
        lambda x: L.Activation("softmax", name="soft")(x),
        "the activation 'softmax' of 'soft' is not known to treat channels one by one",
    ),
    "own_activation": (
        image_net,
        lambda x: L.Activation(running_sum, name="sum")(x),
        "the activation 'running_sum' of 'sum' is not known",
    ),
    "split": (
        image_net,
        lambda x: L.GlobalAveragePooling3D(name="pool3")(L.Reshape((8, 8, 4, 4), name="split")(x)),
        "'split' (Reshape) is not followed: it splits the channels over several axes",
        lambda x: x,
    ),
    "moved": (
        image_net,
        lambda x: L.Permute((3, 1, 2), name="move")(x),
        "'move' (Permute) is not followed: it moves the channels to another axis",
    ),
    "normalized_elsewhere": (
        image_net,
        lambda x: L.LayerNormalization(axis=[1, 2], name="norm")(x),
        "'norm' (LayerNormalization) is not followed: it normalizes axis [1, 2], not the last one alone",
    ),
    "normalized_in_groups": (image_net, lambda x: L.GroupNormalization(4, name="norm")(x), "(GroupNormalization) is n"),
    "shared_slopes": (
        image_net,
        lambda x: L.PReLU(shared_axes=[1, 2, 3], name="prelu")(x),
        "'prelu' (PReLU) is not followed: it shares its slopes between channels",
    ),
    "channels_first": (
        image_net,
        lambda x: L.MaxPooling2D(data_format="channels_first", name="max")(x),
        "its channels are not on the last axis (data_format='channels_first')",
    ),
    "renormalized": (
        image_net,
        lambda x: L.BatchNormalization(renorm=True, name="bn")(x),
        "'bn' (BatchNormalization) is not followed: it holds weights no rule knows: moving_stddev, renorm_mean",
    ),
    "constant": (image_net, lambda x: x * np.arange(16.0), "is not followed: it is called with a constant array"),
    "own_class": (image_net, Doubled(8, 3, name="own"), "'own' (Doubled) is not followed: no rule says"),
    "unknown_operation": (image_net, lambda x: keras.ops.flip(x, -1), "(Flip) is not followed: no rule says"),
    "input": (image_net, tied_to_the_input, "an input of the model has them"),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_not_followed_keeps_its_channels(case):
    make, between, reason, *after = KEPT[case]
    model = make(between, *after)
    smaller, report = prune_channels(model, 0.5)
    sizes = {kept.layer: kept for kept in report.kept}
    assert sizes["held"].num_channels == 16
    assert reason in sizes["held"].reason
    assert [group.layers for group in report.groups] == [("free",)]
    assert smaller.get_layer("free").get_weights()[1].shape == (8,)
    assert smaller.get_layer("held").get_weights()[0].shape[-2:] == (8, 16)
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:]))
    assert np.isfinite(np.asarray(smaller(x))).all()


def test_part_of_a_layer_can_stay():
    """Half of what 'wide' makes is added to an input of 8 channels."""
    image = keras.Input((4, 4, 8), name="image")
    free = L.Conv2D(8, 1, name="other")(image)
    x = L.Add(name="add")([L.Conv2D(16, 1, name="wide")(image), L.Concatenate(name="both")([image, free])])
    model = keras.Model(image, L.Dense(2, name="head")(L.Flatten(name="flatten")(x)))
    smaller, report = prune_channels(model, 0.5)
    assert [(group.layers, group.channels_before, group.channels_after) for group in report.groups] == [
        (("other", "wide"), 8, 4)
    ]
    assert (smaller.get_layer("wide").filters, smaller.get_layer("other").filters) == (12, 4)
    assert {kept.layer: kept.num_channels for kept in report.kept} == {"wide": 8, "head": 2}


def test_one_channel_spread_over_many_stays():
    image = keras.Input((4, 4, 3), name="image")
    x = L.Conv2D(16, 1, name="features")(image)
    mask = L.Conv2D(1, 1, activation="sigmoid", name="mask")(L.Conv2D(8, 1, name="hidden")(x))
    x = L.Multiply(name="masked")([x, mask])
    model = keras.Model(image, L.Dense(2, name="head")(L.GlobalMaxPooling2D(name="pool")(x)))
    smaller, report = prune_channels(model, 0.5)
    assert {group.layers: group.channels_after for group in report.groups} == {("features",): 8, ("hidden",): 4}
    assert {kept.layer: kept.reason for kept in report.kept}["mask"].startswith("'masked' spreads it over all channels")
    assert smaller.get_layer("mask").filters == 1


def test_layer_normalization_shrinks_with_its_input():
    signal = keras.Input((8, 4), name="signal")
    x = L.LayerNormalization(name="norm")(L.Dense(16, name="first")(signal))
    model = keras.Model(signal, L.Dense(2, name="head")(L.GlobalAveragePooling1D(name="pool")(x)))
    gamma = np.linspace(1, 3, 16)
    model.get_layer("norm").set_weights([gamma, gamma])
    smaller, _ = prune_channels(model, 0.5)
    kept = smaller.get_layer("norm").get_weights()[0]
    assert kept.shape == (8,)
    assert set(kept) <= set(gamma.astype("float32"))


def test_a_reshape_called_with_different_numbers_of_channels_holds_them():
    image = keras.Input((4, 4, 3), name="image")
    flat = L.Reshape((256,), name="flat")
    one = flat(L.Conv2D(16, 1, name="one")(image))
    two = flat(L.UpSampling2D(name="up")(L.Conv2D(4, 1, name="two")(image)))
    again = flat(L.Conv2D(16, 1, name="again")(image))
    x = L.Dense(8, name="hidden")(L.Concatenate(name="all")([one, two, again]))
    model = keras.Model(image, L.Dense(2, name="head")(x))
    smaller, report = prune_channels(model, 0.5)
    assert [group.layers for group in report.groups] == [("hidden",)]
    reasons = {kept.layer: kept.reason for kept in report.kept}
    assert reasons["one"] == reasons["two"] == reasons["again"]
    assert reasons["two"] == "'flat' (Reshape) is not followed: it is called with different numbers of channels"
    assert np.isfinite(np.asarray(smaller(np.ones((1, 4, 4, 3))))).all()


def test_a_mask_carries_no_channels():
    signal = keras.Input((8, 4), name="signal")
    x = L.BatchNormalization(name="bn")(L.Dense(16, name="first")(signal), mask=signal[..., 0] > 0)
    x = L.GlobalAveragePooling1D(name="pool")(L.Dense(8, name="second")(x))
    report = prune_channels(keras.Model(signal, L.Dense(2, name="head")(x)), 0.5).report
    assert [group.layers for group in report.groups] == [("first",), ("second",)]


def test_a_call_with_another_number_of_channels_is_not_followed():
    with pytest.raises(NotFollowed, match="its output does not have the channels of its input"):
        effect_of(L.ReLU(), [np.arange(8)], (None, 4), ChannelTies())
