"""Fine-tuning between the compression steps: tf_keras' `fit`, with the loss the Keras 3 model was compiled with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hwkeras.compress.falling_rate import FallingRate
from hwkeras.compress.legacy import tf_keras
from hwkeras.errors import CompressionError
from hwkeras.errors import UserError

# What of `fit` may be given: nothing that changes the number of steps, from which the pruning schedule is made.
FIT_ARGUMENTS = (
    "callbacks",
    "class_weight",
    "sample_weight",
    "shuffle",
    "validation_batch_size",
    "validation_freq",
    "verbose",
)
_PROBE_SAMPLES = 32


@dataclass(frozen=True)
class FineTuning:
    """How each compression step trains the model.

    Args:
        loss: tf_keras loss.
        x: numpy array, or list of them for several inputs, first axis the samples.
        y: labels as the loss takes them.
        validation_data: tuple `(x, y)` or None.
        epochs: int, of each step.
        batch_size: int.
        learning_rate: float, the highest of Adam; it falls to nothing, see `FallingRate`.
        fit_arguments: mapping of further `fit` arguments, keys of `FIT_ARGUMENTS`.
        metrics: tuple of tf_keras metrics, or None: the accuracy of a classifier. Defaults to `None`.
    """

    loss: Any
    x: Any
    y: Any
    validation_data: Any
    epochs: int
    batch_size: int
    learning_rate: float
    fit_arguments: Mapping[str, Any]
    metrics: tuple | None = None

    def __post_init__(self):
        for name in ("epochs", "batch_size", "learning_rate"):
            value = getattr(self, name)
            if not value > 0:
                raise UserError(f"`{name}` must be positive. Received: {name}={value}. Defaults serve: leave it out.")
        unknown = sorted(set(self.fit_arguments) - set(FIT_ARGUMENTS))
        if unknown:
            raise UserError(
                f"Of `fit`, `compress` passes on {', '.join(FIT_ARGUMENTS)}. Received: {', '.join(unknown)}. "
                "Give `epochs`, `batch_size` and `validation_data` for the rest."
            )

    @property
    def num_steps(self):
        """int, optimizer steps of one fine-tuning."""
        return math.ceil(len(self.y) / self.batch_size) * self.epochs

    def gentler(self, share):
        """The same at a share of the rate.

        Args:
            share: float in (0, 1).

        Returns:
            FineTuning.
        """
        return replace(self, learning_rate=share * self.learning_rate)

    def fit(self, model, callbacks=()):
        """Trains a tf_keras model in place.

        Args:
            model: tf_keras.Model; compiled here.
            callbacks: tf_keras callbacks of the step itself, run before the user's.

        Returns:
            Dict of metric name to tuple of floats, one per epoch.

        Raises:
            CompressionError: the loss ended as NaN or infinite.
        """
        is_classifier = "crossentropy" in getattr(self.loss, "__name__", type(self.loss).__name__).lower()
        metrics = list(self.metrics) if self.metrics is not None else ["accuracy"] if is_classifier else None
        model.compile(_adam(self.learning_rate), self.loss, metrics)
        model.optimizer.build(model.trainable_variables)
        arguments = {"verbose": 0, **self.fit_arguments}
        # The rate first, so that one a user's callback sets stands.
        rate = FallingRate(self.learning_rate, self.num_steps)
        arguments["callbacks"] = [rate, *callbacks, *(arguments.get("callbacks") or ())]
        history = model.fit(
            self.x,
            self.y,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_data=self.validation_data,
            **arguments,
        ).history
        if not math.isfinite(history["loss"][-1]):
            raise CompressionError(
                f"Fine-tuning must end with a finite loss. Received: loss={history['loss'][-1]} after {self.epochs} "
                f"epochs at learning_rate={self.learning_rate:g}. Lower `learning_rate`, or check the data for NaN."
            )
        return {name: tuple(float(value) for value in values) for name, values in history.items()}


def _adam(learning_rate):
    """The optimizer. TensorFlow frees the graph of a training once the model is gone, which it else never does.

    See `hwkeras.build.training_graphs`: neither the sum of gradients over replicas, of which there is one, nor the
    making of the optimizer's own variables may be part of the graph.
    """
    optimizer = tf_keras.optimizers.Adam(learning_rate)
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        optimizer.aggregate_gradients = lambda grads_and_vars: grads_and_vars
    return optimizer


def legacy_loss(model, x, y):
    """The tf_keras loss that fine-tuning uses.

    Args:
        model: keras.Model; a compiled one gives its loss.
        x: numpy array or list of them.
        y: labels.

    Returns:
        A tf_keras loss. Of a model that is not compiled: sparse categorical cross-entropy for one integer label per
        sample, on probabilities or logits as the model's outputs show.

    Raises:
        UserError: a loss tf_keras lacks, or none that can be told from the labels.
    """
    loss = getattr(model, "loss", None)
    if loss is not None:
        return _translated(loss)
    labels = np.asarray(y)
    is_class = np.issubdtype(labels.dtype, np.integer) and labels.size == len(labels)
    if not is_class or len(model.outputs) != 1 or model.outputs[0].shape[-1] == 1:
        raise UserError(
            "`compress` tells the loss of an uncompiled model only for one integer class per sample and one softmax or "
            f"logit output. Received: labels of dtype {labels.dtype} and shape {labels.shape}, {len(model.outputs)} "
            "outputs. Call `model.compile(loss=...)` before compressing."
        )
    sample = keras.ops.convert_to_numpy(model(_first(x, _PROBE_SAMPLES), training=False))
    is_probability = sample.min() >= 0 and np.allclose(sample.sum(-1), 1, atol=1e-3)
    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=not is_probability)


def _translated(loss):
    """The tf_keras loss of the same name and arguments as a built-in Keras 3 one."""
    name, config = loss, {}
    if not isinstance(loss, str):
        name = getattr(loss, "__name__", type(loss).__name__)
        is_builtin = getattr(keras.losses, name, None) in (loss, type(loss))
        name = name if is_builtin else None
        config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    try:
        return getattr(tf_keras.losses, name)(**config) if config else tf_keras.losses.get(name or "")
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(
            "`compress` fine-tunes with one built-in loss. Received: a model compiled with the loss "
            f"{loss!r}, which has no equal in tf_keras. Compile it with a built-in Keras loss first."
        ) from error


def _first(x, count):
    return [part[:count] for part in x] if isinstance(x, list) else x[:count]
