"""Takes out of a search space, before the search, the values with which no network can lie within the limits."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from dataclasses import field

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from hwkeras.build import HardwareHyperModel
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles import sampling
from hwkeras.search.screening import BYTES_PER_WEIGHT
from hwkeras.space.cost import least_cost

# Metrics of which a bound is known before anything is built.
BOUNDED = ("size_bytes", "peak_ram_bytes", "macs", "params")
# A value is tried with so many networks drawn at random, from the nearest of which the bound is descended.
_NUM_SAMPLES = 256
_NUM_STARTS = 2
_MAX_PASSES = 8
# Up to so many assignments with a value are listed to the end, which proves that none fits.
_MAX_LISTED = 2000
# Networks looked at in all; what is not settled by then stays in the space.
_MAX_BOUNDS = 20000


@dataclass(frozen=True)
class Pruned:
    """A space without what can never fit.

    Args:
        hyperparameters: `keras_tuner.HyperParameters`, with the same names and conditions and fewer values.
        removed: dict of name to tuple of values that were taken out.
        share: float, of all pairs of a name and a value, those taken out.
        share_excluded: float, of networks drawn at random from the whole space, those whose bound breaks a limit,
            whatever value is to blame.
        proven: dict of name to tuple of values, those of `removed` with which every assignment was looked at; the
            others were given up when the descent of the bound ended outside the limits.
        note: str, why nothing was taken out, else empty.
    """

    hyperparameters: keras_tuner.HyperParameters
    removed: dict = field(default_factory=dict)
    share: float = 0.0
    share_excluded: float = 0.0
    proven: dict = field(default_factory=dict)
    note: str = ""

    def to_json(self):
        """What was taken out, as plain data for JSON.

        Returns:
            dict.
        """
        return {
            "removed": {name: list(values) for name, values in self.removed.items()},
            "share": self.share,
            "share_excluded": self.share_excluded,
            "proven": {name: list(values) for name, values in self.proven.items()},
            "note": self.note,
        }

    def summary(self):
        """One line for a person.

        Returns:
            str.
        """
        if self.note:
            return f"The search space is not pruned: {self.note}."
        values = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in self.removed.items())
        which = f" ({values})" if values else ""
        return (
            f"{self.share:.1%} of the choices{which} and {self.share_excluded:.1%} of random networks can never be "
            "within the limits."
        )


def prune(space, hyperparameters, limits, precisions=("int8",), seed=0):
    """Takes out the values with which no network lies within the limits.

    What a network costs is bounded from below by `space.cost.least_cost`; a network whose bound breaks a limit cannot
    keep it in any of the precisions. A value stays as soon as one network is found that uses it and whose bound lies
    within the limits; that network is a proof. It goes when none is found among random networks, nor by descending
    the bound from the nearest of them, one hyperparameter after the other: that is a heuristic, except where all
    networks with the value were listed (`Pruned.proven`). Bounds of our spaces fall with nearly every hyperparameter,
    so a descent ends at the least.

    Args:
        space: a space with `architecture(hp)`, or a `HardwareHyperModel`; anything else is not pruned.
        hyperparameters: `keras_tuner.HyperParameters`, declared; it is not changed.
        limits: sequence of `Limit` or str. Those on `BOUNDED` metrics count.
        precisions: sequence of str, those that would be shipped. Defaults to `("int8",)`, the smallest.
        seed: int, of the random networks. Defaults to `0`.

    Returns:
        Pruned.

    Raises:
        UserError: an unknown limit or precision.
    """
    limits = [limit for limit in map(Limit.parse, limits) if limit.metric in BOUNDED]
    unknown = sorted(set(precisions) - set(BYTES_PER_WEIGHT))
    if unknown or not precisions:
        raise UserError(f"`precisions` are some of {', '.join(BYTES_PER_WEIGHT)}. Received: {tuple(precisions)}.")
    least = least_metrics(space, precisions)
    if least is None:
        return Pruned(hyperparameters, note="what its networks cost is known only when they are built")
    if not limits:
        return Pruned(hyperparameters, note=f"no limit is on {', '.join(BOUNDED)}")
    bound = _Bound(least, hyperparameters, limits)
    rng = np.random.default_rng(seed)
    samples = [sampling.sample(hyperparameters, rng) for _ in range(_NUM_SAMPLES)]
    search = _Search(hyperparameters, bound, samples, rng)
    if not search.found:
        return Pruned(hyperparameters, note="no network at all was found within the limits; the search will tell")
    removed, proven = search.impossible()
    return Pruned(
        hyperparameters=_restricted(hyperparameters, removed),
        removed=removed,
        share=sum(map(len, removed.values())) / max(1, len(_pairs(hyperparameters))),
        share_excluded=sum(bound(values)[0] > 0 for values in samples) / len(samples),
        proven=proven,
    )


def least_metrics(space, precisions=("int8",)):
    """What a network costs at least, known without building it: turns a hopeless candidate down in half a millisecond.

    Args:
        space: as for `prune`.
        precisions: sequence of str, those that would be shipped. Defaults to `("int8",)`.

    Returns:
        Function from `keras_tuner.HyperParameters` to dict of metric name to int (`BOUNDED`), each a lower bound in
        every one of the precisions; it raises UserError for layers that do not fit each other. None for a space that
        is known only when its networks are built.
    """
    architecture_of = _architecture_of(space)
    if architecture_of is None:
        return None
    bytes_per_weight = min(BYTES_PER_WEIGHT[precision] for precision in precisions)
    bytes_per_activation = 1 if "int8" in precisions else 4
    return lambda hp: least_cost(architecture_of(hp), bytes_per_weight, bytes_per_activation).metrics()


def _architecture_of(space):
    """The space's own account of its networks; None for what may build others than it tells."""
    if isinstance(space, HardwareHyperModel):
        return space.architecture if type(space).build is HardwareHyperModel.build else None
    is_plain = not isinstance(space, keras_tuner.HyperModel) and callable(getattr(space, "declare", None))
    return getattr(space, "architecture", None) if is_plain else None


