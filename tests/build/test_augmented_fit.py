"""A hypermodel that augments: what `fit` trains on, and that nothing else notices."""

import keras
import keras_tuner as kt
import numpy as np
import pytest
import tensorflow as tf

from hwkeras.build import Batches
from hwkeras.build import HardwareHyperModel
from hwkeras.build.augmented_fit import augmented_arguments
from hwkeras.build.soft_labels import soft_labels
from hwkeras.build.soft_labels import takes_class_numbers
from hwkeras.build.spaces import Image
from hwkeras.build.spaces import Sequence
from hwkeras.build.spaces import Tabular
from hwkeras.errors import UserError
from hwkeras.space import Augmentation
from hwkeras.space import Draft
from hwkeras.space import ImageSpace

CHOICES = {"flip": (False, True), "mixup": (0.0, 0.2)}
# Keras' own callbacks read variables by `np.asarray`, which numpy 2.4 deprecates for objects without a `copy` keyword.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

X, Y = np.random.default_rng(0).random((20, 4, 4, 1), "float32"), np.arange(20) % 4
VALID = X[:7], Y[:7]


class Small:
    """The smallest space of classes or numbers."""

    input_shape = (4, 4, 1)

    def __init__(self, kind="classifier", **params):
        self.last = {"kind": kind, **(params or {"classes": 4, "activation": "softmax"})}
        self.num_classes = 4

    def declare(self, hp):
        """Nothing to declare."""

    def architecture(self, hp):
        draft = Draft(self.input_shape)
        draft.append("flatten", "flatten")
        draft.append("last", **self.last)
        return draft.finish()


def compiled(augment, space=None, **options):
    """A hypermodel with its hyperparameters and a model."""
    hypermodel = HardwareHyperModel(space or Small(), augment=augment, **options)
    hp = kt.HyperParameters()
    keras.utils.set_random_seed(1)
    return hypermodel, hp, hypermodel.build(hp)


class Labels(keras.callbacks.Callback):
    """Remembers what the model is compiled for while it is trained."""

    def on_train_begin(self, logs=None):
        self.loss = self.model.loss


def test_augmentation_adds_choices_and_leaves_networks_alone():
    plain, changed = Image((28, 28, 1), 10), Image((28, 28, 1), 10, augment=CHOICES)
    hps = []
    for hypermodel in (plain, changed):
        hps.append(kt.HyperParameters())
        hypermodel.declare_hyperparameters(hps[-1])
    names = [[gene.name for gene in hp.space] for hp in hps]
    assert names[1] == [*names[0], "augment/flip", "augment/mixup"]
    hps[1].values |= {"augment/flip": True, "augment/mixup": 0.2}
    assert changed.architecture(hps[1]) == plain.architecture(hps[0])
    assert changed.training_values(hps[1]) == {"flip": True, "mixup": 0.2} and plain.training_values(hps[0]) == {}
    assert changed.describe() == f"{plain.describe()}\naugment/flip: False, True\naugment/mixup: 0.0, 0.2"
    changed.augment = None
    assert changed.training_values(hps[1]) == {}
    changed.augment = Augmentation({"noise": 0.1})
    assert changed.training_values(hps[1]) == {"noise": 0.1}


def test_an_augmentation_that_does_not_suit_is_said_when_the_space_is_made():
    with pytest.raises(UserError, match=r"Received: 'flip' for inputs of shape \(128, 6\). For these there are crop"):
        Sequence((128, 6), 7, augment={"flip": True})
    with pytest.raises(UserError, match=r"'mixup' for inputs of shape \(20,\). There is none for these; leave it away"):
        Tabular((20,), 2, augment={"mixup": 0.2})
    with pytest.raises(UserError, match=r"The augmentations are .*Received: 'shear'"):
        HardwareHyperModel(ImageSpace((8, 8, 1), 10), augment={"shear": 1})


def test_off_trains_as_without():
    histories = []
    for augment in (None, CHOICES):
        hypermodel, hp, model = compiled(augment)
        fitted = hypermodel.fit(hp, model, X, Y, batch_size=8, epochs=2, verbose=0, validation_data=VALID)
        histories.append(fitted.history)
    assert histories[0] == histories[1]


