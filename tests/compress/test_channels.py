import json

import keras
import numpy as np
import pytest

from hwkeras.compress.channel_groups import map_channels
from hwkeras.compress.channels import prune_channels
from hwkeras.convert import convert
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from tests.compress.channel_families import FAMILIES
from tests.compress.channel_families import all_layers
from tests.compress.channel_families import outputs_of
from tests.compress.channel_families import random_inputs
from tests.compress.channel_families import randomize
from tests.compress.channel_families import silence

L = keras.layers


def half_silent(family):
    """A family's network, random but for half the channels of every group, which are zero; and which they are."""
    rng = np.random.default_rng(7)
    model, groups = FAMILIES[family]()
    randomize(model, rng)
    layers, silent = all_layers(model), []
    for size, places in groups:
        gone = np.sort(rng.permutation(size)[: size // 2])
        silent.append(gone)
        for name, first in places:
            silence(layers[name], gone + first)
    return model, groups, silent


@pytest.mark.parametrize("family", FAMILIES)
def test_removing_silent_channels_changes_no_output(family):
    model, groups, silent = half_silent(family)
    smaller, report = prune_channels(model, 0.5, round_to=1, min_channels=1)
    inputs = random_inputs(model, np.random.default_rng(1))
    wanted, got = outputs_of(model, inputs), outputs_of(smaller, inputs)
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    assert sorted(group.channels_after for group in report.groups) == sorted(size // 2 for size, _ in groups)
    assert report.params_after == smaller.count_params() < model.count_params() == report.params_before


@pytest.mark.parametrize("family", FAMILIES)
def test_a_share_of_0_gives_the_same_model(family):
    model, _ = FAMILIES[family]()
    randomize(model, np.random.default_rng(3))
    same, report = prune_channels(model, 0.0)
    inputs = random_inputs(model, np.random.default_rng(1))
    np.testing.assert_array_equal(outputs_of(same, inputs), outputs_of(model, inputs))
    assert same is not model
    assert same.get_config() == model.get_config()
    assert report.channels_after == report.channels_before


@pytest.mark.parametrize("family", FAMILIES)
def test_the_groups_are_those_of_the_family(family):
    model, groups = FAMILIES[family]()
    found = map_channels(model).groups
    producers = {
        name
        for name, layer in all_layers(model).items()
        if any(weight.name in ("kernel", "pointwise_kernel", "embeddings") for weight in layer.weights)
        and not isinstance(layer, L.DepthwiseConv1D | L.DepthwiseConv2D)
    }
    wanted = {(size, frozenset(name for name, _ in places) & producers) for size, places in groups}
    assert {(len(group.channels), frozenset(group.layers)) for group in found} == wanted


def test_the_model_given_is_left_as_it_is():
    model, _ = FAMILIES["nested"]()
    weights, config = model.get_weights(), model.get_config()
    output = all_layers(model)["inner"].output
    prune_channels(model, 0.5)
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert model.get_config() == config
    # Another call of a layer would make its output ambiguous.
    assert all_layers(model)["inner"].output is output


def test_names_structure_and_kind_are_kept():
    model, _ = FAMILIES["several_inputs"]()
    smaller, _ = prune_channels(model, 0.5)
    assert list(smaller.input) == ["left", "right"]
    assert {name: tensor.shape for name, tensor in smaller.output.items()} == {"a": (None, 2), "b": (None, 3)}
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in model.layers]
    assert smaller.get_layer("shared").units == 4
    sequential, _ = prune_channels(FAMILIES["mlp"]()[0], 0.5)
    assert isinstance(sequential, keras.Sequential)
    assert (sequential.name, [layer.name for layer in sequential.layers]) == (
        "mlp",
        ["first", "norm", "second", "head"],
    )
    inner, _ = prune_channels(FAMILIES["nested"]()[0], 0.5)
    assert inner.get_layer("tower").get_layer("block").get_layer("inner").filters == 6


def test_the_smaller_model_is_compiled_as_the_original_is_and_trains():
    model, _ = FAMILIES["mlp"]()
    model.compile(keras.optimizers.Adam(0.125), "sparse_categorical_crossentropy", metrics=["accuracy"])
    smaller, report = prune_channels(model, 0.5)
    assert report.notes == ()
    assert float(smaller.optimizer.learning_rate) == 0.125
    rng = np.random.default_rng(0)
    history = smaller.fit(rng.normal(size=(32, 6)), rng.integers(0, 3, 32), verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert not prune_channels(FAMILIES["mlp"]()[0], 0.5).model.compiled


def test_a_compile_state_that_cannot_be_carried_over_is_said():
    def own_loss(wanted, got):
        return keras.ops.mean((wanted - got) ** 2)

    model, _ = FAMILIES["mlp"]()
    model.compile("adam", own_loss)
    smaller, report = prune_channels(model, 0.5)
    assert not smaller.compiled
    assert len(report.notes) == 1
    assert report.notes[0].startswith("left uncompiled, call `compile` before training: ")


def test_statistics_are_taken_anew_from_data():
    model, _ = FAMILIES["plain"]()
    randomize(model, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(200, 8, 8, 3)).astype("float32")
    smaller, report = prune_channels(model, 0.5, (x, None))
    assert report.notes == ("statistics of 1 batch normalizations taken anew from the data",)
    seen = np.asarray(keras.Model(smaller.input, smaller.get_layer("second").output)(x, training=False))
    norm = smaller.get_layer("second_bn")
    np.testing.assert_allclose(norm.moving_mean, seen.mean((0, 1, 2)), rtol=0.1, atol=0.05)
    np.testing.assert_allclose(norm.moving_variance, seen.var((0, 1, 2)), rtol=0.1)
    same, report = prune_channels(model, 0.0, (x, None))
    np.testing.assert_array_equal(same.get_layer("second_bn").moving_mean, model.get_layer("second_bn").moving_mean)
    assert report.notes == ()


def wide_net(*widths):
    image = keras.Input((16, 16, 8))
    x = image
    for number, width in enumerate(widths):
        x = L.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return keras.Model(image, L.Dense(10, name="head")(L.GlobalAveragePooling2D(name="pool")(x)))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_work_falls_with_the_square_of_what_remains(share):
    model = wide_net(32, 32, 32, 32)
    smaller, _ = prune_channels(model, share)
    before, after = (analyze(convert(one, "float32").flatbuffer).macs for one in (model, smaller))
    # The first convolution reads the input's channels, which stay.
    assert (1 - share) ** 2 <= after / before < (1 - share) ** 2 + 0.03
    assert smaller.output_shape == (None, 10)


@pytest.mark.parametrize(
    ("width", "share", "options", "after"),
    [
        (32, 0.5, {}, 16),
        (20, 0.5, {}, 8),  # of 8 and 12, both 2 away from 10, the smaller
        (24, 0.4, {}, 16),
        (36, 0.5, {}, 16),
        (20, 0.5, {"round_to": 1}, 10),
        (48, 0.5, {"round_to": 16}, 16),
        (14, 0.5, {}, 7),  # below 8 nothing is rounded
        (6, 0.5, {}, 4),
        (6, 0.5, {"min_channels": 1}, 3),
        (6, 0.9, {"min_channels": 2}, 2),
        (17, 0.95, {"min_channels": 1}, 1),
    ],
)
def test_counts_are_rounded_for_the_kernels(width, share, options, after):
    smaller, report = prune_channels(wide_net(width), share, **options)
    assert smaller.get_layer("conv0").filters == after
    assert (report.groups[0].channels_before, report.groups[0].channels_after) == (width, after)


def scaled(layer, factors):
    """Multiplies the output channels of a convolution."""
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * factors, bias])


def test_the_global_scope_takes_where_least_is_lost():
    model = wide_net(16, 16)
    scaled(model.get_layer("conv0"), np.repeat([1.0, 0.01], 8))
    uniform, _ = prune_channels(model, 0.25)
    free, report = prune_channels(model, 0.25, scope="global")
    assert [uniform.get_layer(name).filters for name in ("conv0", "conv1")] == [12, 12]
    assert [free.get_layer(name).filters for name in ("conv0", "conv1")] == [8, 16]
    assert report.scope == "global"
    # However large the share, a group keeps its least number of channels.
    few, _ = prune_channels(model, 0.99, scope="global", min_channels=5)
    assert [few.get_layer(name).filters for name in ("conv0", "conv1")] == [5, 5]


class TestImportance:
    def test_magnitude_keeps_what_is_made_and_read_strongly(self):
        model = wide_net(8, 8)
        scaled(model.get_layer("conv0"), np.array([1, 0.1] * 4))
        smaller, _ = prune_channels(model, 0.5)
        kept = model.get_layer("conv0").get_weights()[0][..., ::2]
        np.testing.assert_array_equal(smaller.get_layer("conv0").get_weights()[0], kept)

    def test_a_channel_nobody_reads_goes_first(self):
        model = wide_net(8, 8)
        kernel, bias = model.get_layer("conv1").get_weights()
        kernel[:, :, [1, 2, 5, 6]] = 0
        model.get_layer("conv1").set_weights([kernel, bias])
        smaller, _ = prune_channels(model, 0.5)
        kept = model.get_layer("conv0").get_weights()[0][..., [0, 3, 4, 7]]
        np.testing.assert_array_equal(smaller.get_layer("conv0").get_weights()[0], kept)

    def test_the_scale_of_batch_normalization(self):
        model, _ = FAMILIES["residual"]()
        for name in ("stem_bn", "outer_bn"):
            gamma = np.ones(8)
            gamma[[0, 3, 4, 5]] = -2.0
            model.get_layer(name).gamma.assign(gamma)
        smaller, _ = prune_channels(model, 0.5, importance="bn_scale")
        np.testing.assert_array_equal(smaller.get_layer("stem_bn").gamma, [-2.0] * 4)

    def test_without_batch_normalization_its_scale_is_the_magnitude(self):
        model = wide_net(16, 12)
        one, other = (prune_channels(model, 0.5, importance=how).model for how in ("bn_scale", "magnitude"))
        assert all(map(np.array_equal, one.get_weights(), other.get_weights()))

    def test_taylor_sees_that_a_large_weight_has_no_say(self):
        # Half the hidden units read a feature that is always 0, by weights 100 times as large.
        rng = np.random.default_rng(0)
        x = np.concatenate([rng.normal(size=(96, 3)), np.zeros((96, 1))], axis=1).astype("float32")
        y = (x[:, 0] > 0).astype(int)
        model = keras.Sequential([keras.Input((4,)), L.Dense(8, name="hidden"), L.Dense(2, name="head")])
        kernel = rng.normal(size=(4, 8))
        kernel[:3, 4:], kernel[3, 4:] = 0, 100
        model.get_layer("hidden").set_weights([kernel, np.zeros(8)])
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.trainable = False
        by_loss = prune_channels(model, 0.5, (x, y), importance="taylor").model
        by_size = prune_channels(model, 0.5, importance="magnitude").model
        np.testing.assert_allclose(by_loss.get_layer("hidden").get_weights()[0], kernel[:, :4], rtol=1e-6)
        np.testing.assert_allclose(by_size.get_layer("hidden").get_weights()[0], kernel[:, 4:], rtol=1e-6)

    def test_taylor_reads_several_inputs_and_embeddings(self):
        rng = np.random.default_rng(0)
        model, _ = FAMILIES["several_inputs"]()
        model.compile(loss={"a": "mse", "b": "mse"})
        x = {"left": rng.normal(size=(70, 6)), "right": rng.normal(size=(70, 4))}
        y = {"a": rng.normal(size=(70, 2)), "b": rng.normal(size=(70, 3))}
        assert prune_channels(model, 0.5, (x, y), importance="taylor").model.get_layer("shared").units == 4
        model, _ = FAMILIES["tokens"]()
        model.compile(loss="mse")
        data = rng.integers(0, 11, (8, 7)), rng.normal(size=(8, 3))
        assert prune_channels(model, 0.5, data, importance="taylor").model.get_layer("embedding").output_dim == 6


def test_the_report_says_what_went_and_what_stayed():
    model, _ = FAMILIES["residual"]()
    report = prune_channels(model, 0.5).report
    lines = str(report).splitlines()
    assert lines[0].startswith(f"channels=0.5 by magnitude: {report.params_before} -> {report.params_after} parameters")
    assert "36 -> 20 channels" in lines[0]
    assert "  stem, outer: 8 -> 4" in lines
    assert "  inner: 4 -> 4" in lines
    assert "  head: 3 channels stay, an output of the model has them" in lines
    document = json.loads(json.dumps(report.to_json()))
    assert document["groups"][0] == {"layers": ["stem", "outer"], "channels_before": 8, "channels_after": 4}
    assert document["kept"][0]["reason"] == "an output of the model has them"


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, float("nan"), "0.5", True, None])
def test_a_share_outside_0_to_1(share):
    with pytest.raises(UserError, match=r"must be in \[0, 1\). Received: share=.*To halve them pass 0.5"):
        prune_channels(wide_net(8), share)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"importance": "l1"}, "must be one of 'magnitude', 'taylor', 'bn_scale'. Received: importance='l1'"),
        ({"scope": "layer"}, "`scope` must be one of 'group', 'global'. Received: scope='layer'"),
        ({"round_to": 0}, "`round_to` must be an int of 1 or more. Received: round_to=0"),
        ({"min_channels": 2.5}, "`min_channels` must be an int of 1 or more. Received: min_channels=2.5"),
        ({"importance": "taylor"}, r"needs labeled data. Received: no data. Pass data=\(x, y\)"),
    ],
)
def test_arguments_that_are_wrong(options, said):
    with pytest.raises(UserError, match=said):
        prune_channels(wide_net(8), 0.5, **options)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((np.zeros((4, 16, 16, 8)), None), "Received: no labels"),
        (np.zeros((4, 16, 16, 8)), r"must be a tuple \(x, y\). Received: ndarray"),
        ((np.zeros((4, 16, 16, 8)), np.zeros(3, int)), r"as many labels as samples. Received: lengths \[3, 4\]"),
        ((np.zeros((0, 16, 16, 8)), np.zeros(0, int)), "must hold samples. Received: none"),
    ],
)
def test_data_taylor_cannot_use(data, said):
    model = wide_net(8)
    model.compile(loss="mse")
    with pytest.raises(DataError, match=said):
        prune_channels(model, 0.5, data, importance="taylor")


