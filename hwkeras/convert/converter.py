"""A trained Keras 3 model to `.tflite` bytes of a precision, each file checked against its model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from hwkeras.convert.agreement import TOLERANCES
from hwkeras.convert.agreement import compare
from hwkeras.convert.calibration import arrange
from hwkeras.convert.calibration import random_samples
from hwkeras.convert.calibration import take_samples
from hwkeras.convert.dead_ranges import has_dead_ranges
from hwkeras.convert.dead_ranges import revived
from hwkeras.convert.float_front import join
from hwkeras.convert.frozen import freeze
from hwkeras.convert.frozen import import_tensorflow
from hwkeras.convert.interpreter import Runner
from hwkeras.convert.interpreter import resolution
from hwkeras.convert.operators import operator_names
from hwkeras.convert.reasons import conversion_reason
from hwkeras.convert.reasons import failure_reason
from hwkeras.convert.silence import silenced
from hwkeras.errors import ConversionError
from hwkeras.errors import DataError
from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError

PRECISIONS = tuple(TOLERANCES)
NUM_CALIBRATION_SAMPLES = 128
NUM_CHECK_SAMPLES = 16


@dataclass(frozen=True)
class Converted:
    """A file that was loaded and compared with its model.

    Args:
        precision: str, one of `PRECISIONS`.
        flatbuffer: bytes of the `.tflite` file; batch 1, builtin operators only.
        size_bytes: int, its length.
        max_error: float, largest absolute difference to an output of the Keras model on the check samples.
        disagreement: float, the figure of `hwkeras.convert.agreement` that was judged.
        tolerance: float, what `disagreement` was allowed to be.
        sha256: str, hex digest of the bytes.
        op_names: tuple of str, the operators in order of execution.
        node_paths: dict of the names in the file to where each comes from in the model, such as `"n7"` to
            `"dense/MatMul"`: the layer and what TensorFlow calls the operation. `hwkeras.measure.op_profile` reads it.
    """

    precision: str
    flatbuffer: bytes = field(repr=False)
    size_bytes: int
    max_error: float
    disagreement: float
    tolerance: float
    sha256: str
    op_names: tuple[str, ...] = field(repr=False)
    node_paths: dict[str, str] = field(default_factory=dict, repr=False)


def convert(model, precision, calibration=None):
    """Converts a trained model to one precision and checks the file.

    A layer with the attribute `stays_float = True` behind the model's only input, such as the front end of
    `spaces.Audio`, is computed in float32 in every precision, and the file then takes floats.

    Args:
        model: built Keras 3 model: functional, Sequential or subclassed; one or several inputs of fixed shape.
        precision: str. `"float32"`; `"float16"` (half the bytes, computes in float32); `"dynamic"` (8-bit weights of
            the larger layers, float inputs and outputs); `"int8"` (integers throughout, also as input and output,
            per-channel weights).
        calibration: samples the model was made for, as `take_samples` accepts them; up to 128 are used. Needed for
            `"int8"`; the file is checked on 16 of them. Defaults to `None`: the check uses random samples.

    Returns:
        Converted.

    Raises:
        UserError: an unknown precision, `"int8"` without calibration, or a model of the wrong kind.
        DataError: calibration samples that are not finite or do not fit the model's inputs.
        ConversionError: the model needs operators beyond TFLite's own, or the file disagrees with it.
    """
    return convert_all(model, (precision,), calibration)[precision]


def convert_all(model, precisions=PRECISIONS, calibration=None):
    """Converts a trained model to several precisions; the graph is traced and frozen once.

    Args:
        model: as for `convert`.
        precisions: sequence of str. Defaults to all four.
        calibration: as for `convert`.

    Returns:
        dict of precision to Converted.

    Raises:
        UserError: as for `convert`.
        DataError: as for `convert`.
        ConversionError: as for `convert`.
    """
    precisions = require_precisions(precisions)
    if "int8" in precisions and calibration is None:
        raise UserError(
            "precision='int8' must be calibrated with samples of the model's input. Received: calibration=None. "
            "Pass calibration=x_train."
        )
    frozen = freeze(model)
    if calibration is None:
        samples = random_samples(frozen, NUM_CHECK_SAMPLES)
    else:
        samples = take_samples(calibration, NUM_CALIBRATION_SAMPLES)
        samples = arrange(samples, frozen.input_names, frozen.input_shapes, frozen.input_dtypes)
    reference = _reference(frozen, [array[:NUM_CHECK_SAMPLES] for array in samples])
    files = {}
    if "int8" in precisions:
        files["float32"] = flatbuffer_of(frozen, "float32")
        _require_finite_activations(files["float32"], samples)
    for precision in precisions:
        files[precision] = files.get(precision) or flatbuffer_of(frozen, precision, samples)
    return {
        precision: _checked(precision, files[precision], samples, reference, frozen.node_paths)
        for precision in precisions
    }


def node_paths(model):
    """Tells what the names in the files of a model stand for; they are the same in every precision.

    Args:
        model: as for `convert`.

    Returns:
        dict of str to str, as `Converted.node_paths`.

    Raises:
        UserError: a model of the wrong kind.
        ConversionError: a model that cannot be traced.
    """
    return freeze(model).node_paths


def require_precisions(precisions):
    """Checks names of precisions.

    Args:
        precisions: str or sequence of str.

    Returns:
        tuple of str without repetitions, in the given order.

    Raises:
        UserError: none, or an unknown one.
    """
    precisions = (precisions,) if isinstance(precisions, str) else tuple(precisions)
    unknown = [precision for precision in precisions if precision not in PRECISIONS]
    if unknown or not precisions:
        received = repr(unknown[0]) if unknown else "none"
        raise UserError(f"`precision` must be one of {', '.join(PRECISIONS)}. Received: {received}.")
    return tuple(dict.fromkeys(precisions))


def flatbuffer_of(frozen, precision, samples=None):
    """Runs TensorFlow's converter, without any check of what comes out.

    Args:
        frozen: `Frozen`.
        precision: str, one of `PRECISIONS`.
        samples: list of arrays of shape (n, ...), one an input; needed for `"int8"`. Defaults to `None`.

    Returns:
        bytes.

    Raises:
        ConversionError: the converter refuses the model, or would end the process.
    """
    if frozen.parts:
        front, body = frozen.parts
        seen = None if samples is None else _reference(front, samples)
        return join(flatbuffer_of(front, "float32"), flatbuffer_of(body, precision, seen))
    if precision == "int8" and frozen.control_flow:
        # NOTE: calibrating a loop ends the whole process with a segmentation fault (tensorflow#87468), so it is
        # refused before the converter sees it.
        raise ConversionError(
            "int8 calibration cannot enter a loop, which a recurrent layer becomes. "
            f"Received: {', '.join(frozen.control_flow)}. Build the layer with unroll=True, "
            "or ship it as float32, float16 or dynamic."
        )
    try:
        with silenced() as chatter:
            converter = _converter(frozen, precision, samples)
            content = bytes(converter.convert())
            return revived(converter) if precision == "int8" and has_dead_ranges(content) else content
    except Exception as error:  # The converter raises bare Exceptions of several modules; all end this conversion.
        raise ConversionError(
            f"Conversion to {precision} failed: {conversion_reason(str(error), chatter.text)}"
        ) from error


def _converter(frozen, precision, samples):
    tf = import_tensorflow()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen.function])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: _one_by_one(samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter


def _one_by_one(samples):
    for index in range(len(samples[0])):
        yield [array[index : index + 1] for array in samples]


def _reference(frozen, samples):
    """Keras' outputs, from the frozen graph; one sample at a time, as the file runs."""
    tf = import_tensorflow()
    try:
        rows = [frozen.function(*map(tf.constant, row)) for row in _one_by_one(samples)]
    except tf.errors.OpError as error:
        reason = failure_reason(error)
        raise DataError(f"The model must run on the calibration samples. Received: {reason}") from error
    outputs = [np.concatenate([np.asarray(row[k]) for row in rows]) for k in range(len(rows[0]))]
    if not all(np.isfinite(output).all() for output in outputs):
        raise ConversionError(
            "The model's outputs must be finite. Received: NaN or infinity on the check samples. "
            "The training diverged: lower the learning rate."
        )
    return outputs


