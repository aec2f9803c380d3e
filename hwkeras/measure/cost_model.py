"""What each kind of work costs on one device: a fit of non-negative costs, and how far it is off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hwkeras.measure.features import usual_cost_ns

# How strongly costs are drawn to the usual ones, from hardly to strongly; cross-validation chooses.
_PENALTIES = (1e-8, 1e-5, 3e-4, 3e-3, 1e-2, 3e-2)
_NUM_FOLDS = 10
# Relative errors beyond this many times their usual size count linearly: a visit to a slow machine is no evidence.
_HUBER = 1.5
_LEAST_ERROR = 0.02
_NUM_REWEIGHTINGS = 3
# What a network takes at least.
_LEAST_MS = 1e-9
# What was never measured may well take e times what is usual, or an e-th of it: the log of that.
_STRANGE_MARGIN = 1.0
# No interval reaches further than to a hundredth and a hundred times the prediction.
_WIDEST_MARGIN = math.log(100.0)
# A type of which fewer networks than this were measured is as fast, against what is usual, as the others.
_MIN_OF_FAMILY = 3


@dataclass(frozen=True)
class Prediction:
    """A latency that was predicted, with the interval in which the measured one is expected.

    Args:
        latency_ms: float.
        low_ms: float.
        high_ms: float.
    """

    latency_ms: float
    low_ms: float
    high_ms: float


class CostModel:
    """What each term costs, and how far predictions are off; made by `CostModel.fit`.

    Args:
        terms: sequence of str, see `features.cost_terms`.
        costs_ms: sequence of float, milliseconds of a unit of each.
        speeds: dict of type, and `"all"`, to float: the milliseconds that one usual nanosecond takes.
        penalty: float, how strongly costs were drawn to the usual ones.
        margin: float, the half-width of the interval of a network like the measured ones, as a log ratio.
        amounts: float array of shape (num_networks, num_terms), of the measured networks.
    """

    def __init__(self, terms, costs_ms, speeds, penalty, margin, amounts):
        self.costs_ms = dict(zip(terms, (float(cost) for cost in costs_ms), strict=True))
        self.speeds = speeds
        self.penalty = penalty
        self.margin = margin
        shares = self._shares(terms, amounts)
        self._terms = list(terms)
        self._unsureness = np.linalg.inv(shares.T @ shares + penalty * np.eye(len(self._terms)))

    @classmethod
    def fit(cls, terms, amounts, latencies_ms, coverage):
        """Chooses the penalty by cross-validation, fits the costs, and measures the errors of left-out networks.

        Args:
            terms: sequence of str.
            amounts: float array of shape (num_networks, num_terms).
            latencies_ms: float array of shape (num_networks,).
            coverage: float, share of new networks to lie within the interval.

        Returns:
            CostModel.
        """
        folds = [np.arange(start, len(latencies_ms), _NUM_FOLDS) for start in range(_NUM_FOLDS)]
        folds = [fold for fold in folds if fold.size]
        trials = [_left_out_errors(terms, amounts, latencies_ms, folds, penalty) for penalty in _PENALTIES]
        chosen = int(np.argmin([np.mean(np.minimum(errors, 0.5) ** 1.5) for errors, _ in trials]))
        (errors, fits), penalty = trials[chosen], _PENALTIES[chosen]
        for fold, (rest, costs, speeds) in zip(folds, fits, strict=True):
            without = cls(terms, costs, speeds, penalty, 1.0, amounts[rest])
            errors[fold] /= without.unsureness(amounts[fold])
        rank = min(len(errors), math.ceil((len(errors) + 1) * coverage))
        margin = float(np.sort(errors)[rank - 1])
        return cls(terms, *_fit_costs(terms, amounts, latencies_ms, penalty), penalty, margin, amounts)

    def cost_ms(self, term):
        """What a unit of a term takes: the usual cost at this device's speed where it was never measured.

        Args:
            term: str.

        Returns:
            float, milliseconds.
        """
        return self.costs_ms[term] if term in self.costs_ms else self._usual_ms(term)

    def predict(self, amounts):
        """Predicts the latency of one network.

        Args:
            amounts: dict of term to float.

        Returns:
            Prediction.
        """
        latency = max(self._total(amounts), _LEAST_MS)
        strange_ms = sum(self._usual_ms(term) * value for term, value in amounts.items() if term not in self.costs_ms)
        margin = self.margin * self._unsureness_of(amounts, latency) + _STRANGE_MARGIN * strange_ms / latency
        margin = min(margin, _WIDEST_MARGIN)
        return Prediction(latency, latency * math.exp(-margin), latency * math.exp(margin))

    def unsureness(self, rows):
        """How many times the error of a network like the measured ones is to be expected.

        Args:
            rows: float array of shape (num_networks, num_terms), amounts in the order of `fit`.

        Returns:
            float array of shape (num_networks,), 1 or more.
        """
        known = [dict(zip(self._terms, row, strict=True)) for row in rows]
        return np.array([self._unsureness_of(amounts, max(self._total(amounts), _LEAST_MS)) for amounts in known])

    def to_json(self):
        """The model as plain data for JSON.

        Returns:
            dict.
        """
        return {"costs_ms": self.costs_ms, "speeds": self.speeds, "penalty": self.penalty, "margin": self.margin}

    @classmethod
    def from_json(cls, data, terms, amounts):
        """Reads what `to_json` wrote.

        Args:
            data: dict.
            terms: sequence of str.
            amounts: float array of shape (num_networks, num_terms), of the measured networks.

        Returns:
            CostModel.
        """
        costs = [float(data["costs_ms"][term]) for term in terms]
        return cls(terms, costs, dict(data["speeds"]), float(data["penalty"]), float(data["margin"]), amounts)

    def _total(self, amounts):
        return sum(amount * self.cost_ms(term) for term, amount in amounts.items())

    def _unsureness_of(self, amounts, latency):
        row = np.array([[amounts.get(term, 0.0) for term in self._terms]])
        share = self._shares(self._terms, row, np.array([latency]))[0]
        return math.sqrt(1.0 + float(share @ self._unsureness @ share))

    def _usual_ms(self, term):
        return usual_cost_ns(term) * self.speeds.get(_family(term), self.speeds["all"])

    def _shares(self, terms, amounts, latencies=None):
        """The amounts as shares of the predicted latency at usual costs, shape (num_networks, num_terms)."""
        usual = np.array([self._usual_ms(term) for term in terms])
        if latencies is None:
            latencies = np.maximum(amounts @ np.array([self.costs_ms[term] for term in terms]), _LEAST_MS)
        return amounts * usual / latencies[:, None]


def _left_out_errors(terms, amounts, latencies_ms, folds, penalty):
    """Absolute log error of each network under the fit without its fold; and those fits (rest, costs, speeds)."""
    errors, fits = np.zeros(len(latencies_ms)), []
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(latencies_ms)), fold)
        costs, speeds = _fit_costs(terms, amounts[rest], latencies_ms[rest], penalty)
        errors[fold] = np.abs(np.log(np.maximum(amounts[fold] @ costs, _LEAST_MS) / latencies_ms[fold]))
        fits.append((rest, costs, speeds))
    return errors, fits


def _fit_costs(terms, amounts, latencies_ms, penalty):
    """Costs in milliseconds of a unit of each term, and how many milliseconds one usual nanosecond takes, by type."""
    # NOTE: scipy costs a fifth of a second to import, and `import hwkeras.measure` must not.
    from scipy.optimize import nnls

    speeds = _speeds(terms, amounts, latencies_ms)
    usual = np.array([usual_cost_ns(term) * speeds.get(_family(term), speeds["all"]) for term in terms])
    relative = amounts * usual / latencies_ms[:, None]
    draw = math.sqrt(penalty)
    weights = np.ones(len(latencies_ms))
    for _ in range(_NUM_REWEIGHTINGS):
        rows = np.vstack([relative * weights[:, None], draw * np.eye(len(terms))])
        factors, _ = nnls(rows, np.concatenate([weights, np.full(len(terms), draw)]), maxiter=100 * len(terms))
        errors = np.abs(relative @ factors - 1)
        usual_error = max(1.48 * float(np.median(errors)), _LEAST_ERROR)
        weights = 1 / np.sqrt(np.maximum(1, errors / (_HUBER * usual_error)))
    return factors * usual, speeds


def _speeds(terms, amounts, latencies_ms):
    """How many milliseconds one usual nanosecond takes: over all networks, and over those mostly of one type."""
    usual = amounts * np.array([usual_cost_ns(term) for term in terms])
    total = usual.sum(axis=1)
    speeds = {"all": float(np.median(latencies_ms / total))}
    for family in sorted({_family(term) for term in terms} - {"network"}):
        own = usual[:, [_family(term) == family for term in terms]].sum(axis=1) > 0.5 * total
        if own.sum() >= _MIN_OF_FAMILY:
            speeds[family] = float(np.median(latencies_ms[own] / total[own]))
    return speeds


def _family(term):
    return term.split("/")[0]
