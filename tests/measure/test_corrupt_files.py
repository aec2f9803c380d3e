"""Whatever is done to a file, `analyze` ends with a result or with one clear error."""

import json
import pathlib
import random
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import ModelFileError
from hwkeras.measure import analyze
from hwkeras.measure.arena import tflm_arena
from hwkeras.measure.options import read_fields

FUZZ = pathlib.Path(__file__).resolve().parents[1] / "benchmarks" / "bench_analyze_fuzz.py"
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


def fuzz(num_copies, seed):
    """Outcomes of every analysis of corrupted copies of ten files, in a process with little memory."""
    command = [sys.executable, str(FUZZ), "--copies", str(num_copies), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FUZZ.parents[2], env={"PYTHONPATH": "."})
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_200_copies(reference):
    found = fuzz(200, 1)
    assert set(found["outcomes"]) == {"result", "error"}
    assert sum(found["outcomes"].values()) == 4 * 200


@pytest.mark.slow
def test_2000_copies(reference):
    found = fuzz(2000, 0)
    assert set(found["outcomes"]) == {"result", "error"}
    assert min(found["outcomes"].values()) > 2000
    assert found["peak_rss_mb"] < 500


def test_an_arena_of_corrupt_files(real_file):
    rng = random.Random(0)
    data = real_file("tflm/hello_world_int8.tflite")
    statuses = []
    while len(statuses) < 4:
        copy = bytearray(data)
        for _ in range(8):
            copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
        try:
            statuses.append(tflm_arena(bytes(copy)).status)
        except ModelFileError:
            continue
    assert all(status.startswith(("ok", "unsupported", "unavailable", "crashed:", "timeout")) for status in statuses)


def table(offset, num_bytes):
    """A table of 8 bytes at position 6 behind its vtable, with one field."""
    return struct.pack("<HHHiI", 6, num_bytes, offset, 6, 7)


def test_a_field_of_options_outside_its_table():
    assert read_fields(table(4, 8), 6, {"stride": (0, "<i", 0)}, "CONV_2D") == {"stride": 7}
    assert read_fields(table(0, 8), 6, {"stride": (0, "<i", 3)}, "CONV_2D") == {"stride": 3}
    assert read_fields(table(4, 8), 6, {"stride": (5, "<i", 3)}, "CONV_2D") == {"stride": 3}
    with pytest.raises(ModelFileError, match=r"lies inside it\. Received: `stride` of CONV_2D at byte 6 of 8"):
        read_fields(table(6, 8), 6, {"stride": (0, "<i", 0)}, "CONV_2D")


def test_a_text_of_options_outside_the_file():
    with pytest.raises(ModelFileError, match="the text `name` of VAR_HANDLE at byte 17. The file is truncated"):
        read_fields(table(4, 8), 6, {"name": (0, "text", "")}, "VAR_HANDLE")


def test_a_subgraph_that_is_not_there(writer):
    writer.options(writer.operator("WHILE", [], []), "WhileOptions", bodySubgraphIndex=3)
    with pytest.raises(ModelFileError, match="WHILE runs a subgraph by an index below 1. Received: 3"):
        analyze(writer.bytes())


def test_tables_that_share_a_long_part(writer):
    writer.tensor((1,))
    content = bytearray(writer.bytes())
    content.extend(bytes(-len(content) % 4))
    # Behind the file: twenty times the same tensor, its vtable, the tensor, its shape of 100,000 dimensions.
    vector, num_dims = len(content), 100_000
    vtable = vector + 4 + 4 * 20
    pointers = [vtable + 8 - at for at in range(vector + 4, vtable, 4)]
    content += struct.pack("<21I4H2I", 20, *pointers, 6, 8, 4, 0, 8, 4)
    content += struct.pack(f"<{num_dims + 1}I", num_dims, *[1] * num_dims)
    graphs = _target(content, struct.unpack_from("<I", content)[0], 2)
    slot = _slot(content, graphs + 4 + struct.unpack_from("<I", content, graphs + 4)[0], 0)
    struct.pack_into("<I", content, slot, vector - slot)
    with pytest.raises(ModelFileError, match="as it has bytes. Received: more, by sharing parts"):
        analyze(bytes(content))


def _slot(content, table, field):
    vtable = table - struct.unpack_from("<i", content, table)[0]
    return table + struct.unpack_from("<H", content, vtable + 4 + 2 * field)[0]


def _target(content, table, field):
    slot = _slot(content, table, field)
    return slot + struct.unpack_from("<I", content, slot)[0]
