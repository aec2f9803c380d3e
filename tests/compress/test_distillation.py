import keras
import numpy as np
import pytest

from hwkeras.compress import compress
from hwkeras.compress.distillation import Distillation
from hwkeras.compress.distillation import Lesson
from hwkeras.compress.finetuning import FineTuning
from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import DataError
from hwkeras.errors import UserError

L = keras.layers


def teacher_of(kernel, activation=None):
    model = keras.Sequential([keras.Input((4,)), L.Dense(kernel.shape[1], activation, use_bias=False)], name="teacher")
    model.layers[0].set_weights([kernel])
    return model


@pytest.fixture
def kernel():
    return np.random.default_rng(1).normal(size=(4, 3)).astype("float32")


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_the_loss_is_hintons(dense_data, kernel, from_logits, activation):
    """Whether teacher and student answer logits or probabilities."""
    x, y = dense_data
    base = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    plain = FineTuning(base, x, y, (x[:8], y[:8]), 1, 16, 0.1, {})
    taught = Distillation(teacher_of(kernel, activation), temperature=2.0, weight=0.25).taught(plain)
    logits = np.random.default_rng(2).normal(size=(64, 3)).astype("float32")
    teacher, student = softmax(x @ kernel / 2), softmax(logits / 2)
    hard = -np.log(softmax(logits)[np.arange(64), y])
    soft = 4 * np.sum(teacher * np.log(teacher / student), axis=1)
    given = logits if from_logits else softmax(logits)
    assert taught.y.shape == (64, 1 + 3) and taught.validation_data[1].shape == (8, 4)
    assert float(taught.loss(taught.y, given)) == pytest.approx(np.mean(0.75 * hard + 0.25 * soft), rel=1e-4)
    (accuracy,) = taught.metrics
    assert np.array_equal(np.asarray(accuracy(taught.y, given)) == 1, logits.argmax(1) == y)


def test_one_hot_labels_are_as_good(dense_data, kernel):
    x, y = dense_data
    losses = []
    bases = (tf_keras.losses.SparseCategoricalCrossentropy(), tf_keras.losses.categorical_crossentropy)
    answers = softmax(np.random.default_rng(2).normal(size=(64, 3)).astype("float32"))
    for base, labels in zip(bases, (y[:, None], np.eye(3)[y]), strict=True):
        taught = Distillation(teacher_of(kernel)).taught(FineTuning(base, x, labels, None, 1, 16, 0.1, {}))
        losses.append(float(taught.loss(taught.y, answers)))
        assert np.mean(np.asarray(taught.metrics[0](taught.y, answers))) == np.mean(answers.argmax(1) == y)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_sigmoids_are_softened_one_by_one(dense_data, kernel):
    x, y = dense_data
    labels = (y[:, None] > 0).astype("float32")
    base = tf_keras.losses.BinaryCrossentropy()
    teacher = teacher_of(kernel[:, :1], "sigmoid")
    taught = Distillation(teacher, temperature=3.0, weight=1.0).taught(FineTuning(base, x, labels, None, 1, 8, 0.1, {}))
    soft = 1 / (1 + np.exp(-(x @ kernel[:, :1]) / 3))
    answers = np.full((64, 1), 0.3, "float32")
    student = 1 / (1 + np.exp(-np.log(0.3 / 0.7) / 3))
    wanted = -9 * np.mean(soft * np.log(student) + (1 - soft) * np.log(1 - student))
    assert float(taught.loss(taught.y, answers)) == pytest.approx(wanted, rel=1e-4)
    assert np.mean(np.asarray(taught.metrics[0](taught.y, answers))) == pytest.approx(np.mean(labels == 0))


def test_numbers_are_learned_by_their_squares(dense_data, kernel):
    x, _ = dense_data
    plain = FineTuning(tf_keras.losses.mean_squared_error, x, np.zeros((64, 3)), None, 1, 8, 0.1, {})
    taught = Distillation(teacher_of(kernel), weight=0.5).taught(plain)
    assert taught.metrics == ()
    assert float(taught.loss(taught.y, np.zeros((64, 3)))) == pytest.approx(0.5 * np.mean((x @ kernel) ** 2), rel=1e-4)


def test_class_weights_still_weigh_the_classes(dense_data, kernel):
    x, y = dense_data
    base = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    arguments = {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "sample_weight": np.full(64, 3.0), "verbose": 0}
    taught = Distillation(teacher_of(kernel)).taught(FineTuning(base, x, y, None, 1, 16, 0.1, arguments))
    assert "class_weight" not in taught.fit_arguments
    assert np.array_equal(taught.fit_arguments["sample_weight"], 3.0 * np.array([1.0, 2.0, 0.5])[y])


