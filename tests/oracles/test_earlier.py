"""What earlier searches tell the default oracle, and what it makes of it."""

import json
import shutil
import types

import numpy as np
import pytest

from hwkeras.objectives import Objective
from hwkeras.oracles import sampling
from hwkeras.oracles.earlier import EarlierSearches
from hwkeras.oracles.encoding import Encoding
from hwkeras.oracles.pareto_oracle import ParetoOracle
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space
from hwkeras.testing.toy_search import gene_space
from hwkeras.testing.toy_search import opened

ACCURACY = Objective("accuracy", "max")


def told(values, accuracy, source="a", same_data=False):
    return types.SimpleNamespace(values=values, metrics={"accuracy": accuracy}, source=source, same_data=same_data)


def toy_earlier(number=20, seed=5):
    """Trials of the toy space on data that are harder: another level, another scale, the same order."""
    rng = np.random.default_rng(seed)
    rows = [sampling.sample(toy_space(), rng) for _ in range(number)]
    return [told(row, 0.2 + 0.5 * toy_metrics(types.SimpleNamespace(get=row.get))["accuracy"]) for row in rows]


@pytest.fixture
def open_informed(open_oracle):
    """A function that opens the default oracle on the toy space, told of an earlier search."""

    def open_informed(**arguments):
        oracle = open_oracle("pareto", cost_model=toy_cost, max_trials=9, **arguments)
        oracle.earlier = toy_earlier()
        return oracle

    return open_informed


def test_reloaded_before_each_trial_it_goes_on_the_same(open_informed, tmp_path):
    unkilled = [dict(trial.hyperparameters.values) for trial in drive(open_informed(limits=["size=2kB"]), 9)]
    shutil.rmtree(tmp_path / "project")
    killed = []
    for number in range(9):
        (trial,) = drive(open_informed(limits=["size=2kB"], is_reloaded=number > 0), 1)
        killed.append(dict(trial.hyperparameters.values))
    assert killed == unkilled
    assert len({json.dumps(values, sort_keys=True) for values in killed}) == 9


def test_the_whole_space_is_tried_all_the_same(open_oracle):
    oracle = open_oracle("pareto", max_trials=99, num_initial=4)
    oracle.earlier = toy_earlier()
    assert len(drive(oracle, 99)) == 60 and oracle.stop_reason.kind == "exhausted"


def bits(hp):
    """Every gene counts, and neighbors that are equal cost."""
    genes = [hp.get(f"gene_{place}") for place in range(8)]
    equal = sum(one == other for one, other in zip(genes, genes[1:], strict=False))
    return {"accuracy": 0.5 + 0.02 * sum(genes) - 0.015 * equal, "latency_ms": 1.0 + sum(genes[:4])}


def bits_earlier(number=40, accuracy_of=lambda accuracy: accuracy - 0.2, seed=3):
    rng = np.random.default_rng(seed)
    rows = [{f"gene_{place}": int(gene) for place, gene in enumerate(rng.integers(3, size=8))} for _ in range(number)]
    return [told(row, accuracy_of(bits(types.SimpleNamespace(get=row.get))["accuracy"])) for row in rows]


@pytest.fixture
def best_of(tmp_path):
    """The best accuracy after some trials, told of an earlier search or not."""

    def best_of(earlier, num_trials, seed, objectives=("accuracy",), **arguments):
        oracle = ParetoOracle(
            list(objectives), hyperparameters=gene_space(), max_trials=num_trials, seed=seed, **arguments
        )
        opened(oracle, tmp_path / f"{len(earlier)}-{seed}-{num_trials}").earlier = earlier
        return max(bits(trial.hyperparameters)["accuracy"] for trial in drive(oracle, num_trials, bits))

    return best_of


def test_it_begins_where_the_earlier_search_ended(best_of):
    informed, alone = ([best_of(earlier, 5, seed) for seed in range(3)] for earlier in (bits_earlier(), ()))
    assert np.mean(informed) > np.mean(alone) + 0.01


def test_what_misleads_costs_little(best_of):
    misled = np.mean([best_of(bits_earlier(accuracy_of=lambda known: 1.0 - known), 20, seed) for seed in range(2)])
    alone = np.mean([best_of((), 20, seed) for seed in range(2)])
    assert misled > alone - 0.02


