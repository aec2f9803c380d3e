"""The default oracle: cheap objectives first."""

import itertools

import keras_tuner as kt
import numpy as np
import pytest

from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto
from hwkeras.oracles.encoding import Encoding
from hwkeras.oracles.observation import Observation
from hwkeras.oracles.pareto_oracle import ParetoOracle
from hwkeras.oracles.proposal import Proposal
from hwkeras.oracles.random_search import RandomOracle
from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel
from hwkeras.testing import OracleConformance
from hwkeras.testing.toy_search import drive
from hwkeras.testing.toy_search import opened

WIDTHS = (8, 16, 32, 64)


class TestParetoConformance(OracleConformance):
    oracle_class = ParetoOracle


def chain_space():
    """Up to four layers of a kind and a width: 4 * 12 + ... = 22,620 networks."""
    space = kt.HyperParameters()
    space.Int("depth", 1, 4)
    for layer in range(4):
        with space.conditional_scope("depth", list(range(layer + 1, 5))):
            space.Choice(f"kind_{layer}", ["conv", "depthwise", "pool"])
            space.Choice(f"width_{layer}", list(WIDTHS))
    return space


def chain_cost(hp):
    layers = range(hp.get("depth"))
    price = {"conv": 3.0, "depthwise": 1.0, "pool": 0.2}
    work = [price[hp.get(f"kind_{layer}")] * hp.get(f"width_{layer}") for layer in layers]
    return {"latency_ms": 0.01 * sum(work), "size_bytes": 100.0 * sum(work) + 50.0 * len(work)}


def chain_metrics(hp):
    """Diminishing returns of every layer; two pools in a row ruin it."""
    layers = range(hp.get("depth"))
    kinds = [hp.get(f"kind_{layer}") for layer in layers]
    worth = {"conv": 1.0, "depthwise": 0.7, "pool": 0.2}
    skill = sum(worth[kind] * np.log2(hp.get(f"width_{layer}")) for layer, kind in zip(layers, kinds, strict=True))
    ruined = ("pool", "pool") in set(itertools.pairwise(kinds))
    return {"accuracy": 0.3 if ruined else float(1.0 - np.exp(-0.12 * skill)), **chain_cost(hp)}


@pytest.fixture
def search(tmp_path):
    """Runs trials and returns their metrics."""

    def run(oracle_class, num_trials, seed=0, cost_model=chain_cost, metrics=chain_metrics, **arguments):
        oracle = oracle_class(
            max_trials=num_trials, seed=seed, hyperparameters=chain_space(), cost_model=cost_model, **arguments
        )
        opened(oracle, tmp_path / f"{oracle_class.__name__}{seed}{getattr(cost_model, '__name__', '')}")
        return oracle, [metrics(trial.hyperparameters) for trial in drive(oracle, num_trials, metrics)]

    return run


def volume(metrics):
    losses = [[-each["accuracy"], each["latency_ms"]] for each in metrics]
    return pareto.hypervolume(np.array(losses), [0.0, 6.0])


def test_the_front_is_ahead_of_a_random_one_of_twice_the_trials(search):
    ours = [volume(search(ParetoOracle, 20, seed, objectives=["accuracy", "latency_ms"])[1]) for seed in range(2)]
    others = [volume(search(RandomOracle, 40, seed, objectives=["accuracy", "latency_ms"])[1]) for seed in range(2)]
    assert np.mean(ours) > np.mean(others)


def test_three_objectives(search):
    oracle, metrics = search(ParetoOracle, 16, objectives=["accuracy", "latency_ms", "size_bytes"])
    assert len(metrics) == 16 and 0.0 < oracle.expected_gain() < 1.0


def test_one_objective_under_a_limit(search):
    limits = ["latency=2ms"]
    _, ours = search(ParetoOracle, 20, objectives=["accuracy"], limits=limits)
    _, others = search(RandomOracle, 40, objectives=["accuracy"], limits=limits)
    assert all(each["latency_ms"] <= 2.0 for each in ours)
    assert max(each["accuracy"] for each in ours) > max(each["accuracy"] for each in others)


