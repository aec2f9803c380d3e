"""Validation samples that travel with a bundle, so that its outputs can be compared where it arrives."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from hwkeras.convert import evaluate
from hwkeras.convert import predict
from hwkeras.convert.quality import by_pixel
from hwkeras.convert.quality import is_multi_label
from hwkeras.data.stored import is_stored
from hwkeras.errors import UserError

SAMPLES_NAME = "check.npz"
MAX_SAMPLES = 64
_FLOAT_TOLERANCE = 1e-3
_TOLERANCE_STEPS = 2


@dataclass(frozen=True)
class Samples:
    """Samples, their classes or numbers, and what the file said to them.

    Args:
        x: float array of shape (num_samples, ...).
        y: int array of shape (num_samples, ...), or float array of numbers.
        outputs: float array of shape (num_samples, num_outputs), dequantized.
    """

    x: np.ndarray
    y: np.ndarray
    outputs: np.ndarray

    @classmethod
    def run(cls, flatbuffer, x, y):
        """Chooses samples spread evenly over those given and runs the file on them.

        Args:
            flatbuffer: bytes of the `.tflite` file.
            x: float array of shape (num_samples, ...), or `data.StoredArray`.
            y: int array of shape (num_samples, ...).

        Returns:
            Samples, at most `MAX_SAMPLES` of them.
        """
        # Evenly and not the first ones: data sets are often sorted by class.
        chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_SAMPLES)).round().astype(int))
        x, y = x[chosen] if is_stored(x) else np.asarray(x)[chosen], np.asarray(y)[chosen]
        return cls(x, y, np.asarray(predict(flatbuffer, x)))

    @classmethod
    def from_bytes(cls, content):
        """Reads what `to_bytes` wrote.

        Args:
            content: bytes of an `.npz` file.

        Returns:
            Samples.

        Raises:
            UserError: not such a file.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return cls(arrays["x"], arrays["y"], arrays["outputs"])
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{SAMPLES_NAME} must hold the arrays x, y and outputs. Received: {error}.") from error

    def to_bytes(self):
        """Returns the bytes of an `.npz` file, compressed."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=self.x, y=self.y, outputs=self.outputs)
        return buffer.getvalue()

    def quality(self, flatbuffer, name):
        """What the answers of a file to these samples are worth.

        Args:
            flatbuffer: bytes of a `.tflite` file.
            name: str, `"accuracy"` or `"rmse"`.

        Returns:
            float.
        """
        return evaluate(flatbuffer, self.x, self.y, (name,))[name]

    def slack(self, name, tolerance):
        """How far that can be off when every output moves by a tolerance.

        Args:
            name: str, `"accuracy"`: the share of samples, or of pixels, whose class can change; or `"rmse"`: the
                tolerance.
            tolerance: float, absolute.

        Returns:
            float.
        """
        if name == "rmse":
            return float(tolerance)
        if self.outputs.ndim != 2 or not len(self.outputs):
            return 0.0
        outputs, y = by_pixel(self.outputs, self.y)
        if is_multi_label(y, outputs.shape[1]):
            return float(np.mean(np.abs(outputs - 0.5) <= tolerance))
        # One output alone says yes above one half.
        margins = (
            np.abs(outputs[:, 0] - 0.5)
            if outputs.shape[1] == 1
            else np.diff(np.sort(outputs, axis=1)[:, -2:], axis=1)[:, 0] / 2
        )
        return float(np.mean(margins <= tolerance))


def output_tolerance(details, largest=1.0):
    """How far outputs may differ between machines: two steps of a quantized output, 0.001 of a float one up to 1.

    Kernels of different processors round differently (measured: 1 to 2 steps of int8 on the same file).

    Args:
        details: dict of one output with `scale`, as in the manifest.
        largest: float, the largest output there is; a float one may differ by as much more as this is above 1. Defaults
            to `1.0`.

    Returns:
        float, absolute, in dequantized units.
    """
    scale = details.get("scale") or 0.0
    return _TOLERANCE_STEPS * scale if scale else _FLOAT_TOLERANCE * max(1.0, largest)
