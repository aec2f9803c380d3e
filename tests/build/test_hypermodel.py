import inspect

import keras
import keras_tuner as kt
import numpy as np
import pytest
import tensorflow as tf

import hwkeras as hw
from hwkeras.build import HardwareHyperModel
from hwkeras.build import as_hypermodel
from hwkeras.build import batch_norm_momentum
from hwkeras.build import peak_learning_rate
from hwkeras.build.spaces import FromDict
from hwkeras.build.spaces import Image
from hwkeras.build.spaces import SearchSpace
from hwkeras.errors import UserError
from hwkeras.space import Draft
from hwkeras.space import ImageSpace

TINY = dict(
    stages=2,
    layer_types=("conv", "inverted_bottleneck"),
    depths=(1, 2),
    widths=(4, 8),
    kernels=3,
    expansions=2,
    squeeze_excite=False,
    activations="relu",
    resolutions=1,
    stem_widths=4,
    stem_strides=2,
    dense_units=0,
    dropout_rates=0.0,
)
# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

X, Y = np.random.default_rng(0).random((40, 8, 8, 1), "float32"), np.arange(40) % 10


def image(**arguments):
    return Image((8, 8, 1), 10, **{**TINY, **arguments})


def built(hypermodel):
    hp = kt.HyperParameters()
    return hp, hypermodel.build(hp)


class Rates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate.numpy()))


def momenta(model):
    return {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}


def test_a_space_is_a_hypermodel():
    space = hw.spaces.Image(input_shape=(28, 28, 1), num_classes=10)
    assert isinstance(space, kt.HyperModel)
    assert (space.input_shape, space.num_classes, space.tunable) == ((28, 28, 1), 10, True)
    hp = kt.HyperParameters()
    space.declare_hyperparameters(hp)
    assert "stage1/type" in hp.values
    assert space.architecture(hp) == space.space.architecture(hp)


def test_build_declares_and_compiles():
    hp, model = built(image())
    assert {parameter.name for parameter in hp.space} >= {"stage1/depth", "stage2/type"}
    assert model.output_shape == (None, 10)
    assert model.loss == "sparse_categorical_crossentropy"
    assert model.optimizer.name == "hwkeras_adam"


def test_keras_tuner_builds_once_to_know_the_space(tmp_path):
    hypermodel, calls = image(), []
    build = hypermodel.build
    hypermodel.build = lambda hp: calls.append(1) or build(hp)
    tuner = kt.RandomSearch(hypermodel, objective="val_accuracy", max_trials=1, directory=tmp_path)
    assert len(calls) == 1
    declared = kt.HyperParameters()
    hypermodel.declare_hyperparameters(declared)
    assert {p.name for p in tuner.oracle.get_space().space} == {p.name for p in declared.space}


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning")
def test_random_search_of_keras_tuner(tmp_path, digits):
    x, y = digits[0][:200], digits[1][:200]
    tuner = kt.RandomSearch(image(), objective="val_accuracy", max_trials=2, seed=1, directory=tmp_path)
    tuner.search(x, y, validation_split=0.2, epochs=1, batch_size=20, verbose=0)
    trials = list(tuner.oracle.trials.values())
    assert [trial.status for trial in trials] == ["COMPLETED"] * 2
    hashes = [image().architecture(trial.hyperparameters).hash for trial in trials]
    model = tuner.get_best_models()[0]
    assert model.name[4:] in {found[:12] for found in hashes}


def test_fit_suits_rate_and_momentum_to_the_steps():
    hypermodel = image()
    hp, model = built(hypermodel)
    rates = Rates()
    history = hypermodel.fit(hp, model, X, Y, batch_size=4, epochs=12, verbose=0, callbacks=[rates])
    assert len(history.history["loss"]) == 12
    assert momenta(model) == {batch_norm_momentum(120)}
    assert max(rates.seen) == pytest.approx(peak_learning_rate(4))
    assert rates.seen[-1] < 0.01 * max(rates.seen)


def test_the_users_optimizer_keeps_its_rate_and_is_copied():
    adam = keras.optimizers.Adam(0.0125)
    hypermodel = image(optimizer=adam)
    for _ in range(2):
        hp, model = built(hypermodel)
        rates = Rates()
        hypermodel.fit(hp, model, X, Y, batch_size=8, verbose=0, callbacks=rates)
        assert set(np.round(rates.seen, 6)) == {0.0125}
        assert model.optimizer is not adam
    assert built(image(optimizer="sgd"))[1].optimizer.name == "sgd"


def test_the_users_callback_keeps_the_rate():
    hypermodel = image()
    hp, model = built(hypermodel)
    rates = Rates()
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch: 0.25), rates]
    hypermodel.fit(hp, model, X, Y, batch_size=8, verbose=0, callbacks=callbacks)
    assert rates.seen == [0.25] * 5
    assert len(callbacks) == 2


