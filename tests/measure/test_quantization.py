"""How tensors are quantized, by files of the converter and files written field by field."""

import json

import pytest

from hwkeras.measure.quantization import analyze_quantization


@pytest.mark.parametrize(
    ("net", "scheme"),
    [
        ("squeeze_and_excite.float32", "float32 activations, float32 weights"),
        ("squeeze_and_excite.float16", "float32 activations, float16 weights"),
        ("wide_depthwise.dynamic", "float32 activations, int8 weights"),
        ("squeeze_and_excite.int8", "int8 activations, int8 weights"),
        ("products.int16", "int16 activations, int8 weights"),
    ],
)
def test_scheme_of_each_precision(net, scheme, converted_nets):
    quantization = analyze_quantization(converted_nets[net])
    assert next(iter(quantization.schemes)) == scheme


def test_kinds_of_an_int8_network(converted_nets):
    quantization = analyze_quantization(converted_nets["squeeze_and_excite.int8"])
    assert {"int8 per-channel symmetric, axis 0", "int32 per-channel symmetric, axis 0"} <= set(
        quantization.kinds("weight")
    )
    assert "int8 per-tensor asymmetric" in quantization.kinds("activation")
    assert quantization.kinds("activation")["float32"] == 2  # what goes in and what comes out


def test_depthwise_filters_have_another_axis(real_file):
    kinds = analyze_quantization(real_file("mlperf_tiny/kws_ref_model.tflite")).kinds("weight")
    assert kinds["int8 per-channel symmetric, axis 0"] == 5
    assert kinds["int8 per-channel symmetric, axis 3"] == 4


def kind_of(writer):
    (tensor,) = analyze_quantization(writer.bytes()).tensors
    return tensor.role, tensor.kind


@pytest.mark.parametrize(
    ("dtype", "zero_point", "kind"),
    [
        ("INT8", 0, "int8 per-tensor symmetric"),
        ("INT8", 3, "int8 per-tensor asymmetric"),
        ("UINT8", 128, "uint8 per-tensor symmetric"),
        ("UINT8", 0, "uint8 per-tensor asymmetric"),
        ("INT16", 0, "int16 per-tensor symmetric"),
        ("INT4", 0, "int4 per-tensor symmetric"),
    ],
)
def test_symmetry(dtype, zero_point, kind, writer):
    num_bytes = {"INT16": 4, "INT4": 1}.get(dtype, 2)
    writer.tensor((2,), dtype, data=bytes(num_bytes), quantization=writer.quantized((0.5,), (zero_point,)))
    assert kind_of(writer) == ("weight", kind)


def test_scales_without_zero_points(writer):
    writer.tensor((2,), "INT8", quantization=writer.quantized((0.5,), ()))
    assert kind_of(writer) == ("activation", "int8 per-tensor symmetric")


def test_roles_without_quantization(writer):
    writer.tensor((1,), "FLOAT16", data=bytes(2))
    writer.tensor((1,), "INT32", data=bytes(4))
    writer.tensor((1,), "BOOL")
    found = analyze_quantization(writer.bytes()).tensors
    assert [(tensor.role, tensor.kind) for tensor in found] == [
        ("weight", "float16"),
        ("constant", "int32"),
        ("activation", "bool"),
    ]


def test_ranges_alone_are_no_quantization(writer):
    quantization = writer.schema.QuantizationParametersT()
    quantization.min, quantization.max = [-1.0], [1.0]
    writer.tensor((2,), quantization=quantization)
    assert kind_of(writer) == ("activation", "float32")


def test_json_counts_every_tensor(real_file):
    quantization = analyze_quantization(real_file("tflm/keyword_scrambled.tflite"))
    document = json.loads(json.dumps(quantization.to_json()))
    counted = sum(sum(quantization.kinds(role).values()) for role in ("weight", "activation", "constant"))
    assert counted == len(document["tensors"])
    assert document["schemes"] == {"int8 activations, int8 weights": 12}
