"""The rules for XNNPACK against the partitions the installed runtime makes, and each reason by a file that has it."""

import contextlib
import os

import pytest

from hwkeras.measure.delegation import analyze_delegation
from hwkeras.measure.graph import read_graphs

REAL_FILES = (
    "mlperf_tiny/ad01_fp32", "mlperf_tiny/ad01_int8", "mlperf_tiny/kws_ref_model", "mlperf_tiny/kws_ref_model_float32",
    "mlperf_tiny/pretrainedResnet", "mlperf_tiny/pretrainedResnet_quant", "mlperf_tiny/vww_96_float",
    "mlperf_tiny/vww_96_int8", "tflm/hello_world_float", "tflm/hello_world_int8", "tflm/keyword_scrambled",
    "tflm/keyword_scrambled_8bit", "tflm/micro_speech_quantized",
)  # fmt: skip
NETS = (
    "squeeze_and_excite.float32", "squeeze_and_excite.float16", "squeeze_and_excite.dynamic", "squeeze_and_excite.int8",
    "element_wise.float32", "element_wise.int8", "shape_changes.float32", "products.dynamic", "products.int8",
    "products.int16", "wide_depthwise.dynamic", "shape_at_run_time.float32", "branches.float32", "loop.float32",
)  # fmt: skip


def real_partitions(content):
    """What each partition that XNNPACK took writes, by the installed runtime."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
    details = interpreter._get_ops_details()
    return sorted(sorted(map(int, op["outputs"])) for op in details if op["op_name"] == "DELEGATE")


@contextlib.contextmanager
def quiet_stderr():
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def expected_partitions(content):
    """What each predicted partition writes that others or the graph's outputs read."""
    graph = read_graphs(content)[0]
    outputs = []
    for part in analyze_delegation(content).partitions:
        written = {index for position in part for index in graph.operators[position].outputs}
        read = {index for at, op in enumerate(graph.operators) if at not in part for index in op.inputs}
        outputs.append(sorted(written & (read | set(graph.outputs))))
    return sorted(outputs)


@pytest.mark.parametrize("name", REAL_FILES)
def test_equals_the_runtime_on_real_files(name, real_file):
    content = real_file(f"{name}.tflite")
    assert expected_partitions(content) == real_partitions(content)


@pytest.mark.parametrize("name", NETS)
def test_equals_the_runtime_on_converted_networks(name, converted_nets):
    assert expected_partitions(converted_nets[name]) == real_partitions(converted_nets[name])


def reasons(content):
    return {(op.op, op.reason) for op in analyze_delegation(content).undelegated}


def test_int8_hard_swish_cuts_a_network(converted_nets):
    delegation = analyze_delegation(converted_nets["squeeze_and_excite.int8"])
    assert delegation.num_partitions == 3
    assert ("HARD_SWISH", "int8 input; it takes float32 only") in reasons(converted_nets["squeeze_and_excite.int8"])
    assert analyze_delegation(converted_nets["squeeze_and_excite.float32"]).undelegated == ()


def test_reasons_of_converted_networks(converted_nets):
    assert ("DEPTHWISE_CONV_2D", "float32 activations with int8 weights") in reasons(
        converted_nets["wide_depthwise.dynamic"]
    )
    assert ("RESHAPE", "shape computed at run time; it takes constants") in reasons(
        converted_nets["shape_at_run_time.float32"]
    )
    assert {
        ("STRIDED_SLICE", "strides other than 1"),
        ("CONCATENATION", "6 inputs; it takes 2 to 5"),
        ("RESIZE_NEAREST_NEIGHBOR", "not among its operators"),
    } <= reasons(converted_nets["shape_changes.float32"])


def one_operator(writer, op, inputs, output, options=None, **fields):
    tensors = [writer.tensor(*spec[:2], **(spec[2] if len(spec) > 2 else {})) for spec in inputs]
    result = writer.tensor(*output[:2], **(output[2] if len(output) > 2 else {}))
    operator = writer.operator(op, tensors, [result])
    if options:
        writer.options(operator, options, **fields)
    writer.ends(tensors[:1], [result])
    return writer.bytes()


IMAGE, BIAS = ((1, 4, 4, 4), "FLOAT32"), ((4,), "FLOAT32", {"data": bytes(16)})
FILTER = ((4, 1, 1, 4), "FLOAT32", {"data": bytes(64)})


