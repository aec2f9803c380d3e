"""The cheap half of a trial: what is known of a network before it is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import keras

from hwkeras.build import require_model
from hwkeras.convert import Untrained
from hwkeras.errors import ConversionError
from hwkeras.errors import UserError
from hwkeras.measure import analyze
from hwkeras.objectives import on_device
from hwkeras.objectives import total_violation

# Bytes a weight takes in the file at least; `dynamic` leaves small tensors in float32.
BYTES_PER_WEIGHT = {"int8": 1, "dynamic": 1, "float16": 2, "float32": 4}


@dataclass(frozen=True)
class Screened:
    """What the screen knows of one architecture.

    Args:
        metrics: dict of precision to dict of metric name to float; a measured `latency_ms` holds the guard of 5%.
        feasible: tuple of str, the precisions within all limits known before training.
        sources: dict of precision to where its latency is from: `"measured"`, `"predicted"`, `"estimated"`; under
            `int8@pi4` for a further device. Defaults to `{}`, no limit asked for one.

    A network that was not built has its lower bounds in `metrics`, under `"bound"`.
    """

    metrics: dict
    feasible: tuple
    sources: Mapping = field(default_factory=dict)

    def known_metrics(self):
        """Returns `metrics` without what could not be measured, JSON-able."""
        return {p: {name: v for name, v in known.items() if math.isfinite(v)} for p, known in self.metrics.items()}


def _least(known, precision):
    """What a network needs in a precision at least: every weight is in the file, and MACs do not depend on it."""
    return {"macs": known.macs, "size_bytes": known.params * BYTES_PER_WEIGHT[precision]}


class Screen:
    """Converts untrained networks and says which precisions could be shipped. An oracle's `cost_model`.

    Args:
        hypermodel: keras_tuner.HyperModel.
        precisions: sequence of str.
        limits: sequence of `Limit`.
        latencies: `Latencies`, or a sequence of them, one a device; asked only where a limit is on the latency there,
            and only for what lies within the limits of those before.
        clock: `StageClock`.
        least: callable from hp to dict of metric name to what any network of these values needs at least
            (`pruning.least_metrics`): what breaks a limit by that alone is not even built. Defaults to `None`.
        on_result: callable `(hp, Screened)`, told of every network screened. Defaults to `None`.
        on_failure: callable `(hp, message)`, told why a network cannot be built, or not converted to some precision.
            Defaults to `None`.
        zero_cost: callable from an untrained `keras.Model` to a dict of score name (`zero_cost_*`) to float, such as
            `hwkeras.build.zero_cost.score` of some data; asked for what lies within the limits. Defaults to `None`,
            no scores.
        identity: callable from hp to str, equal for equal networks: as a cost model, the screen looks at each once,
            however candidates differ in their training. Defaults to `None`, all are screened.

    Attributes:
        least: as given.
        zero_cost: as given; may be set before the first network is screened.
    """

    # A network is built and converted for each: an oracle asks for so many a proposal, no more.
    num_affordable = 4

    def __init__(
        self,
        hypermodel,
        precisions,
        limits,
        latencies,
        clock,
        least=None,
        on_result=None,
        on_failure=None,
        zero_cost=None,
        identity=None,
    ):
        self._hypermodel = hypermodel
        self._precisions = tuple(precisions)
        self._limits = tuple(limits)
        self._latencies = tuple(latencies) if isinstance(latencies, Sequence) else (latencies,)
        self._clock = clock
        self.least = least
        self.zero_cost = zero_cost
        # By metric, how near the networks that were built came to the limit on it.
        self._nearest = {}
        self._on_result = on_result
        self._on_failure = on_failure
        self._identity = identity
        self._known = {}

    def __call__(self, hp):
        """The metrics of the precision nearest to, or within, the limits.

        Args:
            hp: keras_tuner.HyperParameters of one candidate.

        Returns:
            dict of metric name to float; None for a network that cannot be built or converted.

        Raises:
            UserError: `build(hp)` gave something that is not a Keras model.
            DeviceError: the device does not answer.
        """
        screened = self._screened_once(hp)
        if screened is None:
            return None
        return min(screened.metrics.values(), key=lambda metrics: total_violation(self._limits, metrics))

    def _screened_once(self, hp):
        if self._identity is None:
            return self.screen(hp)
        identity = self._identity(hp)
        if identity not in self._known:
            self._known[identity] = self.screen(hp)
        return self._known[identity]

    def screen(self, hp):
        """Builds, converts, analyzes and, where a limit asks for it, times one untrained network.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            Screened, or None for a network that cannot be built or converted.
        """
        hopeless = self._hopeless(hp)
        if hopeless is not None:
            return self._told(hp, hopeless)
        model, flatbuffers, analyses, failures = None, {}, {}, []
        try:
            model = self._build(hp)
            flatbuffers, analyses = self._convert(model, failures)
        except UserError:
            raise
        except (ValueError, ConversionError) as error:  # ValueError: Keras' word for layers that do not fit each other
            failures.append(str(error))
        for message in failures if self._on_failure else ():
            self._on_failure(hp, message)
        if not analyses:
            return None
        return self._told(hp, self._scored(model, self._judge(flatbuffers, analyses)))

    def _told(self, hp, screened):
        if self._on_result:
            self._on_result(hp, screened)
        return screened

    def _hopeless(self, hp):
        """A network that breaks a limit by its lower bound and comes no nearer to it than one that was built.

        The nearest value a search tells of is so always that of a real file.
        """
        try:
            least = self.least(hp) if self.least is not None else {}
        except UserError:  # layers that do not fit each other: building them says which
            return None
        broken = [limit for limit in self._limits if limit.metric in least and limit.violation(least) > 0]
        if not broken or any(limit.violation(least) < self._nearest.get(limit.metric, math.inf) for limit in broken):
            return None
        return Screened({"bound": {limit.metric: least[limit.metric] for limit in broken}}, ())

    def _note_nearest(self, metrics):
        for limit in self._limits:
            violations = [limit.violation(known) for known in metrics.values() if limit.metric in known]
            self._nearest[limit.metric] = min([self._nearest.get(limit.metric, math.inf), *violations])

    def _build(self, hp):
        with self._clock.stage("build"):
            keras.utils.clear_session(free_memory=False)  # a full garbage collection costs as much as the build
            return require_model(self._hypermodel.build(hp))

    def _convert(self, model, failures):
        """Files and analyses by precision, fewest bytes a weight first; what cannot keep the limits is not made."""
        flatbuffers, analyses = {}, {}
        with self._clock.stage("convert"):
            untrained = Untrained(model)
        for precision in sorted(self._precisions, key=BYTES_PER_WEIGHT.get):
            if analyses and total_violation(self._limits, _least(next(iter(analyses.values())), precision)) > 0:
                continue
            try:
                with self._clock.stage("convert"):
                    flatbuffers[precision] = untrained.convert(precision)
            except ConversionError as error:  # a loop has no int8 file, but others
                failures.append(str(error))
                continue
            with self._clock.stage("analyze"):
                analyses[precision] = analyze(flatbuffers[precision])
        return flatbuffers, analyses

    def _judge(self, flatbuffers, analyses):
        metrics = {precision: dict(analysis.metrics()) for precision, analysis in analyses.items()}
        self._note_nearest(metrics)
        feasible = self._within(metrics)
        sources = {}
        for latencies in self._latencies:
            if not feasible or not latencies.are_asked_first:
                continue
            with self._clock.stage("measure"):
                known = latencies.screen([flatbuffers[p] for p in feasible], [analyses[p] for p in feasible])
            for precision, latency in zip(feasible, known, strict=True):
                metrics[precision] |= latencies.named(latency)
                sources[on_device(precision, latencies.device)] = latency.source
            # What crashes a device, or does not fit it, has no latency: it cannot be shipped, whatever the limits are.
            able = [p for p, latency in zip(feasible, known, strict=True) if math.isfinite(latency.latency_ms)]
            feasible = self._within({p: metrics[p] for p in able})
        return Screened(metrics, feasible, sources)

    def _scored(self, model, screened):
        """The same, with the scores of the untrained network among its metrics: equal for all precisions."""
        if self.zero_cost is None or not screened.feasible:
            return screened
        with self._clock.stage("analyze"):
            scores = self.zero_cost(model)
        return replace(screened, metrics={p: {**known, **scores} for p, known in screened.metrics.items()})

    def _within(self, metrics):
        able = {p for p, known in metrics.items() if total_violation(self._limits, known) == 0}
        return tuple(precision for precision in self._precisions if precision in able)
