"""The rounds: who is visited when, and when it is enough."""

from __future__ import annotations

from tflite_bench.gating import is_settled
from tflite_bench.visits import summarize

# What may be spent beyond the least rounds: on waiting for a device that is slow just now, so much a job and each of
# its models, but no more than a share of the time; on further rounds what is left of it, and no less than so many times
# what the least rounds took. Slow phases were seen to last from half a second to 24, and more.
_PATIENCE_S, _PATIENCE_OF_MODEL_S, _WAITING_SHARE, _FURTHER = 0.35, 0.15, 0.4, 1.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
# What a visit that is made again counts for, so that there is an end to it.
_VISIT_AGAIN_NS = 50_000_000


class Rounds:
    """The rounds of a job.

    All models are visited in each round, several times each, in a random order; from `job.rounds` on only those whose
    two best accepted rounds do not agree yet. Where the canary says that the device is slow, such as for the seconds in
    which the neighbor of a virtual machine takes the other half of its core, the visit is made again when it is over.

    Args:
        job: Job.
        num_visits: sequence of int, visits a round of each model.
        visit: callable that takes the position of a model and returns a Visit.
        probe: callable without arguments that returns the canary's time in ms and the guard now, None without them.
        reference: callable without arguments that returns the Reference, as far as known.
        rng: np.random.Generator, of the order.
        clock_ns: callable that returns nanoseconds as int.
        sleep: callable that takes seconds.
        deadline_ns: int, reading of `clock_ns` after which no further visit begins, once every model has had one.

    Attributes:
        entries: list of list of dict, the rounds of each model so far.
        errors: dict of position to the Exception that ended a model's rounds.
    """

    def __init__(self, job, num_visits, visit, probe, reference, rng, clock_ns, sleep, deadline_ns):
        self._job = job
        self._num_visits = tuple(num_visits)
        self._visit = visit
        self._probe = probe
        self._reference = reference
        self._rng = rng
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._deadline_ns = deadline_ns
        patience_s = _PATIENCE_S + _PATIENCE_OF_MODEL_S * len(self._num_visits)
        self._waiting_ns = int(min(patience_s * 1e9, _WAITING_SHARE * max(deadline_ns - clock_ns(), 0)))
        self._last_lap_ns = None
        self.entries = [[] for _ in self._num_visits]
        self.errors = {}

    def run(self, on_round=lambda index, entry: None):
        """Visits until every model is settled, or the rounds or the time are used up.

        Args:
            on_round: callable that takes the position of a model and its round, as soon as it is complete.

        Returns:
            list of list of dict, `entries`.
        """
        begin_ns, all_waiting_ns = self._clock_ns(), self._waiting_ns
        for number in range(self._job.max_rounds):
            if number == self._job.rounds:
                least_ns = self._clock_ns() - begin_ns - (all_waiting_ns - self._waiting_ns)
                further_ns = max(self._waiting_ns, int(_FURTHER * least_ns))
                self._deadline_ns = min(self._deadline_ns, self._clock_ns() + further_ns)
            open_indices = self._unsettled()
            if not open_indices or (self._is_late() and all(self.entries[index] for index in open_indices)):
                break
            visits = self._one_round(open_indices)
            for index in open_indices:
                if visits[index] and index not in self.errors:
                    self.entries[index].append(summarize(visits[index]))
                    on_round(index, self.entries[index][-1])
        return self.entries

    def _unsettled(self):
        reference, job = self._reference(), self._job
        return [
            index
            for index, entries in enumerate(self.entries)
            if index not in self.errors and not is_settled(entries, reference, job.rounds, job.agree_within)
        ]

    def _one_round(self, indices):
        """The visits of a round by position; as far as the time reaches."""
        visits = {index: [] for index in indices}
        for lap in range(max(self._num_visits[index] for index in indices)):
            self._wait_for_lap()
            for index in self._rng.permutation([i for i in indices if lap < self._num_visits[i]]):
                has_some = self.entries[index] or visits[index]
                if index in self.errors or (has_some and self._is_late()):
                    continue
                try:
                    visits[index].append(self._patient_visit(int(index)))
                # NOTE: whatever a runtime raises here is the result of this model; the others go on.
                except Exception as error:  # noqa: BLE001
                    self.errors[int(index)] = error
        return visits

    def _patient_visit(self, index):
        visit = self._visit(index)
        while self._is_slow(visit.canary_ms, visit.guard) and self._wait_out():
            visit = self._visit(index)
        return visit

    def _wait_out(self):
        """Waits until the canary is at its usual speed; returns whether there was any time left to wait."""
        if self._waiting_ns <= 0 or self._is_late():
            return False
        pause_s = _SHORTEST_PAUSE_S
        while self._is_slow(*self._probe()) and self._waiting_ns > 0 and not self._is_late():
            begin_ns = self._clock_ns()
            self._sleep(min(pause_s, self._waiting_ns / 1e9))
            self._waiting_ns -= self._clock_ns() - begin_ns
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._waiting_ns -= _VISIT_AGAIN_NS
        return True

    def _wait_for_lap(self):
        """Lets its share of the gap pass since the last lap began."""
        now_ns = self._clock_ns()
        if self._last_lap_ns is not None:
            next_ns = self._last_lap_ns + int(self._job.gap_ms * 1e6 / self._job.bursts)
            # NOTE: the supervisor takes a longer silence for a model that hangs.
            left_ns = min(next_ns, self._deadline_ns, now_ns + int(self._job.model_seconds * 5e8)) - now_ns
            if left_ns > 0:
                self._sleep(left_ns / 1e9)
        self._last_lap_ns = self._clock_ns()

    def _is_slow(self, canary_ms, guard):
        return not self._reference().accepts(canary_ms, guard)

    def _is_late(self):
        return self._clock_ns() >= self._deadline_ns
