"""Clustered weights in the file: a cluster is one number there too.

The converter gives each output channel of an int8 weight a scale of its own. A value that many channels share then
becomes another code in each of them: 16 values in 32 channels become up to 512 codes, and the file compresses no better
than before. Here the weight is written again with one scale. A cluster's value still errs by at most half a step of
1/127 of the largest, far less than the distance between clusters. Of floats the converter's own multiplication by 1
leaves neighbors in the last bit; there the model's values are written.
"""

from __future__ import annotations

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from hwkeras.compress.flatbuffer import operator_name
from hwkeras.compress.flatbuffer import packed
from hwkeras.compress.flatbuffer import parsed
from hwkeras.errors import CompressionError

_LARGEST_CODE = 127
# Operators whose second input is a weight and whose third is a bias, in integers of input scale times weight scale.
_BIASED = {"CONV_2D", "FULLY_CONNECTED"}
# Here the weight is the second input too; the bias is the fourth.
_TRANSPOSED = "TRANSPOSE_CONV"
_BIAS_TYPES = {schema.TensorType.INT32: np.dtype("<i4"), schema.TensorType.INT64: np.dtype("<i8")}


def unify_codes(flatbuffer, found):
    """Writes the clustered weights of a file that hold more values than their clusters again.

    Args:
        flatbuffer: bytes of a `.tflite` file.
        found: iterable of Found, of `find_kept` on this file.

    Returns:
        bytes; the same object where nothing had to change.

    Raises:
        CompressionError: a clustered weight is read by an operator that is not known here.
    """
    wanted = [one for one in found if one.kept.clusters is not None and one.num_values > one.kept.clusters]
    if not wanted:
        return flatbuffer
    model = parsed(flatbuffer)
    for one in wanted:
        if one.tensor.scales is None:
            _store(model, _tensor(model, one), one.values.astype(one.tensor.values.dtype))
        else:
            _rewrite(model, one)
    return packed(model)


def _tensor(model, one):
    number, index = one.tensor.place
    return model.subgraphs[number].tensors[index]


def _rewrite(model, one):
    number, index = one.tensor.place
    graph = model.subgraphs[number]
    readers = [operator for operator in graph.operators if index in operator.inputs]
    unknown = [
        operator_name(model, operator)
        for operator in readers
        if operator_name(model, operator) not in {*_BIASED, _TRANSPOSED} or operator.inputs[1] != index
    ]
    if unknown:
        raise CompressionError(
            "A clustered weight in integers must be read by convolutions or dense layers. Received: layer "
            f"{one.kept.layer!r}, read by {', '.join(sorted(set(unknown)))}. Use 'cluster' with float16 or float32."
        )
    scale = np.float32(np.abs(one.values).max() / _LARGEST_CODE)
    codes = np.clip(np.rint(one.values / scale), -_LARGEST_CODE, _LARGEST_CODE).astype("i1")
    old = one.tensor.scales
    biases = {_bias_of(model, operator) for operator in readers} - {None}
    for bias in biases:
        _rewrite_bias(model, graph.tensors[bias], old, scale)
    tensor = _tensor(model, one)
    _store(model, tensor, codes)
    tensor.quantization.scale = np.full(old.size, scale, "float32")


def _bias_of(model, operator):
    """The index of an operator's bias, or None."""
    place = 3 if operator_name(model, operator) == _TRANSPOSED else 2
    is_there = len(operator.inputs) > place and operator.inputs[place] >= 0
    return int(operator.inputs[place]) if is_there else None


def _rewrite_bias(model, bias, old, scale):
    if bias.type not in _BIAS_TYPES:
        return
    dtype = _BIAS_TYPES[bias.type]
    codes = np.frombuffer(np.asarray(model.buffers[bias.buffer].data, np.uint8).tobytes(), dtype)
    limits = np.iinfo(dtype)
    # The input's scale stays, so a code changes by the ratio of the weight's scales.
    changed = np.clip(np.rint(codes * (old.astype("float64") / scale)), limits.min, limits.max)
    _store(model, bias, changed.astype(dtype))
    bias.quantization.scale = (np.asarray(bias.quantization.scale) / old * scale).astype("float32")


def _store(model, tensor, values):
    """Writes a tensor's data; into a buffer of its own where others share the old one."""
    users = sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors)
    if users > 1:
        model.buffers.append(schema.BufferT())
        tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
