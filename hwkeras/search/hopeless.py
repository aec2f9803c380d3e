"""Trials that cannot come onto the front any more are stopped: their learning curve says so, read optimistically."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import keras
import numpy as np

from hwkeras.objectives import total_violation
from hwkeras.search import selection
from hwkeras.search.candidate import Candidate
from hwkeras.search.known_costs import is_static
from hwkeras.search.learning_curve import MIN_COMPLETED
from hwkeras.search.learning_curve import MIN_EPOCHS
from hwkeras.search.learning_curve import TOLERANCE
from hwkeras.search.learning_curve import CompletedCurve
from hwkeras.search.learning_curve import forecast
from hwkeras.search.trial_metrics import trial_metrics


@dataclass(frozen=True)
class Stopped:
    """Why a trial was stopped; all values in the unit of the objective that training decides.

    Args:
        metric: str, that objective.
        epochs: int, those that were trained.
        num_epochs: int, those of a whole training.
        expected: float, what it would likely have come to.
        optimistic: float, what it could have come to at best.
        to_beat: float, what a candidate has that costs no more in anything.
    """

    metric: str
    epochs: int
    num_epochs: int
    expected: float
    optimistic: float
    to_beat: float


class CurveWatch(keras.callbacks.Callback):
    """Keeps the learning curve of one trial and stops the training when the curve says that it is hopeless.

    Args:
        objective: `Objective` that training decides.
        num_epochs: int, those of a whole training.
        completed: sequence of `CompletedCurve`.
        to_beat: float, a loss: a trial that cannot end below is hopeless; infinity for one that never is.

    Attributes:
        losses: list of float, one an epoch; empty where the training tells of no such metric.
        stopped: `Stopped`, or None.
    """

    def __init__(self, objective, num_epochs, completed, to_beat):
        super().__init__()
        self._objective = objective
        self._num_epochs = num_epochs
        self._completed = completed
        self._to_beat = to_beat
        self.losses = []
        self.stopped = None

    def on_train_begin(self, logs=None):
        """A training that begins anew has a new curve."""
        self.losses, self.stopped = [], None

    def on_epoch_end(self, epoch, logs=None):
        """Adds the epoch, and stops the training where no end that can be hoped for is good enough."""
        value = _of_validation(self._objective.metric, logs or {})
        if value is None:
            return
        self.losses.append(self._objective.loss(value))
        if not math.isfinite(self._to_beat):
            return
        end = forecast(self.losses, self._num_epochs, self._completed)
        if end is not None and end.optimistic >= self._to_beat + TOLERANCE:
            self.stopped = self._told(end)
            self.model.stop_training = True

    def _told(self, end):
        values = {name: self._value(loss) for name, loss in dataclasses.asdict(end).items()}
        to_beat = self._value(self._to_beat)
        return Stopped(self._objective.metric, len(self.losses), self._num_epochs, **values, to_beat=to_beat)

    def _value(self, loss):
        return loss if self._objective.direction == "min" else -loss


class HopelessTrials:
    """Says when a trial is hopeless, and what a stopped one is worth to the oracle.

    A trial is stopped when for each precision it would be deployed in there is a candidate within the limits that is
    as good in every objective known before training, and better in the one that training decides than the trial can
    become (`learning_curve.forecast`). Files that recipes made are not compared with: the trial may be compressed too.
    Latencies are compared at the ends of their intervals that speak for the trial.
    Where training decides none of the objectives, or several, or where the validation metric of that name is not among
    those of the model, nothing is stopped.

    A stopped network is not deployed and gives no candidates. The oracle, to whom half a training would look like a bad
    network, is told what it would likely have come to; `stopped_after_epochs` among the metrics of the trial says so.

    Args:
        journal: `Journal`, which keeps the curves (`"curve"`) and who was stopped (`"stopped"`).
        outcome: `Outcome` of that journal.
        costs: `KnownCosts`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.
        num_epochs: int, those of a whole training.
    """

    def __init__(self, journal, outcome, costs, objectives, limits, num_epochs):
        self._journal = journal
        self._outcome = outcome
        self._costs = costs
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)
        self._num_epochs = num_epochs
        trained = [index for index, objective in enumerate(self._objectives) if not is_static(objective)]
        self._dear = trained[0] if len(trained) == 1 else None

    def watch(self, hp, precisions):
        """Who watches the training of a trial.

        Args:
            hp: keras_tuner.HyperParameters of its network.
            precisions: sequence of str, those it would be deployed in.

        Returns:
            CurveWatch; None where no trial of this search can be stopped.
        """
        if self._dear is None:
            return None
        completed = self._completed()
        to_beat = math.inf
        if len(completed) >= MIN_COMPLETED and self._num_epochs > MIN_EPOCHS:
            to_beat = self._to_beat(self._costs.of(hp, precisions))
        return CurveWatch(self._objectives[self._dear], self._num_epochs, completed, to_beat)

    def note_curve(self, trial_id, watch):
        """Keeps the curve of a trial that was trained to its end.

        Args:
            trial_id: str.
            watch: CurveWatch of it.
        """
        if watch.losses:
            metric = self._objectives[self._dear].metric
            self._journal.write(
                "curve", trial=trial_id, metric=metric, losses=watch.losses, num_epochs=self._num_epochs
            )

    def note_stopped(self, who, hp, precisions, metrics, stopped):
        """Writes down that a trial was stopped.

        Args:
            who: dict with `trial`, `architecture`, `architecture_hash`.
            hp: keras_tuner.HyperParameters of its network.
            precisions: sequence of str, those it would have been deployed in.
            metrics: dict of metric name to float, of Keras, when it was stopped.
            stopped: Stopped.

        Returns:
            dict of metric name to float, what the oracle is told: costs as known before training, and of the objective
            that training decides the expected end.
        """
        self._journal.write("stopped", trial=who["trial"], **dataclasses.asdict(stopped))
        known = self._costs.of(hp, precisions)
        expected = metrics | {stopped.metric: stopped.expected}
        told = [Candidate(**who, precision=p, metrics=known[p] | expected, file="") for p in precisions]
        metrics = trial_metrics(told, self._objectives, self._limits, stopped.epochs)
        return metrics | {"stopped_after_epochs": float(stopped.epochs)}

    def _completed(self):
        """The curves of trials that were trained to the end, as many epochs as trials are now, with their ends."""
        objective = self._objectives[self._dear]
        ends = {}
        for candidate in self._plain():
            loss = objective.loss(candidate.metrics.get(objective.metric, math.nan))
            ends[candidate.trial] = min(loss, ends.get(candidate.trial, math.inf))
        curves = {
            event["trial"]: tuple(event["losses"])
            for event in self._journal.read("curve")
            if (event["metric"], event["num_epochs"]) == (objective.metric, self._num_epochs)
        }
        return [CompletedCurve(curves[trial], ends[trial]) for trial in sorted(curves) if trial in ends]

    def _plain(self):
        return [candidate for candidate in self._outcome.candidates() if not candidate.is_compressed]

    def _to_beat(self, costs):
        """The loss below which a trial must end in some precision to come onto the front."""
        able = [c for c in self._plain() if c.status == "ok" and not total_violation(self._limits, c.metrics)]
        _, highs = selection.intervals_of(able, self._objectives)
        cheap = [index for index in range(len(self._objectives)) if index != self._dear]
        losses = []
        for known in costs.values():
            own = np.array([o.loss(known.get(o.metric, math.nan)) for o in self._objectives])
            if not np.isfinite(own[cheap]).all():
                return math.inf
            rivals = (highs[:, cheap] <= own[cheap]).all(axis=1)
            losses.append(highs[rivals, self._dear].min(initial=math.inf))
        return max(losses, default=math.inf)


def _of_validation(metric, logs):
    """The validation metric among the logs of an epoch; of accuracy, whatever Keras calls it."""
    names = [metric if metric.startswith("val_") else f"val_{metric}"]
    if metric == "accuracy":
        names += [name for name in logs if name.startswith("val_") and name.endswith(("accuracy", "_acc"))]
    return next((float(logs[name]) for name in names if logs.get(name) is not None), None)
