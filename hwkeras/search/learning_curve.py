"""Learning curves: where a training will end, told from its first epochs, and how sure that is.

A power law is fitted to the epochs so far, `loss = limit + gap * epoch ** -rate` with `gap >= 0`, the family `pow3` of
Domhan, Springenberg & Hutter, "Speeding Up Automatic Hyperparameter Optimization of Deep Neural Networks by
Extrapolation of Learning Curves", IJCAI 2015. How wrong such an extrapolation is, and in which direction, is not
assumed but learned: the same is done to the curves of completed trials, whose ends are known. So a learning rate that
falls to zero, whose last epochs gain more than any power law says, is accounted for.

Short trainings often begin slowly and are no power law at all. The last loss, with what completed trials gained from
that epoch on, is then the better forecast: whichever of the two was off by less varying amounts is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

# A curve of three parameters goes through any three points: the fourth is the first one that says anything.
MIN_EPOCHS = 4
MIN_SHARE = 1 / 3
# Fewer ends say nothing of how far extrapolations are off.
MIN_COMPLETED = 4
# The end of a trial is no better than its optimistic forecast with this probability.
CONFIDENCE = 0.95
# A tie does not beat; nor does what differs by less than any accuracy can.
TOLERANCE = 1e-6

# Logarithms of the rates looked at first; then as many again between the neighbors of the best, and so on.
_GRID = np.linspace(math.log(0.05), math.log(4.0), 45)
_NUM_ZOOMS = 9
_MOST_UNEXPLAINED = 0.01
# Accuracies in the course of a training fall towards their limit at about this rate, within a factor of three or so.
# It decides only where the points themselves leave room: the share of the error that it may add is theirs to give.
_USUAL_RATE, _USUAL_FACTOR = 0.8, 3.0


@dataclass(frozen=True)
class PowerLaw:
    """A loss that falls towards a limit: `limit + gap * epoch ** -rate`.

    Args:
        limit: float, the loss after a training without end.
        gap: float, 0 or more, what lies above it after the first epoch.
        rate: float, positive: how fast the gap closes.
    """

    limit: float
    gap: float
    rate: float

    def at(self, epoch):
        """The loss after an epoch.

        Args:
            epoch: float or array, from 1.

        Returns:
            float, or array of the same shape.
        """
        return self.limit + self.gap * np.asarray(epoch, dtype=float) ** -self.rate

    def explains(self, losses):
        """Whether losses lie on this curve, but for a hundredth of their variance.

        Args:
            losses: sequence of float, of the epochs 1, 2, ...

        Returns:
            bool.
        """
        losses = np.asarray(losses, dtype=float)
        errors = losses - self.at(np.arange(1, len(losses) + 1))
        return bool((errors**2).sum() <= _MOST_UNEXPLAINED * ((losses - losses.mean()) ** 2).sum() + TOLERANCE**2)

    @classmethod
    def fit(cls, losses):
        """The power law nearest to some losses by least squares, with rates in [0.05, 4].

        A curve of the family without noise is found again. Where noise leaves the rate open, one near 0.8 is taken.

        Args:
            losses: sequence of float, finite, of the epochs 1, 2, ...; at least one.

        Returns:
            PowerLaw.
        """
        losses = np.asarray(losses, dtype=float)
        grid = _GRID
        for _ in range(_NUM_ZOOMS):
            best = int(np.argmin(_scores(np.exp(grid), losses)))
            grid = np.linspace(grid[max(best - 2, 0)], grid[min(best + 2, len(grid) - 1)], len(grid))
        rates = np.exp(grid)
        best = int(np.argmin(_scores(rates, losses)))
        limits, gaps, _ = _least_squares(rates, losses)
        return cls(float(limits[best]), float(gaps[best]), float(rates[best]))


@dataclass(frozen=True)
class CompletedCurve:
    """The learning curve of a trial that was trained to its end.

    Args:
        losses: tuple of float, of its epochs 1, 2, ..., minimized.
        end: float, what the trial came to, minimized: of what was deployed, which may differ from the last epoch.
    """

    losses: tuple
    end: float


@dataclass(frozen=True)
class Forecast:
    """Where a training will end, minimized.

    Args:
        expected: float.
        optimistic: float, no more than `expected`: the end is hardly better than this.
    """

    expected: float
    optimistic: float


def forecast(losses, num_epochs, completed):
    """Extrapolates a learning curve.

    The optimistic end is the best of: the best loss so far; the forecast, corrected by how much better than theirs
    completed trials ended, at the edge of a one-sided prediction interval of 95% (Student's t, for ends that vary
    normally); and the end of the power law, where the losses lie on one. So a curve that keeps to its power law is
    never taken for worse than it is, whatever other trials did.

    Args:
        losses: sequence of float, the loss of the epochs 1, 2, ..., minimized.
        num_epochs: int, those of the whole training.
        completed: sequence of `CompletedCurve` of trainings of as many epochs.

    Returns:
        Forecast; None before a third of the epochs and the fourth, at the last one, and where fewer than four completed
        curves reach as far as this one or where a loss is not finite.
    """
    num_seen = len(losses)
    if num_seen < max(MIN_EPOCHS, math.ceil(num_epochs * MIN_SHARE)) or num_seen >= num_epochs:
        return None
    known = [curve for curve in completed if len(curve.losses) > num_seen and _is_finite(*curve.losses, curve.end)]
    if len(known) < MIN_COMPLETED or not _is_finite(*losses):
        return None
    end, errors = _best_extrapolation(losses, num_epochs, known)
    mean, number = float(errors.mean()), len(errors)
    spread = float(errors.std(ddof=1)) * math.sqrt(1 + 1 / number)
    best_error = mean - float(stdtrit(number - 1, CONFIDENCE)) * spread
    law = PowerLaw.fit(losses)
    lawful = [float(law.at(num_epochs))] if law.explains(losses) else []
    optimistic = min(*losses, *lawful, end + best_error)
    return Forecast(expected=max(optimistic, min(*losses, end + mean)), optimistic=optimistic)


def _best_extrapolation(losses, num_epochs, known):
    """Where a training would end by the law that was more reliable, and by how much completed trials ended above it."""
    found = []
    for extrapolated in (_end, _last):
        ends = [extrapolated(curve.losses[: len(losses)], num_epochs) for curve in known]
        errors = np.array([curve.end for curve in known]) - ends
        found.append((extrapolated(losses, num_epochs), errors))
    by_law, by_last = found
    return by_last if by_last[1].std() < by_law[1].std() - TOLERANCE else by_law


def _end(losses, num_epochs):
    return float(PowerLaw.fit(losses).at(num_epochs))


def _last(losses, num_epochs):
    return losses[-1]


def _is_finite(*values):
    return all(map(math.isfinite, values))


def _least_squares(rates, losses):
    """Limits, gaps and sums of squared errors, one for each rate; a curve that rises has no gap."""
    basis = np.arange(1, len(losses) + 1, dtype=float)[None] ** -rates[:, None]
    centered = basis - basis.mean(axis=1, keepdims=True)
    sizes = (centered**2).sum(axis=1)
    gaps = np.maximum(0.0, centered @ losses / np.where(sizes > 0, sizes, 1.0))
    limits = losses.mean() - gaps * basis.mean(axis=1)
    errors = losses - limits[:, None] - gaps[:, None] * basis
    return limits, gaps, (errors**2).sum(axis=1)


def _scores(rates, losses):
    """The squared errors, larger for unusual rates: where the points leave no error, they alone decide."""
    unusual = np.log(rates / _USUAL_RATE) / math.log(_USUAL_FACTOR)
    return _least_squares(rates, losses)[2] * (1 + unusual**2)