def test_without_a_cost_model_everything_is_predicted(search):
    _, metrics = search(ParetoOracle, 25, cost_model=None, objectives=["accuracy", "latency_ms"])
    _, others = search(RandomOracle, 25, cost_model=None, objectives=["accuracy", "latency_ms"])
    assert volume(metrics) > volume(others)


def test_a_limit_known_after_training_only(search):
    _, metrics = search(ParetoOracle, 30, objectives=["latency_ms"], limits=["accuracy=0.85"])
    within = [each["latency_ms"] for each in metrics if each["accuracy"] >= 0.85]
    # Of 60 random networks none is that good; four convolutions of width 16 take 1.92 ms and are the best.
    assert len(within) >= 3 and min(within) < 3.0


def test_noise_makes_it_evolve(search, monkeypatch):
    oracle, _ = search(ParetoOracle, 14, objectives=["accuracy", "latency_ms"])
    assert oracle.expected_gain() is not None
    monkeypatch.setattr("hwkeras.oracles.surrogate.MetricModel.skill", property(lambda model: -0.1))
    values = oracle.propose(np.random.default_rng(0))
    assert oracle.expected_gain() is None and 1 <= values["depth"] <= 4


def test_the_cost_model_is_asked_no_more_than_it_may(search):
    asked = []

    def counted(hp):
        asked.append(hp)
        return chain_cost(hp)

    _, metrics = search(ParetoOracle, 12, cost_model=counted, objectives=["accuracy", "latency_ms"], num_costed=3)
    # Twice three before the first, three for each that is modeled, and one for each that is drawn.
    assert len(metrics) == 12 and len(asked) <= 6 + 12 * 4


def test_the_gain_shrinks(search):
    oracle, _ = search(ParetoOracle, 8, objectives=["accuracy", "latency_ms"])
    early = oracle.expected_gain()
    oracle, _ = search(ParetoOracle, 40, 1, objectives=["accuracy", "latency_ms"])
    assert oracle.expected_gain() < early


def scored_cost(hp):
    return {**chain_cost(hp), "zero_cost_naswot": 3.0 * chain_metrics(hp)["accuracy"]}


def macs_cost(hp):
    """MACs, which grow much faster than what the network is worth."""
    known = chain_cost(hp)
    return known | {"macs": 1000.0 * (known["size_bytes"] / 100.0) ** 2}


@pytest.mark.parametrize(
    ("cost_model", "asked", "numbers"),
    [
        (chain_cost, False, set()),
        (chain_cost, True, {2}),
        (macs_cost, False, {1}),
        (macs_cost, True, {3}),
        (scored_cost, False, {1}),  # the last few candidates only: of others the score is not known
        (scored_cost, True, {2, 3}),
    ],
)
def test_what_the_dear_objective_is_learned_from(search, cost_model, asked, numbers):
    """MACs and weights where they are known, every amount where it is asked for, scores of the untrained network."""
    fitted = []

    class Spying(ParetoOracle):
        def model(self, objective, codes, losses, features=None, is_informed=True):
            fitted.append((objective.metric, None if features is None else features.shape))
            return super().model(objective, codes, losses, features, is_informed)

    arguments = {"objectives": ["accuracy", "latency_ms"], "cost_model": cost_model, "learns_from_costs": asked}
    search(Spying, 6, **arguments)
    assert {shape for metric, shape in fitted if metric != "accuracy"} == {None}
    of_accuracy = {shape for metric, shape in fitted if metric == "accuracy"} - {None}
    assert of_accuracy == {(trials, number) for trials in (4, 5) for number in numbers}


def test_trials_go_where_an_hour_of_training_promises_most(search):
    """Of as many trials, as good a front for a fifth less training."""
    fronts, spent = {}, {}
    for exponent in (0.0, 0.5):
        arguments = {"objectives": ["accuracy", "latency_ms"], "effort_exponent": exponent, "cost_model": macs_cost}
        runs = [search(ParetoOracle, 20, seed, **arguments) for seed in range(3)]
        fronts[exponent] = [volume(metrics) for _, metrics in runs]
        trials = [[trial.hyperparameters for trial in oracle.trials.values()] for oracle, _ in runs]
        spent[exponent] = [sum(macs_cost(hp)["macs"] for hp in each) for each in trials]
    assert sum(spent[0.5]) < 0.8 * sum(spent[0.0])
    assert np.mean(fronts[0.5]) > 0.97 * np.mean(fronts[0.0])


