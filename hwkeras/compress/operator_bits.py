"""The operators of a file that hold weights, and files in which each of them has the bits it was given.

The quantizer is the package ai-edge-quantizer: weights symmetric, one scale a channel; activations 8-bit integers with
the ranges seen on the calibration samples.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from dataclasses import dataclass

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from hwkeras.compress.flatbuffer import operator_name
from hwkeras.compress.flatbuffer import packed
from hwkeras.compress.flatbuffer import parsed
from hwkeras.compress.flatbuffer import unpacked_int4
from hwkeras.convert.silence import silenced
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError

FLOAT_BITS = 32
# What the quantizer puts between integers and floats.
_BORDERS = {"QUANTIZE", "DEQUANTIZE"}
_WEIGHTED = {
    "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "GATHER", "TRANSPOSE_CONV",
}  # fmt: skip
_BITS = {schema.TensorType.INT4: 4, schema.TensorType.INT8: 8, schema.TensorType.FLOAT32: FLOAT_BITS}
_SIGNATURE = "serving_default"
_NO_QUANTIZE = "no_quantize"


def require_quantizer():
    """Makes sure that the quantizer is installed.

    Raises:
        UserError: it is not (the message says how to install it).
    """
    try:
        importlib.import_module("ai_edge_quantizer")
    except ImportError as error:
        raise UserError(
            "The precision 'mixed' needs the package ai-edge-quantizer. Received: a Python that cannot import it "
            f'({error}). Install it with `pip install "hwkeras[mixed]"`, or compress to int8.'
        ) from error


@dataclass(frozen=True)
class WeightedOperator:
    """An operator with weights.

    Args:
        kind: str, such as `"CONV_2D"`.
        layer: str, name of the layer it came from, or `""` where the file does not tell.
        num_weights: int, without the bias.
        number: int, its place among the operators of the float file.
        weight: int, which of its inputs holds the weights.
        tensor: int, the index of that tensor in the float file.
        scope: str, by which the quantizer finds it.
    """

    kind: str
    layer: str
    num_weights: int
    number: int
    weight: int
    tensor: int
    scope: str

    @property
    def bytes_saved(self):
        """int, what 4 bits a weight save against 8."""
        return self.num_weights // 2

    def __str__(self):
        return f"{self.layer} ({self.kind})" if self.layer else self.kind


class OperatorQuantizer:
    """Makes files of one model that differ in the bits of its operators.

    Args:
        flatbuffer: bytes of a float32 `.tflite` file, with the converter's names of tensors.
        layers: iterable of str, names of the layers with weights.
        samples: list of arrays, one an input, that the ranges are taken from.

    Raises:
        UserError: the quantizer is not installed.
        ConversionError: it cannot calibrate the model.
    """

    def __init__(self, flatbuffer, layers, samples):
        require_quantizer()
        model = parsed(flatbuffer)
        layers = frozenset(layers)
        found = [_layer_of(model, operator, layers) for operator in model.subgraphs[0].operators]
        self._file = _named(model)
        self._kinds = [operator_name(model, operator) for operator in model.subgraphs[0].operators]
        self.operators = _weighted(model, found)
        self._ranges = self._refusable(self._calibrated, samples)

    def file(self, bits, is_quantized=True):
        """Makes a file.

        Args:
            bits: mapping of WeightedOperator to 4, 8 or `FLOAT_BITS`.
            is_quantized: bool, whether everything else computes in 8-bit integers, both ends of the file included,
                or all of it in float. Defaults to `True`.

        Returns:
            bytes; what the quantizer does not offer for an operator is not in it, see `bits_of`.

        Raises:
            ConversionError: the quantizer refuses the model.
        """
        return self._refusable(self._quantized, bits, is_quantized)

    def bits_of(self, flatbuffer):
        """Reads the bits of the weights from a file.

        Args:
            flatbuffer: bytes, made by `file`.

        Returns:
            dict of WeightedOperator to int.

        Raises:
            ConversionError: a file with other operators than the model's.
        """
        model = parsed(flatbuffer)
        graph = model.subgraphs[0]
        own = [operator for operator in graph.operators if operator_name(model, operator) not in _BORDERS]
        kinds = [operator_name(model, operator) for operator in own]
        if kinds != self._kinds:
            raise ConversionError(
                f"A quantized file must hold the operators of its model. Received: {', '.join(kinds)}, where the model "
                f"has {', '.join(self._kinds)}. Compress to int8 instead."
            )
        tensors = {operator: graph.tensors[own[operator.number].inputs[operator.weight]] for operator in self.operators}
        return {operator: _BITS[tensor.type] for operator, tensor in tensors.items()}

    def _refusable(self, step, *arguments):
        try:
            # Its progress bars write to whatever stands for stderr, such as a notebook's cell.
            with silenced(), contextlib.redirect_stderr(io.StringIO()):
                return step(*arguments)
        except (ValueError, RuntimeError, KeyError, IndexError, TypeError, NotImplementedError) as error:
            raise ConversionError(
                "The model must be one that the package ai-edge-quantizer can quantize. Received: one it refuses with: "
                f"{(str(error).strip() or repr(error)).splitlines()[0]} Compress to int8 instead."
            ) from error

    def _calibrated(self, samples):
        """The ranges of the activations: least and largest of all samples, as TensorFlow's converter takes them."""
        from ai_edge_quantizer.calibrator import CalibrationMode
        from ai_edge_quantizer.calibrator import Calibrator
        from ai_edge_quantizer.recipe_manager import RecipeManager
        from ai_edge_quantizer.utils.qsv_utils import min_max_update

        everything = RecipeManager()
        everything.add_static_config(".*", "*", 8, 8)
        # The other mode asks for tensors one by one, also for those that XNNPACK has fused away (of an unrolled LSTM).
        mode = CalibrationMode.CALIBRATION_PROFILER_BASED
        calibrator = Calibrator(self._file, num_threads=1, mode=mode, qsv_update_func=min_max_update)
        rows = [
            {f"input{place}": part[number : number + 1] for place, part in enumerate(samples)}
            for number in range(len(samples[0]))
        ]
        calibrator.calibrate({_SIGNATURE: rows}, everything)
        return calibrator.get_model_qsvs()

    def _quantized(self, bits, is_quantized):
        from ai_edge_quantizer import Quantizer

        quantizer = Quantizer(self._file)
        if is_quantized:
            quantizer.add_static_config(".*", "*", 8, 8)
        for operator, wanted in bits.items():
            # The latest rule that fits an operator counts.
            scope = f"^{re.escape(operator.scope)}$"
            if wanted == FLOAT_BITS:
                quantizer.update_quantization_recipe(scope, "*", algorithm_key=_NO_QUANTIZE)
            else:
                quantizer.add_static_config(scope, "*", 8, wanted)
        result = quantizer.quantize(self._ranges, enable_progress_bar=False, enable_progress_report=False)
        model = parsed(bytes(result.quantized_model))
        model.signatureDefs = None
        return packed(model)