def test_mixup_trains_on_shares_of_classes_and_the_model_takes_numbers_again():
    hypermodel, hp, model = compiled({"mixup": 0.2})
    labels = Labels()
    fitted = hypermodel.fit(hp, model, X, Y, batch_size=8, epochs=3, verbose=0, validation_data=VALID, callbacks=labels)
    assert set(fitted.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert isinstance(labels.loss, keras.losses.CategoricalCrossentropy)
    assert model.loss == "sparse_categorical_crossentropy" and model.optimizer.name == "hwkeras_adam"
    assert int(model.optimizer.iterations.numpy()) == 9
    scores = model.evaluate(*VALID, verbose=0, return_dict=True)
    assert fitted.history["val_loss"][-1] == pytest.approx(scores["loss"], rel=1e-5)
    assert fitted.history["val_accuracy"][-1] == pytest.approx(scores["accuracy"])


def test_the_same_seed_trains_the_same_and_another_does_not():
    losses = []
    for seed in (1, 1, 2):
        hypermodel, hp, model = compiled({"mixup": 0.5, "noise": 0.5})
        keras.utils.set_random_seed(seed)
        losses.append(hypermodel.fit(hp, model, X, Y, batch_size=8, epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_weights_of_classes_and_samples_go_with_the_samples():
    """With no weight on the others, only samples of which class 0 has the larger share are learned from."""
    only_first = {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.0}
    for weights in ({"class_weight": only_first}, {"sample_weight": (Y == 0).astype("float32")}):
        hypermodel, hp, model = compiled({"mixup": 0.2}, optimizer=keras.optimizers.SGD(1.0))
        hypermodel.fit(hp, model, X, Y, batch_size=20, epochs=20, verbose=0, **weights)
        assert set(model.predict(X, verbose=0).argmax(axis=1)) == {0}


def test_validation_split_and_steps_are_those_of_keras():
    class Steps(keras.callbacks.Callback):
        num = 0

        def on_train_batch_end(self, batch, logs=None):
            self.num += 1

    hypermodel, hp, model = compiled({"mixup": 0.2, "flip": True})
    steps = Steps()
    asked = dict(batch_size=8, epochs=2, validation_split=0.35, verbose=0, callbacks=[steps])
    fitted = hypermodel.fit(hp, model, X, Y, **asked)
    assert steps.num == 4  # 13 samples
    told = model.evaluate(X[13:], Y[13:], verbose=0, return_dict=True)
    assert fitted.history["val_loss"][-1] == pytest.approx(told["loss"], rel=1e-5)
    steps.num = 0
    hypermodel.fit(hp, model, X, Y, batch_size=8, epochs=2, steps_per_epoch=5, verbose=0, callbacks=[steps])
    assert steps.num == 10


def test_the_split_is_the_last_share_whatever_x_is():
    class Read:
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __getitem__(self, indices):
            return X[indices]

    for x in (X, Read(), tf.constant(X)):
        asked = {"x": x, "y": list(Y), "sample_weight": Y, "validation_split": 0.25, "batch_size": 4}
        arguments = augmented_arguments(asked, {"flip": True}, 3, 0)
        assert set(arguments) == {"x", "batch_size", "validation_data", "shuffle"} and not arguments["shuffle"]
        valid = arguments["validation_data"]
        assert np.array_equal(valid[0], X[15:]) and valid[1].tolist() == valid[2].tolist() == Y[15:].tolist()
        assert (arguments["x"].num_samples, arguments["x"].batch_size) == (15, 4)
        assert "y" in asked


def test_a_channel_that_is_missing_is_added_for_as_long():
    arguments = augmented_arguments({"x": X[..., 0], "y": Y}, {"flip": True, "crop": 0.25}, 3, 0)
    x, _ = arguments["x"][0]
    assert x.shape == (20, 4, 4) and set(np.unique(x)) <= set(np.unique(X))


def test_fit_turns_what_was_measured():
    """Standardized samples that all lie on a sphere around what was zero before stay on it."""
    seen = []

    class Seeing(keras.layers.Layer):
        def call(self, x):
            tf.py_function(lambda values: seen.append(values.numpy()), [x], [])
            return x

    mean, deviation = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 4.0])
    measured = np.random.default_rng(0).normal(size=(16, 5, 3))
    measured /= np.linalg.norm(measured, axis=-1, keepdims=True)
    hypermodel = Sequence((5, 3), 4, augment=Augmentation({"rotate": 1.0}, (mean, deviation)))
    model = keras.Sequential([keras.Input((5, 3)), Seeing(), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", "mse", run_eagerly=True)
    x = ((measured - mean) / deviation).astype("float32")
    hypermodel.fit(kt.HyperParameters(), model, x, np.zeros((16, 4)), batch_size=8, epochs=1, verbose=0)
    taken = np.concatenate(seen[-2:]) * deviation + mean
    assert np.allclose(np.linalg.norm(taken, axis=-1), 1.0, atol=1e-4)
    assert not np.allclose(np.sort(taken, axis=None), np.sort(measured, axis=None), atol=0.01)


@pytest.mark.parametrize("kind", ["batches", "stream"])
def test_data_that_come_in_batches_are_augmented_too(kind):
    def of(x, y):
        if kind == "stream":
            return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
        return Batches(x, y, 8)

    hypermodel, hp, model = compiled({"mixup": 0.2, "cutout": 0.5})
    asked = dict(epochs=2, verbose=0, shuffle=False, class_weight=dict.fromkeys(range(4), 1.0))
    fitted = hypermodel.fit(hp, model, of(X, Y), validation_data=of(*VALID), **asked)
    told = model.evaluate(*VALID, verbose=0, return_dict=True)
    assert fitted.history["val_loss"][-1] == pytest.approx(told["loss"], rel=1e-5)
    assert int(model.optimizer.iterations.numpy()) == 6


def test_batches_begin_anew_in_each_trial():
    data = Batches(X, Y, 8)
    data.epoch = 5
    hypermodel, hp, model = compiled(None)
    hypermodel.fit(hp, model, data, epochs=3, initial_epoch=1, verbose=0, shuffle=False)
    assert data.epoch == 3


def test_one_hot_binary_and_number_targets_are_mixed_as_they_are():
    hypermodel, hp, model = compiled({"mixup": 0.2})
    hypermodel.fit(hp, model, X, np.eye(4)[Y], verbose=0)
    assert model.loss == "categorical_crossentropy"
    hypermodel, hp, model = compiled({"mixup": 0.2}, Small(classes=1, activation="sigmoid"))
    assert np.isfinite(hypermodel.fit(hp, model, X, Y % 2, verbose=0).history["loss"]).all()
    assert model.loss == "binary_crossentropy"
    hypermodel, hp, model = compiled({"mixup": 0.2, "noise": 0.01}, Small("regressor", outputs=1))
    fitted = hypermodel.fit(hp, model, X, 100.0 + Y, verbose=0, validation_data=(VALID[0], 100.0 + VALID[1]))
    assert set(fitted.history) == {"loss", "mae", "rmse", "val_loss", "val_mae", "val_rmse"}
    assert model.predict(X, verbose=0).mean() == pytest.approx(101.5, abs=3)


def test_losses_and_metrics_of_the_user_see_class_numbers():
    assert takes_class_numbers("sparse_categorical_crossentropy")
    assert takes_class_numbers(keras.losses.sparse_categorical_crossentropy)
    assert not takes_class_numbers("categorical_crossentropy") and not takes_class_numbers(
        keras.losses.MeanSquaredError()
    )
    metrics = ["acc", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2"), "sparse_categorical_accuracy"]
    loss = keras.losses.SparseCategoricalCrossentropy()
    hypermodel, hp, model = compiled({"mixup": 0.2}, loss=loss, metrics=metrics)
    assert takes_class_numbers(loss)
    fitted = hypermodel.fit(hp, model, X, Y, epochs=2, verbose=0, validation_data=VALID)
    told = model.evaluate(*VALID, verbose=0, return_dict=True)
    assert model.loss is loss and set(told) == {"loss", "acc", "top2", "sparse_categorical_accuracy"}
    for name, value in told.items():
        assert fitted.history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5)


def test_what_a_tuner_compiled_comes_back():
    hypermodel, hp, model = compiled({"mixup": 0.2})
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["sparse_categorical_crossentropy"]
    )
    hypermodel.fit(hp, model, X, Y, verbose=0)
    told = model.evaluate(*VALID, verbose=0, return_dict=True)
    assert told["sparse_categorical_crossentropy"] == pytest.approx(told["loss"], rel=1e-5)
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_what_cannot_be_mixed_or_augmented_is_said():
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=3)
    hypermodel, hp, model = compiled({"mixup": 0.2}, loss=loss)
    with pytest.raises(
        UserError, match="`mixup` takes a loss of all classes. Received: one with ignore_class=3. Leave"
    ):
        hypermodel.fit(hp, model, X, Y, verbose=0)
    with pytest.raises(UserError, match=r"Networks of one input are augmented. Received: inputs in a list. Pass one"):
        augmented_arguments({"x": [X, X], "y": Y}, {"flip": True}, 3, 0)


def test_a_training_that_fails_leaves_the_model_as_it_was():
    _, _, model = compiled(None)
    with pytest.raises(KeyError), soft_labels(model, lambda: ["accuracy"]):
        raise KeyError("a callback's")
    assert model.loss == "sparse_categorical_crossentropy"
    assert np.isfinite(model.evaluate(*VALID, verbose=0)).all()
