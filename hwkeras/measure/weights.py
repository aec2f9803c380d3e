"""What the values of the weights are like: zeros, distinct values, two of four."""

from __future__ import annotations

import math
from dataclasses import asdict
from dataclasses import dataclass

import numpy as np

from hwkeras.errors import ModelFileError
from hwkeras.measure.analysis import is_weight
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model
from hwkeras.measure.quantization import tensor_quantization

_BITS = {
    "INT2": 2, "INT4": 4, "UINT4": 4, "INT8": 8, "UINT8": 8, "BOOL": 8, "FLOAT8_E4M3FN": 8, "FLOAT8_E5M2": 8,
    "INT16": 16, "UINT16": 16, "FLOAT16": 16, "BFLOAT16": 16, "INT32": 32, "UINT32": 32, "FLOAT32": 32,
    "INT64": 64, "UINT64": 64, "FLOAT64": 64,
}  # fmt: skip
_COUNTED_BY_TABLE = 16  # bits up to which a table of all patterns is smaller than sorting
_GROUP = 4


@dataclass(frozen=True)
class WeightStatistics:
    """What the values of one weight tensor are like.

    Args:
        name: str.
        subgraph: int, index of its subgraph.
        dtype: str, such as `"int8"`.
        shape: tuple of int.
        data_bytes: int, as stored.
        num_elements: int, of the dense tensor.
        num_zeros: int, elements that stand for exactly 0: in quantized tensors, those equal to the zero point. What a
            sparse tensor does not store is 0. None where it is unknown (see `unknown`).
        num_unique: int, distinct values as stored; those of a per-channel tensor are not scaled. None where unknown.
        is_two_of_four: bool, whether at least 2 of each 4 neighbors along the last axis, the input channels of
            convolutions and fully connected layers, are 0 (NVIDIA's 2:4 pattern). None where unknown, and where the
            last axis is not a multiple of 4.
        quantization: str, as `TensorQuantization.kind`.
        unknown: str, why a figure is None; empty otherwise.
    """

    name: str
    subgraph: int
    dtype: str
    shape: tuple
    data_bytes: int
    num_elements: int
    num_zeros: int | None
    num_unique: int | None
    is_two_of_four: bool | None
    quantization: str
    unknown: str = ""

    @property
    def sparsity(self):
        """Share of zeros in [0, 1]; None where unknown, and for a tensor without elements."""
        return None if self.num_zeros is None or not self.num_elements else self.num_zeros / self.num_elements


@dataclass(frozen=True)
class Weights:
    """What the values of all weights of a file are like.

    Args:
        tensors: tuple of `WeightStatistics`, in the file's order.
    """

    tensors: tuple[WeightStatistics, ...]

    @property
    def sparsity(self):
        """Share of zeros over all weights of which it is known; None without any."""
        known = [tensor for tensor in self.tensors if tensor.sparsity is not None]
        num_elements = sum(tensor.num_elements for tensor in known)
        return sum(tensor.num_zeros for tensor in known) / num_elements if num_elements else None

    @property
    def max_unique(self):
        """The most distinct values of one tensor; None where none is known."""
        return max((tensor.num_unique for tensor in self.tensors if tensor.num_unique is not None), default=None)

    def to_json(self):
        """The findings as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "sparsity": self.sparsity,
            "max_unique": self.max_unique,
            "num_two_of_four": sum(tensor.is_two_of_four is True for tensor in self.tensors),
            "num_unknown": sum(bool(tensor.unknown) for tensor in self.tensors),
            "tensors": [
                {**asdict(tensor), "shape": list(tensor.shape), "sparsity": tensor.sparsity} for tensor in self.tensors
            ],
        }


def analyze_weights(model):
    """Reads the values of all weights of a file.

    It costs a pass over the weights, which `analyze` does not make.

    Args:
        model: bytes of a `.tflite` file, or its path as str or `os.PathLike`.

    Returns:
        Weights.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    with naming_file(model):
        graphs = read_graphs(data, details=True)
        seen = {}
        return Weights(
            tuple(
                _statistics(data, tensor, subgraph, seen)
                for subgraph, graph in enumerate(graphs)
                for tensor in graph.tensors
                if is_weight(tensor)
            )
        )


