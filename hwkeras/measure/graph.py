"""A `.tflite` file as plain values: tensors, operators, the graph they make."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from dataclasses import field

from hwkeras.errors import ModelFileError
from hwkeras.measure.options import read_fields
from hwkeras.measure.options import read_options
from hwkeras.measure.structure import check_structure

_ELEMENT_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT64": 64, "FLOAT8_E4M3FN": 8, "FLOAT8_E5M2": 8,
    "INT2": 2, "INT4": 4, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64,
    "UINT4": 4, "UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64,
    "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128, "STRING": 0, "RESOURCE": 0, "VARIANT": 0,
}  # fmt: skip
_MAX_TENSOR_BYTES = 2**50
# What a table of a tensor or an operator counts for at least, and how much any file may hold beside its size.
_TABLE_ITEMS = 32
_SPARE_ITEMS = 2**20
_BLOCKWISE = 2  # member BlockwiseQuantization of the union QuantizationDetails
# The options by which an operator names the subgraphs that it runs.
SUBGRAPH_ROLES = {
    "WHILE": ("cond", "body"), "IF": ("then", "else"), "CALL_ONCE": ("init",), "CALL": ("body",),
    "STABLEHLO_COMPOSITE": ("decomposition",),
}  # fmt: skip


@dataclass(frozen=True)
class Affine:
    """How stored integers stand for reals: real = scale * (integer - zero point).

    Args:
        scales: tuple of float, one for the tensor or one for each index along the axis.
        zero_points: tuple of int, as many as scales or one; empty means 0.
        axis: int, the quantized dimension; of no meaning with one scale.
        block_size: int, elements that share a scale, when the scales are a tensor of their own; else 0.
    """

    scales: tuple
    zero_points: tuple
    axis: int = 0
    block_size: int = 0


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
        data_start: int, the byte of the file at which its constant data begins; 0 for activations.
        affine: Affine, how it is quantized; None without quantization, or when the graph was read without details.
        has_unknown_dims: bool, whether a dimension is known only when it runs; False without details.
    """

    name: str
    dtype: str
    shape: tuple
    data_bytes: int = 0
    is_variable: bool = False
    is_quantized: bool = False
    is_sparse: bool = False
    data_start: int = 0
    affine: Affine | None = None
    has_unknown_dims: bool = False

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
        options: dict of str to int, float or str, those that `options.read_options` knows of. Defaults to none.
        version: int, the operator's version in the schema.
    """

    op: str
    inputs: tuple
    outputs: tuple
    options: dict = field(default_factory=dict)
    version: int = 1


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


def read_graphs(data, details=False):
    """Reads all subgraphs of a file; the first is the one an interpreter runs by default.

    Args:
        data: bytes of a `.tflite` file.
        details: bool, whether to read scales, zero points and shape signatures too. Defaults to `False`.

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
    reader = _Reader(schema, model, len(data), details)
    graphs = tuple(reader.graph(model.Subgraphs(index)) for index in range(model.SubgraphsLength()))
    _check_calls(graphs)
    return graphs


