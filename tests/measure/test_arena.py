"""TFLite-Micro's arena in a child process: the real one where it is installed, and each way it can end."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

from hwkeras.errors import ModelFileError
from hwkeras.measure import arena
from hwkeras.measure.analysis import analyze
from hwkeras.measure.arena import tflm_arena
from hwkeras.measure.child import ChildResult

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTALLED = importlib.util.find_spec("tflite_micro") is not None
needs_tflite_micro = pytest.mark.skipif(not INSTALLED, reason="tflite-micro is not installed")
# Where the planner leaves gaps, aligns to 16 bytes or adds scratch memory of a kernel, the head exceeds the peak.
ABOVE_THE_PEAK = {
    "mlperf_tiny/vww_96_float.tflite": 73728,
    "mlperf_tiny/vww_96_int8.tflite": 18432,
    "tflm/keyword_scrambled.tflite": 384,
    "tflm/keyword_scrambled_8bit.tflite": 384,
    "tflm/micro_speech_quantized.tflite": 8,
}


def test_peak_equals_the_recorded_head(reference, real_file):
    heads = {name: figures["tflm_arena"]["head"] for name, figures in reference.items() if "tflm_arena" in figures}
    assert len(heads) == 12
    for name, head in heads.items():
        assert head - analyze(real_file(name)).peak_ram_bytes == ABOVE_THE_PEAK.get(name, 0)


@needs_tflite_micro
@pytest.mark.parametrize("name", ["mlperf_tiny/kws_ref_model.tflite", "tflm/hello_world_int8.tflite"])
def test_equals_the_reference(name, reference, real_file):
    found = tflm_arena(real_file(name))
    assert (found.status, found.message) == ("ok", "")
    assert found.head_bytes == reference[name]["tflm_arena"]["head"] == analyze(real_file(name)).peak_ram_bytes
    assert found.total_bytes == found.head_bytes + found.tail_bytes
    assert found.to_json()["total_bytes"] == reference[name]["tflm_arena"]["total"]


@needs_tflite_micro
def test_a_file_it_does_not_support(real_file):
    found = tflm_arena(real_file("mlperf_tiny/kws_ref_model_float32.tflite"))
    assert (found.status, found.total_bytes) == ("unsupported", None)
    assert "Hybrid models are not supported" in found.message


@pytest.fixture
def program(monkeypatch, writer):
    """Returns a function that runs a program in place of TFLite-Micro."""
    monkeypatch.setattr(arena, "TFLITE_MICRO", "json")

    def run(code, timeout_s=30.0):
        monkeypatch.setattr(arena, "_PROGRAM", code)
        return tflm_arena(writer.bytes(), timeout_s)

    return run


def test_an_abort_is_a_result(program):
    assert program("import os; os.abort()").status == "crashed:SIGABRT"


def test_a_hang_is_a_result(program):
    found = program("import signal; signal.pause()", 0.5)
    assert (found.status, found.message) == ("timeout", "TFLite-Micro did not finish within 0.5 s.")


def test_a_refusal_is_a_result(program):
    found = program("import sys; sys.stderr.write('no such kernel\\n'); raise RuntimeError('failed')")
    assert (found.status, found.message) == ("unsupported", "no such kernel")
    assert program("raise RuntimeError('failed')").message.endswith("RuntimeError: failed")


def test_silence_is_no_arena(program):
    assert program("pass").status == "unsupported"


def test_the_lines_are_read(program):
    lines = [f"[RecordingMicroAllocator] Arena allocation {name} {size} bytes" for name, size in
             (("total", 30), ("head", 20), ("tail", 10))]  # fmt: skip
    found = program(f"import sys; sys.stderr.write({chr(10).join(lines)!r})")
    assert (found.status, found.total_bytes, found.head_bytes, found.tail_bytes) == ("ok", 30, 20, 10)


def test_without_the_package(monkeypatch, writer):
    monkeypatch.setattr(arena, "TFLITE_MICRO", "no_such_package")
    found = tflm_arena(writer.bytes())
    assert (found.status, found.message) == (
        "unavailable",
        "TFLite-Micro is not installed: pip install hwkeras[arena].",
    )


def test_more_than_any_microcontroller_has(program, writer):
    writer.ends([writer.tensor((2**26, 2))], [])
    found = program("raise SystemExit(9)")
    assert (found.status, found.message) == (
        "too large",
        "Activations of 536870912 bytes do not fit any microcontroller.",
    )


def test_a_corrupt_file_never_reaches_the_child(monkeypatch):
    monkeypatch.setattr(arena, "run_child", lambda *arguments: pytest.fail("it ran"))
    with pytest.raises(ModelFileError, match="identifier 'TFL3'"):
        tflm_arena(b"not a model at all")


def test_nothing_of_it_is_imported_here(real_file, tmp_path):
    # In a process of its own: other tests of the same run import it.
    (tmp_path / "model.tflite").write_bytes(real_file("tflm/hello_world_int8.tflite"))
    program = "import sys; from hwkeras.measure import tflm_arena; tflm_arena(sys.argv[1]); "
    command = [sys.executable, "-c", f"{program}print('tflite_micro' in sys.modules)", str(tmp_path / "model.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


def test_last_words_of_a_silent_crash():
    assert arena._arena(ChildResult(-6, "", ""), 1.0).message == ""