def test_what_a_network_can_learn_is_known_before_it_is_trained(search):
    """Where accuracy follows from the MACs alone, better networks are found when they are known."""

    def metrics(hp):
        return {"accuracy": 1.0 - 0.5 / (1.0 + macs_cost(hp)["macs"] ** 0.25), "latency_ms": 1.0}

    def latency(hp):
        return {"latency_ms": 1.0}

    def latency_and_macs(hp):
        return {"latency_ms": 1.0, "macs": macs_cost(hp)["macs"]}

    best = []
    for cost_model in (latency, latency_and_macs):
        arguments = {"objectives": ["accuracy"], "cost_model": cost_model, "effort_exponent": 0.0, "metrics": metrics}
        runs = [search(ParetoOracle, 6, seed, **arguments)[1] for seed in range(6)]
        best.append(np.mean([max(each["accuracy"] for each in run) for run in runs]))
    assert best[0] < best[1]


def test_a_network_without_macs_does_not_stretch_the_features(search):
    seen = []

    class Spying(ParetoOracle):
        def model(self, objective, codes, losses, features=None, is_informed=True):
            seen.extend([] if features is None else features[:, 0])
            return super().model(objective, codes, losses, features, is_informed)

    def some_without(hp):
        known = macs_cost(hp)
        return known | {"macs": 0.0 if hp.get("depth") == 1 else known["macs"]}

    oracle, _ = search(Spying, 16, objectives=["accuracy"], cost_model=some_without)
    usual = oracle.surveyed().usual("macs")
    assert min(seen) == pytest.approx(np.log(1e-4 * usual))
    assert np.isnan(oracle.surveyed().usual("peak_ram_bytes"))


def test_where_macs_are_not_known_trials_are_counted(search, tmp_path):
    chosen = []
    for exponent in (0.0, 0.5):
        oracle = ParetoOracle(
            ["accuracy", "latency_ms"],
            max_trials=8,
            seed=1,
            hyperparameters=chain_space(),
            cost_model=chain_cost,
            effort_exponent=exponent,
        )
        trials = drive(opened(oracle, tmp_path / str(exponent)), 8, chain_metrics)
        chosen.append([trial.hyperparameters.values for trial in trials])
    assert chosen[0] == chosen[1]


def test_an_exponent_of_effort_is_a_share():
    with pytest.raises(UserError, match="`effort_exponent` must be a number from 0 to 1. Received: effort_exponent=2."):
        ParetoOracle("accuracy", effort_exponent=2)


def test_features_say_what_codes_do_not():
    rng = np.random.default_rng(0)
    encoding = Encoding(chain_space())
    codes, features = encoding.draw(60, rng), rng.normal(size=(60, 1))
    losses = -0.5 - 0.05 * features[:, 0]
    errors = []
    for known in (None, features):
        seen, rest = (None, None) if known is None else (known[:40], known[40:])
        model = MetricModel(encoding, Objective("accuracy", "max"), codes[:40], losses[:40], FittedWeights(), seen)
        errors.append(np.abs(model.response.losses(model.predict(codes[40:], rest)[0]) - losses[40:]).mean())
    assert errors[1] < 0.2 * errors[0]


def test_what_lies_outside_the_limits_may_be_known_in_part(search):
    """Latency is not measured of what is too large: it is known before training all the same."""

    def cost(hp):
        known = chain_cost(hp)
        return known if known["size_bytes"] <= 20_000 else {"size_bytes": known["size_bytes"]}

    oracle, metrics = search(
        ParetoOracle, 10, cost_model=cost, objectives=["accuracy", "latency_ms"], limits=["size=20kB"]
    )
    assert oracle.surveyed().known == {"size_bytes", "latency_ms"}
    assert len(metrics) == 10 and 0.0 < oracle.expected_gain()


