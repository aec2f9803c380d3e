"""Whether a file computes what the Keras model computes: one figure, one tolerance for each precision.

`float32` and `float16` change nothing but rounding. Their figure is the largest error of any output of any sample,
divided by the largest output: a relative error. Tolerances 1e-3 and 2e-2.

`dynamic` and `int8` approximate. A relative error would refuse honest quantization, and a mean error would accept a
broken file of many classes (with 100 classes, confident answers for the *wrong* class differ by 0.02 on average). So
the figure compares each sample's error *vector* with how much Keras' outputs vary at all:

    error_i  = || file_i - keras_i ||                      root mean square over the samples i, one output step removed
    spread_i = || keras_i - mean of all of keras ||        root mean square over the samples i
    figure   = error / max(spread, 0.2 * largest || keras_i ||)

It is 0 for an equal file, at least 1 for a file that answers a constant (it explains none of the variance), about
sqrt(2) for confident answers of permuted classes. The tolerance 0.75 asks that at least 44% of the variance be
explained (1 - 0.75 ** 2). It is loose on purpose: a candidate that quantizes badly is to be *scored* badly, and only
a broken file is to be refused. The second term of the maximum, and the removed step of the output's own resolution,
keep a nearly constant model (an untrained softmax) from being judged by noise; a file that is broken there is not
told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCES = {"float32": 1e-3, "float16": 2e-2, "dynamic": 0.75, "int8": 0.75}
_LEAST_SPREAD = 0.2
_TINY = 1e-6


@dataclass(frozen=True)
class Agreement:
    """How far a file is from its model.

    Args:
        max_error: float, largest absolute difference of an output, in the output's unit.
        figure: float, the figure of the module's docstring.
        tolerance: float, the largest figure that is accepted.
    """

    max_error: float
    figure: float
    tolerance: float

    @property
    def ok(self):
        """Whether the file is accepted."""
        return bool(self.figure <= self.tolerance)


def compare(precision, reference, outputs, resolutions):
    """Compares a file's outputs with Keras'; of several outputs the worst counts.

    Args:
        precision: str, a key of `TOLERANCES`.
        reference: list of arrays of shape (num_samples, ...), Keras' outputs, finite.
        outputs: list of arrays of the same shapes, the file's outputs.
        resolutions: list of float, the step between neighboring values of each output; 0.0 for floats.

    Returns:
        Agreement.
    """
    figures, errors = [], []
    for expected, received, step in zip(reference, outputs, resolutions, strict=True):
        expected = np.asarray(expected, np.float64).reshape(len(expected), -1)
        received = np.asarray(received, np.float64).reshape(len(received), -1)
        error = received - expected
        errors.append(np.abs(error).max() if np.isfinite(error).all() else np.inf)
        exact = precision in ("float32", "float16")
        figures.append(_relative(error, expected) if exact else _unexplained(error, expected, step))
    return Agreement(float(max(errors)), float(max(figures)), TOLERANCES[precision])


def _relative(error, expected):
    if not np.isfinite(error).all():
        return np.inf
    return np.abs(error).max() / max(np.abs(expected).max(), _TINY)


def _unexplained(error, expected, step):
    if not np.isfinite(error).all():
        return np.inf
    distance = max(0.0, _rms_norm(error) - step * np.sqrt(expected.shape[1]))
    largest = np.linalg.norm(expected, axis=1).max()
    return distance / max(_rms_norm(expected - expected.mean()), _LEAST_SPREAD * largest, _TINY)


def _rms_norm(rows):
    return float(np.sqrt((rows**2).sum(axis=1).mean()))