class _Reader:
    """Turns the tables of one checked file into values."""

    def __init__(self, schema, model, file_bytes, details):
        self.op_names = _names(schema.BuiltinOperator)
        self.type_names = _names(schema.TensorType)
        self.schema = schema
        self.details = details
        self.left = _SPARE_ITEMS + file_bytes
        self.spans = [_buffer_span(model.Buffers(index), index, file_bytes) for index in range(model.BuffersLength())]
        codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        self.op_codes = [(self._op_name(code), code.Version()) for code in codes]

    def graph(self, table):
        tensors = tuple(self._tensor(table.Tensors(index)) for index in range(table.TensorsLength()))
        operators = tuple(self._operator(table.Operators(index)) for index in range(table.OperatorsLength()))
        graph = Graph(_text(table.Name()), tensors, operators, _numbers(table, 1), _numbers(table, 2))
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
        name, version = self.op_codes[index]
        options = read_options(self.schema, name, table)
        operator = Operator(name, _numbers(table, 1), _numbers(table, 2), options, version)
        self._spend(len(operator.inputs) + len(operator.outputs))
        return operator

    def _spend(self, num_items):
        """Ends a file in which thousands of tables share a long part: read, it is many times larger than stored."""
        self.left -= num_items + _TABLE_ITEMS
        if self.left < 0:
            raise ModelFileError(
                "The tables of a `.tflite` file hold at most about as many values as it has bytes. Received: more, by "
                "sharing parts. The file is corrupt: copy or convert it again."
            )

    def _tensor(self, table):
        if table.Buffer() >= max(1, len(self.spans)):
            raise ModelFileError(
                f"A tensor's buffer is an index below {len(self.spans)}. Received: {table.Buffer()}. "
                "The file is corrupt: copy or convert it again."
            )
        quantization = table.Quantization()
        shape = _numbers(table, 0)
        start, data_bytes = self.spans[table.Buffer()] if self.spans else (0, 0)
        tensor = Tensor(
            name=_text(table.Name()),
            dtype=self.type_names.get(table.Type(), f"UNKNOWN_{table.Type()}"),
            shape=tuple(1 if dim < 0 else dim for dim in shape),
            data_bytes=data_bytes,
            is_variable=bool(table.IsVariable()),
            is_quantized=quantization is not None and _has_scales(quantization),
            is_sparse=table.Sparsity() is not None,
            data_start=start,
            affine=self._affine(quantization) if self.details and quantization is not None else None,
            has_unknown_dims=self.details and min((*shape, *_numbers(table, 7)), default=0) < 0,
        )
        _check_tensor(tensor)
        affine = tensor.affine or Affine((), ())
        self._spend(len(tensor.name) + len(shape) + len(affine.scales) + len(affine.zero_points))
        return tensor

    def _affine(self, table):
        if not _has_scales(table):
            return None
        block_size = 0
        if table.DetailsType() == _BLOCKWISE and table.Details():
            details = table.Details()
            block_size = read_fields(details.Bytes, details.Pos, {"block_size": (2, "<i", 0)}, "a quantization")
            block_size = block_size["block_size"]
        return Affine(
            scales=_numbers(table, 2, "f"),
            zero_points=_numbers(table, 3, "q"),
            axis=table.QuantizedDimension(),
            block_size=block_size,
        )


def _check_calls(graphs):
    for graph in graphs:
        for operator in graph.operators:
            for role in SUBGRAPH_ROLES.get(operator.op, ()):
                if not 0 <= operator.options[role] < len(graphs):
                    raise ModelFileError(
                        f"{operator.op} runs a subgraph by an index below {len(graphs)}. Received: "
                        f"{operator.options[role]}. The file is corrupt: copy or convert it again."
                    )


def _has_scales(quantization):
    """Whether a tensor is quantized: with scales of its own, or with a tensor of scales for blocks."""
    return quantization.ScaleLength() > 0 or quantization.DetailsType() == _BLOCKWISE


def _buffer_span(buffer, index, file_bytes):
    """First byte and number of bytes of a buffer, which lies in the flatbuffer or, for files above 2 GB, behind it."""
    if buffer.Offset() <= 1:
        slot = buffer._tab.Offset(4)
        return (buffer._tab.Vector(slot), buffer.DataLength()) if slot else (0, 0)
    if buffer.Offset() + buffer.Size() > file_bytes:
        raise ModelFileError(
            f"Every part of a `.tflite` file must lie inside it. Received: {file_bytes} bytes, buffer {index} ends at "
            f"{buffer.Offset() + buffer.Size()}. The file is truncated or corrupt: copy or convert it again."
        )
    return buffer.Offset(), buffer.Size()


def _numbers(table, slot, form="i"):
    """The vector in a slot of a table as a tuple; several times faster than through the generated readers."""
    offset = table._tab.Offset(4 + 2 * slot)
    if not offset:
        return ()
    return struct.unpack_from(f"<{table._tab.VectorLen(offset)}{form}", table._tab.Bytes, table._tab.Vector(offset))


def _names(enumeration):
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _text(raw):
    return (raw or b"").decode("utf-8", "replace")


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