def test_taylor_without_a_loss():
    with pytest.raises(UserError, match=r"asks the model's loss. Received: a model that is not compiled with one"):
        prune_channels(wide_net(8), 0.5, (np.zeros((4, 16, 16, 8)), np.zeros(4, int)), importance="taylor")


def test_weights_that_are_not_finite():
    model = wide_net(8)
    scaled(model.get_layer("conv0"), np.array([1, np.nan] * 4))
    with pytest.raises(UserError, match="must be finite. Received: NaN or infinity in 'kernel' of layer 'conv0'"):
        prune_channels(model, 0.5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(2)

    def call(self, x):
        return self.dense(x)


class WithoutConfig(L.Layer):
    def __init__(self, function):
        super().__init__(name="own")
        self.function = function

    def call(self, x):
        return self.function(x)


class TestModels:
    def test_a_subclassed_one(self):
        model = Subclassed()
        model(np.zeros((1, 4), "float32"))
        with pytest.raises(
            UserError, match="a layer graph: .*Received: Subclassed 'subclassed.*', which is subclassed"
        ):
            prune_channels(model, 0.5)

    def test_one_that_is_not_built(self):
        with pytest.raises(UserError, match=r"which is subclassed or not built.*call `build\(\)` on a Sequential"):
            prune_channels(keras.Sequential([L.Dense(8), L.Dense(2)]), 0.5)

    def test_no_model(self):
        with pytest.raises(UserError, match="must be a Keras 3 model. Received: builtins.str"):
            prune_channels("model.keras", 0.5)

    def test_one_with_nothing_to_remove(self):
        features = keras.Input((4,))
        model = keras.Model(features, L.Dense(3, name="head")(features), name="linear")
        with pytest.raises(UserError, match="Received: 'linear', 'head' stays whole: an output of the model has them"):
            prune_channels(model, 0.5)
        with pytest.raises(UserError, match="which makes no channels. Leave the channels out of the recipe"):
            prune_channels(keras.Model(features, L.ReLU()(features)), 0.5, scope="global")

    def test_one_too_narrow_for_the_share(self):
        with pytest.raises(
            UserError, match="groups of at most 8 channels, of which rounding to multiples of 4 and a min"
        ):
            prune_channels(wide_net(8), 0.05)

    def test_a_layer_without_a_configuration(self):
        features = keras.Input((4,))
        model = keras.Model(features, L.Dense(2)(WithoutConfig(keras.ops.relu)(L.Dense(8)(features))))
        with pytest.raises(UserError, match="Received: layer 'own' of class WithoutConfig, which refuses: "):
            prune_channels(model, 0.5)
