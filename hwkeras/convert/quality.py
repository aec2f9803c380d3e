"""What the answers of a network are worth: how often they are right, how far off they are."""

from __future__ import annotations

import numpy as np

from hwkeras.errors import DataError
from hwkeras.errors import UserError

_OF_NUMBERS = ("mae", "rmse")
# Half a step of an int8 softmax. A file that rounds to 0 what is rare would else be judged by one mistake alone.
_LEAST_PROBABILITY = 1 / 512


def qualities_of(objectives, limits=()):
    """What has to be known of the answers of every file.

    Args:
        objectives: sequence of `hwkeras.objectives.Objective`.
        limits: sequence of `hwkeras.objectives.Limit`. Defaults to `()`.

    Returns:
        tuple of names of `QUALITIES`: the errors of numbers where one of them is asked for, else accuracy and what else
        is asked for.

    Raises:
        UserError: an error of numbers beside a quality of classes.
    """
    asked = dict.fromkeys(each.metric for each in (*objectives, *limits) if each.metric in QUALITIES)
    of_numbers = [name for name in asked if name in _OF_NUMBERS]
    of_classes = [name for name in asked if name not in _OF_NUMBERS]
    if of_numbers and of_classes:
        raise UserError(
            f"A search is for classes or for numbers. Received: {of_classes[0]!r}, of classes, and {of_numbers[0]!r}, "
            "of numbers. Leave one out."
        )
    return _OF_NUMBERS if of_numbers else tuple(dict.fromkeys(["accuracy", *of_classes]))


def require_targets(y, names):
    """Makes sure that what is to be predicted suits the qualities, before anything is trained.

    Args:
        y: array of labels or numbers.
        names: sequence of names of `QUALITIES`.

    Raises:
        DataError: fractions where classes are needed, or something else than numbers.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "biuf":
        raise DataError(f"What is to be predicted must be numbers. Received: dtype {y.dtype}, first {y[:3].tolist()}.")
    if not np.isfinite(y).all():
        raise DataError("What is to be predicted must be finite. Received: some that are NaN or infinite.")
    if "accuracy" in names and (y.size == len(y) or is_of_pixels(y)) and (y != np.floor(y)).any():
        raise DataError(
            f"Accuracy is of classes, numbered 0, 1, 2 ... Received: {y[:3].tolist()}. To predict numbers pass "
            "objectives=['rmse', 'latency_ms', 'size_bytes'] (`--objective rmse`)."
        )


def judge(outputs, y, names):
    """Computes qualities of answers.

    Args:
        outputs: float array of shape (num_samples, num_outputs).
        y: of classes, whole numbers of shape (n,) or (n, 1), one-hot of shape (n, num_outputs), or several 1 in a row
            where a sample may be of several classes (multi-label); whole numbers of shape (n, height, width) or
            (n, height, width, 1), a class for every pixel, of which each then counts as a sample; of numbers, shape
            (n,) or (n, num_outputs).
        names: sequence of names of `QUALITIES`.

    Returns:
        dict of name to float; what cannot be told is NaN, such as the area under the curve of one class alone.

    Raises:
        DataError: labels that do not fit the samples or the outputs; a log loss of what are no probabilities.
    """
    y = np.asarray(y)
    if len(outputs) == 0:
        raise DataError("A score needs at least one sample. Received: none.")
    if y.ndim == 0 or len(y) != len(outputs):
        raise DataError(
            f"There must be one label for each sample. Received: {len(outputs)} samples, y of shape {y.shape}."
        )
    if set(names) <= set(_OF_NUMBERS):
        targets = _numbers(y, outputs.shape[1])
    else:
        outputs, y = by_pixel(outputs, y)
        targets = y.astype(np.int64) if is_multi_label(y, outputs.shape[1]) else _classes(y, outputs.shape[1])
    outputs = outputs.astype(np.float64)
    return {name: float(QUALITIES[name](outputs, targets)) for name in names}


def is_of_pixels(y):
    """Whether labels are of the pixels of a sample.

    Args:
        y: array of labels.

    Returns:
        bool: of shape (n, height, width) or (n, height, width, 1).
    """
    return y.ndim == 3 or (y.ndim == 4 and y.shape[-1] == 1)


def by_pixel(outputs, y):
    """Answers and labels with a row for every pixel, where they are of pixels; others as they are.

    Args:
        outputs: float array of shape (num_samples, num_outputs), the classes of a pixel side by side.
        y: array of labels.

    Returns:
        tuple `(outputs, y)`; of pixels of shape (num_pixels, num_classes) and (num_pixels,).

    Raises:
        DataError: another number of pixels in the labels than in the answers.
    """
    if not is_of_pixels(y):
        return outputs, y
    num_pixels = y.size // len(y)
    if not num_pixels or outputs.shape[1] % num_pixels:
        raise DataError(
            f"There must be a label for each pixel of the answers. Received: y of shape {y.shape}, {outputs.shape[1]} "
            "outputs a sample."
        )
    return outputs.reshape(y.size, -1), y.reshape(-1)


def is_multi_label(y, num_outputs):
    """Whether a sample may be of several classes.

    Args:
        y: array of labels.
        num_outputs: int, of the network.

    Returns:
        bool: rows of 0 and 1, one a class, not all of which hold a single 1.
    """
    is_table = y.ndim == 2 and num_outputs > 1 and y.shape[1] == num_outputs and bool(np.isin(y, (0, 1)).all())
    return is_table and bool((y.sum(axis=1) != 1).any())


def _accuracy(outputs, targets):
    """The share of samples, or of single labels, that are answered rightly."""
    return np.mean(_answers(outputs, targets) == targets)


def _f1(outputs, targets):
    """Of class 1 where there are two, else the mean over the classes."""
    from sklearn.metrics import f1_score

    is_binary = targets.ndim == 1 and outputs.shape[1] <= 2
    labels = None if is_binary or targets.ndim == 2 else np.arange(outputs.shape[1])
    average = "binary" if is_binary else "macro"
    return f1_score(targets, _answers(outputs, targets), labels=labels, average=average, zero_division=0)


def _auc(outputs, targets):
    """The area under the receiver's curve of class 1 where there are two, else the mean of each class against all."""
    from sklearn.metrics import roc_auc_score

    if targets.ndim == 1 and outputs.shape[1] <= 2:
        pairs = [(targets, outputs[:, -1])]
    else:
        of_class = targets if targets.ndim == 2 else targets[:, None] == np.arange(outputs.shape[1])
        pairs = zip(of_class.T, outputs.T, strict=True)
    known = [roc_auc_score(truth, value) for truth, value in pairs if 0 < np.sum(truth) < len(truth)]
    return np.mean(known) if known else np.nan


