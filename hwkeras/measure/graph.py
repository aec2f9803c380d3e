"""A `.tflite` file as plain values: tensors, operators, the graph they make."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwkeras.errors import ModelFileError
from hwkeras.measure.structure import check_structure

_ELEMENT_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT64": 64, "FLOAT8_E4M3FN": 8, "FLOAT8_E5M2": 8,
    "INT2": 2, "INT4": 4, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64,
    "UINT4": 4, "UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64,
    "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128, "STRING": 0, "RESOURCE": 0, "VARIANT": 0,
}  # fmt: skip
_MAX_TENSOR_BYTES = 2**50


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Args:
        name: str.
        dtype: str such as `"FLOAT32"`, the schema's own name.
        shape: tuple of int; dimensions unknown in the file are 1.
        data_bytes: int, bytes of its constant data; 0 for activations.
        is_variable: bool, whether it keeps its value between invokes.
        is_quantized: bool, whether it has a scale.
        is_sparse: bool, whether its data is stored sparse.
    """

    name: str
    dtype: str
    shape: tuple
    data_bytes: int = 0
    is_variable: bool = False
    is_quantized: bool = False
    is_sparse: bool = False

    @property
    def num_elements(self):
        """Product of the shape; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def num_bytes(self):
        """Bytes of the dense tensor in memory; sub-byte elements are packed; 0 for strings and resources."""
        return (self.num_elements * _ELEMENT_BITS[self.dtype] + 7) // 8


@dataclass(frozen=True)
class Operator:
    """One operator.

    Args:
        op: str, the schema's name such as `"CONV_2D"`; `"CUSTOM:name"` for custom ones.
        inputs: tuple of int, indices into the tensors; -1 for an optional input that is absent.
        outputs: tuple of int.
        adjoint: tuple of 2 bools, which operands of a `BATCH_MATMUL` are transposed.
    """

    op: str
    inputs: tuple
    outputs: tuple
    adjoint: tuple = (False, False)


@dataclass(frozen=True)
class Graph:
    """One subgraph, operators in the order of execution.

    Args:
        name: str.
        tensors: tuple of `Tensor`.
        operators: tuple of `Operator`.
        inputs: tuple of int, indices of tensors.
        outputs: tuple of int.
    """

    name: str
    tensors: tuple
    operators: tuple
    inputs: tuple
    outputs: tuple


def read_graphs(data):
    """Reads all subgraphs of a file; the first is the one an interpreter runs by default.

    Args:
        data: bytes of a `.tflite` file.

    Returns:
        tuple of `Graph`, at least one.

    Raises:
        ModelFileError: not a `.tflite` file, truncated, or inconsistent in itself.
    """
    check_structure(data)
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    if not model.SubgraphsLength():
        raise ModelFileError("A `.tflite` file holds at least one subgraph. Received: none. Convert the model again.")
    reader = _Reader(schema, model, len(data))
    return tuple(reader.graph(model.Subgraphs(index)) for index in range(model.SubgraphsLength()))


class _Reader:
    """Turns the tables of one checked file into values."""

    def __init__(self, schema, model, file_bytes):
        self.op_names = _names(schema.BuiltinOperator)
        self.type_names = _names(schema.TensorType)
        self.schema = schema
        self.data_bytes = [
            _buffer_bytes(model.Buffers(index), index, file_bytes) for index in range(model.BuffersLength())
        ]
        self.op_codes = [self._op_name(model.OperatorCodes(index)) for index in range(model.OperatorCodesLength())]

    def graph(self, table):
        tensors = tuple(self._tensor(table.Tensors(index)) for index in range(table.TensorsLength()))
        operators = tuple(self._operator(table.Operators(index)) for index in range(table.OperatorsLength()))
        graph = Graph(_text(table.Name()), tensors, operators, _indices(table, "Inputs"), _indices(table, "Outputs"))
        used = {*graph.inputs, *graph.outputs}.union(*({*op.inputs, *op.outputs} for op in operators))
        wrong = sorted(index for index in used if not -1 <= index < len(tensors))
        if wrong:
            raise ModelFileError(
                f"Operators name tensors by an index below {len(tensors)}. Received: index {wrong[0]}. "
                "The file is corrupt: copy or convert it again."
            )
        return graph

    def _op_name(self, code):
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self.op_names.get(number, f"UNKNOWN_{number}")
        return f"CUSTOM:{_text(code.CustomCode())}" if name == "CUSTOM" else name

    def _operator(self, table):
        index = table.OpcodeIndex()
        if index >= len(self.op_codes):
            raise ModelFileError(
                f"An operator's code is an index below {len(self.op_codes)}. Received: {index}. "
                "The file is corrupt: copy or convert it again."
            )
        name = self.op_codes[index]
        adjoint = self._adjoint(table) if name == "BATCH_MATMUL" else (False, False)
        return Operator(name, _indices(table, "Inputs"), _indices(table, "Outputs"), adjoint)

    def _adjoint(self, table):
        if table.BuiltinOptionsType() != self.schema.BuiltinOptions.BatchMatMulOptions or not table.BuiltinOptions():
            return (False, False)
        options = self.schema.BatchMatMulOptions()
        options.Init(table.BuiltinOptions().Bytes, table.BuiltinOptions().Pos)
        return (bool(options.AdjX()), bool(options.AdjY()))

    def _tensor(self, table):
        if table.Buffer() >= max(1, len(self.data_bytes)):
            raise ModelFileError(
                f"A tensor's buffer is an index below {len(self.data_bytes)}. Received: {table.Buffer()}. "
                "The file is corrupt: copy or convert it again."
            )
        quantization = table.Quantization()
        tensor = Tensor(
            name=_text(table.Name()),
            dtype=self.type_names.get(table.Type(), f"UNKNOWN_{table.Type()}"),
            shape=tuple(1 if dim < 0 else dim for dim in _indices(table, "Shape")),
            data_bytes=self.data_bytes[table.Buffer()] if self.data_bytes else 0,
            is_variable=bool(table.IsVariable()),
            is_quantized=quantization is not None and quantization.ScaleLength() > 0,
            is_sparse=table.Sparsity() is not None,
        )
        _check_tensor(tensor)
        return tensor


def _check_tensor(tensor):
    if tensor.dtype not in _ELEMENT_BITS:
        raise ModelFileError(
            f"A tensor's type is one of {', '.join(_ELEMENT_BITS)}. Received: {tensor.dtype} in {tensor.name!r}. "
            "The file is corrupt, or newer than the installed ai-edge-litert: upgrade it."
        )
    num_elements = 1
    for dim in tensor.shape:
        num_elements *= dim
        if num_elements > _MAX_TENSOR_BYTES:
            raise ModelFileError(
                f"A tensor holds at most {_MAX_TENSOR_BYTES} elements. Received: shape {tensor.shape[:8]} in "
                f"{tensor.name!r}. The file is corrupt: copy or convert it again."
            )
    # NOTE: strings are stored with their offsets and sparse tensors without their zeros: no size to hold them to.
    if tensor.data_bytes and not tensor.is_sparse and _ELEMENT_BITS[tensor.dtype]:
        if tensor.data_bytes != tensor.num_bytes:
            raise ModelFileError(
                f"A constant holds as many bytes as its shape says. Received: {tensor.data_bytes} bytes for "
                f"{tensor.dtype} {tensor.shape} in {tensor.name!r}. The file is corrupt: copy or convert it again."
            )


def _buffer_bytes(buffer, index, file_bytes):
    """Bytes of a buffer, which lie in the flatbuffer or, for files above 2 GB, behind it."""
    if buffer.Offset() <= 1:
        return buffer.DataLength()
    if buffer.Offset() + buffer.Size() > file_bytes:
        raise ModelFileError(
            f"Every part of a `.tflite` file must lie inside it. Received: {file_bytes} bytes, buffer {index} ends at "
            f"{buffer.Offset() + buffer.Size()}. The file is truncated or corrupt: copy or convert it again."
        )
    return buffer.Size()


def _indices(table, name):
    """A vector of 32-bit integers as a tuple of int."""
    if not getattr(table, f"{name}Length")():
        return ()
    return tuple(getattr(table, f"{name}AsNumpy")().tolist())


def _names(enumeration):
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _text(raw):
    return (raw or b"").decode("utf-8", "replace")
