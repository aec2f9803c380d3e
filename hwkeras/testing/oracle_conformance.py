"""What every oracle must do, as a test class that a plug-in author inherits."""

from __future__ import annotations

import json
import threading

import keras_tuner as kt

from hwkeras.errors import InfeasibleError

# Caller threads of the concurrency test; each joins within this many seconds or is called stuck.
_NUM_CALLERS = 8
_JOIN_S = 60


def toy_space():
    """A conditional space of 60 candidates: a kind of network, its depth and width, and a kernel for one kind only.

    Returns:
        `keras_tuner.HyperParameters`.
    """
    space = kt.HyperParameters()
    space.Choice("kind", ["dense", "conv"])
    space.Int("depth", 1, 4)
    space.Choice("width", [8, 16, 24, 32, 48])
    with space.conditional_scope("kind", ["conv"]):
        space.Boolean("wide_kernel")
    return space


def toy_cost(hp):
    """What is known of a toy candidate before training.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        dict with `size_bytes` (80 to 3456) and `latency_ms` (0.008 to 0.576).
    """
    kernel = 1 if hp.get("kind") == "dense" else (3 if hp.get("wide_kernel") else 2)
    work = hp.get("depth") * hp.get("width")
    return {"size_bytes": 10.0 * work if kernel == 1 else 6.0 * work * kernel, "latency_ms": 0.001 * work * kernel}


def toy_metrics(hp):
    """What a toy candidate reports after training.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        dict with `accuracy` and the metrics of `toy_cost`.
    """
    kernel = 0.1 if hp.get("kind") == "conv" else 0.0
    accuracy = 0.5 + kernel + 0.05 * hp.get("depth") + 0.004 * hp.get("width")
    return {"accuracy": min(accuracy, 0.97), **toy_cost(hp)}


def drive(oracle, num_trials, evaluate=toy_metrics, tuner_id="tuner0"):
    """Runs trials without a tuner.

    Args:
        oracle: `keras_tuner.Oracle` with a project directory.
        num_trials: int, trials to run at most; fewer when the oracle stops.
        evaluate: callable from `keras_tuner.HyperParameters` to a dict of metrics, or to None for a trial that
            fails. Defaults to `toy_metrics`.
        tuner_id: str. Defaults to `"tuner0"`.

    Returns:
        list of `keras_tuner.engine.trial.Trial`, in the order they ran.
    """
    trials = []
    while len(trials) < num_trials:
        trial = oracle.create_trial(tuner_id)
        if trial.status != "RUNNING":
            break
        metrics = evaluate(trial.hyperparameters)
        if metrics is not None:
            oracle.update_trial(trial.trial_id, metrics)
        trial.status = "INVALID" if metrics is None else "COMPLETED"
        oracle.end_trial(trial)
        trials.append(trial)
    return trials


