import json
import math

import keras_tuner as kt
import pytest

from hwkeras.errors import InfeasibleError
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.oracles import HardwareOracle
from hwkeras.oracles import RandomOracle
from hwkeras.oracles import StopReason
from hwkeras.oracles.space_copy import space_with
from hwkeras.testing import drive
from hwkeras.testing import toy_cost
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space


def values_of(trials):
    return [dict(trial.hyperparameters.values) for trial in trials]


class TestArguments:
    def test_objectives_of_every_kind(self):
        oracle = RandomOracle(["accuracy", Objective("latency_ms", "min"), kt.Objective("val_auc", "max")])
        assert [objective.metric for objective in oracle.objectives] == ["accuracy", "latency_ms", "val_auc"]
        assert oracle.objective == kt.Objective("accuracy", "max")

    def test_one_objective_and_one_limit_alone(self):
        oracle = RandomOracle("latency", limits="size=1KiB")
        assert oracle.objectives == (Objective("latency_ms", "min"),)
        assert oracle.limits == (Limit("size_bytes", 1024),)

    @pytest.mark.parametrize("objectives", [[], None, ["accuracy", "accuracy"]])
    def test_bad_objectives(self, objectives):
        with pytest.raises(UserError, match="must name at least one metric, and each only once. Received: objectives="):
            RandomOracle(objectives)

    @pytest.mark.parametrize(("name", "value", "low"), [("seed", -1, 0), ("max_trials", 0, 1), ("max_draws", 0, 1)])
    def test_numbers_out_of_range(self, name, value, low):
        with pytest.raises(UserError, match=f"`{name}` must be an int of {low} or more. Received: {name}={value}"):
            RandomOracle("accuracy", **{name: value})

    def test_numbers_that_are_not_whole(self):
        with pytest.raises(UserError, match=r"`seed` must be an int of 0 or more. Received: seed=1\.5"):
            RandomOracle("accuracy", seed=1.5)

    def test_no_end_and_no_seed(self):
        oracle = RandomOracle("accuracy", max_trials=None)
        assert oracle.max_trials is None
        assert oracle.seed >= 1

    def test_keras_tuner_arguments_pass_through(self):
        oracle = RandomOracle("accuracy", max_consecutive_failed_trials=99, max_retries_per_trial=2)
        assert (oracle.max_consecutive_failed_trials, oracle.max_retries_per_trial) == (99, 2)

    def test_a_subclass_without_propose(self, tmp_path):
        oracle = HardwareOracle("accuracy", hyperparameters=toy_space())
        oracle._set_project_dir(str(tmp_path), "project")
        assert oracle.create_trial("tuner0").status == "STOPPED"
        with pytest.raises(NotImplementedError, match=r"HardwareOracle must write `propose\(rng\)`"):
            raise oracle.stop_reason.error


