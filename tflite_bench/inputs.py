"""Inputs for a model that nobody has data for: the same for the same seed."""

from __future__ import annotations

import numpy as np


def make_input(shape, dtype, is_quantized, rng):
    """One input.

    Args:
        shape: sequence of int.
        dtype: numpy dtype.
        is_quantized: bool, whether integers stand for real numbers.
        rng: np.random.Generator.

    Returns:
        np.ndarray of `shape` and `dtype`: floats uniform in [-1, 1), quantized integers uniform over their range; zeros
        for all else, since plain integers index something and most of them are out of its range.
    """
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.uniform(-1.0, 1.0, size=shape).astype(dtype)
    if dtype.kind in "iu" and is_quantized:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, size=shape, dtype=dtype, endpoint=True)
    return np.zeros(shape, dtype)


def fill_inputs(interpreter, seed):
    """Sets every input of a model.

    Args:
        interpreter: with its tensors allocated.
        seed: int.
    """
    rng = np.random.default_rng(seed)
    for detail in interpreter.get_input_details():
        is_quantized = len(detail["quantization_parameters"]["scales"]) > 0
        value = make_input(detail["shape"], detail["dtype"], is_quantized, rng)
        interpreter.set_tensor(detail["index"], value)
