"""What every oracle must do, as a test class that a plug-in author inherits."""

from __future__ import annotations

import json
import os
import shutil
import threading

from hwkeras.errors import InfeasibleError
from hwkeras.testing.toy_search import drive
from hwkeras.testing.toy_search import opened
from hwkeras.testing.toy_search import toy_cost
from hwkeras.testing.toy_search import toy_metrics
from hwkeras.testing.toy_search import toy_space

# Caller threads of the concurrency tests; each joins within this many seconds or is called stuck.
_NUM_CALLERS = 8
_JOIN_S = 60


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
        return opened(self.make_oracle(**arguments), directory)

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

    def test_reloaded_before_each_trial_it_goes_on_the_same(self, tmp_path):
        arguments = {"limits": ["size=1kB"], "max_trials": 10}
        unkilled = self.values_of(drive(self.open_oracle(tmp_path / "a", **arguments), 10))
        killed = []
        for _ in unkilled:
            oracle = self.open_oracle(tmp_path / "b", **arguments)
            if killed:
                oracle.reload()
            killed += self.values_of(drive(oracle, 1))
        assert killed == unkilled

    def test_killed_after_any_trial_the_rest_is_the_same(self, tmp_path):
        oracle = self.open_oracle(tmp_path / "unkilled", max_trials=12)
        states = []
        for number in range(12):
            drive(oracle, 1)
            shutil.copytree(tmp_path / "unkilled", tmp_path / f"killed_{number}")
            states.append(_state_of(oracle))
        for number, state in enumerate(states):
            again = self.open_oracle(tmp_path / f"killed_{number}", max_trials=12)
            again.reload()
            assert _state_of(again) == state
            drive(again, 2)
            ran = self.values_of(map(again.get_trial, again.start_order))
            assert ran == self.values_of(map(oracle.get_trial, oracle.start_order))[: len(ran)]

    def test_killed_between_any_two_files_the_rest_is_the_same(self, tmp_path, monkeypatch):
        oracle = self.open_oracle(tmp_path / "unkilled", max_trials=10)
        drive(oracle, 8)
        copies, replace = [], os.replace

        def replacing(source, target):
            replace(source, target)
            copies.append(shutil.copytree(tmp_path / "unkilled", tmp_path / f"killed_{len(copies)}"))

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", replacing)
            drive(oracle, 2)
        assert len(copies) >= 6, "each trial is written when it begins, reports and ends"
        for copied in copies:
            self.check_goes_on_as(oracle, copied)

    def check_goes_on_as(self, unkilled, directory):
        """Reloads an oracle, runs its trials to the end, and compares all it knows with one that was not killed.

        Args:
            unkilled: `hwkeras.oracles.HardwareOracle`, at its end.
            directory: path-like, as for `open_oracle`.
        """
        oracle = self.open_oracle(directory, max_trials=unkilled.max_trials)
        oracle.reload()
        assert oracle.repairs == (), "a kill alone damages nothing"
        drive(oracle, unkilled.max_trials - len(oracle.end_order))
        assert self.values_of(map(oracle.get_trial, oracle.start_order)) == self.values_of(
            map(unkilled.get_trial, unkilled.start_order)
        )
        assert oracle.observations() == unkilled.observations()
        assert _state_of(oracle) == _state_of(unkilled)

    def test_killed_in_a_trial_it_runs_that_trial_again(self, tmp_path):
        unkilled = self.values_of(drive(self.open_oracle(tmp_path / "a"), 12))
        oracle = self.open_oracle(tmp_path / "b")
        before = self.values_of(drive(oracle, 5))
        oracle.create_trial("tuner0")
        again = self.open_oracle(tmp_path / "b")
        again.reload()
        assert before + self.values_of(drive(again, 7)) == unkilled

    def test_a_truncated_file_is_set_aside_and_the_rest_goes_on(self, tmp_path):
        oracle = self.open_oracle(tmp_path / "whole", max_trials=5)
        drive(oracle, 3)
        oracle.create_trial("tuner0")
        (tmp_path / "whole" / "project" / "tuner0.json").write_text("{}")
        trials = [f"trial_{oracle.start_order[number]}/trial.json" for number in (0, 2, 3)]
        for number, name in enumerate(["oracle.json", "tuner0.json", *trials]):
            content = (tmp_path / "whole" / "project" / name).read_bytes()
            for length in sorted({0, len(content) // 2, len(content) - 1}):
                copied = shutil.copytree(tmp_path / "whole", tmp_path / f"damaged_{number}_{length}")
                (copied / "project" / name).write_bytes(content[:length])
                self.check_goes_on_without(name, copied)

    def check_goes_on_without(self, name, directory):
        """Reloads an oracle one file of which cannot be read, and runs its trials to the end.

        Args:
            name: str, the file within the project.
            directory: path-like, as for `open_oracle`.
        """
        content = (directory / "project" / name).read_bytes()
        oracle = self.open_oracle(directory, max_trials=5)
        oracle.reload()
        assert oracle.repairs[0].startswith(f"{name} could not be read")
        assert (directory / "project" / f"{name}.damaged").read_bytes() == content
        kept = self.values_of(map(oracle.get_trial, oracle.start_order))
        assert kept.count({}) <= 1, "nothing else was lost"
        drive(oracle, 5)
        assert len(oracle.trials) == len(oracle.end_order) == 5
        values = [each for each in self.values_of(oracle.trials.values()) if each]
        assert len({json.dumps(each, sort_keys=True) for each in values}) == len(values)
        again = self.open_oracle(directory, max_trials=5)
        again.reload()
        assert again.repairs == (), "a repair is done once"

    def test_a_stopped_oracle_is_saved_whole(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=5)
        assert len(drive(oracle, 100)) == 5
        state = json.loads((tmp_path / "project" / "oracle.json").read_text())
        assert state == json.loads(json.dumps(oracle.get_state()))

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
        oracle = self.open_oracle(tmp_path, cost_model=_failing)
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.stop_reason.kind == "error"
        assert isinstance(oracle.stop_reason.error, RuntimeError)
        oracle.cost_model = toy_cost
        self.check_blocks_nobody(oracle)

    def test_a_failing_proposal_stops_it_and_blocks_nobody(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        drive(oracle, 2)
        oracle.propose = _failing
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert isinstance(oracle.stop_reason.error, RuntimeError)
        del oracle.propose
        self.check_blocks_nobody(oracle)

    def test_an_interrupted_proposal_blocks_nobody(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        oracle.propose = _interrupted
        try:
            oracle.create_trial("tuner0")
        except KeyboardInterrupt:
            del oracle.propose
        self.check_blocks_nobody(oracle)

    def test_a_wrong_call_blocks_nobody(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        trial = oracle.create_trial("tuner0")
        refused = []
        for call in (lambda: oracle.update_trial("none", {}), lambda: oracle.update_trial(trial.trial_id, {})):
            try:
                call()
            except (KeyError, ValueError) as error:
                refused.append(error)
        assert len(refused) == 2
        self.check_blocks_nobody(oracle)

    def check_blocks_nobody(self, oracle):
        """Another thread gets a trial.

        Args:
            oracle: `hwkeras.oracles.HardwareOracle`.
        """
        statuses = []
        caller = threading.Thread(target=lambda: statuses.append(oracle.create_trial("tuner1").status), daemon=True)
        caller.start()
        caller.join(_JOIN_S)
        assert statuses == ["RUNNING"]

    def test_goes_on_after_failed_trials(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        trials = drive(oracle, 24, evaluate=lambda hp: None if hp.get("kind") == "conv" else toy_metrics(hp))
        assert len(trials) == 24
        best = oracle.get_best_trials(24)
        assert best and all(trial.hyperparameters.get("kind") == "dense" for trial in best)

    def test_many_failures_in_a_row_end_nothing(self, tmp_path):
        oracle = self.open_oracle(tmp_path)
        assert len(drive(oracle, 8, evaluate=lambda hp: None)) == 8
        assert len(drive(oracle, 8)) == 8
        assert len(oracle.observations()) > 0

    def test_trials_outside_the_limits_end_nothing(self, tmp_path):
        oracle = self.open_oracle(tmp_path, limits=["accuracy=0.99"], max_consecutive_failed_trials=3)
        assert len(drive(oracle, 24)) == 24
        assert all(observation.violation > 0 for observation in oracle.observations())
        assert oracle.get_best_trials()

    def test_eight_callers_at_once(self, tmp_path):
        oracle = self.open_oracle(tmp_path, max_trials=40)
        ran, errors = [], []

        def call(number):
            try:
                ran.extend(self.values_of(drive(oracle, 100, tuner_id=f"tuner{number}")))
            except Exception as error:
                errors.append(error)

        # Of one name: keras-tuner tells threads apart by it.
        callers = [threading.Thread(target=call, args=(i,), name="caller", daemon=True) for i in range(_NUM_CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(_JOIN_S)
        assert not errors
        assert len(ran) == 40 and len({json.dumps(values, sort_keys=True) for values in ran}) == 40
        again = self.open_oracle(tmp_path, max_trials=40)
        again.reload()
        assert again.repairs == () and again.observations() == oracle.observations()
        assert _state_of(again) == _state_of(oracle)


def _state_of(oracle):
    """What must be equal after a kill: all but how often files were written."""
    state = oracle.get_state()
    return {name: value for name, value in json.loads(json.dumps(state)).items() if name != "num_written"}


def _failing(_):
    raise RuntimeError("the compiler crashed")


def _interrupted(_):
    raise KeyboardInterrupt