class TestScreening:
    def test_the_cost_model_is_asked_once_a_candidate(self, open_oracle):
        asked = []

        def cost_model(hp):
            asked.append(json.dumps(hp.values, sort_keys=True))
            return toy_cost(hp)

        oracle = open_oracle(cost_model=cost_model, limits=["size=500B"], max_trials=100)
        drive(oracle, 100)
        assert len(asked) == len(set(asked)) == 60

    def test_rejected_candidates_cost_no_trial_and_are_counted(self, open_oracle):
        oracle = open_oracle(cost_model=toy_cost, limits=["size=200B"], max_trials=3)
        assert len(drive(oracle, 10)) == 3
        assert oracle.num_rejected > 0
        assert oracle.num_unbuildable == 0
        assert 80 <= oracle.nearest["size_bytes"] <= 200

    def test_a_rare_region_is_found(self, tmp_path):
        space = kt.HyperParameters()
        for position in range(8):
            space.Choice(f"gene_{position}", list(range(5)))

        def cost_model(hp):
            return {"size_bytes": 1.0 + sum(hp.values.values())}

        for seed in range(10):
            # 45 of 390,625 candidates: a thousand random draws would miss them nine times of ten.
            oracle = RandomOracle("accuracy", ["size=3B"], 1, seed, space, cost_model)
            response = oracle.populate_space("0")
            assert response["status"] == "RUNNING", oracle.stop_reason
            assert sum(response["values"].values()) <= 2

    def test_unbuildable_candidates(self, open_oracle):
        oracle = open_oracle(cost_model=lambda hp: None if hp.get("kind") == "conv" else {}, max_trials=30)
        assert {values["kind"] for values in values_of(drive(oracle, 100))} == {"dense"}
        assert oracle.num_unbuildable == oracle.num_rejected > 0

    def test_nothing_can_be_built(self, open_oracle):
        oracle = open_oracle(cost_model=lambda hp: None)
        assert drive(oracle, 10) == []
        with pytest.raises(InfeasibleError, match="No candidate can be measured in .* draws"):
            raise oracle.stop_reason.error

    def test_a_bound_on_draws_ends_an_infinite_space(self, tmp_path):
        space = kt.HyperParameters()
        space.Float("rate", 1.0, 2.0)
        oracle = RandomOracle(
            "accuracy", ["size=10B"], 5, 0, space, lambda hp: {"size_bytes": 100 * hp.get("rate")}, max_draws=8
        )
        assert oracle.populate_space("0") == {"status": "STOPPED", "values": None}
        assert oracle.stop_reason.kind == "infeasible"
        assert "size=10B binds; the smallest size seen is 1" in oracle.stop_reason.message
        assert oracle.num_rejected <= 64

    def test_says_whether_everything_was_tried(self, open_oracle):
        oracle = open_oracle(max_trials=100)
        drive(oracle, 100)
        oracle.create_trial("tuner0")
        message = "The search space is exhausted: every candidate was tried. 60 trials were run."
        assert oracle.stop_reason == StopReason("exhausted", message)

    def test_says_when_it_only_looks_exhausted(self, open_oracle):
        space = kt.HyperParameters()
        space.Float("rate", 1.0, 2.0)
        oracle = open_oracle(hyperparameters=space, max_draws=4)
        oracle.identity = lambda hp: "all the same"
        assert len(drive(oracle, 10, evaluate=lambda hp: {"accuracy": 0.5, "latency_ms": 1.0})) == 1
        assert oracle.stop_reason.message == (
            "The search space looks exhausted: each of 4 draws was tried before. 1 trials were run."
        )

    def test_a_spent_budget_ends_the_search(self, open_oracle):
        oracle = open_oracle()
        drive(oracle, 3)
        oracle.out_of_budget = lambda: True
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.stop_reason == StopReason("budget", "The budget is spent. 3 trials were run.")

    def test_a_budget_spent_on_draws_says_how_near_they_came(self, open_oracle):
        asked = iter([False, False, True])
        oracle = open_oracle(limits=["size=10B"], cost_model=toy_cost)
        oracle.out_of_budget = lambda: next(asked)
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert oracle.num_rejected == 2
        assert oracle.stop_reason.kind == "budget"
        assert isinstance(oracle.stop_reason.error, InfeasibleError)
        assert "No candidate lies within the limits in 2 draws: size=10B binds; the smallest" in (
            oracle.stop_reason.message
        )

    def test_a_failing_identity_stops_with_the_error(self, open_oracle):
        oracle = open_oracle()
        oracle.identity = lambda hp: hp.get("no such name")
        assert oracle.create_trial("tuner0").status == "STOPPED"
        assert (oracle.stop_reason.kind, type(oracle.stop_reason.error)) == ("error", KeyError)

    def test_a_stop_is_not_for_ever(self, open_oracle):
        oracle = open_oracle(limits=["size=10B"], cost_model=toy_cost)
        oracle.create_trial("tuner0")
        oracle.cost_model = None
        oracle.identity = None
        assert oracle.create_trial("tuner0").status == "RUNNING"
        assert oracle.stop_reason is None


