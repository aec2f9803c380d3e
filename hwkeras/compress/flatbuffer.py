"""The `.tflite` bytes of a tf_keras model, and what is read back from them as proof."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import ConverterError
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from hwkeras.compress.legacy import tf_keras
from hwkeras.convert.dead_ranges import has_dead_ranges
from hwkeras.convert.dead_ranges import revived
from hwkeras.convert.reasons import conversion_reason
from hwkeras.convert.silence import silenced
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError
from hwkeras.measure.child import ChildResult
from hwkeras.measure.child import run_bytes

_DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT4: np.dtype("i1"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.INT16: np.dtype("<i2"),
}
_TYPE_NAMES = {number: name.lower() for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
_OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_INTEGERS = {"int8": tf.int8, "int16x8": tf.int16}
_CALIBRATED = {*_INTEGERS, "mixed"}
_INT4_STEPS = 7
_INT16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
# LiteRT ends the whole process when it prepares one of these on 16-bit integers.
_ENDING_ON_INT16 = frozenset({"SQUARED_DIFFERENCE"})
# Loads a file from stdin and runs it once, on zeros: what lies in memory before may be no token an embedding knows.
_TRIAL = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_content=sys.stdin.buffer.read())
interpreter.allocate_tensors()
for taken in interpreter.get_input_details():
    interpreter.set_tensor(taken["index"], np.zeros(taken["shape"], taken["dtype"]))
interpreter.invoke()
"""
_TRIAL_TIMEOUT_S = 120.0
_CONTROL_FLOW = {"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"}


@dataclass(frozen=True, eq=False)
class ConstantTensor:
    """A weight as the file holds it.

    Args:
        name: str, the file's name for it.
        values: numpy array, float or integer codes; code zero is a zero of the weight.
        scales: float array, of an int8 weight: one, or one for each index of `axis`. Defaults to `None`.
        axis: int, the axis along which `scales` run. Defaults to `0`.
        place: tuple of int, the subgraph and the tensor in it. Defaults to `(0, 0)`.
        num_steps: int, from zero to the largest integer code; of floats the same as of int8. Defaults to `127`.
    """

    name: str
    values: np.ndarray
    scales: np.ndarray | None = None
    axis: int = 0
    place: tuple[int, int] = (0, 0)
    num_steps: int = 127

    @property
    def numbers(self):
        """float array, the weight's values in real numbers."""
        if self.scales is None:
            return self.values.astype("float32")
        shape = [1] * self.values.ndim
        shape[self.axis] = self.scales.size
        return self.values * self.scales.reshape(shape if self.scales.size > 1 else 1)


def to_flatbuffer(model, precision, calibration=None, keeps_names=False):
    """Converts a tf_keras model for one sample at a time.

    Args:
        model: tf_keras.Model; with quantization wrappers, only `precision="int8"` makes sense.
        precision: str, `"float32"`, `"float16"`, `"dynamic"`, `"int8"` (integers inside and at both ends) or
            `"int16x8"` (16-bit activations and ends, 8-bit weights).
        calibration: list of numpy arrays, one per input, first axis the samples; needed for `"int8"` and `"int16x8"`.
        keeps_names: bool, whether inner tensors keep the names of the layers they came from. Defaults to `False`.

    Returns:
        bytes of the `.tflite` file.

    Raises:
        UserError: an input whose shape is open beyond the batch.
        ConversionError: the converter refuses the model, or calibration would end the process.
    """
    function = _frozen(model)
    if precision in _INTEGERS:
        _refuse_loops(function, model, precision)
    with silenced():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int16x8":
        converter.target_spec.supported_ops = [_INT16]
    if precision in _INTEGERS:
        converter.representative_dataset = lambda: _samples(calibration)
        converter.inference_input_type = converter.inference_output_type = _INTEGERS[precision]
    with silenced() as chatter, warnings.catch_warnings():
        # The converter warns of the statistics it finds missing in every quantization-aware model.
        warnings.simplefilter("ignore", UserWarning)
        content, error = _converted(converter, precision)
    if error is not None:
        reason = conversion_reason(str(error).strip() or repr(error), chatter.text)
        raise ConversionError(
            f"A compressed model must convert to a {precision} '.tflite'. Received: model {model.name!r}, refused "
            f"with: {reason}"
        ) from error
    if not keeps_names:
        content = _with_short_names(content)
    if precision == "int16x8":
        _refuse_ending(content, model)
        _try_in_a_child(content, model, precision)
    return content


