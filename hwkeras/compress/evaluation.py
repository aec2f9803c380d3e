"""What the bytes are worth: whether they answer as their model, how often rightly, how fast."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hwkeras.compress.samples import check_samples
from hwkeras.compress.samples import scored_samples
from hwkeras.convert.agreement import TOLERANCES
from hwkeras.convert.agreement import compare
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.interpreter import resolution
from hwkeras.convert.quality import judge
from hwkeras.convert.scoring import score
from hwkeras.errors import ConversionError
from hwkeras.errors import ModelFileError

# 16 bits leave the weights' rounding alone, so far less may be off than with int8. What was chosen by measuring (mixed)
# owes more than what was merely rounded.
_TOLERANCES = {**TOLERANCES, "int16x8": 0.25, "mixed": 0.5}


def check_agreement(flatbuffer, model, precision, x):
    """Compares a file with the model it was converted from.

    Args:
        flatbuffer: bytes of a `.tflite` file.
        model: tf_keras.Model.
        precision: str, of the file.
        x: samples, numpy array, list of them, or None.

    Returns:
        hwkeras.convert.agreement.Agreement.

    Raises:
        ConversionError: the file does not load, or answers something else (with figures).
    """
    try:
        runner = Runner(flatbuffer)
    except ModelFileError as error:
        raise ConversionError(f"The compressed {precision} file does not load. {error}") from error
    samples = check_samples(model, x)
    rows = [[part[index : index + 1] for part in samples] for index in range(len(samples[0]))]
    reference = _stacked([_answers(model, row) for row in rows])
    outputs = _stacked([runner.run(row) for row in rows])
    # The figure of a mode that rounds, unless the mode is exact.
    mode = precision if precision in TOLERANCES else "int8"
    agreement = compare(mode, reference, outputs, [resolution(detail) for detail in runner.outputs])
    tolerance = _TOLERANCES[precision]
    if not agreement.figure <= tolerance:
        raise ConversionError(
            f"A {precision} file must compute what its model computes: disagreement at most {tolerance:g}. Received: "
            f"{agreement.figure:.3g} (largest error of an output {agreement.max_error:.3g}) on {len(rows)} samples. "
            "Give data the model was trained on, or compress to another precision."
        )
    return agreement


def accuracy(flatbuffer, data):
    """How often a classifier's file is right.

    Args:
        flatbuffer: bytes of a `.tflite` file.
        data: tuple `(x, y, ...)` with labels of classes, or anything else.

    Returns:
        float in [0, 1], or None where there are no labels of classes.
    """
    if data is None or data[0] is None or data[1] is None:
        return None
    x, y = scored_samples(data)
    shapes = [tuple(detail["shape"]) for detail in Runner(flatbuffer).outputs]
    if len(shapes) != 1 or not _are_classes(y, shapes[0]):
        return None
    return score(flatbuffer, x, y)


def share_right(outputs, y):
    """How often answers of a classifier are right.

    Args:
        outputs: sequence of float arrays of shape (num_samples, ...), one an output.
        y: array of labels, or None.

    Returns:
        float in [0, 1], or None where there are no labels of classes.
    """
    if y is None or len(outputs) != 1 or not _are_classes(np.asarray(y), outputs[0].shape):
        return None
    return judge(outputs[0].reshape(len(outputs[0]), -1), y, ("accuracy",))["accuracy"]


def latencies(meter, flatbuffers):
    """Times files side by side.

    Args:
        meter: hwkeras.measure.Meter, or None.
        flatbuffers: sequence of bytes.

    Returns:
        Tuple of float in milliseconds, each None without a meter or where the device could not run the file.
    """
    if meter is None:
        return (None,) * len(flatbuffers)
    return tuple(measurement.latency_ms for measurement in meter.measure(flatbuffers))


def _answers(model, row):
    tensors = [tf.constant(part) for part in row]
    return [np.asarray(output) for output in tf.nest.flatten(model(tensors if len(tensors) > 1 else tensors[0]))]


def _stacked(rows):
    return [np.concatenate([row[place] for row in rows]) for place in range(len(rows[0]))]


def _are_classes(y, shape):
    """Whether labels are class numbers, or one-hot, for outputs of a shape; or class numbers for each of its pixels."""
    num_outputs = shape[-1]
    is_of_pixels = len(shape) == 4 and y.shape[1:] in (shape[1:3], (*shape[1:3], 1))
    if not is_of_pixels and len(shape) != 2:
        return False
    if is_of_pixels:
        y = y.reshape(-1)
    if y.ndim == 2 and y.shape[1] == num_outputs and num_outputs > 1:
        return bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())
    if y.size != len(y) or not np.array_equal(y, np.floor(y)):
        return False
    is_whole = np.issubdtype(y.dtype, np.integer) or num_outputs > 1
    return bool(is_whole and y.min() >= 0 and y.max() <= max(num_outputs, 2) - 1)
