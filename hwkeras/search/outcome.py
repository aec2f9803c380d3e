"""What a search has found so far: candidates, the front, the best, the result document."""

from __future__ import annotations

from hwkeras.oracles.observation import metrics_of
from hwkeras.search import selection
from hwkeras.search.candidate import Candidate
from hwkeras.search.hypervolume_log import HypervolumeLog
from hwkeras.search.trial_metrics import trial_metrics


class Outcome:
    """Reads the journal of a run.

    Args:
        run: `Run`.
        journal: `Journal` of that run.
        oracle: `HardwareOracle`, which knows the trials that completed.
        limits: sequence of `Limit`.
        admission: `Admission`, which knows how many were turned away.
    """

    def __init__(self, run, journal, oracle, limits, admission):
        self._run = run
        self._journal = journal
        self._oracle = oracle
        self._limits = tuple(limits)
        self._admission = admission
        self._hypervolumes = HypervolumeLog(journal, oracle.objectives, limits)

    def candidates(self):
        """All deployed candidates of completed trials.

        Returns:
            list of Candidate, in the order of their trials.
        """
        latest = self._latest()
        return [candidate for trial in sorted(latest) if self._is_completed(trial) for candidate in latest[trial]]

    def candidates_of(self, trial_id):
        """The candidates of one trial.

        Args:
            trial_id: str.

        Returns:
            list of Candidate, empty for a trial that gave none.
        """
        return self._latest().get(trial_id, [])

    def deliver(self, trial_id, candidates, num_epochs):
        """Writes down what a trial was deployed as; it has not ended yet.

        Args:
            trial_id: str.
            candidates: non-empty list of Candidate.
            num_epochs: int, the epochs it trained.

        Returns:
            dict of metric name to float, what the trial reports to the oracle (see `trial_metrics`).

        Raises:
            keras_tuner.errors.FailedTrialError: no precision has a value for every objective.
        """
        self.replace(trial_id, candidates)
        return trial_metrics(candidates, self._oracle.objectives, self._limits, num_epochs)

    def replace(self, trial_id, candidates):
        """Writes down what a trial is deployed as from now on.

        Args:
            trial_id: str.
            candidates: list of Candidate.
        """
        self._journal.write("candidates", trial=trial_id, candidates=[c.to_json() for c in candidates])

    def finish(self, trial):
        """Writes down that a trial completed, and what the search has found by then.

        Args:
            trial: keras_tuner Trial.

        Returns:
            dict with `trial`; `hypervolume`, see `HypervolumeLog`; `epochs`, those it trained; `expected_gain`, the
            share of the hypervolume that the oracle expects of one more trial, or None; `stopped` and `inherited`,
            what the journal says of it where it was stopped or inherited weights, else None.
        """
        self._hypervolumes.fix(self.candidates_of(trial.trial_id))
        expected_gain = getattr(self._oracle, "expected_gain", None)
        facts = {
            "trial": trial.trial_id,
            "hypervolume": self.hypervolumes()[-1]["hypervolume"],
            "epochs": int(metrics_of(trial, self._oracle.objectives[0]).get("epochs_trained", 0)),
            "expected_gain": expected_gain() if expected_gain is not None else None,
            "stopped": self._said("stopped").get(trial.trial_id),
            "inherited": self._said("inherited").get(trial.trial_id),
        }
        self._journal.write("finished", **facts)
        return facts

    def note_satisfiability(self, report):
        """Writes down what was found out before the first trial.

        Args:
            report: `Satisfiability`.

        Returns:
            str, the report for a person.
        """
        self._journal.write("satisfiability", **report.to_json())
        return str(report)

    def hypervolumes(self):
        """What the search had found after each trial, judged by the limits and the measurements of today.

        Returns:
            list of dict with `trial` and `hypervolume`, one for each completed trial in the order they ended.
        """
        deployed = self._latest(with_replaced=True)
        ended = [trial_id for trial_id in self._oracle.end_order if self._is_completed(trial_id)]
        volumes = self._hypervolumes.over_trials([deployed.get(trial_id, []) for trial_id in ended])
        return [{"trial": each, "hypervolume": volume} for each, volume in zip(ended, volumes, strict=True)]

    def front(self):
        """Returns list of Candidate: those no other one beats in every objective, best first objective first."""
        return selection.front_of(self.candidates(), self._oracle.objectives, self._limits)

    def best(self, limits=()):
        """The candidate to ship.

        Args:
            limits: sequence of `Limit`. Defaults to `()`, the search's own; where it has none, the knee of the front.

        Returns:
            Candidate.

        Raises:
            InfeasibleError: none lies within the limits; the message names the nearest.
        """
        return selection.best_of(self.front(), self._oracle.objectives, limits or self._limits)

    def document(self, stage_seconds):
        """The result document, as in `results.json`.

        Args:
            stage_seconds: dict of stage name to seconds.

        Returns:
            dict, JSON-able.
        """
        front = self.front()
        hypervolumes = self.hypervolumes()
        reason = self._oracle.stop_reason
        return (self._run.settings() or {}) | {
            "trials": len(self._oracle.trials),
            "rejected": self._admission.num_rejected,
            "seconds": round(sum(stage_seconds.values()), 1),
            "stage_seconds": {stage: round(seconds, 3) for stage, seconds in stage_seconds.items()},
            "hypervolume": hypervolumes[-1]["hypervolume"] if hypervolumes else 0.0,
            "hypervolumes": hypervolumes,
            "hypervolume_reference": self._hypervolumes.reference(),
            "satisfiability": self._satisfiability(),
            "stopped_trials": list(self._said("stopped").values()),
            "failed_recipes": [
                {name: event[name] for name in ("trial", "recipe", "message")}
                for event in self._journal.read("recipe_failed")
            ],
            "recipes_left": self._recipes_left(),
            "inherited_weights": list(self._said("inherited").values()),
            "stopped": reason and {"kind": reason.kind, "message": reason.message},
            "front": [candidate.to_json() for candidate in front],
            "best": self.best().to_json() if front else None,
            "candidates": [candidate.to_json() for candidate in self.candidates()],
            "out": str(self._run.directory),
        }

    def _satisfiability(self):
        said = self._journal.read("satisfiability")
        return {name: value for name, value in said[-1].items() if name != "event"} if said else None

    def _recipes_left(self):
        said = self._journal.read("recipes_left")
        return said[-1]["left"] if said else []

    def _said(self, event):
        """By trial, what the journal says of those that completed; of a trial run again after a kill, the last."""
        said = {}
        for entry in self._journal.read():
            if entry["event"] == event:
                said[entry["trial"]] = {name: value for name, value in entry.items() if name != "event"}
            elif entry["event"] == "candidates" and event == "stopped":
                said.pop(entry["trial"], None)
        return {trial_id: facts for trial_id, facts in said.items() if self._is_completed(trial_id)}

    def _is_completed(self, trial_id):
        trial = self._oracle.trials.get(trial_id)
        return trial is not None and trial.status == "COMPLETED"

    def _latest(self, with_replaced=False):
        # A trial that was killed after its candidates were written is run again: its last word counts. What was
        # measured again at the end of a search takes the place of what the trial said. A trial that another one
        # continued has no candidates any more; what it had found by then, it had.
        latest = {}
        for event in self._journal.read():
            if event["event"] == "candidates" and (event["candidates"] or not with_replaced):
                latest[event["trial"]] = [Candidate.from_json(entry) for entry in event["candidates"]]
            elif event["event"] == "remeasured":
                for candidate in map(Candidate.from_json, event["candidates"]):
                    known = latest.get(candidate.trial, [])
                    latest[candidate.trial] = [candidate if c.file == candidate.file else c for c in known]
        return latest