def widened(flatbuffer):
    """The same file with its 4-bit weights in 8 bits: the same numbers, computed by the usual kernels.

    Args:
        flatbuffer: bytes.

    Returns:
        bytes.
    """
    model, done = parsed(flatbuffer), set()
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        if tensor.type != schema.TensorType.INT4:
            continue
        tensor.type = schema.TensorType.INT8
        if tensor.buffer not in done:
            done.add(tensor.buffer)
            buffer = model.buffers[tensor.buffer]
            buffer.data = unpacked_int4(buffer.data, int(np.prod(tensor.shape))).view(np.uint8)
    return packed(model)


def _named(model):
    """The bytes of a file in which every tensor has a name of its own and the ends have a signature."""
    (graph,) = model.subgraphs
    ends = {*graph.inputs, *graph.outputs}
    taken = {graph.tensors[end].name for end in ends}
    for number, tensor in enumerate(graph.tensors):
        if number not in ends:
            tensor.name = f"t{number}".encode()
            while tensor.name in taken:
                tensor.name += b"_"
    signature = schema.SignatureDefT()
    signature.signatureKey = _SIGNATURE.encode()
    signature.inputs = [_end(f"input{place}", index) for place, index in enumerate(graph.inputs)]
    signature.outputs = [_end(f"output{place}", index) for place, index in enumerate(graph.outputs)]
    model.signatureDefs = [signature]
    return packed(model)


def _end(name, index):
    end = schema.TensorMapT()
    end.name, end.tensorIndex = name.encode(), int(index)
    return end


def _weighted(model, layers):
    graph, found = model.subgraphs[0], []
    for number, (operator, layer) in enumerate(zip(graph.operators, layers, strict=True)):
        kind, weight = operator_name(model, operator), _weight_of(model, operator)
        if weight is not None:
            index = int(operator.inputs[weight])
            scope = "".join(f"{graph.tensors[output].name.decode()};" for output in operator.outputs)
            size = int(np.prod(graph.tensors[index].shape))
            found.append(WeightedOperator(kind, layer, size, number, weight, index, scope))
    return tuple(found)


def _weight_of(model, operator):
    """Which input of an operator holds its weights, or None."""
    if operator_name(model, operator) not in _WEIGHTED:
        return None
    tensors = model.subgraphs[0].tensors
    for place, index in enumerate(operator.inputs):
        tensor = tensors[index]
        data = model.buffers[tensor.buffer].data if index >= 0 else None
        is_weight = data is not None and len(data) > 0 and tensor.type == schema.TensorType.FLOAT32
        if is_weight and len(tensor.shape) > 1:
            return place
    return None


def _layer_of(model, operator, layers):
    """The layer an operator came from: its weights, or what it gives, are named after it."""
    weight = _weight_of(model, operator)
    if weight is None:
        return ""
    tensors = model.subgraphs[0].tensors
    names = [tensors[index].name.decode() for index in (operator.inputs[weight], *operator.outputs)]
    parts = [part for name in names for part in re.split("[/;]", name)]
    return next((part for part in parts if part in layers), "")
