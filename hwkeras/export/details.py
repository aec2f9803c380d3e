"""What a firmware or an app must know to feed a file: shapes, types, quantization of inputs and outputs."""

import numpy as np

from hwkeras.convert.interpreter import Runner


def tensor_details(flatbuffer):
    """Reads the inputs and outputs of a file.

    An integer tensor stands for `(value - zero_point) * scale`.

    Args:
        flatbuffer: bytes of a `.tflite` file.

    Returns:
        dict with `inputs` and `outputs`, each a list of dict with `name`, `shape` (list of int), `dtype` (str), `scale`
        (float, None where not quantized) and `zero_point` (int, None likewise).

    Raises:
        ModelFileError: the interpreter refuses the file.
    """
    runner = Runner(flatbuffer)
    return {
        "inputs": [_tensor(entry) for entry in runner.inputs],
        "outputs": [_tensor(entry) for entry in runner.outputs],
    }


def _tensor(entry):
    scale, zero_point = entry["quantization"]
    return {
        "name": entry["name"],
        "shape": [int(size) for size in entry["shape"]],
        "dtype": np.dtype(entry["dtype"]).name,
        "scale": float(scale) if scale else None,
        "zero_point": int(zero_point) if scale else None,
    }
