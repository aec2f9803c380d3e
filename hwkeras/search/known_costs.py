"""What a network costs, known before it is trained, of those that are trained."""

from __future__ import annotations

from hwkeras.build import require_model
from hwkeras.convert import convert_untrained
from hwkeras.measure import analyze
from hwkeras.objectives import METRICS
from hwkeras.objectives import on_device
from hwkeras.objectives import split_device
from hwkeras.search.latencies import LATENCY_GUARD

_TIMED = ("latency_ms", "p90_ms")


class KnownCosts:
    """The metrics of accepted networks that training does not change, latencies as low as they may be.

    What the screen found out is taken from there. A latency that it did not ask for, as no limit is on it, or only
    predicted: where it is an objective, the untrained network is timed here, once.

    Args:
        hypermodel: keras_tuner.HyperModel.
        naming: `Naming`.
        admission: `Admission`, which knows what the screen said.
        journal: `Journal`, which keeps what was timed here as the event `"timed"`.
        latencies: sequence of `Latencies`, one a device.
        objectives: sequence of `Objective`; those that training does not change are answered for.
        clock: `StageClock`.
    """

    def __init__(self, hypermodel, naming, admission, journal, latencies, objectives, clock):
        self._hypermodel = hypermodel
        self._naming = naming
        self._admission = admission
        self._journal = journal
        self._latencies = tuple(latencies)
        self._metrics = frozenset(each.metric for each in objectives if is_static(each))
        self._clock = clock
        self._timed = {event["identity"]: event["metrics"] for event in journal.read("timed")}

    def of(self, hp, precisions):
        """The costs of an accepted network.

        Args:
            hp: keras_tuner.HyperParameters.
            precisions: sequence of str.

        Returns:
            dict of precision to dict of metric name to float; what no device tells is missing.

        Raises:
            DeviceError: the device does not answer.
        """
        identity = self._naming.identity(hp)
        screened, sources = self._admission.costs(identity)
        known = {precision: _unguarded(screened.get(precision, {}), precision, sources) for precision in precisions}
        if all(self._metrics <= set(metrics) for metrics in known.values()):
            return known
        if identity not in self._timed:
            self._timed[identity] = self._measured(hp, precisions)
            self._journal.write("timed", identity=identity, metrics=self._timed[identity])
        return {precision: self._timed[identity].get(precision, {}) | known[precision] for precision in precisions}

    def _measured(self, hp, precisions):
        with self._clock.stage("build"):
            model = require_model(self._hypermodel.build(hp))
        with self._clock.stage("convert"):
            files = convert_untrained(model, precisions)
        contents = [files[precision] for precision in precisions]
        with self._clock.stage("analyze"):
            analyses = [analyze(content) for content in contents]
        metrics = {p: dict(analysis.metrics()) for p, analysis in zip(precisions, analyses, strict=True)}
        for latencies in self._latencies:
            name = on_device("latency_ms", latencies.device)
            if name not in self._metrics:
                continue
            with self._clock.stage("measure"):
                measurements = latencies.measure(contents, analyses)
            for precision, measurement in zip(precisions, measurements, strict=True):
                if measurement.ok:
                    lowest = measurement.low_ms if measurement.low_ms is not None else measurement.latency_ms
                    metrics[precision][name] = min(lowest, measurement.latency_ms)
        return metrics


def is_static(objective):
    """Whether an objective is known before training.

    Args:
        objective: `Objective`.

    Returns:
        bool; False for Keras' own metrics.
    """
    return METRICS.get(objective.metric) is not None and METRICS[objective.metric].is_static


def _unguarded(metrics, precision, sources):
    """Takes the guard off the latencies that the screen measured; those it only predicted are left out."""
    taken = {}
    for name, value in metrics.items():
        base, device = split_device(name)
        source = sources.get(on_device(precision, device)) if base in _TIMED else None
        if source != "predicted":
            taken[name] = value / LATENCY_GUARD if source == "measured" else value
    return taken