class TestScores:
    def run_one(self, oracle, *reports):
        trial = oracle.create_trial("tuner0")
        for step, metrics in reports:
            oracle.update_trial(trial.trial_id, metrics, step=step)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
        return oracle.trials[trial.trial_id]

    def test_the_first_objective_is_the_score(self, open_oracle):
        trial = self.run_one(open_oracle(), (0, {"accuracy": 0.5, "latency_ms": 2.0}))
        assert (trial.status, trial.score, trial.best_step) == ("COMPLETED", 0.5, 0)

    def test_the_other_metrics_are_those_of_the_best_step(self, open_oracle):
        oracle = open_oracle()
        steps = [(1, {"accuracy": 0.5, "latency_ms": 1.0}), (2, {"accuracy": 0.9, "latency_ms": 2.0})]
        trial = self.run_one(oracle, *steps, (3, {"accuracy": 0.7, "latency_ms": 3.0}))
        assert (trial.score, trial.best_step) == (0.9, 2)
        assert oracle.observations()[0].metrics == {"accuracy": 0.9, "latency_ms": 2.0}

    def test_nan_fails_the_trial_and_leaves_no_observation(self, open_oracle):
        oracle = open_oracle()
        trial = self.run_one(oracle, (0, {"accuracy": math.nan, "latency_ms": 2.0}))
        assert trial.status == "FAILED"
        assert oracle.observations() == oracle.front() == oracle.get_best_trials(5) == []

    def test_a_retry_is_not_spoiled_by_the_run_that_failed(self, open_oracle):
        oracle = open_oracle(max_retries_per_trial=1)
        self.run_one(oracle, (0, {"accuracy": math.nan, "latency_ms": 2.0}))
        trial = self.run_one(oracle, (0, {"accuracy": 0.8, "latency_ms": 2.0}))
        assert (trial.trial_id, trial.status, trial.score) == ("00", "COMPLETED", 0.8)

    def test_a_missing_second_objective_is_infinitely_bad(self, open_oracle):
        oracle = open_oracle()
        self.run_one(oracle, (0, {"accuracy": 0.5}))
        assert oracle.losses(oracle.observations()).tolist() == [[-0.5, math.inf]]
        assert oracle.front() == []
        assert len(oracle.get_best_trials()) == 1

    def test_a_missing_first_objective_is_refused_and_blocks_nobody(self, open_oracle):
        oracle = open_oracle()
        trial = oracle.create_trial("tuner0")
        with pytest.raises(ValueError, match=r"Objective value missing .* expected: \['accuracy'\]"):
            oracle.update_trial(trial.trial_id, {"latency_ms": 1.0})
        assert oracle.create_trial("tuner1").status == "RUNNING"


class TestResults:
    def drive_table(self, oracle, rows):
        rows = iter(rows)
        return drive(oracle, 20, evaluate=lambda hp: next(rows))

    def test_best_trials_are_within_the_limits_first_and_never_padded(self, open_oracle):
        oracle = open_oracle(limits=["latency=5ms"], max_trials=5)
        rows = [(0.9, 9.0), (0.7, 4.0), (0.9, 6.0), None, (0.8, 5.0)]
        self.drive_table(oracle, [row and {"accuracy": row[0], "latency_ms": row[1]} for row in rows])
        assert [trial.trial_id for trial in oracle.get_best_trials(10)] == ["4", "1", "2", "0"]
        assert [trial.trial_id for trial in oracle.get_best_trials()] == ["4"]

    def test_the_front(self, open_oracle):
        oracle = open_oracle(limits=["latency=5ms"], max_trials=6)
        rows = [(0.9, 9.0), (0.7, 2.0), (0.6, 3.0), (0.8, 4.0), (0.9, math.inf), (0.7, 2.0)]
        self.drive_table(oracle, [{"accuracy": row[0], "latency_ms": row[1]} for row in rows])
        assert [trial.trial_id for trial in oracle.front()] == ["3", "1", "5"]

    def test_observations_in_the_order_they_ended(self, open_oracle):
        oracle = open_oracle(limits=["latency=5ms"])
        first, second = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
        for trial, latency_ms in ((second, 10.0), (first, 5.0)):
            oracle.update_trial(trial.trial_id, {"accuracy": 0.5, "latency_ms": latency_ms})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        observed = oracle.observations()
        assert [each.trial_id for each in observed] == ["01", "00"]
        assert [each.violation for each in observed] == [1.0, 0.0]
        assert observed[1].values == first.hyperparameters.values

    def test_an_observation_is_frozen(self, open_oracle):
        oracle = open_oracle()
        drive(oracle, 1)
        with pytest.raises(TypeError, match="does not support item assignment"):
            oracle.observations()[0].metrics["accuracy"] = 1.0


class TestState:
    def test_counters_survive_a_reload(self, open_oracle):
        arguments = {"cost_model": toy_cost, "limits": ["size=200B"]}
        oracle = open_oracle(**arguments)
        drive(oracle, 4)
        again = open_oracle(**arguments, is_reloaded=True)
        assert again.repairs == ()
        assert json.loads(json.dumps(again.get_state())) == json.loads(json.dumps(oracle.get_state()))
        assert (again.num_rejected, again.nearest) == (oracle.num_rejected, oracle.nearest)

    def test_a_stopped_oracle_is_saved_too(self, open_oracle):
        arguments = {"cost_model": toy_cost, "limits": ["size=10B"]}
        oracle = open_oracle(**arguments)
        oracle.create_trial("tuner0")
        assert open_oracle(**arguments, is_reloaded=True).num_rejected == oracle.num_rejected > 0

    def test_a_project_of_keras_tuner_itself_is_taken_over(self, open_oracle, tmp_path):
        theirs = kt.oracles.RandomSearchOracle(
            kt.Objective("accuracy", "max"), max_trials=20, seed=1, hyperparameters=toy_space()
        )
        theirs.verbose = 0
        theirs._set_project_dir(str(tmp_path), "project")
        ran = drive(theirs, 5)
        ours = open_oracle(is_reloaded=True)
        assert len(ours.observations()) == 5
        assert not [values for values in values_of(drive(ours, 15)) if values in values_of(ran)]

    def test_a_space_that_grows_while_it_is_searched(self, open_oracle):
        oracle = open_oracle(hyperparameters=None, max_trials=20)

        def evaluate(hp):
            hp.Choice("width", [8, 16, 24])
            return {"accuracy": hp.get("width") / 100, "latency_ms": 1.0}

        trials = drive(oracle, 20, evaluate)
        assert sorted(values["width"] for values in values_of(trials)) == [8, 16, 24]
        assert oracle.stop_reason.kind == "exhausted"

    def test_an_interrupt_releases_the_lock(self, open_oracle):
        def interrupted(hp):
            raise KeyboardInterrupt

        oracle = open_oracle(cost_model=interrupted)
        with pytest.raises(KeyboardInterrupt):
            oracle.create_trial("tuner0")
        assert oracle._caught(lambda: "free") == ("free", None)
        oracle.cost_model = toy_cost
        assert drive(oracle, 1, toy_metrics)


