"""Whatever is done to a file, `analyze` ends with a result or with one clear error."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import ModelFileError
from hwkeras.measure import analyze

FILE = "tflm/micro_speech_quantized.tflite"


def test_every_truncation_is_an_error(real_file):
    data = real_file(FILE)
    lengths = {*range(0, len(data), 53), *range(len(data) - 40, len(data)), *range(64)}
    for length in lengths:
        with pytest.raises(ModelFileError, match=rf"Received: {length} bytes"):
            analyze(data[:length])


def test_corrupt_copies_end_in_a_result_or_a_model_file_error(real_file):
    rng = random.Random(0)
    data = real_file("tflm/hello_world_int8.tflite")
    num_errors = 0
    for _ in range(600):
        copy = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            position = rng.randrange(len(copy) - 4)
            copy[position : position + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", rng.randbytes(4)))
        try:
            assert analyze(bytes(copy)).size_bytes == len(data)
        except ModelFileError:
            num_errors += 1
    assert 50 < num_errors < 600


@given(st.binary(max_size=200))
def test_noise_behind_the_identifier(noise):
    with pytest.raises(ModelFileError, match="Received"):
        analyze(noise[:4].ljust(4, b"\x08") + b"TFL3" + noise[4:])


def test_other_formats():
    with pytest.raises(ModelFileError, match=r"identifier 'TFL3' in its bytes 4 to 8\. Received: 0 bytes"):
        analyze(b"")
    with pytest.raises(ModelFileError, match="Pass the file that the converter wrote"):
        analyze(b"PK\x03\x04 a Keras archive")


def test_no_subgraph(writer):
    writer.model.subgraphs = []
    with pytest.raises(ModelFileError, match="at least one subgraph. Received: none"):
        analyze(writer.bytes())


def test_tensor_index_outside(writer):
    writer.operator("ADD", (writer.tensor((1,)), 9), (0,))
    with pytest.raises(ModelFileError, match="index below 1. Received: index 9"):
        analyze(writer.bytes())


def test_operator_code_outside(writer):
    writer.operator("ADD", (writer.tensor((1,)),), (0,)).opcodeIndex = 4
    with pytest.raises(ModelFileError, match="operator's code is an index below 1. Received: 4"):
        analyze(writer.bytes())


def test_buffer_index_outside(writer):
    writer.tensor((1,), buffer=7)
    with pytest.raises(ModelFileError, match="buffer is an index below 1. Received: 7"):
        analyze(writer.bytes())


def test_constant_of_another_size_than_its_shape(writer):
    writer.tensor((2, 3), data=bytes(20))
    with pytest.raises(ModelFileError, match=r"as its shape says\. Received: 20 bytes for FLOAT32 \(2, 3\) in 't0'"):
        analyze(writer.bytes())


def test_shape_beyond_reason(writer):
    writer.tensor((2**30, 2**30))
    with pytest.raises(ModelFileError, match=r"at most 1125899906842624 elements\. Received: shape \(1073741824,"):
        analyze(writer.bytes())


def test_unknown_type(writer):
    writer.tensor((1,), type=99)
    with pytest.raises(ModelFileError, match="Received: UNKNOWN_99 in 't0'"):
        analyze(writer.bytes())


def test_convolution_of_a_vector(writer):
    vector = writer.tensor((4,))
    writer.operator("CONV_2D", (vector, vector), (vector,))
    with pytest.raises(ModelFileError, match=r"CONV_2D reads operands of at least \[4, 4\] dimensions.*\(4,\)"):
        analyze(writer.bytes())


def test_convolution_without_operands(writer):
    writer.operator("CONV_2D", (), (writer.tensor((4,)),))
    with pytest.raises(ModelFileError, match="CONV_2D reads operands.*Received: 0 inputs and 1 outputs"):
        analyze(writer.bytes())


def test_weights_behind_the_flatbuffer(writer):
    data = writer.tensor((4,), "INT8", data=b"")
    writer.model.buffers[1].data = None
    writer.model.buffers[1].offset, writer.model.buffers[1].size = 5000, 4
    writer.ends([], [data])
    flatbuffer = writer.bytes()
    assert analyze(flatbuffer.ljust(5004, b"\x01")).weight_bytes == 4
    with pytest.raises(ModelFileError, match="buffer 1 ends at 5004. The file is truncated"):
        analyze(flatbuffer.ljust(5003, b"\x01"))
