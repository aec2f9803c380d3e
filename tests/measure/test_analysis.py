"""What `analyze` says of real files, of the converter's files and of files written field by field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import ModelFileError
from hwkeras.errors import UserError
from hwkeras.measure import Analysis
from hwkeras.measure import OpCost
from hwkeras.measure import analyze

REAL_FILES = (
    *(
        f"mlperf_tiny/{name}.tflite"
        for name in (
            "ad01_fp32",
            "ad01_int8",
            "kws_ref_model",
            "kws_ref_model_float32",
            "pretrainedResnet",
            "pretrainedResnet_quant",
            "vww_96_float",
            "vww_96_int8",
        )
    ),
    *(
        f"tflm/{name}.tflite"
        for name in (
            "hello_world_float",
            "hello_world_int8",
            "keyword_scrambled",
            "keyword_scrambled_8bit",
            "micro_speech_quantized",
        )
    ),
)


def test_reference_lists_these_files(reference):
    assert set(reference) == set(REAL_FILES)


@pytest.mark.parametrize("name", REAL_FILES)
def test_equals_reference(name, reference, real_file):
    analysis = analyze(real_file(name))
    expected = reference[name]
    assert analysis.macs == expected["macs"]
    assert analysis.peak_ram_bytes == expected["peak_live_bytes"]
    assert analysis.weight_bytes == expected["weights_bytes"]
    assert analysis.size_bytes == expected["bytes"]
    assert len(analysis.ops) == expected["ops"]
    assert analysis.op_histogram == expected["op_hist"]
    assert [note for note in analysis.uncounted if note.isupper()] == expected["macs_excludes"]


def test_params_are_weights_and_biases_in_every_precision(real_file):
    # Dense 640-128x4-8-128x4-640 with the batch normalization folded in: products plus one bias per output.
    expected = 264192 + 8 * 128 + 8 + 640
    assert analyze(real_file("mlperf_tiny/ad01_fp32.tflite")).params == expected
    assert analyze(real_file("mlperf_tiny/ad01_int8.tflite")).params == expected


def test_variable_tensors_are_stated(real_file):
    analysis = analyze(real_file("tflm/keyword_scrambled.tflite"))
    assert analysis.uncounted == ("SVDF", "variable tensors: 10240 bytes of RAM kept between invokes")


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_precisions_of_one_network(made_files, precision):
    analysis = analyze(made_files[precision])
    assert analysis.macs == 8 * 8 * 8 * 3 * 3 * 4 + 64 * 8 * 10
    assert analysis.params == pytest.approx(3 * 3 * 4 * 8 + 64 * 8 * 10, abs=8 + 10)
    assert analysis.uncounted == ()
    assert analysis.size_bytes == len(made_files[precision])


def test_float16_weights_count_at_the_size_they_are_computed_in(made_files):
    activations = analyze(made_files["float32"]).peak_ram_bytes
    analysis = analyze(made_files["float16"])
    num_float16 = sum(op.output_bytes for op in analysis.ops if op.op == "DEQUANTIZE")
    assert num_float16 >= 4 * 64 * 8 * 10
    assert analysis.peak_ram_bytes == activations + num_float16


def test_matrix_product_and_transposed_convolution(made_files):
    assert analyze(made_files["product"]).macs == 2 * 5 * 5 * 7
    assert analyze(made_files["transposed"]).macs == 8 * 8 * 4 * 3 * 3 * 6


def test_path_and_bytes_agree(made_files, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(made_files["float32"])
    assert (
        analyze(path) == analyze(str(path)) == analyze(made_files["float32"]) == analyze(bytearray(path.read_bytes()))
    )


def test_metrics_and_json(made_files):
    analysis = analyze(made_files["float32"])
    assert set(analysis.metrics()) == {"size_bytes", "peak_ram_bytes", "macs", "params"}
    data = json.loads(json.dumps(analysis.to_json()))
    assert OpCost(**data["ops"][0]) == analysis.ops[0]
    assert data["macs"] == sum(op["macs"] for op in data["ops"])


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"must exist and be readable\. Received: '.*none\.tflite' \(No such file"):
        analyze(tmp_path / "none.tflite")


def test_not_a_model():
    with pytest.raises(UserError, match="bytes of a `.tflite` file or its path. Received: list"):
        analyze([1, 2])


def test_the_message_names_the_path(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("a text, not a model")
    with pytest.raises(ModelFileError, match=r"text\.tflite: A `\.tflite` file has the identifier 'TFL3'.*19 bytes"):
        analyze(path)


def test_convolutions_by_their_shapes(writer):
    image = writer.tensor((-1, 8, 8, 4))
    outputs = []
    for op, kernel, output in (
        ("CONV_2D", (6, 3, 3, 2), (1, 4, 4, 6)),  # two groups
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), (1, 8, 8, 8)),
        ("FULLY_CONNECTED", (10, 256), (1, 10)),
    ):
        weights = writer.tensor(kernel)
        outputs.append(writer.tensor(output))
        writer.operator(op, (image, weights, -1), outputs[-1:])
    volume, kernel = writer.tensor((1, 4, 4, 4, 2)), writer.tensor((3, 3, 3, 2, 5))
    outputs.append(writer.tensor((1, 2, 2, 2, 5)))
    writer.operator("CONV_3D", (volume, kernel), outputs[-1:])
    shape, back = writer.tensor((5,), "INT32"), writer.tensor((3, 3, 3, 7, 2))
    outputs.append(writer.tensor((1, 8, 8, 8, 7)))
    writer.operator("CONV_3D_TRANSPOSE", (shape, back, volume), outputs[-1:])
    writer.ends([image, volume], outputs)
    macs = [op.macs for op in analyze(writer.bytes()).ops]
    assert macs == [4 * 4 * 6 * 18, 8 * 8 * 8 * 9, 2560, 8 * 5 * 54, 64 * 2 * 27 * 7]


def test_transposed_operand_of_a_product(writer):
    operands = [writer.tensor((1, 7, 5)), writer.tensor((1, 7, 3)), writer.tensor((1, 5, 3))]
    operator = writer.operator("BATCH_MATMUL", operands[:2], operands[2:])
    operator.builtinOptionsType = writer.schema.BuiltinOptions.BatchMatMulOptions
    operator.builtinOptions = writer.schema.BatchMatMulOptionsT()
    operator.builtinOptions.adjX = True
    writer.ends(operands[:2], operands[2:])
    assert analyze(writer.bytes()).macs == 5 * 3 * 7


def test_costs_of_one_operator(real_file):
    first, second = analyze(real_file("mlperf_tiny/vww_96_int8.tflite")).ops[:2]
    assert (first.op, first.kernel, first.stride, first.dtype) == ("CONV_2D", (3, 3), (2, 2), "INT8")
    assert (first.input_bytes, first.output_bytes) == (96 * 96 * 3, 48 * 48 * 8)
    assert second.op == "DEPTHWISE_CONV_2D" and second.stride == (1, 1)
    assert second.input_bytes == first.output_bytes
    assert second.name.startswith("model/activation_1/Relu;")


def test_windows_of_poolings_and_others(writer):
    image = writer.tensor((1, 8, 8, 4))
    pooled = writer.tensor((1, 2, 4, 4), "INT8")
    pooling = writer.operator("MAX_POOL_2D", [image, image], [pooled])
    writer.options(pooling, "Pool2DOptions", filterHeight=4, filterWidth=2, strideH=4, strideW=2)
    writer.operator("RELU", [pooled], [])
    writer.ends([image], [pooled])
    pooling, relu = analyze(writer.bytes()).ops
    assert (pooling.kernel, pooling.stride, pooling.dtype) == ((4, 2), (4, 2), "INT8")
    assert pooling.input_bytes == 4 * 8 * 8 * 4  # read twice, counted once
    assert (relu.kernel, relu.stride, relu.dtype, relu.name) == ((), (), "", "")


def test_what_is_not_counted_is_said(writer):
    sparsity = writer.schema.SparsityParametersT()
    tensors = [writer.tensor((4,)), writer.tensor((4,), data=b"\x00" * 4, sparsity=sparsity), writer.tensor((4,))]
    writer.operator("CUSTOM", tensors[:2], tensors[2:], custom="Mine")
    writer.operator("LSTM", tensors[2:], tensors[2:])
    writer.subgraph()
    writer.tensor((2,), "INT8", data=b"ab", graph=1)
    writer.ends(tensors[:1], tensors[2:])
    analysis = analyze(writer.bytes())
    assert analysis.uncounted == (
        "CUSTOM:Mine",
        "LSTM",
        "subgraph 1 (entry point): 0 MACs and 0 bytes of RAM each time it runs, how often is unknown; its constants "
        "are counted",
        "1 sparse tensors: zeros counted in params and macs, index bytes not in weight_bytes",
    )
    assert analysis.weight_bytes == 6
    assert analysis.params == 4 + 2


def test_the_body_of_a_loop_is_counted_apart(converted_nets):
    analysis = analyze(converted_nets["loop.float32"])
    cond, body = analysis.subgraphs
    assert (cond.role, cond.macs) == ("WHILE cond", 0)
    assert (body.role, body.macs) == ("WHILE body", 8 * 8 * 4 * 3 * 3 * 4)
    assert body.peak_ram_bytes >= 2 * 4 * 8 * 8 * 4 and body.num_ops >= 2
    assert analysis.macs == 0 and "WHILE" in analysis.uncounted
    assert f"subgraph 2 (WHILE body): {body.macs} MACs and {body.peak_ram_bytes} bytes" in " ".join(analysis.uncounted)


def test_branches_are_named(converted_nets):
    assert {subgraph.role for subgraph in analyze(converted_nets["branches.float32"]).subgraphs} == {
        "IF then",
        "IF else",
    }


def test_what_a_subgraph_does_not_count(writer):
    writer.operator("CALL_ONCE", [], [])
    writer.options(writer.model.subgraphs[0].operators[0], "CallOnceOptions", initSubgraphIndex=1)
    writer.subgraph()
    state = writer.tensor((2,), graph=1, isVariable=True)
    writer.operator("SVDF", [state], [state], graph=1)
    analysis = analyze(writer.bytes())
    assert analysis.subgraphs[0].role == "CALL_ONCE init"
    assert analysis.uncounted[1].endswith("its constants are counted; MACs unknown of SVDF")
    assert analysis.uncounted[2] == "variable tensors: 8 bytes of RAM kept between invokes"


def test_resource_variables(writer):
    value, resource, lost = writer.tensor((3, 4)), writer.tensor((), "RESOURCE"), writer.tensor((), "RESOURCE")
    for handle, name in ((resource, "state"), (lost, "other")):
        writer.options(writer.operator("VAR_HANDLE", [], [handle]), "VarHandleOptions", sharedName=name)
    writer.operator("READ_VARIABLE", [resource], [value])
    writer.operator("ASSIGN_VARIABLE", [resource, value], [])
    writer.ends([], [value])
    analysis = analyze(writer.bytes())
    note = "2 resource variables: 48 bytes of RAM kept between invokes, 1 of unknown size"
    assert analysis.uncounted == (note,)


@given(st.lists(st.sampled_from(("CONV_2D", "ADD", "RELU")), max_size=30))
def test_the_histogram_counts_every_operator(names):
    ops = tuple(OpCost(name, 1, 2, 3) for name in names)
    histogram = Analysis(1, 2, 3, 4, 5, ops, ()).op_histogram
    assert sum(histogram.values()) == len(names)
    assert histogram == {name: names.count(name) for name in histogram}
    assert [*histogram.values()] == sorted(histogram.values(), reverse=True)


def test_the_keys_of_the_document_stay(made_files):
    document = json.loads(json.dumps(analyze(made_files["float32"]).to_json()))
    assert {"size_bytes", "macs", "params", "weight_bytes", "peak_ram_bytes", "ops", "uncounted"} <= set(document)
    assert {"op", "macs", "weight_bytes", "output_bytes"} <= set(document["ops"][0])
    assert document["op_histogram"] == {"CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1}
    assert document["subgraphs"] == []


def test_shapes_and_axes_are_no_params(writer):
    quantization = writer.schema.QuantizationParametersT()
    quantization.scale = [0.5]
    shape = writer.tensor((2,), "INT32", data=bytes(8))
    bias = writer.tensor((3,), "INT32", data=bytes(12), quantization=quantization)
    packed = writer.tensor((5,), "INT4", data=bytes(3), quantization=quantization)
    image = writer.tensor((1, 4))
    writer.operator("RESHAPE", (image, shape, bias, packed), (image,))
    writer.ends([image], [image])
    analysis = analyze(writer.bytes())
    assert analysis.params == 3 + 5
    assert analysis.weight_bytes == 8 + 12 + 3
