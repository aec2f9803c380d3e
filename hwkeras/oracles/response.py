"""What a surrogate models of a dear metric: a scale on which its noise is even and a bad tail is short.

Errors and losses are told apart by their ratio, not their difference: an accuracy of .98 is as far from .99 as .8 from
.9. A loss above 0 (an error is one minus an accuracy) is therefore modeled by its logarithm; any other as it is, its
worst values drawn in.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

# Added to a loss before its logarithm, so that 0 has one: of an error as it is, of others as a share of the median.
_LEAST = 1e-3
# Losses are drawn in beyond so many times the spread of the better half.
_TAIL = 6.0


class LogResponse:
    """A loss above `floor` by its logarithm, with the sign turned: more is better.

    Args:
        floor: float, the loss that no candidate can go below.
        least: float, above 0: differences below it are not told apart. Defaults to `0.001`.
    """

    def __init__(self, floor, least=_LEAST):
        self._floor, self._least = floor, least

    def targets(self, losses):
        """What to model.

        Args:
            losses: float array, not below the floor.

        Returns:
            float array of the same shape.
        """
        return -np.log(np.maximum(np.asarray(losses, dtype=float) - self._floor, 0.0) + self._least)

    def losses(self, targets):
        """The other way.

        Args:
            targets: float array.

        Returns:
            float array of the same shape.
        """
        return np.exp(-np.asarray(targets, dtype=float)) - self._least + self._floor

    def expected_improvement(self, means, deviations, best):
        """By how much a candidate is expected to go below a loss: that of a log-normal variable, in closed form.

        Args:
            means: float array, of the targets.
            deviations: float array, above 0.
            best: float array or float, the loss to go below; broadcast.

        Returns:
            float array, 0 and more, in units of the loss.
        """
        bound = np.maximum(np.asarray(best, dtype=float) - self._floor + self._least, 1e-300)
        below = (np.log(bound) + means) / deviations
        # NOTE: the mean of a log-normal variable of a wide deviation is far above anything that was seen.
        middle = np.exp(np.minimum(-means + 0.5 * deviations**2, 50.0))
        return np.maximum(bound * ndtr(below) - middle * ndtr(below - deviations), 0.0)


class PlainResponse:
    """A loss as it is, with the sign turned: more is better.

    Args:
        losses: float array of all observed losses, at least one: what lies far beyond the better half is drawn in.
    """

    def __init__(self, losses):
        losses = np.sort(np.asarray(losses, dtype=float))
        better = losses[: (len(losses) + 1) // 2]
        self._worst = better[-1] + _TAIL * max(better[-1] - better[0], 1e-12)

    def targets(self, losses):
        """See `LogResponse.targets`."""
        return -np.minimum(np.asarray(losses, dtype=float), self._worst)

    def losses(self, targets):
        """See `LogResponse.losses`."""
        return -np.asarray(targets, dtype=float)

    def expected_improvement(self, means, deviations, best):
        """See `LogResponse.expected_improvement`; of a normal variable (Jones et al., 1998, DOI
        10.1023/A:1008306431147).
        """
        gap = np.asarray(best, dtype=float) + means
        score = gap / deviations
        density = np.exp(-0.5 * score**2) / np.sqrt(2.0 * np.pi)
        return np.maximum(gap * ndtr(score) + deviations * density, 0.0)


def response_of(objective, losses):
    """Picks the scale for a metric from what was seen of it.

    Args:
        objective: `hwkeras.objectives.Objective`.
        losses: float array of its observed losses, finite, at least one.

    Returns:
        LogResponse or PlainResponse.
    """
    losses = np.asarray(losses, dtype=float)
    if objective.direction == "max" and np.all((losses >= -1.0) & (losses <= 0.0)):
        return LogResponse(-1.0)
    if objective.direction == "min" and np.all(losses > 0.0):
        return LogResponse(0.0, _LEAST * float(np.median(losses)))
    return PlainResponse(losses)
