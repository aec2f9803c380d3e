"""What an oracle learned from one finished trial. Frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hwkeras.objectives import total_violation

_FILE = "_size_bytes"


@dataclass(frozen=True)
class Observation:
    """A completed trial, as an algorithm sees it.

    Args:
        trial_id: str.
        values: mapping of hyperparameter name to value, active ones only.
        metrics: mapping of metric name to float, NaN where a run reported nothing usable.
        violation: float, how far the metrics lie outside the limits, as a share of the bounds; 0.0 inside.
    """

    trial_id: str
    values: Mapping
    metrics: Mapping
    violation: float

    @classmethod
    def from_trial(cls, trial, objectives, limits):
        """Reads a completed trial.

        Args:
            trial: `keras_tuner.engine.trial.Trial`.
            objectives: sequence of `hwkeras.objectives.Objective`; the first one picks the step that counts.
            limits: sequence of `hwkeras.objectives.Limit`.

        Returns:
            Observation.
        """
        metrics = metrics_of(trial, objectives[0])
        values = MappingProxyType(dict(trial.hyperparameters.values))
        return cls(trial.trial_id, values, MappingProxyType(metrics), total_violation(limits, metrics))

    def deployed(self):
        """What each file is like that the network was deployed as.

        Returns:
            list of dict of metric name to float, one for each precision that the trial told of: it names a metric of
            the int8 file `int8_accuracy`. Empty where it told of none.
        """
        # Every file has a size, whatever else was measured.
        precisions = [name.removesuffix(_FILE) for name in self.metrics if name.endswith(_FILE)]
        return [
            {name[len(each) + 1 :]: value for name, value in self.metrics.items() if name.startswith(f"{each}_")}
            for each in precisions
        ]

    def losses(self, objectives):
        """The objectives turned so that less is better.

        Args:
            objectives: sequence of `hwkeras.objectives.Objective`.

        Returns:
            list of float, infinity where a metric is missing or NaN.
        """
        return [objective.loss(self.metrics.get(objective.metric, math.nan)) for objective in objectives]


def best_step(trial, objective):
    """The reporting step at which an objective was best.

    Args:
        trial: `keras_tuner.engine.trial.Trial`.
        objective: `hwkeras.objectives.Objective`.

    Returns:
        int; 0 when no step has a usable value.
    """
    if not trial.metrics.exists(objective.metric):
        return 0
    losses = {point.step: objective.loss(_mean(point.value)) for point in trial.metrics.get_history(objective.metric)}
    # A dict keeps the order of the steps, so the earliest of equal steps wins.
    step = min(losses, key=losses.get, default=0)
    return step if math.isfinite(losses.get(step, math.inf)) else 0


def metrics_of(trial, objective):
    """All metrics of a trial at its best step, or at their last one where that step does not have them.

    Args:
        trial: `keras_tuner.engine.trial.Trial`.
        objective: `hwkeras.objectives.Objective`, the one that picks the step.

    Returns:
        dict of metric name to float.
    """
    step = best_step(trial, objective)
    metrics = {}
    for name in trial.metrics.metrics:
        history = {point.step: point.value for point in trial.metrics.get_history(name)}
        if history:
            metrics[name] = _mean(history[step] if step in history else list(history.values())[-1])
    return metrics


def _mean(values):
    """Mean of the usable values: a run that failed before its retry must not spoil the retry."""
    usable = [float(value) for value in values if not math.isnan(value)]
    return sum(usable) / len(usable) if usable else math.nan
