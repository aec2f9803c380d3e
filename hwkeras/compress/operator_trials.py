"""Files tried in a process of their own: not every operator survives every number format."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import numpy as np

from hwkeras.measure.child import ChildResult
from hwkeras.measure.child import as_text
from hwkeras.measure.child import run_bytes

# Runs each file of an .npz from stdin on each sample; answers a file with the number of its outputs and the outputs, or
# with -1 and what LiteRT said.
_PROGRAM = """
import io, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

given = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
num_files, num_inputs = given["counts"]
samples = [given[f"input{number}"] for number in range(num_inputs)]

def answers(content):
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    takes, gives = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for row in zip(*samples):
        for part, detail in zip(row, takes):
            scale, zero = detail["quantization"]
            if scale:
                limits = np.iinfo(detail["dtype"])
                part = np.clip(np.rint(part / np.float32(scale)) + zero, limits.min, limits.max)
            interpreter.set_tensor(detail["index"], part[None].astype(detail["dtype"]))
        interpreter.invoke()
        rows.append([interpreter.get_tensor(detail["index"]) for detail in gives])
    for number, detail in enumerate(gives):
        scale, zero = detail["quantization"]
        whole = np.concatenate([row[number] for row in rows]).astype(np.float32)
        yield (whole - zero) * np.float32(scale) if scale else whole

for number in range(num_files):
    try:
        outputs = [np.asarray(output, np.float32) for output in answers(given[f"file{number}"].tobytes())]
    except (RuntimeError, ValueError) as error:
        outputs = None
        said = (str(error).strip() or repr(error)).splitlines()[0]
    stream = io.BytesIO()
    np.save(stream, np.array(-1 if outputs is None else len(outputs)))
    for part in [np.array(said)] if outputs is None else outputs:
        np.save(stream, part)
    sys.stdout.buffer.write(stream.getvalue())
    sys.stdout.buffer.flush()
"""
_TIMEOUT_S = 600.0


@dataclass(frozen=True, eq=False)
class Trial:
    """How a file ran.

    Args:
        outputs: tuple of float32 arrays of shape (num_samples, ...), one an output; None where it did not run.
        reason: str, why it did not run, or None. Defaults to `None`.
    """

    outputs: tuple[np.ndarray, ...] | None
    reason: str | None = None


def try_files(files, samples, timeout_s=_TIMEOUT_S):
    """Runs files on samples in a child process; a file that ends the process costs the others nothing.

    Args:
        files: sequence of bytes, `.tflite` files of batch 1 with the same inputs.
        samples: list of arrays of shape (num_samples, ...), one an input in the files' order, in real numbers.
        timeout_s: float, seconds a child may take. Defaults to `600.0`.

    Returns:
        Tuple of Trial, one a file.
    """
    trials = []
    while len(trials) < len(files):
        rest = files[len(trials) :]
        returncode, stdout, stderr = run_bytes([sys.executable, "-c", _PROGRAM], _request(rest, samples), timeout_s)
        trials += _read(stdout)
        if len(trials) < len(files):
            # The child answers in order: the first file without an answer is the one that ended it.
            trials.append(Trial(None, _ending(returncode, stderr)))
    return tuple(trials)


def _request(files, samples):
    stream = io.BytesIO()
    contents = {f"file{number}": np.frombuffer(content, np.uint8) for number, content in enumerate(files)}
    inputs = {f"input{number}": part for number, part in enumerate(samples)}
    np.savez(stream, counts=np.array([len(files), len(samples)]), **contents, **inputs)
    return stream.getvalue()


def _read(stdout):
    """The trials in what a child wrote; an answer that broke off is none."""
    trials, stream = [], io.BytesIO(stdout)
    try:
        while stream.tell() < len(stdout):
            count = int(np.load(stream, allow_pickle=False))
            if count < 0:
                trials.append(Trial(None, str(np.load(stream, allow_pickle=False))))
            else:
                trials.append(Trial(tuple(np.load(stream, allow_pickle=False) for _ in range(count))))
    except (EOFError, ValueError):
        return trials
    return trials


def _ending(returncode, stderr):
    if returncode is None:
        return "it did not end in time"
    name = ChildResult(returncode, "", "").signal_name
    if name is not None:
        return f"it ended the process with {name}"
    words = as_text(stderr).strip().splitlines()
    return f"the process ended with {returncode}: {words[-1] if words else 'nothing said'}"
