"""Which recipes a network is trained further by; the outcome stands still, everything that judges it is real."""

import pytest

from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search import selection
from hwkeras.search.candidate import Candidate
from hwkeras.search.recipe_promise import MIN_SEEN
from hwkeras.search.recipe_promise import RecipePromise

OBJECTIVES = [Objective.parse("accuracy"), Objective.parse("gzip_bytes")]
PRUNE, QAT = "prune=0.5+int8_qat", "int8_qat"


def deployed(trial, accuracy, gzip_bytes, precision="int8", **more):
    metrics = {"accuracy": accuracy, "gzip_bytes": float(gzip_bytes), "size_bytes": float(gzip_bytes)}
    return Candidate(str(trial), precision, metrics, "net", f"hash{trial}", f"{trial}_{precision}.tflite", **more)


class Found:
    """Candidates of trials that completed."""

    def __init__(self, *candidates):
        self._candidates = list(candidates)

    def candidates(self):
        return self._candidates

    def front(self):
        return selection.front_of(self._candidates, OBJECTIVES)


def promise(*candidates, limits=(), margin=0.02):
    return RecipePromise(Found(*candidates), OBJECTIVES, limits, margin)


def family(trial, accuracy, gzip_bytes):
    """A network and what recipes made of it: pruned it is a quarter smaller, retrained it is only a little larger."""
    return [
        deployed(trial, accuracy, gzip_bytes),
        deployed(trial, accuracy - 0.01, 0.75 * gzip_bytes, PRUNE),
        deployed(trial, accuracy, 1.01 * gzip_bytes, QAT),
    ]


def test_the_first_network_is_given_every_recipe():
    assert promise().of([PRUNE, QAT], [deployed(9, 0.3, 9000)]) == [PRUNE, QAT]
    assert promise().of([], [deployed(9, 0.3, 9000)]) == []


def test_a_recipe_that_is_not_known_yet_promises_the_margin():
    told = promise(*family(1, 0.90, 1000), *family(2, 0.95, 2000))
    assert told.of([PRUNE, QAT], [deployed(9, 0.881, 1100)]) == [PRUNE, QAT]
    assert told.of([PRUNE, QAT], [deployed(9, 0.85, 1100)]) == []
    assert promise(*family(1, 0.90, 1000), margin=0.2).of([QAT], [deployed(9, 0.85, 1100)]) == [QAT]


def test_a_recipe_that_is_known_promises_what_it_did_to_others():
    known = [one for trial in range(MIN_SEEN) for one in family(trial, 0.90, 1000 + trial)]
    told = promise(*known)
    # Larger than the front by less than the recipe takes away, and more accurate: pruned it would lie there. Trained
    # further alone it would be no better than it is.
    assert told.of([PRUNE, QAT], [deployed(9, 0.95, 1200)]) == [PRUNE]
    # Hardly smaller than what is on the front, pruned: within the margin, and yet beaten after all.
    assert told.of([PRUNE, QAT], [deployed(9, 0.899, 1001)]) == []
    # A recipe that nothing is known of is another matter.
    assert told.of(["cluster=16+int8"], [deployed(9, 0.899, 1001)]) == ["cluster=16+int8"]


def test_accuracies_change_by_a_difference_and_costs_by_a_factor():
    known = [one for trial in range(MIN_SEEN) for one in family(trial, 0.90, 1000)]
    # At ten times the size a quarter is 2500 bytes: 7500, smaller than the rival, at .69, which it is better than.
    rival = deployed("rival", 0.68, 7600)
    assert promise(*known, rival).of([PRUNE], [deployed(9, 0.95, 10_000)]) == [PRUNE]
    better = deployed("better", 0.94, 7500)
    assert promise(*known, better).of([PRUNE], [deployed(9, 0.95, 10_000)]) == []
    assert promise(*known, better).of([PRUNE], [deployed(9, 0.95001, 10_000)]) == [PRUNE]


def test_a_network_is_judged_by_others_and_not_by_its_own_files():
    known = [one for trial in range(MIN_SEEN) for one in family(trial, 0.90, 1000 + trial)]
    own = family(9, 0.99, 5000)
    assert promise(*known, *own).of([PRUNE], own) == promise(*known).of([PRUNE], own[:1]) == [PRUNE]


@pytest.mark.parametrize("broken", [{"status": "crashed:SIGABRT"}, {}])
def test_what_cannot_be_shipped_is_not_compressed(broken):
    limits = [Limit.parse("size=500B")] if not broken else []
    assert promise(limits=limits).of([PRUNE], [deployed(9, 0.99, 1000, **broken)]) == []
