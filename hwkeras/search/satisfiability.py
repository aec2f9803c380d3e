"""What share of a space lies within the limits, told before the search from networks that nobody has trained."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles import sampling
from hwkeras.units import format_quantity

# A relaxed limit should leave something to choose from.
ADMITTED_SHARE = 0.03
# Networks built to learn how far their files lie above their least cost, and to learn what only a device tells.
_NUM_TO_CALIBRATE = 12
_NUM_TO_TIME = 48
# Of those that surely break a limit, how many of the nearest are built: a relaxation is then told of a real file.
_NUM_NEAREST = 6


@dataclass(frozen=True)
class Relaxation:
    """Limits as wide as they would have to be for something to fit.

    Args:
        changes: tuple of pairs of `Limit`, as asked and relaxed.
        share: float, of the samples that would fit then.
    """

    changes: tuple
    share: float

    def __str__(self):
        told = " and ".join(f"{asked} -> {_bound(relaxed)}" for asked, relaxed in self.changes)
        return f"{told} would admit {_percent(self.share)}"


@dataclass(frozen=True)
class Satisfiability:
    """How much of a space the limits leave.

    Args:
        share: float, about how much of the space fits all limits; None when nothing was measured that could tell.
        shares: dict of limit as text to how much fits that limit alone; None where it is not known before training or
            nothing was measured.
        binds: str, the limit that leaves the least; `""` where every limit leaves all.
        relaxation: `Relaxation`, the nearest with which samples fit; None where some fit as it is, or nothing would do.
        num_samples: int, networks drawn at random.
        num_built: int, those of them that were built and converted; the figures of the others are estimated from them.
    """

    share: float | None
    shares: dict
    binds: str
    relaxation: Relaxation | None
    num_samples: int
    num_built: int

    def to_json(self):
        """The report as plain data for JSON.

        Returns:
            dict.
        """
        relaxed = self.relaxation and {
            "limits": {str(asked): str(relaxed) for asked, relaxed in self.relaxation.changes},
            "share": self.relaxation.share,
        }
        return {
            "share": self.share,
            "shares": dict(self.shares),
            "binds": self.binds,
            "relaxation": relaxed,
            "num_samples": self.num_samples,
            "num_built": self.num_built,
            "message": str(self),
        }

    def __str__(self):
        known = ", ".join(f"{limit} {_percent(share)}" for limit, share in self.shares.items() if share is not None)
        alone = f" ({known})" if len(self.shares) > 1 and known else ""
        binds = f"; {self.binds} binds" if self.binds else ""
        if self.share is None:
            return f"What share of the space fits the limits shows only when networks are measured{alone}{binds}."
        if self.share > 0:
            return f"About {_percent(self.share)} of the space fits the limits{alone}{binds}."
        relaxed = f": {self.relaxation}" if self.relaxation else ""
        return f"None of {self.num_samples} random networks fits the limits{alone}{binds}{relaxed}. Rarer ones may."


def satisfiability(
    hyperparameters, limits, cost_model, num_samples=256, seed=0, least=None, seconds=5.0, clock=time.perf_counter
):
    """Estimates what share of a space fits the limits, and what would have to give where nothing does.

    Samples are drawn uniformly, value by value. Where a lower bound of the cost is known without building a network,
    all of them are judged by it, scaled by how far real files lie above it; what only a device tells is asked for
    those samples that fit otherwise.

    Args:
        hyperparameters: `keras_tuner.HyperParameters`, the declared space.
        limits: sequence of `Limit` or str.
        cost_model: callable from `keras_tuner.HyperParameters` to dict of metric name to float, or to None for a
            network that cannot be built, as that of an oracle.
        num_samples: int, networks drawn. Defaults to `256`.
        seed: int, of the draws. Defaults to `0`.
        least: callable from `keras_tuner.HyperParameters` to dict of metric name to a lower bound
            (`pruning.least_metrics`). Defaults to `None`, none is known and every network that counts is built.
        seconds: float, no further network is built after this. Defaults to `5.0`.
        clock: callable returning seconds. Defaults to `time.perf_counter`.

    Returns:
        Satisfiability.

    Raises:
        UserError: `num_samples` is not positive, or an unknown limit.
        DeviceError: the device does not answer.
    """
    if num_samples < 1:
        raise UserError(f"`num_samples` must be at least 1. Received: num_samples={num_samples!r}.")
    limits = [Limit.parse(limit) for limit in limits]
    judged = [limit for limit in limits if METRICS[limit.metric].is_static]
    samples = _Samples(hyperparameters, judged, num_samples, np.random.default_rng(seed), least)
    samples.build(cost_model, clock, clock() + seconds)
    rows = samples.rows()
    shares = {str(limit): _share([limit], rows) for limit in judged}
    known = {text: share for text, share in shares.items() if share is not None}
    share = _joint_share(judged, rows)
    binds = min(known, key=known.get, default="")
    return Satisfiability(
        share=share,
        shares={str(limit): shares.get(str(limit)) for limit in limits},
        binds=binds if known.get(binds, 1.0) < 1.0 else "",
        relaxation=_relaxation(judged, rows) if share == 0 else None,
        num_samples=len(rows),
        num_built=samples.num_built,
    )


def satisfiability_of(oracle, least=None, seconds=5.0):
    """`satisfiability` of the space and the limits of an oracle, which keeps what its cost model said.

    Args:
        oracle: `HardwareOracle` with a cost model and declared hyperparameters.
        least: as for `satisfiability`. Defaults to `None`.
        seconds: float, as for `satisfiability`. Defaults to `5.0`.

    Returns:
        Satisfiability.

    Raises:
        DeviceError: the device does not answer.
    """
    space, seed = oracle.hyperparameters, oracle.seed
    return satisfiability(space, oracle.limits, lambda hp: oracle.cost(hp.values), 256, seed, least, seconds)


class _Samples:
    """Networks drawn at random: their bounds, and for some of them what their files cost."""

    def __init__(self, space, limits, num_samples, rng, least):
        self._space = space
        self._limits = limits
        self._drawn = [self._filled(sampling.sample(space, rng)) for _ in range(num_samples)]
        self._bounds = None if least is None else [_bounds_of(least, hp) for hp in self._drawn]
        self._costs = {}

    @property
    def num_built(self):
        """int, samples of which the file is known."""
        return sum(cost is not None for cost in self._costs.values())

    def build(self, cost_model, clock, until):
        """Asks for the cost of as many as are needed, or as there is time for; of one in any case."""
        for index in self._order():
            if self._costs and clock() > until:
                return
            cost = cost_model(self._drawn[index])
            if cost is None or self._bounds is None or set(self._bounds[index] or {}) <= set(cost):
                self._costs[index] = cost  # else it was turned down by its bound, and there is no file

    def rows(self):
        """What is known of each sample, or estimated: list of dict of metric name to float; None for no network."""
        if self._bounds is None:
            return list(self._costs.values())
        lines = self._lines()
        return [
            self._costs[index] if index in self._costs else bound and _estimated(bound, lines)
            for index, bound in enumerate(self._bounds)
        ]

    def _order(self):
        """Whom to build: what lies deepest within the limits, others within, the nearest of those surely outside."""
        if self._bounds is None:
            return range(min(len(self._drawn), _NUM_TO_TIME))
        violations = [math.inf if bound is None else total_violation(self._limits, bound) for bound in self._bounds]
        within = [index for index, violation in enumerate(violations) if violation == 0]
        outside = sorted((v, index) for index, v in enumerate(violations) if 0 < v < math.inf)
        is_timed = any(limit.metric not in self._bounds[index] for index in within[:1] for limit in self._limits)
        nearest = [index for _, index in outside[:_NUM_NEAREST]]
        deepest = sorted(within, key=self._fill)[:1]
        return list(dict.fromkeys([*deepest, *within[: _NUM_TO_TIME if is_timed else _NUM_TO_CALIBRATE], *nearest]))

    def _fill(self, index):
        """How much of the limits a network takes up at least."""
        return sum(self._bounds[index].get(limit.metric, 0) / limit.bound for limit in self._limits)

    def _lines(self):
        """By metric, what a file costs as a line over its bound: what every file holds, and a factor."""
        pairs = {}
        for index, cost in self._costs.items():
            for name, bound in (self._bounds[index] or {}).items() if cost else ():
                if cost[name] > 0 and math.isfinite(cost[name]):
                    pairs.setdefault(name, []).append((bound, cost[name]))
        return {name: _line(*np.array(points, dtype=float).T) for name, points in pairs.items()}

    def _filled(self, values):
        hp = self._space.copy()
        hp.values = dict(values)
        return hp


def _line(bounds, costs):
    """Offset and factor, neither negative, with the least relative errors."""
    return optimize.nnls(np.stack([1 / costs, bounds / costs], axis=1), np.ones(len(costs)))[0]


def _estimated(bound, lines):
    """What a network that was not built likely costs: no less than its bound."""
    return {name: max(value, float(np.dot(lines.get(name, (0, 1)), (1, value)))) for name, value in bound.items()}


def _bounds_of(least, hp):
    try:
        return least(hp)
    except UserError:  # layers that do not fit each other
        return None


def _knows(row, limits):
    return row is None or all(row.get(limit.metric) is not None for limit in limits)


def _fits(row, limits):
    return row is not None and total_violation(limits, row) == 0


def _share(limits, rows):
    """The share that fits, of the rows in which all of these limits are known; None without any."""
    known = [_fits(row, limits) for row in rows if _knows(row, limits)]
    return sum(known) / len(known) if known else None


def _joint_share(limits, rows):
    """The share that fits all limits; None where nothing is known of some limit for any row that fits the others.

    What only a device tells was asked for rows that fit otherwise: it is a share of these.
    """
    always = [limit for limit in limits if all(_knows(row, [limit]) for row in rows)]
    within = [row for row in rows if _fits(row, always)]
    share = len(within) / max(1, len(rows))
    if not within or len(always) == len(limits):
        return share
    rest = _share(limits, [row for row in within if _knows(row, limits)])
    return None if rest is None else share * rest


def _relaxation(limits, rows):
    """The one limit that would have to give the least; or all that the nearest sample breaks."""
    alone = [relaxed for limit in limits for relaxed in _alone(limit, limits, rows)]
    if alone:
        return min(alone, key=lambda pair: pair[0])[1]
    known = [row for row in rows if row is not None and math.isfinite(total_violation(limits, row))]
    if not known:
        return None
    nearest = min(known, key=lambda row: total_violation(limits, row))
    changes = tuple((limit, _at(limit, nearest)) for limit in limits if limit.violation(nearest) > 0)
    relaxed = dict(changes)
    share = _joint_share([relaxed.get(limit, limit) for limit in limits], rows)
    return Relaxation(changes, share or 1 / len(rows))


def _alone(limit, limits, rows):
    """How far one limit would have to give, all others kept: nothing, or one pair of that and the `Relaxation`."""
    others = [other for other in limits if other is not limit]
    able = [row for row in rows if row is not None and row.get(limit.metric) is not None and _fits(row, others)]
    able = sorted((row for row in able if math.isfinite(row[limit.metric])), key=limit.violation)
    if not able:
        return
    place = min(len(able), math.ceil(ADMITTED_SHARE * len(rows))) - 1
    relaxed = _at(limit, able[place])
    share = _joint_share([*others, relaxed], rows)
    if share:
        yield limit.violation(able[place]), Relaxation(((limit, relaxed),), share)


def _at(limit, row):
    return Limit(limit.metric, float(row[limit.metric]))


def _bound(limit):
    return format_quantity(limit.bound, METRICS[limit.metric].unit).replace(" ", "")


def _percent(share):
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"
