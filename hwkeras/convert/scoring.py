"""What a `.tflite` file answers, and how often it is right."""

from __future__ import annotations

import numpy as np

from hwkeras.convert.calibration import arrange
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.interpreter import resolution
from hwkeras.convert.quality import judge
from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError

BATCH_SIZE = 64
_LEAST_BATCH = 8


def predict(flatbuffer, x, num_threads=2):
    """Runs a file on samples.

    The file has batch 1. Its interpreter is resized to batches of up to 64 where the graph follows, and the batched
    answers are used only if they equal the single ones for samples at both ends of the first batch (to one step of an
    integer output, to 1e-5 relative for floats). Otherwise (a Flatten whose target shape is a constant, a recurrent
    loop) the samples go one by one.

    Args:
        flatbuffer: bytes of a `.tflite` file with one output.
        x: array of shape (num_samples, ...) in the numbers the model was trained on, or list (in the file's order) or
            dict (by input name) of arrays. Integer inputs are quantized by the file's own parameters.
        num_threads: int. Defaults to `2`.

    Returns:
        float32 array of shape (num_samples, num_outputs), dequantized.

    Raises:
        ModelFileError: LiteRT refuses the file.
        UserError: the file has several outputs.
        DataError: `x` does not fit the file's inputs.
    """
    single = Runner(flatbuffer, num_threads)
    if len(single.outputs) != 1:
        raise UserError(f"A file with one output is needed. Received: {len(single.outputs)} outputs.")
    rows = _rows(single, x)
    num_samples = len(rows[0])
    if num_samples == 0:
        return np.zeros((0, int(np.prod(single.outputs[0]["shape"]))), np.float32)
    batched = _batched_runner(flatbuffer, single, rows, num_threads)
    if batched is None:
        outputs = [_run(single, rows, start, 1) for start in range(num_samples)]
    else:
        size = min(BATCH_SIZE, num_samples)
        outputs = [_run(batched, rows, start, size) for start in range(0, num_samples, size)]
    return np.concatenate(outputs).reshape(num_samples, -1)


def score(flatbuffer, x, y, num_threads=2):
    """Share of samples a classifier's file answers rightly.

    Args:
        flatbuffer: bytes of a `.tflite` file with one output of shape (1, num_classes), or (1, 1) for a sigmoid; or
            (1, height, width, num_classes), which answers for every pixel.
        x: as for `predict`.
        y: labels: whole numbers of shape (n,) or (n, 1), or one-hot of shape (n, num_classes); of pixels whole numbers
            of shape (n, height, width). With a single output, 0 or 1: the file says 1 above 0.5.
        num_threads: int. Defaults to `2`.

    Returns:
        float in [0, 1].

    Raises:
        DataError: labels that do not fit the samples or the outputs.
        ModelFileError: LiteRT refuses the file.
    """
    return evaluate(flatbuffer, x, y, ("accuracy",), num_threads)["accuracy"]


def evaluate(flatbuffer, x, y, names, num_threads=2):
    """What the answers of a file are worth.

    Args:
        flatbuffer: bytes of a `.tflite` file with one output of shape (1, num_outputs).
        x: as for `predict`.
        y: as for `quality.judge`.
        names: sequence of names of `quality.QUALITIES`.
        num_threads: int. Defaults to `2`.

    Returns:
        dict of name to float.

    Raises:
        DataError: labels that do not fit the samples or the outputs.
        ModelFileError: LiteRT refuses the file.
    """
    return judge(predict(flatbuffer, x, num_threads), y, names)


def _rows(runner, x):
    names = [detail["name"] for detail in runner.inputs]
    shapes = [tuple(int(size) for size in detail["shape"][1:]) for detail in runner.inputs]
    dtypes = [
        np.dtype(np.float32) if detail["quantization"][0] else np.dtype(detail["dtype"]) for detail in runner.inputs
    ]
    return arrange(x, names, shapes, dtypes)


def _run(runner, rows, start, size):
    """Answers for rows `start` to `start + size`; a last short batch is filled up with its last row."""
    part = [array[start : start + size] for array in rows]
    count = len(part[0])
    if count < size:
        part = [np.concatenate([array, np.repeat(array[-1:], size - count, axis=0)]) for array in part]
    return runner.run(part)[0][:count]


def _batched_runner(flatbuffer, single, rows, num_threads):
    """A runner of whole batches that was seen to answer as the single one does, or None."""
    size = min(BATCH_SIZE, len(rows[0]))
    if size < _LEAST_BATCH:
        return None
    try:
        runner = Runner(flatbuffer, num_threads, batch=size)
        expected_shape = (size, *single.outputs[0]["shape"][1:])
        if tuple(runner.outputs[0]["shape"]) != expected_shape:
            return None
        answers = _run(runner, rows, 0, size)
    except (ModelFileError, RuntimeError, ValueError):  # The graph does not follow: not an error, only slower.
        return None
    for index in (0, 1, 2, 3, size - 2, size - 1):
        alone = _run(single, rows, index, 1)[0]
        slack = 1.01 * resolution(single.outputs[0]) or 1e-5 * max(1.0, float(np.abs(alone).max()))
        if not np.abs(answers[index] - alone).max() <= slack:
            return None
    return runner
