"""Predicts the latency of networks nobody measured, from those of the same device that somebody did."""

from __future__ import annotations

import math

import numpy as np

from hwkeras.errors import UserError
from hwkeras.measure.cost_model import CostModel
from hwkeras.measure.features import cost_terms
from hwkeras.measure.features import group_of

FORMAT, VERSION = "hwkeras.latency_predictor", 1
MIN_SAMPLES = 15


class LatencyPredictor:
    """Learns what each kind of work costs on one device, with one number of threads.

    The latency is a sum of amounts of work (`features.cost_terms`), each times a cost. The costs are never negative
    and minimize the squared *relative* errors, drawn to the usual ratios between costs (`features.usual_cost_ns`) as
    strongly as predicts best what was left out. So a kind of operator that was not measured yet costs what is usual,
    not nothing. Networks of several types may be mixed.

    The interval is split-conformal over the errors on left-out networks (cross-conformal, Vovk,
    10.1007/s10472-013-9368-4), wider for networks unlike the measured ones. It holds a new network of the same kind
    with probability of about `coverage`, as long as networks are measured as those of the fit were.

    Args:
        coverage: float, share of new networks whose latency lies within the interval. Defaults to `0.9`.
        min_samples: int, distinct networks below which nothing is predicted. Defaults to `15`.

    Raises:
        UserError: an argument outside its range.
    """

    def __init__(self, coverage=0.9, min_samples=MIN_SAMPLES):
        coverage = checked_coverage(coverage)
        least = least_samples(coverage)
        if min_samples < least:
            raise UserError(
                f"`min_samples` must be at least {least} for intervals of coverage={coverage}. Received: "
                f"min_samples={min_samples!r}."
            )
        self.coverage = coverage
        self.min_samples = int(min_samples)
        self._samples = {}
        self._model = None

    @property
    def num_samples(self):
        """Number of distinct networks: one that was measured again counts once, with its least latency."""
        return len(self._samples)

    @property
    def is_ready(self):
        """Whether there are samples enough to predict."""
        return self.num_samples >= self.min_samples

    def fit(self, analyses, latencies_ms):
        """Learns from these networks alone.

        Args:
            analyses: sequence of `Analysis`.
            latencies_ms: sequence of float, the measured latency of each.

        Returns:
            LatencyPredictor, this one.

        Raises:
            UserError: sequences of different lengths, or a latency that is not positive.
        """
        added = _samples_of(analyses, latencies_ms)
        self._samples = {}
        return self._add(added)

    def update(self, analyses, latencies_ms):
        """Learns from further networks.

        Args:
            analyses: sequence of `Analysis`.
            latencies_ms: sequence of float, the measured latency of each.

        Returns:
            LatencyPredictor, this one.

        Raises:
            UserError: sequences of different lengths, or a latency that is not positive.
        """
        return self._add(_samples_of(analyses, latencies_ms))

    def predict(self, analysis):
        """Predicts the latency of a network.

        Args:
            analysis: `Analysis`.

        Returns:
            Prediction.

        Raises:
            UserError: too few samples.
        """
        return self._fitted().predict(cost_terms(analysis))

    def breakdown(self, analysis):
        """Where the predicted time goes.

        Args:
            analysis: `Analysis`.

        Returns:
            dict of type and kind of operator (`"int8/depthwise"`) to float, milliseconds.

        Raises:
            UserError: too few samples.
        """
        model, parts = self._fitted(), {}
        for term, amount in cost_terms(analysis).items():
            parts[group_of(term)] = parts.get(group_of(term), 0.0) + amount * model.cost_ms(term)
        return parts

    def to_json(self):
        """The predictor as plain data for JSON; `from_json` reads it back equal.

        Returns:
            dict. `samples` are the networks it learned from; `model` what it made of them, None while too few.
        """
        terms = sorted({term for sample in self._samples for term, _ in sample})
        rows = [[dict(sample).get(term, 0.0) for term in terms] for sample in self._samples]
        return {
            "format": FORMAT,
            "version": VERSION,
            "coverage": self.coverage,
            "min_samples": self.min_samples,
            "samples": {"terms": terms, "amounts": rows, "latency_ms": list(self._samples.values())},
            "model": self._fitted().to_json() if self.is_ready else None,
        }

    @classmethod
    def from_json(cls, data):
        """Reads what `to_json` wrote.

        Args:
            data: dict.

        Returns:
            LatencyPredictor.

        Raises:
            UserError: another format or version, or a field that is missing or wrong.
        """
        check_format(data, FORMAT, VERSION)
        try:
            predictor = cls(data["coverage"], data["min_samples"])
            terms, latencies = data["samples"]["terms"], data["samples"]["latency_ms"]
            for row, latency in zip(data["samples"]["amounts"], latencies, strict=True):
                amounts = {term: float(value) for term, value in zip(terms, row, strict=True) if value}
                predictor._samples[_key(amounts)] = _checked_ms(latency)
            if predictor.is_ready:
                predictor._model = CostModel.from_json(data["model"], *predictor._table()[:2])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"A predictor's document must hold what `to_json` writes. Received: {type(error).__name__}: {error}. "
                "Fit it again from the measurements."
            ) from error
        return predictor

    def _add(self, samples):
        for key, latency in samples:
            self._samples[key] = min(latency, self._samples.get(key, math.inf))
        self._model = None
        return self

    def _fitted(self):
        if not self.is_ready:
            missing = self.min_samples - self.num_samples
            raise UserError(
                f"A prediction needs at least {self.min_samples} measured networks. Received: {self.num_samples}. "
                f"Measure {missing} more and `update` with them."
            )
        if self._model is None:
            self._model = CostModel.fit(*self._table(), self.coverage)
        return self._model

    def _table(self):
        """Terms, amounts of shape (num_samples, num_terms), latencies."""
        terms = sorted({term for sample in self._samples for term, _ in sample})
        amounts = np.array([[dict(sample).get(term, 0.0) for term in terms] for sample in self._samples])
        return terms, amounts, np.array(list(self._samples.values()))