class _Bound:
    """How far the least cost of an assignment lies outside the limits; remembered."""

    def __init__(self, least, hyperparameters, limits):
        self._least = least
        self._hp = hyperparameters.copy()
        self._limits = limits
        self._known = {}

    @property
    def num_known(self):
        """int, networks looked at so far."""
        return len(self._known)

    def __call__(self, values):
        """Returns (violation, the metrics over their limits summed): less is nearer, violation 0 is within."""
        key = tuple(sorted(values.items()))
        if key not in self._known:
            self._known[key] = self._violation(values)
        return self._known[key]

    def _violation(self, values):
        self._hp.values = dict(values)
        try:
            metrics = self._least(self._hp)
        except UserError:  # layers that do not fit each other
            return (math.inf, math.inf)
        return (
            total_violation(self._limits, metrics),
            sum(metrics[limit.metric] / limit.bound for limit in self._limits),
        )


class _Search:
    """Looks for a network within the limits for each value of each hyperparameter."""

    def __init__(self, space, bound, samples, rng):
        self._space = space
        self._bound = bound
        self._rng = rng
        self._kept = set()
        self._samples = sorted(samples, key=bound)
        for values in self._samples:
            self._witness(values)
        self._best = min((self._descend(values, {}) for values in self._samples[:_NUM_STARTS]), key=bound)
        self._all = list(itertools.islice(sampling.enumerate_values(space), _MAX_LISTED + 1))

    @property
    def found(self):
        """bool, whether any network within the limits was met."""
        return bool(self._kept)

    def impossible(self):
        """The values without a network.

        Returns:
            Two dicts of name to tuple of values: all of them, and those that are proven.
        """
        tried = [(gene, value) for gene in self._space.space for value in _options(gene)]
        proven = {(gene.name, value) for gene, value in tried if self._is_proven(gene, value)}
        for gene, value in tried:
            if (gene.name, value) not in self._kept | proven:
                self._look_for(gene, value)
                if self._bound.num_known > _MAX_BOUNDS:
                    self._kept.update((gene.name, value) for gene, value in tried)
                    self._kept -= proven
        # A name may stand in several scopes: what is kept in one of them is kept.
        removed = list(dict.fromkeys((gene.name, value) for gene, value in tried))
        removed = [pair for pair in removed if pair not in self._kept]
        return _by_name(removed), _by_name([pair for pair in removed if pair in proven])

    def _look_for(self, gene, value):
        pinned = {gene.name: value}
        near = (values for values in self._samples if values.get(gene.name) == value)
        for start in (self._best, *itertools.islice(near, _NUM_STARTS)):
            values = self._with(start, _active(gene) | pinned, pinned)
            if values is not None:
                self._descend(values, pinned)
            if (gene.name, value) in self._kept:
                return

    def _with(self, values, changes, pinned):
        """An assignment with some values changed; None where what is pinned is not active any more."""
        values = sampling.activate(self._space, values | changes, self._rng)
        return values if all(values.get(name) == value for name, value in pinned.items()) else None

    def _descend(self, values, pinned):
        """Goes to better neighbors, one hyperparameter changed at a time, until there is none."""
        score = self._bound(values)
        for _ in range(_MAX_PASSES):
            before = score
            for gene in sampling.live(self._space, values):
                if gene.name in pinned or gene.name not in values:
                    continue
                for option in _options(gene):
                    if option == values.get(gene.name):
                        continue
                    other = self._with(values, {gene.name: option}, pinned)
                    if other is not None and self._bound(other) < score:
                        values, score = other, self._bound(other)
            self._witness(values)
            if score[0] == 0 or not score < before:
                break
        return values

    def _witness(self, values):
        if self._bound(values)[0] == 0:
            self._kept.update(values.items())

    def _is_proven(self, gene, value):
        """Looks at every assignment with the value, where the space is small; one that fits is remembered."""
        if not 0 < len(self._all) <= _MAX_LISTED:
            return False
        for values in self._all:
            if values.get(gene.name) == value:
                self._witness(values)
        return (gene.name, value) not in self._kept


def _active(gene):
    """Values of the parents that make a hyperparameter active; the descent may go on to others that do."""
    parents = [condition for condition in gene.conditions if hasattr(condition, "values")]
    return {parent.name: parent.values[0] for parent in parents}


def _pairs(hyperparameters):
    return {(gene.name, value) for gene in hyperparameters.space for value in _options(gene)}


def _by_name(pairs):
    return {name: tuple(value for _, value in group) for name, group in itertools.groupby(pairs, lambda pair: pair[0])}


def _options(gene):
    return sampling.options(gene) if math.isfinite(sampling.num_options(gene)) else []


def _restricted(hyperparameters, removed):
    """The same hyperparameters with fewer values; those that are never active any more are left as they are."""
    restricted = keras_tuner.HyperParameters()
    restricted.merge([_with_values(gene, removed.get(gene.name, ())) for gene in hyperparameters.space])
    return restricted


def _with_values(gene, removed):
    values = [value for value in _options(gene) if value not in removed]
    if not removed or not values or len(values) == len(_options(gene)):
        return gene
    if len(values) == 1:
        # keras-tuner turns the values of a Choice into numbers when they are bools; a Fixed keeps them.
        return kinds.Fixed(gene.name, values[0], conditions=gene.conditions)
    default = gene.default if gene.default in values else values[0]
    return kinds.Choice(gene.name, values, default=default, conditions=gene.conditions)
