"""Any network: what channel pruning leaves is the original without the channels it removed."""

import random

import keras
import numpy as np
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.build import build_model
from hwkeras.compress.channel_choice import kept_channels
from hwkeras.compress.channel_groups import ChannelGroup
from hwkeras.compress.channel_groups import map_channels
from hwkeras.compress.channel_importance import channel_importance
from hwkeras.compress.channels import prune_channels
from hwkeras.convert import convert
from hwkeras.convert import predict
from hwkeras.space import ImageSpace
from tests.compress.channel_families import all_layers
from tests.compress.channel_families import outputs_of
from tests.compress.channel_families import random_inputs
from tests.compress.channel_families import randomize

SPACE = ImageSpace((8, 8, 3), 4, depths=(1, 2), widths=(8, 16, 20), kernels=(3,), expansions=(2, 3), resolutions=(1,))


def silence_removed(model, share, min_channels):
    """Sets to zero, in the original, every weight's places of the channels that are removed."""
    channel_map = map_channels(model)
    scores = channel_importance(model, channel_map, "magnitude")
    kept = kept_channels(channel_map.groups, scores, share, scope="group", round_to=4, min_channels=min_channels)
    removed = np.concatenate([np.setdiff1d(*pair) for pair in zip(members(channel_map), kept, strict=True)])
    for entry in channel_map.layers:
        for axis in entry.axes:
            weight = next(weight for weight in entry.layer.weights if weight.name == axis.weight)
            values = np.moveaxis(np.array(weight), axis.axis, 0)
            values[np.isin(axis.channels, removed)] = 0
            weight.assign(np.moveaxis(values, 0, axis.axis))


def members(channel_map):
    return [group.channels for group in channel_map.groups]


def check(model, share=0.5, seed=0):
    rng = np.random.default_rng(seed)
    smaller, report = prune_channels(model, share, min_channels=2)
    silence_removed(model, share, 2)
    inputs = random_inputs(model, rng, count=2)
    wanted, got = outputs_of(model, inputs), outputs_of(smaller, inputs)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
    assert smaller.count_params() < model.count_params()
    assert smaller.output_shape == model.output_shape
    return smaller, report


def check_architecture(space, seed, draw):
    """Checks one architecture of a space; returns it and samples for it."""
    architecture = space.architecture(draw(space, random.Random(seed)))
    model = build_model(architecture)
    randomize(model, np.random.default_rng(seed))
    smaller, _ = check(model, seed=seed)
    samples = np.random.default_rng(seed).normal(size=(16, 8, 8, 3)).astype("float32")
    wanted = np.asarray(smaller(samples, training=False))
    np.testing.assert_allclose(predict(convert(smaller, "float32").flatbuffer, samples), wanted, atol=1e-4)
    return architecture, samples


@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None, derandomize=True)
def test_random_architectures(seed, draw):
    check_architecture(SPACE, seed, draw)


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_many_random_architectures(seed, draw):
    architecture, samples = check_architecture(ImageSpace((8, 8, 3), 4), seed, draw)
    # Weights as they are initialized: activations of the random ones above grow beyond what int8 kernels rescale.
    fresh = prune_channels(build_model(architecture), 0.5).model
    assert convert(fresh, "int8", samples).precision == "int8"


APPLICATIONS = {
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"alpha": 1.0},
    "EfficientNetB0": {},
    "ResNet50": {},
    "DenseNet121": {},
    "NASNetMobile": {"input_shape": (64, 64, 3)},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_keras_applications(name):
    options = {"input_shape": (32, 32, 3), "classes": 10, "classifier_activation": None, **APPLICATIONS[name]}
    model = getattr(keras.applications, name)(weights=None, **options)
    rng = np.random.default_rng(0)
    for layer in all_layers(model).values():
        for weight in layer.weights:
            if weight.name in ("gamma", "beta", "bias", "moving_mean", "moving_variance"):
                weight.assign(np.array(weight) + rng.uniform(0, 0.1, weight.shape))
    _, report = check(model)
    assert report.params_after < 0.45 * report.params_before
    assert {kept.reason for kept in report.kept} == {"an output of the model has them"}
    assert len(report.kept) == 1


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    share=st.floats(0, 0.99),
    scope=st.sampled_from(["group", "global"]),
    round_to=st.integers(1, 8),
    least=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@example(sizes=[10], share=0.21875, scope="group", round_to=3, least=1, seed=0)
def test_the_choice_obeys_its_laws(sizes, share, scope, round_to, least, seed):
    bounds = np.cumsum([0, *sizes])
    groups = tuple(ChannelGroup((str(k),), np.arange(bounds[k], bounds[k + 1])) for k in range(len(sizes)))
    scores = np.random.default_rng(seed).random(bounds[-1])
    kept = kept_channels(groups, scores, share, scope=scope, round_to=round_to, min_channels=least)
    for group, remaining in zip(groups, kept, strict=True):
        count = len(remaining)
        assert min(len(group.channels), least) <= count <= len(group.channels)
        assert count < 8 or count % round_to == 0 or count in (len(group.channels), least)
        assert np.all(np.diff(remaining) > 0) and set(remaining) <= set(group.channels)
        lost = np.setdiff1d(group.channels, remaining)
        assert not len(lost) or scores[lost].max() <= scores[remaining].min()
        if scope == "group" and least <= len(group.channels) * (1 - share):
            assert abs(count - len(group.channels) * (1 - share)) <= round_to / 2


def test_channels_of_one_layer_are_not_mixed_up():
    """The order of the channels that remain is the old one, and each keeps all its own weights."""
    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(40, name="hidden"), keras.layers.Dense(3, name="head")]
    )
    randomize(model, np.random.default_rng(0))
    (group,) = map_channels(model).groups
    assert len(group.channels) == 40
    smaller, _ = prune_channels(model, 0.5)
    (kernel, bias), (read, _) = (smaller.get_layer(name).get_weights() for name in ("hidden", "head"))
    (all_kernel, all_bias), (all_read, _) = (model.get_layer(name).get_weights() for name in ("hidden", "head"))
    places = np.array([np.flatnonzero(all_bias == value).item() for value in bias])
    assert np.all(np.diff(places) > 0)
    np.testing.assert_array_equal(kernel, all_kernel[:, places])
    np.testing.assert_array_equal(read, all_read[places])