def _require_finite_activations(flatbuffer, samples):
    """Infinity hidden behind a sigmoid: reported to end the whole process in calibration (tensorflow#120295)."""
    runner = _opened(flatbuffer, "float32", keep_tensors=True)
    for row in _one_by_one(samples):
        runner.run(row)
        if not runner.all_finite():
            raise ConversionError(
                "Every activation must be finite to calibrate int8. Received: NaN or infinity inside the model on a "
                "calibration sample. The training diverged: lower the learning rate or normalize the layers."
            )


def _opened(flatbuffer, precision, **options):
    try:
        return Runner(flatbuffer, **options)
    except ModelFileError as error:
        raise ConversionError(f"The converted {precision} file does not load. {error}") from error


def _checked(precision, flatbuffer, samples, reference, node_paths=None):
    runner = _opened(flatbuffer, precision)
    op_names = operator_names(flatbuffer)
    foreign = sorted({name for name in op_names if name.startswith("CUSTOM:")})
    if foreign:
        raise ConversionError(f"A file may hold TFLite's builtin operators only. Received: {', '.join(foreign)}.")
    rows = [runner.run(row) for row in _one_by_one([array[:NUM_CHECK_SAMPLES] for array in samples])]
    outputs = [np.concatenate([row[k] for row in rows]) for k in range(len(reference))]
    agreement = compare(precision, reference, outputs, [resolution(detail) for detail in runner.outputs])
    if not agreement.ok:
        raise ConversionError(
            f"A {precision} file must compute what the model computes: disagreement at most {agreement.tolerance:g}. "
            f"Received: {agreement.figure:.3g} (largest error of an output {agreement.max_error:.3g}) on {len(rows)} "
            "samples. Calibrate with samples the model was trained for, or ship another precision."
        )
    return Converted(
        precision=precision,
        flatbuffer=flatbuffer,
        size_bytes=len(flatbuffer),
        max_error=agreement.max_error,
        disagreement=agreement.figure,
        tolerance=agreement.tolerance,
        sha256=hashlib.sha256(flatbuffer).hexdigest(),
        op_names=op_names,
        node_paths=node_paths or {},
    )