def _with_short_names(content):
    """The file with its inner tensors called `t0`, `t1`, ...: the joined names of fused layers are a third of a small
    quantization-aware one (measured: 4,643 of 15,536 bytes, 504 of 11,600 after).
    """
    model = parsed(content)
    for graph in model.subgraphs:
        ends = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in ends:
                tensor.name = f"t{number}".encode()
    return packed(model)


def _try_in_a_child(content, model, precision):
    """Runs a file once in a process of its own: not every operator of an experimental precision survives that."""
    returncode, _, _ = run_bytes([sys.executable, "-c", _TRIAL], content, _TRIAL_TIMEOUT_S)
    if returncode != 0:
        how = ChildResult(returncode, "", "").signal_name or ("a time-out" if returncode is None else "an error")
        raise ConversionError(
            f"A {precision} file must load and run. Received: model {model.name!r}, whose file ended the interpreter "
            f"with {how}. Use 'int8' or 'float16' instead."
        )


def _refuse_ending(content, model):
    """Refuses what would end the process as soon as it is loaded."""
    file = parsed(content)
    names = {operator_name(file, operator) for graph in file.subgraphs for operator in graph.operators}
    if names & _ENDING_ON_INT16:
        layers = [layer.name for layer in model.layers if type(layer).__name__ == "LayerNormalization"]
        raise ConversionError(
            "A file must hold operators that can be loaded; on 16-bit integers LiteRT ends the process at some. "
            f"Received: model {model.name!r} as int16x8 with {', '.join(sorted(names & _ENDING_ON_INT16))}, which the "
            f"layers {', '.join(map(repr, layers)) or 'of variances'} become. Use 'int8' or 'float16' instead."
        )


def require_calibratable(model, precision):
    """Refuses, before anything is trained, what calibration cannot enter.

    Args:
        model: tf_keras.Model.
        precision: str, of the file.

    Raises:
        ConversionError: a recurrent layer that becomes a loop, and a precision that is calibrated.
    """
    if precision in _CALIBRATED and any(isinstance(layer, tf_keras.layers.RNN) for layer in model.layers):
        _refuse_loops(_frozen(model), model, precision)


def constant_tensors(flatbuffer):
    """Reads the weights of a file.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        Tuple of ConstantTensor: every constant of type float32, float16, int4, int8 or int16 with more than one axis.
    """
    model = parsed(flatbuffer)
    found = []
    for number, graph in enumerate(model.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            data = model.buffers[tensor.buffer].data
            is_weight = data is not None and len(data) > 0 and tensor.type in _DTYPES and tensor.shape is not None
            if is_weight and len(tensor.shape) > 1:
                values = _numbers_of(tensor, data)
                scales, axis, zero = _quantization(tensor)
                # A table of an embedding is stored as activations are, with a code of its own for zero.
                values = values.astype("int32") - zero if zero else values
                steps = _INT4_STEPS if tensor.type == schema.TensorType.INT4 else ConstantTensor.num_steps
                name, values = tensor.name.decode(), values.reshape(tensor.shape)
                found.append(ConstantTensor(name, values, scales, axis, (number, index), steps))
    return tuple(found)


def unpacked_int4(data, count):
    """The numbers of a 4-bit buffer: two in a byte, the first in its lower half.

    Args:
        data: sequence of bytes.
        count: int, how many numbers it holds; of an odd count the last half byte is empty.

    Returns:
        int8 array of shape (count,), in -8..7.
    """
    pairs = np.asarray(data, np.uint8)
    # Shifted up and down again as signed numbers, the sign of 4 bits becomes that of 8.
    return (np.stack([pairs << 4, pairs & 0xF0], axis=-1).view(np.int8) >> 4).ravel()[:count]


def _numbers_of(tensor, data):
    if tensor.type == schema.TensorType.INT4:
        return unpacked_int4(data, int(np.prod(tensor.shape)))
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), _DTYPES[tensor.type])


