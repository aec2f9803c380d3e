"""The `.tflite` bytes of a tf_keras model, and what is read back from them as proof."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import ConverterError
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from hwkeras.errors import ConversionError
from hwkeras.errors import UserError

_DTYPES = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
}


@dataclass(frozen=True, eq=False)
class ConstantTensor:
    """A weight as the file holds it.

    Args:
        name: str, the file's name for it.
        values: numpy array, float or int8; an int8 zero is a zero of the weight.
    """

    name: str
    values: np.ndarray


def to_flatbuffer(model, precision, calibration=None):
    """Converts a tf_keras model for one sample at a time.

    Args:
        model: tf_keras.Model; with quantization wrappers, only `precision="int8"` makes sense.
        precision: str, `"float32"`, `"float16"`, `"dynamic"` or `"int8"` (integers inside and at both ends).
        calibration: list of numpy arrays, one per input, first axis the samples; needed for `"int8"`.

    Returns:
        bytes of the `.tflite` file.

    Raises:
        UserError: an input whose shape is open beyond the batch.
        ConversionError: the converter refuses the model.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_frozen(model)])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: _samples(calibration)
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    try:
        with warnings.catch_warnings():
            # The converter warns of the statistics it finds missing in every quantization-aware model.
            warnings.simplefilter("ignore", UserWarning)
            return converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        raise ConversionError(
            f"A compressed model must convert to a {precision} '.tflite'. Received: model {model.name!r}, refused "
            f"with: {(str(error).strip() or repr(error)).splitlines()[0]}. "
            "Compress a model that `hwkeras.convert` converts."
        ) from error


def constant_tensors(flatbuffer):
    """Reads the weights of a file.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        Tuple of ConstantTensor: every constant of type float32, float16 or int8 with more than one axis.
    """
    model = _parsed(flatbuffer)
    found = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            is_weight = data is not None and len(data) > 0 and tensor.type in _DTYPES and tensor.shape is not None
            if is_weight and len(tensor.shape) > 1:
                values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), _DTYPES[tensor.type])
                found.append(ConstantTensor(tensor.name.decode(), values.reshape(tensor.shape)))
    return tuple(found)


def float_operators(flatbuffer):
    """The operators of a file that compute in float.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        Tuple of str, one builtin operator name per operator whose first output is float32, in order of execution.
    """
    model = _parsed(flatbuffer)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    found = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            if graph.tensors[operator.outputs[0]].type == schema.TensorType.FLOAT32:
                code = model.operatorCodes[operator.opcodeIndex]
                found.append(names[max(code.builtinCode, code.deprecatedBuiltinCode)])
    return tuple(found)


def _parsed(flatbuffer):
    return flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))


def _frozen(model):
    """The model as one concrete function with its variables made constants."""
    specifications = [tf.TensorSpec(_one_sample(model, tensor), tensor.dtype) for tensor in model.inputs]

    def call(*inputs):
        return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)

    function = tf.function(call, input_signature=specifications, autograph=False)
    return convert_variables_to_constants_v2(function.get_concrete_function())


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