def observed(metrics, limits=()):
    return Observation("0", {"depth": 1, "kind_0": "pool", "width_0": 8}, metrics, total_violation(limits, metrics))


def test_the_front_counts_every_file_a_trial_was_deployed_as():
    files = {"int8": (0.7, 100.0, 1.0), "float32": (0.8, 400.0, 3.0)}
    names = ("accuracy", "size_bytes", "latency_ms")
    own = {f"{p}_{name}": value for p, row in files.items() for name, value in zip(names, row, strict=True)}
    trial = observed({**dict(zip(names, files["float32"], strict=True)), **own, "val_accuracy": 0.9})
    assert trial.deployed() == [dict(zip(names, files[precision], strict=True)) for precision in ("int8", "float32")]
    assert observed({"accuracy": 0.8, "size_bytes": 9.0, "val_accuracy": 0.9}).deployed() == []

    def proposal(*metrics, limits=()):
        observations = [observed(each, limits) for each in metrics]
        oracle = ParetoOracle(["accuracy", "latency_ms"], limits, hyperparameters=chain_space(), seed=0)
        codes = Encoding(chain_space()).encode([each.values for each in observations])
        return Proposal(oracle, Encoding(chain_space()), observations, codes)

    worst = {"accuracy": 0.5, "latency_ms": 5.0}
    leaders = proposal(worst, {"accuracy": 0.8, "latency_ms": 3.0})
    # Beside the leader the int8 file adds (3 - 1) ms * (0.7 - 0.5), and what lies beyond by the margins.
    both = proposal(worst, trial.metrics)
    assert both._volume - leaders._volume == pytest.approx(2.0 * (0.7 - 0.5 + 0.02 * 0.3))
    # Within 2 ms the int8 file alone counts, within 0.9 ms none does.
    assert 0.0 < proposal(worst, trial.metrics, limits=[Limit.parse("latency=2ms")])._volume < both._volume
    assert proposal(worst, trial.metrics, limits=[Limit.parse("latency=0.9ms")])._volume == 0.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"num_initial": 1}, "`num_initial` must be"),
        ({"num_costed": 0}, "`num_costed` must be"),
        ({"num_candidates": 9}, "`num_candidates` must be"),
    ],
)
def test_numbers_out_of_range(arguments, told):
    with pytest.raises(UserError, match=told):
        ParetoOracle(["accuracy"], **arguments)


def proposal_of(files, limits=()):
    """A choice after some trials of networks of depth 1, given as accuracy and size; costs are those of the chain."""
    oracle = ParetoOracle(["accuracy", "size_bytes"], limits, hyperparameters=chain_space(), cost_model=chain_cost)
    seen = [
        observed({"accuracy": accuracy, "size_bytes": float(size), "latency_ms": 0.1}, oracle.limits)
        for accuracy, size in files
    ]
    encoding = Encoding(oracle.hyperparameters)
    return Proposal(oracle, encoding, seen, encoding.encode([dict(each.values) for each in seen]))


def test_the_volume_ends_at_the_limits():
    files = [(0.6, 300), (0.7, 800), (0.8, 1500)]
    limit = Limit("size_bytes", 2000.0)
    free, limited = proposal_of(files), proposal_of(files, [limit])
    assert free._cells._highs[0][-1] > 10_000  # what the largest networks of the space have
    # A little farther, so that a network of just that size counts.
    assert 2000.0 < limited._cells._highs[0][-1] < 1.03 * 2000.0


def test_a_network_that_learned_nothing_does_not_make_a_gain_look_small():
    good = [(0.60, 300), (0.70, 800), (0.80, 1500), (0.82, 1600)]
    with_a_bad_one = proposal_of([*good, (0.01, 350)])
    assert with_a_bad_one.lead * with_a_bad_one._range == pytest.approx(0.82 - 0.70)
    assert proposal_of(good).lead * proposal_of(good)._range == pytest.approx(0.82 - 0.75)
