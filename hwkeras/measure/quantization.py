"""How each tensor of a `.tflite` file is quantized, and what its products are computed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.measure.analysis import is_weight
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model

# Operators that multiply by weights, and at which input the weights are.
_WEIGHTED = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "CONV_3D": 1,
    "CONV_3D_TRANSPOSE": 1, "BATCH_MATMUL": 1, "SVDF": 1,
}  # fmt: skip
_ACTIVATION_AT = {"TRANSPOSE_CONV": 2, "CONV_3D_TRANSPOSE": 2}
_UNPACKING = ("DEQUANTIZE", "DENSIFY")
_MIDDLE = {"UINT8": 128, "UINT4": 8, "UINT16": 32768}


@dataclass(frozen=True)
class TensorQuantization:
    """How one tensor is stored.

    Args:
        name: str.
        subgraph: int, index of its subgraph.
        role: str, `"weight"`, `"activation"`, or `"constant"` for shapes, axes and indices.
        dtype: str, such as `"int8"` or `"float16"`.
        granularity: str, `"none"` without a scale, `"per-tensor"`, `"per-channel"` or `"blockwise"`.
        is_symmetric: bool, whether zero is stored as 0, in unsigned types as the middle; None without a scale, and for
            blocks, of which the zero points lie in another tensor.
        axis: int, the quantized dimension of a per-channel tensor, else None.
        num_scales: int.
    """

    name: str
    subgraph: int
    role: str
    dtype: str
    granularity: str
    is_symmetric: bool | None
    axis: int | None
    num_scales: int

    @property
    def kind(self):
        """One line such as `"int8 per-channel symmetric, axis 3"`, or the type alone."""
        if self.granularity == "none":
            return self.dtype
        symmetry = {True: " symmetric", False: " asymmetric", None: ""}[self.is_symmetric]
        axis = "" if self.axis is None else f", axis {self.axis}"
        return f"{self.dtype} {self.granularity}{symmetry}{axis}"


@dataclass(frozen=True)
class Quantization:
    """How the tensors of a file are quantized.

    Args:
        tensors: tuple of `TensorQuantization`, all of the file in its order.
        schemes: dict of str to int, how many operators with weights compute in which activations and weights, such as
            `{"float32 activations, int8 weights": 3}`; float16 weights behind `DEQUANTIZE` count as float16. Recurrent
            operators other than `SVDF` are not among them.
    """

    tensors: tuple[TensorQuantization, ...]
    schemes: dict

    def kinds(self, role):
        """How often each kind occurs.

        Args:
            role: str, `"weight"`, `"activation"` or `"constant"`.

        Returns:
            dict of str to int, the most frequent first.
        """
        return _sorted(Counter(tensor.kind for tensor in self.tensors if tensor.role == role))

    def to_json(self):
        """The findings as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "schemes": dict(self.schemes),
            "weights": self.kinds("weight"),
            "activations": self.kinds("activation"),
            "tensors": [{**asdict(tensor), "kind": tensor.kind} for tensor in self.tensors],
        }


def analyze_quantization(model):
    """Reads how the tensors of a file are quantized.

    Args:
        model: bytes of a `.tflite` file, or its path as str or `os.PathLike`.

    Returns:
        Quantization.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    with naming_file(model):
        graphs = read_graphs(data, details=True)
    tensors = [tensor_quantization(tensor, index) for index, graph in enumerate(graphs) for tensor in graph.tensors]
    schemes = Counter(scheme for graph in graphs for scheme in _schemes(graph))
    return Quantization(tuple(tensors), _sorted(schemes))


def tensor_quantization(tensor, subgraph=0):
    """Reads how one tensor is quantized.

    Args:
        tensor: `Tensor` of a graph that was read with details.
        subgraph: int, index of its subgraph. Defaults to `0`.

    Returns:
        TensorQuantization.
    """
    role = "weight" if is_weight(tensor) else "constant" if tensor.data_bytes else "activation"
    affine = tensor.affine
    granularity, is_symmetric, axis, num_scales = "none", None, None, 0
    if affine is not None:
        num_scales = len(affine.scales)
        granularity = "blockwise" if affine.block_size else "per-tensor" if num_scales <= 1 else "per-channel"
        axis = affine.axis if granularity == "per-channel" else None
        if granularity != "blockwise":
            is_symmetric = {*affine.zero_points} <= {_MIDDLE.get(tensor.dtype, 0)}
            if not affine.zero_points:
                is_symmetric = tensor.dtype not in _MIDDLE
    return TensorQuantization(
        tensor.name, subgraph, role, tensor.dtype.lower(), granularity, is_symmetric, axis, num_scales
    )


def _schemes(graph):
    unpacked = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if operator.op in _UNPACKING and operator.inputs and operator.outputs and operator.inputs[0] >= 0
    }
    for operator in graph.operators:
        at = _WEIGHTED.get(operator.op)
        if at is None or len(operator.inputs) <= max(at, _ACTIVATION_AT.get(operator.op, 0)):
            continue
        activation, weight = operator.inputs[_ACTIVATION_AT.get(operator.op, 0)], operator.inputs[at]
        for _ in _UNPACKING:  # a sparse float16 weight is behind both
            weight = unpacked.get(weight, weight)
        if min(activation, weight) >= 0 and graph.tensors[weight].data_bytes:
            dtypes = (graph.tensors[index].dtype.lower() for index in (activation, weight))
            yield "{} activations, {} weights".format(*dtypes)


def _sorted(counts):
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
