"""Activations that calibration saw as nothing but zero, such as a squeeze whose ReLUs are all off.

The converter gives such a tensor the smallest scale there is. XNNPACK then refuses the whole file, as it takes factors
below 256 between what a convolution sums up and what it puts out; where another kernel loads it, the biases of the next
layer can leave the range of int32. A wider range costs nothing: zero is zero in any.
"""

from __future__ import annotations

import numpy as np

from hwkeras.convert.file_objects import pack
from hwkeras.convert.file_objects import unpack

_MOST_FACTOR = 256
# Of the largest product of an input and a weight, a range of this share has a factor of 64: a sum of products that is
# not dead is thousands of times larger.
_LEAST_SHARE = 1 / (127 * 64)


def has_dead_ranges(flatbuffer):
    """Whether an output of an int8 file has a scale too small for what its operator sums up.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        bool.
    """
    for inputs, weights, output in _sums(unpack(flatbuffer)):
        scales = [_scales(tensor) for tensor in (inputs, weights, output)]
        if all(scale is not None for scale in scales):
            factors = scales[0].astype(float) * scales[1] / scales[2]
            if factors.max() >= _MOST_FACTOR:
                return True
    return False


def revived(converter):
    """Converts to int8 in two steps, as the converter itself does, and widens the ranges in between.

    Args:
        converter: `tf.lite.TFLiteConverter` that quantizes to int8 after training.

    Returns:
        bytes of the `.tflite` file, integers inside and at both ends.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    # NOTE: not public; `tf.lite.experimental.QuantizationDebugger` does the same, but gives float inputs and outputs.
    converter._experimental_calibrate_only = True
    ranges = widened(bytes(converter.convert()))
    return bytes(mlir_quantize(ranges, input_data_type=tf.int8, output_data_type=tf.int8))


def widened(calibrated):
    """Gives dead activations a range that kernels can compute with.

    Args:
        calibrated: bytes of a float `.tflite` file that holds the range of every activation, as calibration saw it.

    Returns:
        bytes, the same with wider ranges where they were too small; nothing else is touched.
    """
    model = unpack(calibrated)
    for inputs, weights, output in _sums(model):
        seen, made, content = inputs.quantization, output.quantization, model.buffers[weights.buffer].data
        if content is None or any(each is None or each.min is None for each in (seen, made)):
            continue
        values = np.asarray(content, np.uint8).view(np.float32)
        largest = max(abs(seen.min[0]), abs(seen.max[0])) * np.abs(values).max()
        low, high = min(made.min[0], 0.0), max(made.max[0], 0.0)  # zero is within every range of a file
        if high - low < largest * _LEAST_SHARE:
            made.max = np.asarray([low + largest * _LEAST_SHARE], np.float32)
    return pack(model)


def _sums(model):
    """Input, weights and output of every operator that sums up products with constants."""
    from ai_edge_litert import schema_py_generated as schema

    operator = schema.BuiltinOperator
    inputs = {
        operator.CONV_2D: 0,
        operator.DEPTHWISE_CONV_2D: 0,
        operator.FULLY_CONNECTED: 0,
        operator.TRANSPOSE_CONV: 2,
    }
    for graph in model.subgraphs:
        for each in graph.operators:
            place = inputs.get(model.operatorCodes[each.opcodeIndex].builtinCode)
            if place is not None:
                yield tuple(graph.tensors[at] for at in (each.inputs[place], each.inputs[1], each.outputs[0]))


def _scales(tensor):
    quantization = tensor.quantization
    return None if quantization is None or quantization.scale is None else np.asarray(quantization.scale)
