"""Training on shares of several classes where labels are class numbers: the loss and the metrics, for so long."""

from __future__ import annotations

import contextlib

import keras

from hwkeras.build.augment import one_hot
from hwkeras.build.batches import change_batches
from hwkeras.errors import UserError

# Keras itself finds out which form of labels these are for.
_OF_ANY_LABELS = ("accuracy", "acc", "crossentropy", "ce")


def takes_class_numbers(loss):
    """Whether a loss is for class numbers.

    Args:
        loss: as for `model.compile`.

    Returns:
        bool.
    """
    sparse = (keras.losses.SparseCategoricalCrossentropy, keras.losses.sparse_categorical_crossentropy)
    return isinstance(loss, sparse[0]) or loss in ("sparse_categorical_crossentropy", sparse[0].__name__, sparse[1])


@contextlib.contextmanager
def soft_labels(model, new_metrics):
    """Within, a model that is compiled for class numbers takes one-hot labels, and says the same of them.

    Args:
        model: keras.Model, compiled with a loss that `takes_class_numbers`; the optimizer and its state are kept.
        new_metrics: callable without arguments that returns a list of metrics as for `model.compile`, new ones.

    Yields:
        the model.

    Raises:
        UserError: the loss ignores a class, which shares of classes cannot.
    """
    loss = model.loss
    metrics = [_of_shares(metric) for metric in new_metrics()]
    model.compile(optimizer=model.optimizer, loss=_loss_of_shares(loss), metrics=metrics)
    try:
        yield model
    finally:
        model.compile(optimizer=model.optimizer, loss=loss, metrics=new_metrics())


def with_soft_labels(data, num_classes):
    """Validation data with one-hot labels.

    Args:
        data: `(x, y)` or `(x, y, sample_weight)`, or data in batches of these; `y` are class numbers.
        num_classes: int.

    Returns:
        the same, with float32 labels of shape (num_samples, num_classes).
    """
    if isinstance(data, (tuple, list)):
        x, y, *weights = data
        return (x, one_hot(y, num_classes), *weights)
    return change_batches(data, lambda x, y, _: (x, one_hot(y, num_classes)))


def _loss_of_shares(loss):
    if not isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        return keras.losses.CategoricalCrossentropy()
    config = loss.get_config()
    if config.get("ignore_class") is not None:
        raise UserError(
            "`mixup` takes a loss of all classes. Received: one with "
            f"ignore_class={config['ignore_class']}. Leave mixup or ignore_class away."
        )
    return keras.losses.CategoricalCrossentropy(from_logits=config["from_logits"], reduction=config["reduction"])


def _of_shares(metric):
    if isinstance(metric, str) and metric in _OF_ANY_LABELS:
        return metric
    return _OfLikeliest(keras.metrics.get(metric))


class _OfLikeliest(keras.metrics.Metric):
    """A metric of class numbers that is given shares of classes: it sees the class of the largest share.

    Args:
        metric: keras.metrics.Metric, or a function of targets and predictions.
    """

    def __init__(self, metric):
        is_metric = isinstance(metric, keras.metrics.Metric)
        metric = metric if is_metric else keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)
        super().__init__(name=metric.name)
        self._metric = metric

    def update_state(self, y_true, y_pred, sample_weight=None):
        return self._metric.update_state(keras.ops.argmax(y_true, axis=-1), y_pred, sample_weight=sample_weight)

    def result(self):
        return self._metric.result()

    def reset_state(self):
        self._metric.reset_state()