def test_chance_is_not_heard():
    rng = np.random.default_rng(0)
    earlier = bits_earlier(accuracy_of=lambda known: rng.random())
    assert not EarlierSearches(Encoding(gene_space()), ACCURACY, earlier).is_informed


@pytest.mark.parametrize(
    "earlier",
    [
        (),
        bits_earlier(5),
        bits_earlier(accuracy_of=lambda known: 0.5),
        bits_earlier(accuracy_of=lambda known: float("nan")),
        [told({"other": place}, 0.01 * place) for place in range(20)],
    ],
    ids=["none", "few", "equal", "failed", "of another space"],
)
def test_what_says_nothing_is_not_heard(earlier):
    assert not EarlierSearches(Encoding(gene_space()), ACCURACY, earlier).is_informed


def test_searches_are_sources_and_those_of_the_same_data_one():
    earlier = [told(each.values, each.metrics["accuracy"], source) for source in "ab" for each in bits_earlier(20)]
    encoding = Encoding(gene_space())
    assert len(EarlierSearches(encoding, ACCURACY, earlier).observed) == 2
    for each in earlier:
        each.same_data = True
    together = EarlierSearches(encoding, ACCURACY, earlier)
    assert len(together.observed) == 1 and len(together.codes) == 40
    assert together.standing(together.codes[:5]).mean() > 0.5 > -0.5 > together.standing(together.codes[-5:]).mean()


def test_the_largest_searches_are_heard_and_no_more_trials_than_can_be():
    earlier = [
        told(each.values, each.metrics["accuracy"], source)
        for source, number in (("a", 10), ("b", 200), ("c", 200), ("d", 150), ("e", 150))
        for each in bits_earlier(number)
    ]
    heard = EarlierSearches(Encoding(gene_space()), ACCURACY, earlier)
    assert [len(losses) for _, losses in heard.observed] == [32] * 4
    best, worst = heard.observed[0][1][[0, -1]]
    everything = [-each.metrics["accuracy"] for each in earlier if each.source == "b"]
    assert (best, worst) == (min(everything), max(everything))


def test_another_space_serves_as_far_as_it_is_the_same(tmp_path):
    """Two of the hyperparameters of this search the earlier one did not have, and one value is none of this space."""
    earlier = [
        told({**{n: v for n, v in each.values.items() if n not in ("gene_6", "gene_7")}, "gene_0": 3, "old": 1}, a)
        for each in bits_earlier(40)
        for a in [each.metrics["accuracy"]]
    ]
    oracle = ParetoOracle(["accuracy"], hyperparameters=gene_space(), max_trials=6, seed=0)
    opened(oracle, tmp_path).earlier = earlier
    assert all(len(trial.hyperparameters.values) == 8 for trial in drive(oracle, 6, bits))


def test_earlier_trials_are_no_trials_of_this_search(tmp_path):
    oracle = ParetoOracle(["accuracy", "latency_ms"], hyperparameters=gene_space(), max_trials=6, seed=0)
    opened(oracle, tmp_path).earlier = bits_earlier(accuracy_of=lambda known: 0.999 * known)
    trials = drive(oracle, 20, bits)
    assert len(trials) == len(oracle.trials) == len(oracle.observations()) == 6
    assert {trial.trial_id for trial in oracle.front()} <= set(oracle.trials)


def test_the_first_proposal_keeps_the_limits(tmp_path):
    asked = []

    def cost(hp):
        asked.append(hp)
        return {"latency_ms": bits(hp)["latency_ms"]}

    oracle = ParetoOracle(
        ["accuracy"], ["latency=3ms"], hyperparameters=gene_space(), max_trials=4, seed=0, cost_model=cost, num_costed=8
    )
    opened(oracle, tmp_path).earlier = bits_earlier()
    first = drive(oracle, 1, bits)[0].hyperparameters
    assert bits(first)["latency_ms"] <= 3.0 and len(asked) <= 16 + 8 + 1
    within = [each.metrics["accuracy"] for each in bits_earlier() if sum(list(each.values.values())[:4]) <= 2]
    assert bits(first)["accuracy"] > np.median(within) + 0.2