def _statistics(data, tensor, subgraph, seen):
    # NOTE: tensors may share a buffer, thousands of them in a corrupt file: the same view of it is counted once.
    key = (tensor.data_start, tensor.data_bytes, tensor.dtype, tensor.shape, tensor.affine, tensor.is_sparse)
    if key not in seen:
        seen[key] = _values_of(data, tensor)
    num_zeros, num_unique, is_two_of_four, unknown = seen[key]
    return WeightStatistics(
        name=tensor.name,
        subgraph=subgraph,
        dtype=tensor.dtype.lower(),
        shape=tensor.shape,
        data_bytes=tensor.data_bytes,
        num_elements=tensor.num_elements,
        num_zeros=num_zeros,
        num_unique=num_unique,
        is_two_of_four=is_two_of_four,
        quantization=tensor_quantization(tensor).kind,
        unknown=unknown,
    )


def _values_of(data, tensor):
    """Number of zeros, number of distinct values, whether 2:4, why unknown."""
    if tensor.dtype not in _BITS:
        return None, None, None, f"values of {tensor.dtype.lower()} are not read"
    patterns = _patterns(data, tensor)
    if tensor.is_sparse:
        return _sparse_values_of(tensor, patterns)
    num_unique = _num_unique(patterns, _BITS[tensor.dtype])
    if tensor.affine is not None and tensor.affine.block_size:
        return None, num_unique, None, "zero points of blocks are not read"
    zeros = patterns == _zero_patterns(tensor, patterns.dtype)
    return int(np.count_nonzero(zeros)), num_unique, _is_two_of_four(zeros, tensor.shape), ""


def _sparse_values_of(tensor, patterns):
    if patterns.size > tensor.num_elements:
        raise ModelFileError(
            f"A sparse tensor stores at most as many values as its shape says. Received: {patterns.size} for "
            f"{tensor.dtype} {tensor.shape[:8]} in {tensor.name!r}. The file is corrupt: copy or convert it again."
        )
    zero = _one_zero_point(tensor)
    if zero is None:
        return None, None, None, "zero points per channel of a sparse tensor are not read"
    zero &= (1 << _BITS[tensor.dtype]) - 1
    num_stored_zeros = int(np.count_nonzero(patterns == patterns.dtype.type(zero)))
    num_omitted = tensor.num_elements - patterns.size
    num_unique = _num_unique(patterns, _BITS[tensor.dtype]) + bool(num_omitted and not num_stored_zeros)
    return num_omitted + num_stored_zeros, num_unique, None, "places of a sparse tensor's values are not read"


def _patterns(data, tensor):
    """The stored elements as unsigned integers, minus zero as zero; flat, in the order of storage."""
    bits = _BITS[tensor.dtype]
    raw = np.frombuffer(data, np.uint8, tensor.data_bytes, tensor.data_start)
    if bits < 8:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        unpacked = ((raw[:, None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(-1)
        return unpacked if tensor.is_sparse else unpacked[: tensor.num_elements]
    kind = np.dtype(f"<u{bits // 8}")
    patterns = raw[: raw.size - raw.size % kind.itemsize].view(kind)
    if tensor.dtype.startswith(("FLOAT", "BFLOAT")):
        return np.where(patterns == kind.type(1 << (bits - 1)), kind.type(0), patterns)
    return patterns


def _num_unique(patterns, bits):
    if bits <= _COUNTED_BY_TABLE and patterns.size:
        return int(np.count_nonzero(np.bincount(patterns, minlength=1)))
    return int(np.unique(patterns).size)


def _zero_patterns(tensor, kind):
    """What stands for 0: one pattern, or one for each index along the quantized axis in a shape that broadcasts."""
    mask = (1 << _BITS[tensor.dtype]) - 1
    one = _one_zero_point(tensor)
    if one is not None:
        return kind.type(one & mask)
    affine = tensor.affine
    if not 0 <= affine.axis < len(tensor.shape) or len(affine.zero_points) != tensor.shape[affine.axis]:
        raise ModelFileError(
            f"A tensor has one zero point, or one for each index along its axis. Received: {len(affine.zero_points)} "
            f"along axis {affine.axis} of {tensor.shape[:8]} in {tensor.name!r}. The file is corrupt: copy or convert "
            "it again."
        )
    around = math.prod(tensor.shape[affine.axis + 1 :])
    zeros = np.array([point & mask for point in affine.zero_points], kind)
    return np.tile(np.repeat(zeros, around), math.prod(tensor.shape[: affine.axis]))


def _one_zero_point(tensor):
    """The zero point that all of a tensor has; None where it differs along an axis."""
    points = {*tensor.affine.zero_points} if tensor.affine is not None else set()
    return points.pop() if len(points) == 1 else None if points else 0


def _is_two_of_four(zeros, shape):
    if len(shape) < 2 or not zeros.size or shape[-1] % _GROUP:
        return None
    return bool((np.count_nonzero(zeros.reshape(-1, _GROUP), axis=1) >= _GROUP // 2).all())
