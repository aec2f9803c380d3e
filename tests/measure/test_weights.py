"""Zeros, distinct values and 2:4 of weights, by values written into a file."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from hwkeras.measure.analysis import analyze
from hwkeras.measure.weights import analyze_weights


def only(writer):
    (tensor,) = analyze_weights(writer.bytes()).tensors
    return tensor


def test_float_zeros_of_both_signs_are_one_value(writer):
    writer.tensor((2, 4), data=np.array([0, -0.0, 1, 1, 0, 2, 0, -1], "<f4").tobytes())
    found = only(writer)
    assert (found.num_zeros, found.sparsity, found.num_unique) == (4, 0.5, 4)
    assert (found.dtype, found.shape, found.quantization) == ("float32", (2, 4), "float32")
    assert found.is_two_of_four is True


@pytest.mark.parametrize("dtype", ["<f2", "<f8"])
def test_other_floats(dtype, writer):
    name = {"<f2": "FLOAT16", "<f8": "FLOAT64"}[dtype]
    writer.tensor((5,), name, data=np.array([0, -0.0, 3, 3, 5], dtype).tobytes())
    assert (only(writer).num_zeros, only(writer).num_unique) == (2, 3)
    assert only(writer).is_two_of_four is None


def test_zero_is_the_zero_point(writer):
    values = np.array([-3, -3, 0, 7], np.int8)
    writer.tensor((4,), "INT8", data=values.tobytes(), quantization=writer.quantized((0.1,), (-3,)))
    assert (only(writer).num_zeros, only(writer).num_unique) == (2, 3)
    assert only(writer).quantization == "int8 per-tensor asymmetric"


@pytest.mark.parametrize(("axis", "zeros"), [(0, 3), (1, 1)])
def test_zero_points_along_an_axis(axis, zeros, writer):
    values = np.array([[1, 1], [2, 1]], np.int8)
    quantization = writer.quantized((0.1, 0.2), (1, 2), axis)
    writer.tensor((2, 2), "INT8", data=values.tobytes(), quantization=quantization)
    assert only(writer).num_zeros == zeros
    assert only(writer).quantization == f"int8 per-channel asymmetric, axis {axis}"


def test_int4_is_unpacked(writer):
    packed = bytes([0x10, 0xF0, 0x03])  # 0 1 0 -1 3, and a half that belongs to nothing
    writer.tensor((5,), "INT4", data=packed, quantization=writer.quantized())
    assert (only(writer).num_zeros, only(writer).num_unique, only(writer).data_bytes) == (2, 4, 3)


def test_int2_is_unpacked(writer):
    writer.tensor((6,), "INT2", data=bytes([0b11_01_00_00, 0b00_10]), quantization=writer.quantized())
    assert (only(writer).num_zeros, only(writer).num_unique) == (3, 4)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([[0, 0, 1, 2], [3, 0, 0, 0]], True), ([[0, 1, 1, 2], [0, 0, 0, 0]], False), ([[0, 0, 0], [0, 0, 0]], None)],
)
def test_two_of_four(rows, expected, writer):
    rows = np.array(rows, np.int8)
    writer.tensor(rows.shape, "INT8", data=rows.tobytes(), quantization=writer.quantized())
    assert only(writer).is_two_of_four is expected


def test_what_a_sparse_tensor_omits_is_zero(writer):
    sparsity = writer.schema.SparsityParametersT()
    writer.tensor((4, 4), data=np.array([1, 2, 0], "<f4").tobytes(), sparsity=sparsity)
    found = only(writer)
    assert (found.num_zeros, found.num_unique, found.is_two_of_four) == (14, 3, None)
    assert found.unknown == "places of a sparse tensor's values are not read"


def test_a_huge_sparse_tensor_costs_nothing(writer):
    sparsity = writer.schema.SparsityParametersT()
    writer.tensor((2**30, 2**19), data=bytes(4), sparsity=sparsity)
    found = only(writer)
    assert found.num_elements == found.num_zeros == 2**49
    assert analyze(writer.bytes()).params == 2**49


def test_a_sparse_tensor_with_more_values_than_elements(writer):
    writer.tensor((2,), data=bytes(12), sparsity=writer.schema.SparsityParametersT())
    with pytest.raises(ModelFileError, match=r"values as its shape says\. Received: 3 for FLOAT32 \(2,\)"):
        analyze_weights(writer.bytes())


def test_zero_points_that_fit_no_axis(writer):
    writer.tensor((3, 2), "INT8", data=bytes(6), quantization=writer.quantized((0.1, 0.2), (1, 2), 0))
    with pytest.raises(ModelFileError, match=r"Received: 2 along axis 0 of \(3, 2\) in 't0'"):
        analyze_weights(writer.bytes())


def test_blocks_have_unknown_zeros(writer):
    quantization = writer.schema.QuantizationParametersT()
    quantization.detailsType = writer.schema.QuantizationDetails.BlockwiseQuantization
    quantization.details = writer.schema.BlockwiseQuantizationT()
    quantization.details.blockSize = 32
    writer.tensor((2, 32), "INT4", data=bytes(32), quantization=quantization)
    found = only(writer)
    assert (found.num_zeros, found.sparsity, found.num_unique) == (None, None, 1)
    assert (found.unknown, found.quantization) == ("zero points of blocks are not read", "int4 blockwise")


def test_shapes_and_activations_are_no_weights(writer):
    writer.tensor((2,), "INT32", data=bytes(8))
    writer.tensor((2, 2))
    assert analyze_weights(writer.bytes()).tensors == ()
    assert analyze_weights(writer.bytes()).sparsity is None
    assert analyze_weights(writer.bytes()).max_unique is None


def test_whole_model(writer):
    writer.tensor((2, 2), data=np.array([0, 0, 0, 1], "<f4").tobytes())
    writer.tensor((4,), data=np.array([1, 2, 3, 4], "<f4").tobytes())
    weights = analyze_weights(writer.bytes())
    assert (weights.sparsity, weights.max_unique) == (3 / 8, 4)
    document = json.loads(json.dumps(weights.to_json()))
    assert [tensor["sparsity"] for tensor in document["tensors"]] == [0.75, 0.0]
    assert (document["num_two_of_four"], document["num_unknown"]) == (0, 0)


def test_real_file_by_hand(real_file):
    content = real_file("tflm/hello_world_int8.tflite")
    weights = analyze_weights(content)
    assert sum(tensor.num_elements for tensor in weights.tensors) == analyze(content).params
    assert sum(tensor.data_bytes for tensor in weights.tensors) <= analyze(content).weight_bytes
    assert weights.max_unique == 91


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("a text, not a model")
    with pytest.raises(ModelFileError, match=r"text\.tflite: A `\.tflite` file has the identifier"):
        analyze_weights(path)
    with pytest.raises(UserError, match="must exist and be readable"):
        analyze_weights(tmp_path / "none.tflite")


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 6), min_size=1, max_size=4))
@settings(max_examples=30)
def test_laws(new_writer, seed, shape):
    values = np.random.default_rng(seed).normal(size=shape).astype("<f4")
    writer = new_writer()
    writer.tensor(shape, data=values.tobytes())
    dense = only(writer)
    assert dense.sparsity == 0 and 1 <= dense.num_unique <= values.size == dense.num_elements
    kept = np.random.default_rng(seed + 1).random(shape) < 0.5
    writer = new_writer()
    writer.tensor(shape, data=(values * kept).tobytes())
    pruned = only(writer)
    assert pruned.num_zeros == values.size - np.count_nonzero(kept)
    assert pruned.num_unique == np.unique(values * kept).size
