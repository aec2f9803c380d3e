"""The C array: text and back, and through a real compiler."""

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.errors import UserError
from hwkeras.export.c_array import c_header
from hwkeras.export.c_array import c_source
from hwkeras.export.c_array import read_c_source

PROGRAM = """
#include "model_data.h"
#include <cstdint>
#include <cstdio>
int main() {
  if (reinterpret_cast<std::uintptr_t>(g_model_data) % 16 != 0) return 1;
  std::fwrite(g_model_data, 1, g_model_data_len, stdout);
  return 0;
}
"""


def test_text_is_exactly_this():
    text = c_source(bytes(range(13)))
    rows = "    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,\n    0x0c,\n"
    assert f"alignas(16) const unsigned char g_model_data[] = {{\n{rows}}};\n" in text
    assert "const unsigned int g_model_data_len = 13;\n" in text
    assert '#include "model_data.h"' in text


@given(st.binary(min_size=1, max_size=200))
def test_read_is_the_inverse(content):
    assert read_c_source(c_source(content)) == content


def test_header_has_a_guard():
    header = c_header()
    guard = re.search(r"#ifndef (\w+)\n#define (\w+)\n", header)
    assert guard.group(1) == guard.group(2)
    assert "extern const unsigned char g_model_data[];" in header


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_compiler_gives_the_bytes_back(tmp_path):
    content = bytes(range(256)) * 3 + b"\x00\xff"
    (tmp_path / "model_data.h").write_text(c_header())
    (tmp_path / "model_data.cc").write_text(c_source(content))
    (tmp_path / "main.cc").write_text(PROGRAM)
    strict = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*strict, "-c", "model_data.cc", "-o", "model_data.o"], cwd=tmp_path, check=True)
    subprocess.run([*strict, "main.cc", "model_data.o", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout == content


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_header_is_also_c(tmp_path):
    (tmp_path / "model_data.h").write_text(c_header())
    (tmp_path / "use.c").write_text('#include "model_data.h"\nunsigned f(void) { return g_model_data_len; }\n')
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Werror", "-c", "use.c", "-o", "use.o"], cwd=tmp_path, check=True)


def test_no_bytes_are_refused():
    with pytest.raises(UserError, match="`flatbuffer` must hold at least one byte. Received: 0 bytes"):
        c_source(b"")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("int x;", "must define g_model_data and g_model_data_len"),
        ("g_model_data[] = {0x00, 0x1ff,}; g_model_data_len = 2;", "Every element of g_model_data must be a byte"),
        ("g_model_data[] = {0x00, oops}; g_model_data_len = 2;", "must be a byte such as 0x1c. Received: .*oops"),
        ("g_model_data[] = {0x00, 0x01}; g_model_data_len = 3;", "number of bytes in g_model_data, 2. Received: .*=3"),
    ],
)
def test_a_broken_source_says_what_is_wrong(text, said):
    with pytest.raises(UserError, match=said):
        read_c_source(text)
