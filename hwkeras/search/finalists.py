"""The end of a search: candidates whose order the noise could have decided are measured again, side by side."""

from __future__ import annotations

import dataclasses

from hwkeras.measure import analyze
from hwkeras.search import selection


class Finalists:
    """Measures the front and whatever contests it in one job, so that their latencies can be compared.

    Args:
        run: `Run`.
        journal: `Journal` of that run.
        latencies: `Latencies`; its meter must measure anew, not answer from a cache.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.
    """

    def __init__(self, run, journal, latencies, objectives, limits):
        self._run = run
        self._journal = journal
        self._latencies = latencies
        self._objectives = tuple(objectives)
        self._limits = tuple(limits)

    def measure_again(self, candidates):
        """Measures the contested candidates and journals what came of it.

        New latencies may bring others into contest: those are measured with the ones before, until nobody contests the
        front who was not measured with it. Nothing is done for fewer than two, for latencies that are estimates, or for
        a set that was measured together before.

        Args:
            candidates: sequence of `Candidate`.

        Returns:
            list of Candidate, those measured again; the others are as they were.

        Raises:
            DeviceError: the device does not answer.
        """
        known, again = {_who(candidate): candidate for candidate in candidates}, {}
        events = self._journal.read("remeasured")
        together = {(entry["trial"], entry["precision"]) for entry in events[-1]["candidates"]} if events else set()
        while True:
            chosen = selection.contested(list(known.values()), self._objectives, self._limits)
            is_new = (len(chosen) > 1 or again) and not set(map(_who, chosen)) <= together
            if not is_new or any(not _is_measured(candidate) for candidate in chosen):
                return list(again.values())
            # NOTE: from one round to the next the set grows, so this ends.
            chosen += [known[who] for who in again if known[who] not in chosen]
            measured = {_who(candidate): candidate for candidate in self._measured(chosen)}
            self._journal.write("remeasured", candidates=[candidate.to_json() for candidate in measured.values()])
            known, again, together = known | measured, again | measured, set(measured)

    def _measured(self, candidates):
        contents = [(self._run.directory / candidate.file).read_bytes() for candidate in candidates]
        measurements = self._latencies.measure_to_ship(contents, [analyze(content) for content in contents])
        return [_with(candidate, m) for candidate, m in zip(candidates, measurements, strict=True)]


def _who(candidate):
    return candidate.trial, candidate.precision


def _is_measured(candidate):
    return candidate.measurement.get("source", "measured") == "measured"


def _with(candidate, measurement):
    if not measurement.ok:  # it ran when it was deployed: what it did then stays known, and that it failed now
        return dataclasses.replace(candidate, measurement=measurement.to_json(), status=measurement.status)
    metrics = candidate.metrics | {"latency_ms": measurement.latency_ms}
    if "p90_ms" in metrics and measurement.p90_ms is not None:
        metrics["p90_ms"] = measurement.p90_ms
    return dataclasses.replace(candidate, metrics=metrics, measurement=measurement.to_json())
