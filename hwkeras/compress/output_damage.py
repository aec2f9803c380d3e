"""How much worse a file answers than the float file it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.compress.evaluation import share_right
from hwkeras.compress.operator_trials import try_files
from hwkeras.compress.report import format_points
from hwkeras.convert.agreement import compare
from hwkeras.errors import ConversionError

MOST_DISAGREEMENT = 0.1
MOST_ACCURACY_LOST = 0.01
# Forgives what a difference of two shares has too much in floating point.
_EPSILON = 1e-9


@dataclass(frozen=True)
class Damage:
    """How much worse than the float file a file answers.

    Args:
        disagreement: float, of the outputs. Defaults to `0.0`.
        accuracy_lost: float, or None without labels of classes. Defaults to `None`.
    """

    disagreement: float = 0.0
    accuracy_lost: float | None = None

    def is_within(self, other):
        """Whether this is within the tolerance of another damage: 0.1 of disagreement, 1 point of accuracy.

        Args:
            other: Damage.

        Returns:
            bool.
        """
        lost = (self.accuracy_lost or 0.0) - (other.accuracy_lost or 0.0)
        is_near = self.disagreement <= other.disagreement + MOST_DISAGREEMENT + _EPSILON
        return bool(is_near and lost <= MOST_ACCURACY_LOST + _EPSILON)

    def __str__(self):
        points = "" if self.accuracy_lost is None else f" and {format_points(self.accuracy_lost)} points of accuracy"
        return f"{self.disagreement:.3f}{points}"


class DamageJudge:
    """Runs files in a process of their own and compares them with the float file.

    Args:
        original: bytes of the float file.
        samples: list of arrays, one an input.
        labels: array of labels, or None.

    Raises:
        ConversionError: the float file does not run.
    """

    def __init__(self, original, samples, labels):
        self._samples, self._labels = samples, labels
        (trial,) = try_files([original], samples)
        if trial.outputs is None:
            raise ConversionError(
                "The float32 file must run before its operators are tried. Received: one that does not "
                f"({trial.reason}). Look at the model with the recipe 'float32' first."
            )
        self._reference = trial.outputs

    def judge(self, files):
        """Runs files.

        Args:
            files: sequence of bytes.

        Returns:
            list of pairs (Damage or None where the file did not run, Trial).
        """
        return [(self._damage(trial), trial) for trial in try_files(files, self._samples)]

    def _damage(self, trial):
        if trial.outputs is None:
            return None
        right, before = (share_right(outputs, self._labels) for outputs in (trial.outputs, self._reference))
        return Damage(disagreement(self._reference, trial.outputs), None if right is None else before - right)


def disagreement(reference, outputs):
    """How far answers are from others, by the figure for integer files; 0 for equal ones.

    Args:
        reference: sequence of arrays of shape (num_samples, ...), one an output.
        outputs: the same, compared with it.

    Returns:
        float.
    """
    return compare("int8", reference, outputs, np.zeros(len(reference))).figure