def ints(*values):
    return {"data": b"".join(value.to_bytes(4, "little", signed=True) for value in values)}


CASES = {
    "fused tanh": ("ADD", [IMAGE, IMAGE], IMAGE, "fused activation TANH", "AddOptions", {"fusedActivationFunction": 4}),
    "int16": ("LOGISTIC", [((4,), "INT16")], ((4,), "INT16"), "int16 input; it takes float32, int8 and uint8"),
    "no scale": ("LOGISTIC", [((4,), "INT8")], ((4,), "INT8"), "int8 input without exactly one scale"),
    "no bias": ("CONV_2D", [IMAGE, FILTER, ((4,), "FLOAT32")], IMAGE, "bias computed at run time; it takes constants"),
    "two inputs": ("CONV_2D", [IMAGE, FILTER], IMAGE, "2 inputs; it takes 3 to 3"),
    "variable filter": ("CONV_2D", [IMAGE, FILTER[:2], BIAS], IMAGE, "filter computed at run time; it takes constants"),
    "7 dimensions": ("ABS", [((1,) * 7, "FLOAT32")], IMAGE, "an input of 7 dimensions; it takes 0 to 6"),
    "beta": ("SOFTMAX", [IMAGE], IMAGE, "beta 0.5; it takes 1", "SoftmaxOptions", {"beta": 0.5}),
    "pool": ("MAX_POOL_2D", [IMAGE], IMAGE, "stride 2 above the window 1", "Pool2DOptions",
             {"filterWidth": 1, "filterHeight": 1, "strideW": 2, "strideH": 2}),
    "mask": ("STRIDED_SLICE", [IMAGE, *[((4,), "INT32", ints(1, 1, 1, 1))] * 3], IMAGE,
             "an ellipsis, new-axis or shrink-axis mask", "StridedSliceOptions", {"newAxisMask": 1}),
    "padding": ("PAD", [IMAGE, ((4, 2), "INT32", ints(0, 0, -1, 0, 0, 0, 0, 0))], IMAGE, "negative padding"),
    "axes": ("MEAN", [IMAGE, ((2,), "INT64", {"data": bytes(16)})], IMAGE, "axes of type int64"),
    "slope": ("LEAKY_RELU", [IMAGE], IMAGE, "negative slope 0", "LeakyReluOptions", {"alpha": 0.0}),
    "mixed": ("ADD", [IMAGE, ((1,), "FLOAT16")], IMAGE, "float32 and float16 to float32; it takes one type"),
    "custom": ("RFFT2D", [IMAGE], IMAGE, "not among its operators"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_reason(case, writer):
    op, inputs, output, reason, *options = CASES[case]
    content = one_operator(writer, op, inputs, output, *options[:1], **(options[1] if options else {}))
    delegation = analyze_delegation(content)
    assert [(found.op, found.is_delegated, found.reason) for found in delegation.ops] == [(op, False, reason)]
    assert delegation.partitions == ()


def test_scales_far_apart(writer):
    image = ((1, 4), "INT8", {"quantization": writer.quantized((1.0,))})
    output = ((1, 4), "INT8", {"quantization": writer.quantized((2.0**-12,))})
    assert reasons(one_operator(writer, "ADD", [image, image], output)) == {
        ("ADD", "first input to output scale 4.1e+03 outside [0.000977, 256)")
    }


@pytest.mark.parametrize(
    ("channels", "reason"), [(8, None), (7, "int4 weights with 7 input channels, no multiple of 2")]
)
def test_int4_weights_of_a_dense_layer(channels, reason, writer):
    weights = {"data": bytes((4 * channels + 1) // 2), "quantization": writer.quantized((0.1,) * 4, (0,) * 4)}
    inputs = [((1, channels), "FLOAT32"), ((4, channels), "INT4", weights), BIAS]
    content = one_operator(writer, "FULLY_CONNECTED", inputs, ((1, 4), "FLOAT32"), "FullyConnectedOptions")
    assert reasons(content) == ({("FULLY_CONNECTED", reason)} if reason else set())
    assert len(real_partitions(content)) == (0 if reason else 1)


def byte_cases(writer):
    """Operators of 8-bit tensors: op, inputs, output, options, the reason against it."""

    def byte(dtype="UINT8", zero_point=0, shape=(1, 4, 4, 4), scale=2.0**-8, **fields):
        return (shape, dtype, {"quantization": writer.quantized((scale,), (zero_point,)), **fields})

    weights = byte(zero_point=128, shape=(4, 4), data=bytes(16))
    two_scales = writer.quantized((0.1, 0.2, 0.1, 0.2), (0,) * 4)
    bias = ((4,), "INT32", {"data": bytes(16), "quantization": writer.quantized((2.0**-16,))})
    return {
        "logistic": ("LOGISTIC", [byte()], byte(), None, ""),
        "int8 logistic": ("LOGISTIC", [byte("INT8")], byte("INT8", -128), None, ""),
        "add": ("ADD", [byte(), byte()], byte(), "AddOptions", ""),
        "dense": (
            "FULLY_CONNECTED", [byte(shape=(1, 4)), weights, bias], byte(shape=(1, 4)), "FullyConnectedOptions", "",
        ),
        "int8 dense, int8 weights with two scales": (
            "FULLY_CONNECTED",
            [byte("INT8", shape=(1, 4)), ((4, 4), "INT8", {"data": bytes(16), "quantization": two_scales}), bias],
            byte("INT8", shape=(1, 4)),
            "FullyConnectedOptions",
            "",
        ),
        "concatenation": (
            "CONCATENATION", [byte(), byte()], byte(shape=(2, 4, 4, 4)), "ConcatenationOptions", "",
        ),
        "concatenation, another zero point": (
            "CONCATENATION", [byte(), byte(zero_point=3)], byte(shape=(2, 4, 4, 4)), "ConcatenationOptions",
            "uint8 inputs of another scale or zero point",
        ),
        "softmax": ("SOFTMAX", [byte()], byte(), "SoftmaxOptions", "beta 0; it takes 1"),
        "requantize": ("QUANTIZE", [byte()], byte("INT8", -128), None, "uint8 to int8"),
        "dequantize": ("DEQUANTIZE", [byte()], IMAGE, None, ""),
    }  # fmt: skip


@pytest.mark.parametrize("case", range(10))
def test_equals_the_runtime_on_8_bit_operators(case, writer):
    op, inputs, output, options, reason = [*byte_cases(writer).values()][case]
    content = one_operator(writer, op, inputs, output, options)
    assert reasons(content) == ({(op, reason)} if reason else set())
    assert len(real_partitions(content)) == (0 if reason else 1)


def test_uint8_elu(writer):
    tensor = ((1, 4), "UINT8", {"quantization": writer.quantized()})
    assert reasons(one_operator(writer, "ELU", [tensor], tensor)) == {("ELU", "uint8 input; it takes float32 and int8")}


def test_what_is_unknown_is_said(writer):
    resource, value = writer.tensor((), "RESOURCE"), writer.tensor((1, 4))
    writer.operator("VAR_HANDLE", (), [resource])
    writer.operator("READ_VARIABLE", [resource], [value])
    writer.ends([], [value])
    delegation = analyze_delegation(writer.bytes())
    assert delegation.partitions is None and delegation.num_partitions is None
    assert {(op.is_delegated, op.reason) for op in delegation.undelegated} == {
        (None, "taken under conditions that are not read here")
    }


def test_operators_that_wait_for_each_other_have_no_partitions(writer):
    one, other = writer.tensor((4,)), writer.tensor((4,))
    writer.operator("ABS", [one], [other])
    writer.operator("ABS", [other], [one])
    assert analyze_delegation(writer.bytes()).partitions is None


def test_hints_carry_their_source(real_file):
    hints = analyze_delegation(real_file("mlperf_tiny/pretrainedResnet.tflite")).hints
    assert {hint.target for hint in hints} == {"edge_tpu", "ethos_u"}
    assert all(hint.source.startswith("https://") and hint.num_ops for hint in hints)
    of_int8 = analyze_delegation(real_file("tflm/keyword_scrambled_8bit.tflite")).hints
    assert {(hint.target, hint.op) for hint in of_int8} >= {("gpu", "SVDF"), ("gpu", "QUANTIZE")}
    assert not any(hint.target == "ethos_u" for hint in of_int8)


def test_as_json(real_file):
    document = analyze_delegation(real_file("mlperf_tiny/kws_ref_model.tflite")).to_json()
    assert document["xnnpack_partitions"] == 2
    assert [op["op"] for op in document["undelegated"]] == ["AVERAGE_POOL_2D", "SOFTMAX"]