def test_a_student_learns_from_the_teacher_what_labels_do_not_say(trained, digits):
    """Labels drawn at random: only the teacher knows the digits."""
    (x, y), valid = digits
    noise = np.random.default_rng(0).permutation(y)
    options = {"epochs": 2, "validation_data": valid, "learning_rate": 5e-3}
    taught = compress(trained, "prune=0.5+distill", (x, noise), teacher_weight=1.0, **options).report
    untaught = compress(trained, "prune=0.5", (x, noise), **options).report
    assert taught.accuracy_after > taught.accuracy_before - 0.05
    assert untaught.accuracy_after < taught.accuracy_after - 0.1
    assert taught.history["prune"]["val_accuracy"][-1] == pytest.approx(taught.accuracy_after, abs=0.01)


def test_a_given_teacher_teaches(dense_model, dense_data, kernel):
    x, y = dense_data
    dense_model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    one = compress(
        dense_model,
        "cluster=11+distill",
        (x, y),
        teacher=teacher_of(kernel),
        teacher_weight=1.0,
        temperature=1.0,
        epochs=60,
        batch_size=16,
        learning_rate=0.03,
        class_weight={0: 1.0, 1: 1.0, 2: 1.0},
    )
    answers = np.asarray(one.model(x))
    assert np.mean(answers.argmax(1) == (x @ kernel).argmax(1)) > 0.9


class TestErrors:
    def test_a_teacher_that_is_none(self, dense_model, dense_data):
        with pytest.raises(UserError, match="`teacher` must be a Keras 3 model. Received: builtins.str. Leave it out"):
            compress(dense_model, "int8_qat+distill", dense_data, teacher="resnet")

    @pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
    def test_numbers_outside_their_range(self, dense_model, dense_data, value):
        with pytest.raises(UserError, match=f"`temperature` must be positive. Received: temperature={value}"):
            compress(dense_model, "int8_qat+distill", dense_data, temperature=value)
        with pytest.raises(UserError, match=rf"`teacher_weight` must be in \(0, 1\]. Received: teacher_weight={value}"):
            compress(dense_model, "int8_qat+distill", dense_data, teacher_weight=value)

    def test_a_teacher_nobody_asks(self, dense_model, dense_data):
        with pytest.raises(UserError, match="asked by 'distill' alone. Received: a teacher and the recipe 'int8_qat'"):
            compress(dense_model, "int8_qat", dense_data, teacher=dense_model)

    def test_no_labels(self, dense_model, dense_data):
        with pytest.raises(DataError, match=r"'distill\+int8_qat' trains and needs labels. Received: y=None"):
            compress(dense_model, "int8_qat+distill", (dense_data[0], None))

    def test_a_teacher_of_other_classes(self, dense_model, dense_data, kernel):
        with pytest.raises(UserError, match=r"must have the outputs of the model. Received: teacher 'teacher'.*\(2,\)"):
            compress(dense_model, "int8_qat+distill", dense_data, teacher=teacher_of(kernel[:, :2]))

    def test_a_teacher_of_other_inputs(self, dense_model, dense_data):
        other = keras.Sequential([keras.Input((5,)), L.Dense(3)], name="other")
        with pytest.raises(DataError, match="must take the samples the model is trained on. Received: teacher 'other'"):
            compress(dense_model, "int8_qat+distill", dense_data, teacher=other)

    def test_a_teacher_of_several_outputs(self, dense_data, kernel):
        x, y = dense_data
        features = keras.Input((4,))
        both = keras.Model(features, [L.Dense(3)(features), L.Dense(3)(features)], name="both")
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        with pytest.raises(UserError, match="must have one output. Received: teacher 'both' with 2"):
            Distillation(both).taught(FineTuning(loss, x, y, None, 1, 8, 0.1, {}))

    def test_answers_that_do_not_fit_the_labels(self, dense_data, kernel):
        x, y = dense_data
        plain = FineTuning(tf_keras.losses.mean_squared_error, x, np.zeros((64, 2, 2)), None, 1, 8, 0.1, {})
        with pytest.raises(UserError, match=r"answers fit the labels. Received: labels of shape \(64, 2, 2\), answers"):
            Distillation(teacher_of(kernel)).taught(plain)


def test_the_lesson_is_a_loss():
    assert issubclass(Lesson, tf_keras.losses.Loss)