class OracleConformance:
    """Inherit, set `oracle_class` (or write `make_oracle`), and pytest runs every test.

    Attributes:
        oracle_class: class derived from `hwkeras.oracles.HardwareOracle`.

    Example:
        class TestMyOracle(OracleConformance):
            oracle_class = MyOracle
    """

    oracle_class = None

    def make_oracle(self, **arguments):
        """Makes an oracle; to be overridden by oracles that need more arguments.

        Args:
            **arguments: of `hwkeras.oracles.HardwareOracle`.

        Returns:
            `hwkeras.oracles.HardwareOracle`.
        """
        return self.oracle_class(**arguments)

    def open_oracle(self, directory, **arguments):
        """Makes an oracle on the toy space, silent, with a project directory.

        Args:
            directory: path-like.
            **arguments: override the defaults.

        Returns:
            `hwkeras.oracles.HardwareOracle`.
        """
        defaults = {"objectives": ["accuracy", "latency_ms"], "max_trials": 24, "seed": 3, "cost_model": toy_cost}
        arguments = {"hyperparameters": toy_space(), **defaults, **arguments}
        oracle = self.make_oracle(**arguments)
        oracle.verbose = 0
        oracle._set_project_dir(str(directory), "project")
        return oracle

    def values_of(self, trials):
        """Returns:
        list of dict, the values of some trials.
        """
        return [dict(trial.hyperparameters.values) for trial in trials]

    def test_uses_all_trials_and_repeats_none(self, tmp_path):
        trials = drive(self.open_oracle(tmp_path), 100)
        assert len(trials) == 24
        assert len({json.dumps(values, sort_keys=True) for values in self.values_of(trials)}) == 24

    def test_repeats_no_architecture_when_values_differ(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        oracle.identity = lambda hp: f"{hp.get('kind')}-{hp.get('depth')}"
        trials = drive(oracle, 100)
        assert len({oracle.identity(trial.hyperparameters) for trial in trials}) == len(trials) == 8

    def test_proposes_active_values_only(self, tmp_path):
        for values in self.values_of(drive(self.open_oracle(tmp_path), 24)):
            assert ("wide_kernel" in values) == (values["kind"] == "conv")

    def test_spends_no_trial_outside_the_limits(self, tmp_path):
        oracle = self.open_oracle(tmp_path, limits=["size=400B"], max_trials=8)
        trials = drive(oracle, 100)
        assert len(trials) == 8
        assert all(toy_cost(trial.hyperparameters)["size_bytes"] <= 400 for trial in trials)

    def test_finds_the_only_candidate_within_the_limits(self, tmp_path):
        trials = drive(self.open_oracle(tmp_path, limits=["size=80B"]), 100)
        assert self.values_of(trials) == [{"kind": "dense", "depth": 1, "width": 8}]

    def test_keeps_seed_zero(self, tmp_path):
        assert self.open_oracle(tmp_path, seed=0).seed == 0

    def test_same_seed_same_sequence(self, tmp_path):
        first = drive(self.open_oracle(tmp_path / "a", seed=0), 24)
        second = drive(self.open_oracle(tmp_path / "b", seed=0), 24)
        assert self.values_of(first) == self.values_of(second)

    def test_another_seed_another_sequence(self, tmp_path):
        first = drive(self.open_oracle(tmp_path / "a", seed=0), 24)
        second = drive(self.open_oracle(tmp_path / "b", seed=1), 24)
        assert self.values_of(first) != self.values_of(second)

    def test_reloaded_after_any_trial_it_goes_on_the_same(self, tmp_path):
        limits = ["size=1kB"]
        unkilled = self.values_of(drive(self.open_oracle(tmp_path / "a", limits=limits, max_trials=16), 16))
        killed = []
        for _ in unkilled:
            oracle = self.open_oracle(tmp_path / "b", limits=limits, max_trials=16)
            if killed:
                oracle.reload()
            killed += self.values_of(drive(oracle, 1))
        assert killed == unkilled

    def test_killed_in_a_trial_it_runs_that_trial_again(self, tmp_path):
        unkilled = self.values_of(drive(self.open_oracle(tmp_path / "a"), 12))
        oracle = self.open_oracle(tmp_path / "b")
        before = self.values_of(drive(oracle, 5))
        oracle.create_trial("tuner0")
        again = self.open_oracle(tmp_path / "b")
        again.reload()
        assert before + self.values_of(drive(again, 7)) == unkilled

    def test_stops_when_the_space_is_exhausted(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=500)
        assert len(drive(oracle, 500)) == 60
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.stop_reason.kind == "exhausted"
        assert oracle.stop_reason.error is None

    def test_stops_when_nothing_lies_within_the_limits(self, tmp_path):
        oracle = self.open_oracle(tmp_path, limits=["size=10B"])
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert not oracle.trials
        assert oracle.stop_reason.kind == "infeasible"
        assert isinstance(oracle.stop_reason.error, InfeasibleError)
        assert "size=10B binds; the smallest size seen is 80 B" in oracle.stop_reason.message

    def test_a_failing_cost_model_stops_it_and_blocks_nobody(self, tmp_path):
        def failing(hp):
            raise RuntimeError("the compiler crashed")

        oracle = self.open_oracle(tmp_path, cost_model=failing)
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.stop_reason.kind == "error"
        assert isinstance(oracle.stop_reason.error, RuntimeError)
        oracle.cost_model = toy_cost
        statuses = []
        caller = threading.Thread(target=lambda: statuses.append(oracle.create_trial("tuner1").status), daemon=True)
        caller.start()
        caller.join(_JOIN_S)
        assert statuses == ["RUNNING"]

    def test_goes_on_after_failed_trials(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_consecutive_failed_trials=1000)
        trials = drive(oracle, 24, evaluate=lambda hp: None if hp.get("kind") == "conv" else toy_metrics(hp))
        assert len(trials) == 24
        best = oracle.get_best_trials(24)
        assert best and all(trial.hyperparameters.get("kind") == "dense" for trial in best)

    def test_eight_callers_at_once(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=40)
        ran, errors = [], []

        def call(number):
            try:
                ran.extend(self.values_of(drive(oracle, 100, tuner_id=f"tuner{number}")))
            except Exception as error:
                errors.append(error)

        callers = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(_NUM_CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(_JOIN_S)
        assert not errors
        assert len(ran) == 40 and len({json.dumps(values, sort_keys=True) for values in ran}) == 40