def _log_loss(outputs, targets):
    """The mean of -log(probability given to the truth), in nats; of several labels a sample, over all labels."""
    if outputs.min() < -_LEAST_PROBABILITY or outputs.max() > 1 + _LEAST_PROBABILITY:
        raise DataError(
            f"log_loss is of probabilities. Received: outputs from {outputs.min():.3g} to {outputs.max():.3g}. End the "
            "network in a softmax or a sigmoid."
        )
    if targets.ndim == 1 and outputs.shape[1] > 1:
        of_truth = outputs[np.arange(len(targets)), targets]
    else:
        targets = targets.reshape(outputs.shape)
        of_truth = np.where(targets == 1, outputs, 1 - outputs)
    return -np.mean(np.log(np.clip(of_truth, _LEAST_PROBABILITY, 1.0)))


def _mean_iou(outputs, targets):
    """Intersection over union of what is and what is called a class, the mean over the classes that are either.

    Jaccard's index of all samples together, as PASCAL VOC takes it (Everingham et al., 10.1007/s11263-009-0275-4).
    """
    answers = _answers(outputs, targets)
    if targets.ndim == 2:
        of_class = ((answers[:, each] == 1, targets[:, each] == 1) for each in range(targets.shape[1]))
    else:
        of_class = ((answers == each, targets == each) for each in range(max(2, outputs.shape[1])))
    shares = [(found & true).sum() / (found | true).sum() for found, true in of_class if (found | true).any()]
    return np.mean(shares) if shares else np.nan


def _mae(outputs, targets):
    return np.mean(np.abs(outputs - targets))


def _rmse(outputs, targets):
    return np.sqrt(np.mean((outputs - targets) ** 2))


QUALITIES = {
    "accuracy": _accuracy,
    "f1": _f1,
    "auc": _auc,
    "log_loss": _log_loss,
    "mean_iou": _mean_iou,
    "mae": _mae,
    "rmse": _rmse,
}


def _answers(outputs, targets):
    """The classes, or with several labels a sample yes or no for each."""
    if targets.ndim == 2:
        return (outputs > 0.5).astype(np.int64)
    return (outputs[:, 0] > 0.5).astype(np.int64) if outputs.shape[1] == 1 else outputs.argmax(axis=1)


def _numbers(y, num_outputs):
    if y.dtype.kind not in "biuf" or y.size != len(y) * num_outputs:
        raise DataError(
            f"There must be {num_outputs} number(s) for each sample. Received: dtype {y.dtype}, shape {y.shape}."
        )
    return y.reshape(len(y), num_outputs).astype(np.float64)


def _classes(y, num_outputs):
    if y.ndim == 2 and y.shape[1] == num_outputs and num_outputs > 1:
        return y.argmax(axis=1)
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1):
        raise DataError(
            f"Labels must have the shape (n,), (n, 1) or one-hot (n, {num_outputs}). Received: shape {y.shape}."
        )
    y = y.reshape(-1)
    if y.dtype.kind not in "iufb" or (y != np.floor(y)).any():
        raise DataError(f"Labels must be whole numbers or one-hot. Received: dtype {y.dtype}, first {y[:3].tolist()}.")
    largest = max(num_outputs, 2) - 1
    if y.min() < 0 or y.max() > largest:
        raise DataError(f"Labels must be in 0..{largest}. Received: {y.min():g}..{y.max():g}.")
    return y.astype(np.int64)
