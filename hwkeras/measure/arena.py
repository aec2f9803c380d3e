"""The arena that TFLite-Micro really needs for a file, from TFLite-Micro itself, run where it cannot do harm."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import sys
import tempfile
from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.measure.child import run_child
from hwkeras.measure.graph import read_graphs
from hwkeras.measure.memory import peak_live_bytes
from hwkeras.measure.model_file import naming_file
from hwkeras.measure.model_file import read_model

TFLITE_MICRO = "tflite_micro"
_MAX_ARENA_BYTES = 256 * 2**20
_LINE = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
# NOTE: it aborts by signal on some files, and reports on C's stderr, so it runs in a process of its own.
_PROGRAM = """
import pathlib, sys
from tflite_micro import runtime
content = pathlib.Path(sys.argv[1]).read_bytes()
interpreter = runtime.Interpreter.from_bytes(content, arena_size=int(sys.argv[2]))
interpreter.print_allocations()
"""


@dataclass(frozen=True)
class Arena:
    """What TFLite-Micro allocates for a file.

    Args:
        status: str, `"ok"`; `"unavailable"` without the package; `"too large"` for activations beyond 64 MiB, which
            no microcontroller has; `"unsupported"` where TFLite-Micro refuses the file; `"timeout"`;
            `"crashed:SIGABRT"` or another signal.
        total_bytes: int, of the arena; None unless ok.
        head_bytes: int, of it for activations, which `Analysis.peak_ram_bytes` estimates; None unless ok.
        tail_bytes: int, of it for what lives as long as the interpreter; None unless ok. It is of the machine asked: a
            board of 32 bits needs less.
        message: str, what TFLite-Micro said, or what to do; empty if ok.
    """

    status: str
    total_bytes: int | None = None
    head_bytes: int | None = None
    tail_bytes: int | None = None
    message: str = ""

    def to_json(self):
        """The arena as plain data for JSON.

        Returns:
            dict.
        """
        return asdict(self)


def tflm_arena(model, timeout_s=30.0):
    """Asks TFLite-Micro for the arena of a file, in a child process.

    Args:
        model: bytes of a `.tflite` file, or its path as str or `os.PathLike`.
        timeout_s: float, seconds the child process may take. Defaults to `30.0`.

    Returns:
        Arena. A crash, a time-out and a missing package are results.

    Raises:
        UserError: no such file.
        ModelFileError: not a `.tflite` file, truncated or corrupt.
    """
    data = read_model(model)
    with naming_file(model):
        peak_bytes = max(peak_live_bytes(graph) for graph in read_graphs(data))
    if importlib.util.find_spec(TFLITE_MICRO) is None:
        return Arena("unavailable", message="TFLite-Micro is not installed: pip install hwkeras[arena].")
    arena_bytes = max(10 * len(data), 4 * peak_bytes) + 2**20
    if 4 * peak_bytes > _MAX_ARENA_BYTES:
        return Arena("too large", message=f"Activations of {peak_bytes} bytes do not fit any microcontroller.")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.tflite")
        path.write_bytes(data)
        command = [sys.executable, "-c", _PROGRAM, str(path), str(min(arena_bytes, _MAX_ARENA_BYTES))]
        return _arena(run_child(command, "", timeout_s, dict(os.environ)), timeout_s)


def _arena(child, timeout_s):
    if child.timed_out:
        return Arena("timeout", message=f"TFLite-Micro did not finish within {timeout_s:g} s.")
    if child.signal_name:
        return Arena(f"crashed:{child.signal_name}", message=child.last_words)
    found = {name: int(number) for name, number in _LINE.findall(child.stderr)}
    if child.returncode or set(found) != {"total", "head", "tail"}:
        return Arena("unsupported", message=_first_words(child))
    return Arena("ok", found["total"], found["head"], found["tail"])


def _first_words(child):
    """What it said itself, before Python's traceback."""
    return child.stderr.partition("Traceback")[0].strip()[:1000] or child.last_words
