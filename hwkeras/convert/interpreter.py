"""A `.tflite` file running in this process: floats in, floats out, whatever the file's own number format."""

from __future__ import annotations

import numpy as np

from hwkeras.convert.silence import silenced
from hwkeras.errors import ModelFileError


class Runner:
    """Runs a file on the LiteRT interpreter with its default (XNNPACK) kernels.

    The interpreter is C++ in this process: give it only files that come from our own converter. A file of unknown
    origin belongs in the meter's child process.

    Args:
        flatbuffer: bytes of a `.tflite` file.
        num_threads: int. Defaults to `2`.
        batch: int, number of samples an invocation takes, which the graph must follow. Defaults to `None`: the file's.
        keep_tensors: bool, whether inner tensors can be read after a run. Defaults to `False`.

    Raises:
        ModelFileError: LiteRT refuses the file, or the graph does not follow `batch`.
    """

    def __init__(self, flatbuffer, num_threads=2, batch=None, keep_tensors=False):
        from ai_edge_litert.interpreter import Interpreter

        try:
            with silenced():
                self._interpreter = Interpreter(
                    model_content=flatbuffer,
                    num_threads=num_threads,
                    experimental_preserve_all_tensors=keep_tensors,
                )
                self._resize(batch)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelFileError(
                f"A file must load in the LiteRT interpreter. Received: {len(flatbuffer)} bytes, refused with: {reason}"
            ) from error
        self.inputs = self._interpreter.get_input_details()
        self.outputs = self._interpreter.get_output_details()
        self.inner = [
            detail["index"] for detail in self._interpreter.get_tensor_details() if detail["dtype"] == np.float32
        ]

    def _resize(self, batch):
        if batch is not None:
            for detail in self._interpreter.get_input_details():
                self._interpreter.resize_tensor_input(detail["index"], (batch, *detail["shape"][1:]))

    def run(self, arrays):
        """Runs the file once.

        Args:
            arrays: list of arrays, one an input in the file's order, in the model's own (real) numbers.

        Returns:
            list of float32 arrays, one an output.
        """
        for detail, array in zip(self.inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], quantize(array, detail))
        self._interpreter.invoke()
        return [dequantize(self._interpreter.get_tensor(detail["index"]), detail) for detail in self.outputs]

    def all_finite(self):
        """Whether every float tensor of the last run is finite; needs `keep_tensors=True`."""
        for index in self.inner:
            try:
                tensor = self._interpreter.get_tensor(index)
            except ValueError:  # A tensor the delegate fused away holds no data.
                continue
            if not np.isfinite(tensor).all():
                return False
        return True


def quantize(array, detail):
    """Numbers as the file takes them: `round(x / scale) + zero_point`, saturated, for integer inputs with a scale.

    Args:
        array: array of real numbers.
        detail: dict, one of the interpreter's input details.

    Returns:
        array of the input's dtype.
    """
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "iu" or not scale:
        return np.ascontiguousarray(array, dtype)
    limits = np.iinfo(dtype)
    steps = np.rint(np.asarray(array, np.float32) / np.float32(scale)) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def dequantize(array, detail):
    """Real numbers of what the file gives.

    Args:
        array: array of the output's dtype.
        detail: dict, one of the interpreter's output details.

    Returns:
        float32 array.
    """
    scale, zero_point = detail["quantization"]
    if np.dtype(detail["dtype"]).kind not in "iu" or not scale:
        return np.asarray(array, np.float32)
    return (np.asarray(array, np.float32) - np.float32(zero_point)) * np.float32(scale)


def resolution(detail):
    """The step between two neighboring output values: the scale of an integer output, 0.0 of a float one."""
    return float(detail["quantization"][0]) if np.dtype(detail["dtype"]).kind in "iu" else 0.0
