"""What a search has found so far: candidates, the front, the best, the result document."""

from __future__ import annotations

from hwkeras.search import selection
from hwkeras.search.candidate import Candidate


class Outcome:
    """Reads the journal of a run.

    Args:
        run: `Run`.
        journal: `Journal` of that run.
        oracle: `HardwareOracle`, which knows the trials that completed.
        limits: sequence of `Limit`.
    """

    def __init__(self, run, journal, oracle, limits):
        self._run = run
        self._journal = journal
        self._oracle = oracle
        self._limits = tuple(limits)

    def candidates(self):
        """All deployed candidates of completed trials.

        Returns:
            list of Candidate, in the order of their trials.
        """
        done = {trial.trial_id for trial in self._oracle.trials.values() if trial.status == "COMPLETED"}
        latest = self._latest()
        return [candidate for trial in sorted(latest) if trial in done for candidate in latest[trial]]

    def candidates_of(self, trial_id):
        """The candidates of one trial.

        Args:
            trial_id: str.

        Returns:
            list of Candidate, empty for a trial that gave none.
        """
        return self._latest().get(trial_id, [])

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
        return (self._run.settings() or {}) | {
            "trials": len(self._oracle.trials),
            "rejected": self._oracle.num_rejected,
            "seconds": round(sum(stage_seconds.values()), 1),
            "stage_seconds": {stage: round(seconds, 3) for stage, seconds in stage_seconds.items()},
            "front": [candidate.to_json() for candidate in front],
            "best": self.best().to_json() if front else None,
            "candidates": [candidate.to_json() for candidate in self.candidates()],
            "out": str(self._run.directory),
        }

    def _latest(self):
        # A trial that was killed after its candidates were written is run again: its last word counts. What was
        # measured again at the end of a search takes the place of what the trial said.
        latest = {}
        for event in self._journal.read():
            if event["event"] == "candidates":
                latest[event["trial"]] = [Candidate.from_json(entry) for entry in event["candidates"]]
            elif event["event"] == "remeasured":
                for candidate in map(Candidate.from_json, event["candidates"]):
                    known = latest.get(candidate.trial, [])
                    latest[candidate.trial] = [candidate if c.file == candidate.file else c for c in known]
        return latest