def test_an_optimizer_compiled_by_the_tuner_keeps_its_rate(tmp_path):
    tuner = kt.RandomSearch(
        image(), objective="val_accuracy", max_trials=1, directory=tmp_path, optimizer=keras.optimizers.SGD(0.5)
    )
    hp = tuner.oracle.get_space()
    model = tuner._build_hypermodel(hp)
    rates = Rates()
    tuner.hypermodel.fit(hp, model, X, Y, batch_size=8, verbose=0, callbacks=[rates])
    assert set(rates.seen) == {0.5}


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_steps_unknown_change_nothing():
    hypermodel = image()
    hp, model = built(hypermodel)
    before = momenta(model)
    rates = Rates()
    batches = ((X[:8], Y[:8]) for _ in range(3))
    hypermodel.fit(hp, model, batches, shuffle=False, verbose=0, callbacks=[rates])
    assert momenta(model) == before
    assert len(set(rates.seen)) == 1


@pytest.mark.parametrize("is_dataset", [False, True])
def test_one_hot_labels_get_their_loss(is_dataset):
    one_hot = np.eye(10, dtype="float32")[Y]
    hypermodel = image()
    hp, model = built(hypermodel)
    data = (tf.data.Dataset.from_tensor_slices((X, one_hot)).batch(20),) if is_dataset else (X, one_hot)
    history = hypermodel.fit(hp, model, *data, shuffle=False, verbose=0).history
    assert model.loss == "categorical_crossentropy"
    assert set(history) == {"accuracy", "loss"}
    assert model.optimizer.name == "hwkeras_adam"


def test_what_the_user_compiles_stays():
    auc, loss = keras.metrics.AUC(name="auc"), keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    hypermodel = image(loss=loss, metrics=[auc, "accuracy"])
    hp, model = built(hypermodel)
    history = hypermodel.fit(hp, model, X, np.eye(10)[Y], verbose=0).history
    assert model.loss is loss
    assert set(history) == {"auc", "accuracy", "loss"}
    only_metrics = image(metrics=[keras.metrics.AUC(name="auc")])
    hp, model = built(only_metrics)
    assert set(only_metrics.fit(hp, model, X, np.eye(10)[Y], verbose=0).history) == {"auc", "loss"}


class OneOutput:
    """The smallest space: no hyperparameters, one network."""

    input_shape, num_classes = (8, 8, 1), 1

    def __init__(self, last):
        self.last = last

    def declare(self, hp):
        """Nothing to declare."""

    def architecture(self, hp):
        draft = Draft(self.input_shape)
        draft.append("flatten", "flatten")
        draft.append("last", **self.last)
        return draft.finish()


def test_the_loss_follows_the_classifier():
    sigmoid = HardwareHyperModel(OneOutput(dict(kind="classifier", classes=1, activation="sigmoid")))
    hp, model = built(sigmoid)
    assert model.loss == "binary_crossentropy"
    sigmoid.fit(hp, model, X, (Y > 4)[:, None], verbose=0)
    assert model.loss == "binary_crossentropy"
    regression = OneOutput(dict(kind="dense", units=1, activation="linear"))
    with pytest.raises(UserError, match=r"`loss` must be given for a network that does not end in a classifier"):
        built(HardwareHyperModel(regression))
    assert built(HardwareHyperModel(regression, loss="mse"))[1].loss == "mse"


def test_the_other_spaces():
    _, model = built(SearchSpace((8, 8, 1), (3,), num_layers=2, layer_types=["conv", "fc"], fc_sizes=[4]))
    assert model.output_shape == (None, 3)
    _, model = built(FromDict({"dense_units": [4, 8]}, (8, 8, 1), 5))
    assert model.output_shape == (None, 5)
    assert hw.SearchSpace is SearchSpace


def test_help_shows_the_arguments_of_the_space():
    shown = inspect.signature(Image).parameters
    assert list(shown)[:3] == ["input_shape", "num_classes", "stages"]
    assert list(shown)[-4:] == ["optimizer", "loss", "metrics", "augment"]
    assert shown["stages"].default == ImageSpace((8, 8, 1), 2).stages


def test_as_hypermodel():
    def build(hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 1, 3))])
        model.compile("sgd", "mse")
        return model

    wrapped = as_hypermodel(build)
    assert isinstance(wrapped, kt.HyperModel)
    assert built(wrapped)[1].output_shape == (None, 1)
    assert as_hypermodel(wrapped) is wrapped
    space = ImageSpace((8, 8, 1), 10)
    assert as_hypermodel(space).space is space


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: as_hypermodel(7), r"A search takes one of hwkeras.spaces.*Received: 7"),
        (lambda: as_hypermodel(Image), r"Received: <class .*Image.*Of a class pass an instance"),
        (lambda: as_hypermodel(keras.Sequential()), r"a single model goes to compress or benchmark"),
        (lambda: HardwareHyperModel(len), r"`space` must have declare\(hp\) and architecture\(hp\).*as_hypermodel"),
        (lambda: image(colors=3), r"The choices of this space are stages, min_stages, layer_types.*Received: 'colors'"),
        (lambda: SearchSpace(filters=3), r"The choices of this space are input_shape, .*Received: 'filters'"),
    ],
)
def test_what_is_no_space_is_said(make, said):
    with pytest.raises(UserError, match=said):
        make()