def least_samples(coverage):
    """The fewest errors of which a quantile bounds a further one with probability `coverage`.

    Args:
        coverage: float.

    Returns:
        int.
    """
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def checked_coverage(coverage):
    """Refuses what is not the probability of an interval.

    Args:
        coverage: float.

    Returns:
        float.

    Raises:
        UserError: not in [0.5, 1).
    """
    if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0.5 <= coverage < 1:
        raise UserError(f"`coverage` must be in [0.5, 1). Received: coverage={coverage!r}. The usual one is 0.9.")
    return float(coverage)


def check_format(data, name, version):
    """Refuses a document of another kind or version.

    Args:
        data: object read from JSON.
        name: str.
        version: int.

    Raises:
        UserError: it is another.
    """
    found = (data.get("format"), data.get("version")) if isinstance(data, dict) else (type(data).__name__, None)
    if found != (name, version):
        raise UserError(
            f"A predictor's document must be of format {name!r}, version {version}. Received: {found[0]!r}, version "
            f"{found[1]!r}. Fit it again with this version of hwkeras."
        )


def _samples_of(analyses, latencies_ms):
    analyses, latencies = list(analyses), list(latencies_ms)
    if len(analyses) != len(latencies):
        raise UserError(
            f"`analyses` and `latencies_ms` must be of one length. Received: {len(analyses)} and {len(latencies)}."
        )
    return [
        (_key(cost_terms(analysis)), _checked_ms(latency))
        for analysis, latency in zip(analyses, latencies, strict=True)
    ]


def _key(amounts):
    return tuple(sorted(amounts.items()))


def _checked_ms(latency):
    value = float("nan") if latency is None else float(latency)
    if not math.isfinite(value) or value <= 0:
        raise UserError(
            f"`latencies_ms` must be positive and finite. Received: {latency!r}. Leave out networks without a "
            "measurement."
        )
    return value
