"""A backbone: cut, copied, frozen or trained on, searched over."""

import importlib

import keras
import keras_tuner as kt
import numpy as np
import pytest
from keras import layers

import hwkeras as hw
from hwkeras.build import peak_learning_rate
from hwkeras.build.transfer_backbone import Backbone
from hwkeras.build.transfer_source import _EXPECTED
from hwkeras.build.transfer_source import _read_red_first
from hwkeras.build.transfer_source import application_names
from hwkeras.build.transfer_source import open_source
from hwkeras.convert import convert_untrained
from hwkeras.errors import UserError
from hwkeras.export import verify
from hwkeras.testing import SpaceConformance

# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
CUTS = ("pool1", "add2", "relu3")


def trained(channels=3, seed=0, num_classes=5, side=16):
    """A small network that behaves like a trained one: its batch statistics are not those it was made with."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((side, side, channels), name="photo")
    y = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv1")(image)
    y = layers.BatchNormalization(name="norm1")(y)
    y = layers.ReLU(name="relu1")(y)
    y = layers.MaxPooling2D(2, name="pool1")(y)
    z = layers.Conv2D(12, 1, activation="relu", name="wide2")(y)
    z = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv2")(z)
    z = layers.BatchNormalization(name="norm2")(z)
    y = layers.Add(name="add2")([y, z])
    y = layers.ZeroPadding2D(1, name="pad3")(y)
    y = layers.Conv2D(8, 3, strides=2, name="conv3")(y)
    y = layers.BatchNormalization(name="norm3")(y)
    y = layers.ReLU(name="relu3")(y)
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    model = keras.Model(image, layers.Dense(num_classes, activation="softmax", name="classes")(y), name="small")
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def backbone():
    return trained()


def transfer(model, shape=(16, 16, 3), num_classes=3, **arguments):
    return hw.spaces.Transfer(model, shape, num_classes, **{"dense_units": 0, "dropout_rates": 0.0, **arguments})


def built(space, **values):
    hp = kt.HyperParameters()
    space.declare_hyperparameters(hp)
    hp.values |= {("head/" if name == "pool" else "transfer/") + name: value for name, value in values.items()}
    return hp, space.build(hp)


def images(num=12, side=16, channels=3):
    rng = np.random.default_rng(1)
    return rng.random((num, side, side, channels), "float32"), np.arange(num) % 3


def weights_of(model, names):
    return {name: model.get_layer(name).get_weights() for name in names if model.get_layer(name).weights}


def equal(some, others):
    return {name: all(map(np.array_equal, some[name], others[name])) for name in some}


def test_cuts_are_ends_of_blocks_that_every_path_goes_through(backbone):
    places = Backbone(backbone).places
    # Within the residual block no tensor is the only way; behind the pooling no tensor is an image.
    assert list(places.tensors) == ["conv1", "norm1", "relu1", "pool1", "add2", "pad3", "conv3", "norm3", "relu3"]
    assert places.chosen(6) == ("relu1", *CUTS)
    # Of the ends of resolutions (relu1 at 16, add2 at 8, relu3 at 4) the last are kept.
    assert places.chosen(3) == ("relu1", "add2", "relu3")
    assert places.chosen(2) == ("relu1", "relu3") and places.chosen(1) == ("relu3",)
    assert places.named(("relu3", "pool1")) == ("pool1", "relu3")


def test_a_bottleneck_is_not_cut_in_its_wide_middle():
    model = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    cuts = Backbone(model).places.chosen(6)
    assert cuts == (
        "expanded_conv_project_BN",
        "block_2_add",
        "block_5_add",
        "block_9_add",
        "block_12_add",
        "out_relu",
    )


def test_a_convolution_that_gives_the_classes_is_their_head():
    parts = [layers.Conv2D(8, 3, name="first"), layers.Conv2D(8, 3, name="second"), layers.Conv2D(4, 1, name="third")]
    image = [keras.Input((8, 8, 3))]
    assert Backbone(keras.Sequential([*image, *parts, layers.GlobalMaxPooling2D()])).places.chosen(6) == (
        "first",
        "second",
    )
    # Without the pooling it is a layer like others, and the narrowest.
    assert Backbone(keras.Sequential([*image, *parts])).places.chosen(6) == ("third",)


def test_a_copy_answers_as_its_original_and_is_nobody_s(backbone):
    before = backbone.get_weights()
    space = transfer(backbone, cuts=CUTS)
    x, y = images()
    for cut in CUTS:
        hp, model = built(space, cut=cut, training="all", rate=0.3)
        _, other = built(space, cut=cut, training="all", rate=0.3)
        assert {layer.name for layer in model.layers} == {layer.name for layer in other.layers}
        part = keras.Model(backbone.input, backbone.get_layer(cut).output)
        ours = keras.Model(model.input, model.get_layer(cut).output)
        np.testing.assert_array_equal(ours.predict(x, verbose=0), part.predict(x, verbose=0))
    space.fit(hp, model, x, y, epochs=1, verbose=0)
    names = Backbone(backbone).layers_until("relu3")
    assert not any(equal(weights_of(model, names), weights_of(backbone, names)).values())
    assert all(equal(weights_of(other, names), weights_of(backbone, names)).values())
    assert all(map(np.array_equal, before, backbone.get_weights()))


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate.numpy()))


@pytest.mark.parametrize(
    ("values", "changed", "share"),
    [
        ({"training": "frozen"}, set(), 1.0),
        ({"training": "top", "rate": 0.3}, {"conv3", "norm3"}, 0.3),
        ({"training": "all", "rate": 1.0}, {"conv1", "norm1", "wide2", "conv2", "norm2", "conv3", "norm3"}, 1.0),
    ],
)
def test_what_is_trained_and_how_fast(backbone, values, changed, share):
    space = transfer(backbone, cuts=CUTS)
    hp, model = built(space, cut="relu3", **values)
    names = Backbone(backbone).layers_until("relu3")
    head = model.get_layer("head").get_weights()[0]
    (x, y), rates = images(48), Rates()
    space.fit(hp, model, x, y, epochs=2, batch_size=4, callbacks=[rates], verbose=0)
    of_head = 1
    assert hw.reestimate_batch_statistics(model, x) == of_head + sum(name.startswith("norm") for name in changed)
    now, then = weights_of(model, names), weights_of(backbone, names)
    assert {name for name, same in equal(now, then).items() if not same} == changed
    assert not np.array_equal(head, model.get_layer("head").get_weights()[0])
    peak = share * peak_learning_rate(4)
    assert max(rates.seen) == pytest.approx(peak) and rates.seen[-1] < 0.1 * peak


def test_an_optimizer_of_the_user_s_keeps_its_rate(backbone):
    space = transfer(backbone, optimizer=keras.optimizers.SGD(0.25), training="frozen")
    hp, model = built(space)
    (x, y), rates = images(), Rates()
    space.fit(hp, model, x, y, callbacks=[rates], verbose=0)
    assert set(rates.seen) == {0.25}


def test_samples_are_augmented_as_in_any_space(backbone):
    space = transfer(backbone, training="top", rates=0.1, augment={"flip": True, "mixup": (0.0, 0.2)})
    hp, model = built(space)
    hp.values["augment/mixup"] = 0.2
    assert space.training_values(hp) == {"flip": True, "mixup": 0.2} and "augment/mixup" in space.describe()
    (x, y), rates = images(8), Rates()
    space.fit(hp, model, x, y, epochs=2, batch_size=4, callbacks=[rates], verbose=0)
    assert max(rates.seen) == pytest.approx(0.1 * peak_learning_rate(4))


def test_images_become_what_the_backbone_takes(backbone):
    x, _ = images(side=32, channels=1)
    space = transfer(backbone, (32, 32, 1), cuts="pool1", resolutions=(1, 2, 0.5), scale=[2, 3, 4], offset=-1)
    halved = x.reshape(12, 16, 2, 16, 2, 1).mean(axis=(2, 4))
    for factor, expected in ((1.0, x), (2.0, halved)):
        _, model = built(space, resolution=factor)
        shown = keras.Model(model.input, model.get_layer("image_scale").output).predict(x, verbose=0)
        np.testing.assert_allclose(shown, expected * [2, 3, 4] - 1, rtol=1e-5, atol=1e-5)
    _, doubled = built(space, resolution=0.5)
    assert doubled.get_layer("image_scale").output.shape == (None, 64, 64, 3)
    assert doubled.get_layer("pool1").output.shape == (None, 32, 32, 4)


def test_images_of_keras_applications_are_those_of_its_preprocessing():
    x = np.random.default_rng(0).random((1, 3, 3, 3), "float32")
    names = application_names()
    assert {"MobileNetV2", "MobileNetV3Small", "EfficientNetB0", "ResNet50", "VGG16"} < set(names)
    for function in names.values():
        family = function.__module__.rpartition(".")[2]
        scale, offset = _EXPECTED[family]
        wanted = importlib.import_module(function.__module__).preprocess_input(x * 255)
        shown = x * np.array(scale) + np.array(offset)
        blue_first = family in ("resnet", "vgg16", "vgg19")
        np.testing.assert_allclose(shown[..., ::-1] if blue_first else shown, wanted, rtol=1e-4, atol=1e-4)


def test_a_backbone_trained_on_blue_first_reads_red_first():
    model, turned = trained(), trained()
    _read_red_first(turned)
    x, _ = images()
    expected = model.predict(x[..., ::-1], verbose=0)
    np.testing.assert_allclose(turned.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_a_name_is_written_as_one_likes_and_random_weights_are_trained():
    space = transfer("mobilenet_v2", (32, 32, 1), cuts="block_2_add")
    assert "MobileNetV2".lower() in space.describe() and "transfer/training all" in " ".join(space.describe().split())
    hp, model = built(space)
    assert model.get_layer("image_scale").get_config()["scale"] == 2.0
    assert all(layer.trainable for layer in model.layers)
    # New weights for each network, as in any space.
    _, other = built(space)
    assert not np.array_equal(model.get_layer("Conv1").get_weights()[0], other.get_layer("Conv1").get_weights()[0])
    x, y = images(8, 32, 1)
    rates = Rates()
    space.fit(hp, model, x, y, epochs=1, batch_size=4, callbacks=[rates], verbose=0)
    assert max(rates.seen) == pytest.approx(peak_learning_rate(4))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_is_as_good_as_its_model(backbone, tmp_path, suffix):
    path = tmp_path / f"small{suffix}"
    backbone.save(path)
    space = transfer(path)
    assert Backbone(open_source(str(path)).model).identity == Backbone(backbone).identity
    assert Backbone(trained(seed=1)).identity != Backbone(backbone).identity
    assert "Transfer of small@" in space.describe()
    _, model = built(space)
    np.testing.assert_array_equal(model.get_layer("conv3").get_weights()[0], backbone.layers[-5].get_weights()[0])


def test_nested_models_operations_and_networks_made_here_are_backbones(backbone):
    inner = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")])
    image = keras.Input((16, 16, 3))
    y = inner(image)
    y = keras.ops.relu(y + layers.Conv2D(4, 1, name="conv")(y))
    found = Backbone(keras.Model(image, layers.Dense(2)(layers.Flatten()(y))))
    assert f"{inner.name}_relu" in found.places.tensors and len(found.places.chosen(6)) == 2
    features, _ = found.grow(keras.Input((16, 16, 3), name="mine"), found.places.chosen(6)[-1])
    assert features.shape == (None, 14, 14, 4)

    hp, first = built(transfer(backbone, scale=2.0))
    space = transfer(first, num_classes=4, scale=3.0)
    _, second = built(space)
    assert [second.get_layer(name).scale for name in ("image_scale", "image_scale_")] == [2.0, 3.0]
    assert second.output_shape == (None, 4)


def test_a_regression_is_standardized_as_in_any_space(backbone):
    space = transfer(backbone, num_classes=1, training="frozen")
    assert space.predicts_numbers
    hp, model = built(space)
    x, _ = images(24)
    y = 1000 + 100 * x.mean(axis=(1, 2, 3))
    space.fit(hp, model, x, y, epochs=3, batch_size=8, verbose=0)
    assert np.abs(model.predict(x, verbose=0)[:, 0] - y).max() < 100


class TestTransferConformance(SpaceConformance):
    num_samples = 6
    largest_bytes = 20_000

    def make_space(self):
        return transfer(
            trained(),
            (16, 16, 1),
            resolutions=(1, 2, 0.5),
            scale=2,
            offset=[-1, -0.9, -0.8],
            dense_units=(0, 6),
            dropout_rates=(0, 0.2),
        )


@pytest.mark.slow
def test_a_deeper_cut_of_mobilenet_costs_more():
    model = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    space = transfer(model, (32, 32, 1), scale=2, offset=-1, pools="average", training="frozen")
    macs, sizes = [], []
    for cut in space.space.cuts:
        _, network = built(space, cut=cut)
        files = convert_untrained(network, ("float32", "int8"))
        macs.append(hw.analyze(files["int8"]).macs)
        sizes.append(len(files["float32"]))
    assert len(macs) == 6 and macs == sorted(set(macs)) and sizes == sorted(set(sizes))


def test_a_search_ships_and_goes_on_with_the_same_backbone_only(backbone, tmp_path):
    x, y = images(40, channels=1)

    def search(model, max_trials):
        space = transfer(model, (16, 16, 1), cuts=("add2", "relu3"), pools="average")
        options = {"precision": "int8", "device": "fake", "seed": 0, "progress": None}
        tuner = hw.HardwareTuner(space, max_trials=max_trials, directory=tmp_path / "run", **options)
        tuner.search(x[:30], y[:30], validation_data=(x[30:], y[30:]), epochs=1, batch_size=8)
        return tuner

    tuner = search(backbone, 2)
    assert len(tuner.candidates()) == 2
    bundle = tuner.export(tmp_path / "bundle", tuner.candidates()[-1])
    assert verify(bundle, remeasure=False).ok
    trial = tuner.oracle.get_best_trials(1)[0]
    again = tuner.load_model(trial)
    np.testing.assert_array_equal(tuner.get_best_models(1)[0].predict(x, verbose=0), again.predict(x, verbose=0))
    said = r"goes on with the backbone it was started with. Received: small@\w+, not small@\w+. Pass the same file"
    with pytest.raises(UserError, match=said):
        search(trained(seed=1), 3)
    assert len(search(trained(), 3).oracle.trials) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": 3}, r"must be a keras.Model, the path of a .keras or .h5 file, or a name .* Received: 3\."),
        ({"model": "lenet"}, r"or one of ConvNeXtBase, .*, Xception. Received: 'lenet'\."),
        ({"model": "none.keras"}, r"must be a file that exists. Received: none.keras\."),
        ({"weights": "imagenet"}, r"a model and a file bring their own. Received: weights='imagenet' beside a back"),
        (
            {"model": "mobilenet_v2", "weights": "none.h5"},
            r"'imagenet', which Keras downloads, .* weights='none.h5' \(",
        ),
        ({"shape": (16, 16, 2)}, r"one channel or as many as the backbone takes, 3. Received: input_shape=\(16, 16, 2"),
        ({"shape": (16, 16)}, r"`input_shape` must be \(height, width, channels\)"),
        ({"cuts": ("conv2",)}, r"every path to the output goes: conv1, norm1, .* Received: cuts=\('conv2',\)\."),
        ({"cuts": ()}, r"Received: cuts=\(\)\."),
        ({"training": "some"}, r"`training` must be one of 'frozen', 'top', 'all'. Received: training='some'"),
        ({"rates": 2}, r"`rates` must be in \(0, 1\], a share of the usual peak rate. Received: rates=2"),
        ({"resolutions": 0.3}, r"`resolutions` must be a whole number, .* Received: resolutions=0.3"),
        ({"resolutions": 3}, r"must divide height and width of the input. Received: 3 for 16x16\."),
        (
            {"scale": [1, 2]},
            r"`scale` must be a number, or one for each of the backbone's 3 channels. Received: scale=",
        ),
        ({"offset": "a"}, r"`offset` must be a number, .* Received: offset='a'"),
    ],
)
def test_wrong_arguments_are_told(backbone, arguments, said):
    with pytest.raises(UserError, match=said):
        transfer(**{"model": backbone, **arguments})


def test_wrong_backbones_are_told(tmp_path):
    vector = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="vector")
    with pytest.raises(UserError, match=r"from one image to one output.*Received: Sequential 'vector' with inputs of"):
        transfer(vector)
    flat = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2)], name="flat")
    with pytest.raises(UserError, match=r"must hold a convolution through which .* Received: 'flat', which has none"):
        transfer(flat, (4, 4, 3))
    python = keras.Sequential([keras.Input((4, 4, 3)), layers.Lambda(lambda x: x * 2, (4, 4, 3))], name="python")
    with pytest.raises(UserError, match=r"that can be copied from their configuration. Received: 'python' \("):
        transfer(python, (4, 4, 3))
    (tmp_path / "broken.keras").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"Keras 3 loads in safe mode. Received: .*broken.keras \(.*Save it anew as"):
        transfer(tmp_path / "broken.keras")


def test_deep_cuts_of_small_images_are_left_away_or_told():
    image = keras.Input((32, 32, 3))
    y = layers.MaxPooling2D(4, name="one")(layers.Conv2D(4, 3, padding="same")(image))
    y = layers.MaxPooling2D(4, name="two")(layers.Conv2D(4, 3, padding="same")(y))
    model = keras.Model(image, y, name="pools")
    assert transfer(model, (8, 8, 3)).space.cuts[-1] != "two"
    with pytest.raises(UserError, match=r"of a size that the backbone takes. Received: \(8, 8\), of which 'pools' ma"):
        transfer(model, (8, 8, 3), cuts=("one", "two"))