class TestFailuresInARow:
    def fail(self, oracle, num_trials, **metrics):
        for _ in range(num_trials):
            trial = oracle.create_trial("tuner0")
            if metrics:
                oracle.update_trial(trial.trial_id, {"accuracy": math.nan, **metrics})
            trial.status, trial.message = "FAILED", "out of memory."
            oracle.end_trial(trial)

    def test_they_end_nothing_unless_asked_to(self, open_oracle):
        oracle = open_oracle()
        assert oracle.max_consecutive_failed_trials is None
        self.fail(oracle, 20)
        assert len(oracle.end_order) == 20

    def test_they_end_a_search_that_asked_for_it_and_are_saved(self, open_oracle):
        oracle = open_oracle(max_consecutive_failed_trials=3)
        drive(oracle, 1)
        self.fail(oracle, 2)
        again = open_oracle(max_consecutive_failed_trials=3, is_reloaded=True)
        with pytest.raises(
            RuntimeError, match=r"`max_consecutive_failed_trials` failed .* Received: 3 with .*=3.*memory"
        ):
            self.fail(again, 1)
        assert not again.ongoing_trials
        assert open_oracle(is_reloaded=True).trials["03"].status == "FAILED"

    def test_those_outside_the_limits_do_not_count(self, open_oracle):
        oracle = open_oracle(max_consecutive_failed_trials=3, limits=["latency=5ms"])
        self.fail(oracle, 6, latency_ms=9.0)
        with pytest.raises(RuntimeError, match="Received: 3"):
            self.fail(oracle, 6, latency_ms=1.0)
        assert len(oracle.end_order) == 9

    def test_those_the_cost_model_puts_outside_do_not_count(self, open_oracle):
        oracle = open_oracle(max_consecutive_failed_trials=2, limits=["size=1MB"], cost_model=toy_cost)
        trial = oracle.create_trial("tuner0")
        oracle.cost_model = lambda hp: {"size_bytes": 2e6}
        oracle._costs.clear()
        trial.status = "FAILED"
        assert not oracle.counts_as_failure(trial)
        oracle.cost_model = lambda hp: 1 / 0
        oracle._costs.clear()
        assert oracle.counts_as_failure(trial), "it may have failed for the same reason"


def test_observations_are_a_view_of_their_time(open_oracle):
    oracle = open_oracle()
    drive(oracle, 3)
    seen = oracle.observations()
    drive(oracle, 2)
    latest = oracle.observations()
    assert (len(seen), len(latest)) == (3, 5)
    assert seen == latest[:3] == list(seen) and seen != latest
    assert [*seen[-1:], seen[-3]] == [latest[2], latest[0]]
    assert seen + latest[3:] == latest == list(seen) + latest[3:] == latest[:0] + latest
    assert repr(seen) == repr(list(seen))
    with pytest.raises(IndexError):
        seen[3]


def test_a_copy_of_a_space_may_be_added_to():
    space = toy_space()
    copied = space_with(space, {"kind": "conv", "depth": 2, "width": 8, "wide_kernel": True})
    with copied.conditional_scope("kind", ["conv"]):
        copied.Choice("stride", [1, 2])
        copied.Boolean("wide_kernel")
    assert (copied.get("depth"), copied.get("stride")) == (2, 1)
    assert "stride" not in [hp.name for hp in space.space]
    assert space.get_config() == toy_space().get_config()
    assert len(copied.space) == len(space.space) + 1
