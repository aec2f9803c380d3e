"""Which visits count, and what they are worth: pure arithmetic, the same on the device and on its host.

Three things make a model slow without being its doing. Other programs take the core, its caches or its memory: the
least of a few invokes in a row escapes most of that. The core itself changes its speed: turbo steps of 3% and more come
and go within a millisecond, thermal limits stay for minutes, a virtual machine gets a faster or slower host. The least
time of all is then the luck of one fast moment; the canary, which takes turns with the model every half a millisecond,
is faster by the same share in that moment. So each turn is worth

    level = least of the model's invokes * reference of the canary / canary's least before and after it

where the reference is what the canary takes on this device at its usual speed. And a neighbor on the other half of the
core slows what needs the same units: for seconds, int8 models by half and the float32 canary by a tenth. The guard, an
int8 canary, tells such a phase by its ratio to the canary, which no clock changes. Turns in which canary or guard were
slow are not accepted. A round is worth the median of its turns, and the headline is the median of the turns of all
accepted rounds.
"""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

# A canary that takes this much longer than its reference, as a share of it, is slow; a guard likewise. Under load the
# guard lies within 10% of its reference; in the phases that it is there for, 40% above and more.
GATE = 0.25
GUARD_GATE = 0.25


class Reference(NamedTuple):
    """The device at its usual speed.

    Args:
        canary_ms: float, what the canary takes. Defaults to `None`, unknown.
        guard: float, what the guard takes, in canaries. Defaults to `None`, unknown.
    """

    canary_ms: float | None = None
    guard: float | None = None

    @classmethod
    def of(cls, canary):
        """Reads it from the answer of a job.

        Args:
            canary: dict, `canary` of the answer; None without a canary.

        Returns:
            Reference.
        """
        canary = canary or {}
        return cls(canary.get("reference_ms") or canary.get("best_ms"), canary.get("guard_reference"))

    def accepts(self, canary_ms, guard=None):
        """Whether the device ran at about its usual speed.

        Args:
            canary_ms: float; None without a canary, which is accepted.
            guard: float, the guard in canaries. Defaults to `None`, without one.

        Returns:
            bool.
        """
        if canary_ms and self.canary_ms and canary_ms > self.canary_ms * (1.0 + GATE):
            return False
        return not (guard and self.guard and guard > self.guard * (1.0 + GUARD_GATE))


def level_ms(least_ms, canary_ms, reference):
    """What a turn would have taken at the usual speed.

    Args:
        least_ms: float, least time of the model's invokes.
        canary_ms: float, the same of the canary around it; None without one.
        reference: Reference.

    Returns:
        float, ms.
    """
    if not canary_ms or not reference.canary_ms:
        return least_ms
    return least_ms * reference.canary_ms / canary_ms


def burst_levels(burst, reference, gated=True):
    """The levels of the accepted turns of a visit.

    Args:
        burst: dict with `turns`, a list of `[least_ms, canary_ms]`, and `guard`.
        reference: Reference.
        gated: bool, False to accept all turns. Defaults to `True`.

    Returns:
        list of float, ms.
    """
    return [
        level_ms(least_ms, canary_ms, reference)
        for least_ms, canary_ms in burst["turns"]
        if not gated or reference.accepts(canary_ms, burst.get("guard"))
    ]


def turn_levels(entry, reference, gated=True):
    """The levels of the accepted turns of a round.

    Args:
        entry: dict, a round. One without `bursts` (of another program) counts as one turn, worth its `min_ms`.
        reference: Reference.
        gated: bool, False to accept all turns. Defaults to `True`.

    Returns:
        list of float, ms.
    """
    if not entry.get("bursts"):
        return [entry["min_ms"]] if not gated or reference.accepts(entry.get("canary_ms")) else []
    return [level for burst in entry["bursts"] for level in burst_levels(burst, reference, gated)]


def round_level(entry, reference):
    """What a round is worth.

    Args:
        entry: dict, a round.
        reference: Reference.

    Returns:
        float, ms; None where fewer than half of its turns are accepted.
    """
    levels = turn_levels(entry, reference)
    num_turns = sum(len(burst["turns"]) for burst in entry.get("bursts") or ())
    if not levels or 2 * len(levels) < num_turns:
        return None
    return statistics.median(levels)


def accepted_rounds(rounds, reference):
    """The rounds that count.

    Args:
        rounds: sequence of dict.
        reference: Reference.

    Returns:
        list of dict, in their order.
    """
    return [entry for entry in rounds if round_level(entry, reference) is not None]


def headline_ms(rounds, reference):
    """The latency of a model: the median of the turns of all accepted rounds; of all rounds where none is accepted.

    Args:
        rounds: sequence of dict, at least one.
        reference: Reference.

    Returns:
        float, ms.
    """
    accepted = accepted_rounds(rounds, reference)
    gated = bool(accepted)
    return statistics.median(level for entry in accepted or rounds for level in turn_levels(entry, reference, gated))


def spread_of_best(levels):
    """How far two rounds that confirm each other lie apart, as a share of the lesser.

    They are neighbors in the lower half, the middle included: one lucky round does not stand in the way of all others.

    Args:
        levels: sequence of float.

    Returns:
        float; infinity for fewer than two.
    """
    lower = sorted(levels)[: (len(levels) + 1) // 2 + 1]
    shares = [lower[at] / lower[at - 1] - 1.0 for at in range(1, len(lower)) if lower[at - 1] > 0]
    return min(shares, default=math.inf)


def is_settled(rounds, reference, least_rounds, agree_within):
    """Whether a model needs no further round.

    Args:
        rounds: sequence of dict.
        reference: Reference.
        least_rounds: int, rounds it must have.
        agree_within: float, share by which two of the best may differ.

    Returns:
        bool.
    """
    if len(rounds) < least_rounds:
        return False
    levels = [round_level(entry, reference) for entry in accepted_rounds(rounds, reference)]
    return spread_of_best(levels) <= agree_within


def typical(values):
    """What a canary takes on this device: the lower quartile of what was seen, which busy phases do not reach.

    Args:
        values: sequence of float; None among them do not count.

    Returns:
        float; None for no value.
    """
    values = sorted(value for value in values if value is not None)
    return values[(len(values) - 1) // 4] if values else None
