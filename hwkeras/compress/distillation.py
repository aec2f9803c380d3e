"""Distillation: a fine-tuning that also learns what a teacher answers.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531. The teacher is asked
once for every sample; its softened answers travel beside the labels, so that `fit`, callbacks and every wrapper of a
compression step stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import DataError
from hwkeras.errors import UserError

_TINY = 1e-7
_TEACHER_BATCH = 128


@dataclass(frozen=True)
class Distillation:
    """How a student learns from a teacher.

    The loss is `(1 - weight) * loss(labels) + weight * temperature**2 * KL(teacher || student)`, both softened by the
    temperature; the mean squared difference takes the second place where the loss is no cross-entropy.

    Args:
        teacher: keras.Model with the inputs and outputs of the student.
        temperature: float, larger values show more of what the teacher holds for almost right. Defaults to `3.0`.
        weight: float in (0, 1], of the teacher's answers. Defaults to `0.7`.

    Raises:
        UserError: a teacher that is no Keras 3 model, or a number outside its range.
    """

    teacher: Any
    temperature: float = 3.0
    weight: float = 0.7

    def __post_init__(self):
        if not isinstance(self.teacher, keras.Model):
            raise UserError(
                "`teacher` must be a Keras 3 model. Received: "
                f"{type(self.teacher).__module__}.{type(self.teacher).__name__}. Leave it out: the uncompressed model "
                "teaches."
            )
        if not self.temperature > 0:
            raise UserError(
                f"`temperature` must be positive. Received: temperature={self.temperature}. Defaults serve: leave it "
                "out."
            )
        if not 0 < self.weight <= 1:
            raise UserError(
                f"`teacher_weight` must be in (0, 1]. Received: teacher_weight={self.weight}. Defaults serve: leave it "
                "out, or leave 'distill' out of the recipe."
            )

    def taught(self, fine_tuning):
        """A fine-tuning in which the teacher's answers count beside the labels.

        Args:
            fine_tuning: FineTuning with labels.

        Returns:
            FineTuning.

        Raises:
            UserError: the teacher has several outputs, or another output than the labels fit.
            DataError: the teacher cannot be called on the samples.
        """
        loss = fine_tuning.loss
        kind = _kind(loss)
        outputs = self._answers(fine_tuning.x)
        num_columns = _columns(fine_tuning.y, outputs).shape[-1]
        validation = fine_tuning.validation_data
        if validation is not None:
            x, y, *weights = validation
            validation = (x, self._packed(y, self._answers(x), kind), *weights)
        lesson = Lesson(loss, kind, num_columns, np.ndim(fine_tuning.y) < outputs.ndim, self.temperature, self.weight)
        return replace(
            fine_tuning,
            loss=lesson,
            y=self._packed(fine_tuning.y, outputs, kind),
            validation_data=validation,
            metrics=(lesson.accuracy,) if kind != "regression" else (),
            fit_arguments=_with_sample_weights(fine_tuning.fit_arguments, fine_tuning.y),
        )

    def _answers(self, x):
        try:
            outputs = self.teacher.predict(x, batch_size=_TEACHER_BATCH, verbose=0)
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise DataError(
                "The teacher must take the samples the model is trained on. Received: teacher "
                f"{self.teacher.name!r}, refused with: {str(error).strip().splitlines()[0]}. Give a teacher with the "
                "model's inputs."
            ) from error
        if not isinstance(outputs, np.ndarray):
            raise UserError(
                f"A teacher must have one output. Received: teacher {self.teacher.name!r} with {len(outputs)}. "
                "Give a model with one, or leave 'distill' out of the recipe."
            )
        return outputs.astype("float32")

    def _packed(self, y, outputs, kind):
        """Labels and what the teacher answers, side by side on the last axis."""
        return np.concatenate([_columns(y, outputs), _softened(outputs, kind, self.temperature)], axis=-1)


def check_teacher(teacher, model):
    """Checks that a teacher answers in the shape a model does.

    Args:
        teacher: keras.Model.
        model: tf_keras.Model, the student.

    Raises:
        UserError: it does not.
    """
    given, wanted = ([tuple(tensor.shape[1:]) for tensor in one.outputs] for one in (teacher, model))
    if given != wanted:
        raise UserError(
            f"A teacher must have the outputs of the model. Received: teacher {teacher.name!r} with outputs of shape "
            f"{given}, a model with {wanted}. Give a teacher trained for the same classes."
        )


class Lesson(tf_keras.losses.Loss):
    """The loss of a distillation, on labels and softened answers side by side.

    Args:
        loss: tf_keras loss of the labels.
        kind: str, `"softmax"`, `"sigmoid"` or `"regression"`.
        num_columns: int, columns of the labels on the last axis; the teacher's follow.
        is_flat: bool, whether the loss takes the labels without that axis.
        temperature: float.
        weight: float, of the teacher's answers.
    """

    def __init__(self, loss, kind, num_columns, is_flat, temperature, weight):
        super().__init__(name="distillation")
        self._loss = loss
        self._kind = kind
        self._num_columns = num_columns
        self._is_flat = is_flat
        self._temperature = temperature
        self._weight = weight
        self._from_logits = hasattr(loss, "get_config") and loss.get_config().get("from_logits", False)

    def call(self, y_true, y_pred):
        """The loss of each sample.

        Args:
            y_true: tensor of shape (batch, ..., num_columns + outputs).
            y_pred: tensor of shape (batch, ..., outputs).

        Returns:
            Tensor of shape (batch, ...).
        """
        labels = self._labels(y_true)
        hard = self._loss.call(labels, y_pred) if hasattr(self._loss, "call") else self._loss(labels, y_pred)
        soft = self._distance(tf.cast(y_true[..., self._num_columns :], y_pred.dtype), y_pred)
        return (1.0 - self._weight) * hard + self._weight * soft

    def accuracy(self, y_true, y_pred):
        """The share of labels answered rightly.

        Args:
            y_true: as for `call`.
            y_pred: as for `call`.

        Returns:
            Tensor of shape (batch, ...).
        """
        labels = y_true[..., : self._num_columns]
        if self._kind == "sigmoid":
            threshold = 0.0 if self._from_logits else 0.5
            return tf_keras.metrics.binary_accuracy(labels, y_pred, threshold=threshold)
        if self._num_columns == 1:
            return tf_keras.metrics.sparse_categorical_accuracy(labels[..., 0], y_pred)
        return tf_keras.metrics.categorical_accuracy(labels, y_pred)

    def _labels(self, y_true):
        labels = y_true[..., : self._num_columns]
        return labels[..., 0] if self._is_flat else labels

    def _distance(self, targets, y_pred):
        """How far the student's softened answers are from the teacher's."""
        if self._kind == "regression":
            return tf.reduce_mean(tf.square(targets - y_pred), axis=-1)
        scale = self._temperature**2
        if self._kind == "sigmoid":
            logits = y_pred if self._from_logits else _logit(tf.clip_by_value(y_pred, _TINY, 1 - _TINY), tf.math.log)
            errors = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits / self._temperature)
            return scale * tf.reduce_mean(errors, axis=-1)
        logits = y_pred if self._from_logits else tf.math.log(tf.maximum(y_pred, _TINY))
        student = tf.nn.log_softmax(logits / self._temperature)
        return scale * tf.reduce_sum(targets * (tf.math.log(tf.maximum(targets, _TINY)) - student), axis=-1)


def _kind(loss):
    name = getattr(loss, "__name__", type(loss).__name__).lower()
    if "crossentropy" in name:
        return "softmax" if "categorical" in name else "sigmoid"
    return "regression"


def _columns(y, outputs):
    """Labels with as many axes as the outputs."""
    y = np.asarray(y)
    if y.ndim == outputs.ndim - 1:
        y = y[..., None]
    if y.shape[:-1] != outputs.shape[:-1]:
        raise UserError(
            "Distillation needs a teacher whose answers fit the labels. Received: labels of shape "
            f"{np.shape(y)}, answers of shape {outputs.shape}. Give a teacher trained for them."
        )
    return y.astype("float32")


def _softened(outputs, kind, temperature):
    if kind == "regression":
        return outputs
    if kind == "sigmoid":
        is_probability = outputs.min() >= 0 and outputs.max() <= 1
        logits = _logit(np.clip(outputs, _TINY, 1 - _TINY), np.log) if is_probability else outputs
        return (1.0 / (1.0 + np.exp(-logits / temperature))).astype("float32")
    is_probability = outputs.min() >= 0 and np.allclose(outputs.sum(-1), 1, atol=1e-3)
    logits = (np.log(np.maximum(outputs, _TINY)) if is_probability else outputs) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype("float32")


def _logit(probability, log):
    return log(probability) - log(1.0 - probability)


def _with_sample_weights(arguments, y):
    """`class_weight` as `sample_weight`: tf_keras would take the packed labels for one-hot classes."""
    if not arguments.get("class_weight"):
        return arguments
    arguments = dict(arguments)
    table, labels = arguments.pop("class_weight"), np.asarray(y)
    classes = labels.argmax(axis=-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(len(labels), -1)
    weights = np.vectorize(lambda one: float(table[int(one)]), otypes=["float32"])(classes)
    weights = weights.reshape(len(labels), -1)
    weights = weights[:, 0] if weights.shape[1] == 1 else weights
    given = arguments.get("sample_weight")
    arguments["sample_weight"] = weights if given is None else weights * np.asarray(given)
    return arguments