def _quantization(tensor):
    quantization = tensor.quantization
    is_scaled = _DTYPES[tensor.type].kind == "i" and quantization is not None and quantization.scale is not None
    if not is_scaled or not len(quantization.scale):
        return None, 0, 0
    zeros = quantization.zeroPoint
    zero = int(zeros[0]) if zeros is not None and len(zeros) == 1 else 0
    return np.asarray(quantization.scale, "float32"), quantization.quantizedDimension, zero


def float_operators(flatbuffer):
    """The operators of a file that compute in float.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        Tuple of str, one builtin operator name per operator whose first output is float32, in order of execution.
    """
    model = parsed(flatbuffer)
    return tuple(
        operator_name(model, operator)
        for graph in model.subgraphs
        for operator in graph.operators
        if graph.tensors[operator.outputs[0]].type == schema.TensorType.FLOAT32
    )


def bytes_by_type(flatbuffer):
    """How many bytes of constants a file holds in each number format.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        dict of type name such as `"int8"` to int, in the order of the names. Tensors that share a buffer count once.
    """
    model, sizes, seen = parsed(flatbuffer), Counter(), set()
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data) and tensor.buffer not in seen:
            seen.add(tensor.buffer)
            sizes[_TYPE_NAMES[tensor.type]] += len(data)
    return dict(sorted(sizes.items()))


def parsed(flatbuffer):
    """A file as TensorFlow's object of its schema.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        ModelT.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    for buffer in model.buffers:
        # What lay behind the flatbuffer comes as a slice, which would be packed byte by byte, many times slower.
        if isinstance(buffer.data, bytes | bytearray):
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model


def packed(model):
    """The bytes of a file from its object.

    Args:
        model: ModelT.

    Returns:
        bytes.
    """
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operator_name(model, operator):
    """The name of an operator.

    Args:
        model: ModelT.
        operator: OperatorT of one of its subgraphs.

    Returns:
        str, such as `"CONV_2D"`.
    """
    code = model.operatorCodes[operator.opcodeIndex]
    return _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _converted(converter, precision):
    try:
        content = bytes(converter.convert())
        return revived(converter) if precision == "int8" and has_dead_ranges(content) else content, None
    except (ConverterError, RuntimeError, ValueError) as error:
        return None, error


def _frozen(model):
    """The model as one concrete function with its variables made constants."""
    specifications = [tf.TensorSpec(_one_sample(model, tensor), tensor.dtype) for tensor in model.inputs]

    def call(*inputs):
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    function = tf.function(call, input_signature=specifications, autograph=False)
    return convert_variables_to_constants_v2(function.get_concrete_function(), lower_control_flow=False)


def _refuse_loops(function, model, precision):
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for body in definition.library.function for node in body.node_def)]
    loops = sorted({node.op for node in nodes} & _CONTROL_FLOW)
    if loops:
        # NOTE: calibrating a loop ends the whole process with a segmentation fault (tensorflow#87468).
        raise ConversionError(
            f"Calibration for {precision} cannot enter a loop, which a recurrent layer becomes. Received: model "
            f"{model.name!r} with {', '.join(loops)}. Build the layer with unroll=True, or compress to float32, "
            "float16 or dynamic."
        )


def _one_sample(model, tensor):
    shape = (1, *tensor.shape[1:])
    if None in shape:
        raise UserError(
            "A model to compress must have inputs of fixed shape. "
            f"Received: model {model.name!r} with an input of shape {tuple(tensor.shape)}. Give `Input` every axis."
        )
    return shape


def _samples(calibration):
    for index in range(len(calibration[0])):
        yield [part[index : index + 1] for part in calibration]
