"""Every damage a kill was seen to do, done to a real project: it loads, keeps what is whole, and goes on."""

import json
import logging
import os
import shutil

import pytest
from keras_tuner.engine.trial import Trial

from hwkeras.oracles import RandomOracle
from hwkeras.testing import drive
from hwkeras.testing import toy_metrics
from hwkeras.testing import toy_space


@pytest.fixture
def project(open_oracle, tmp_path):
    """A project with trials 00 to 03 completed and 04 running, as a kill leaves it; its tuner file beside."""
    oracle = open_oracle()
    drive(oracle, 4)
    oracle.create_trial("tuner0")
    folder = tmp_path / "project"
    (folder / "tuner0.json").write_text("{}")
    return folder


def truncate(path):
    path.write_text(path.read_text()[: len(path.read_text()) // 2])


def read(path):
    return json.loads(path.read_text())


def values_of(trials):
    return [dict(trial.hyperparameters.values) for trial in trials]


def check_goes_on(oracle, num_completed, max_trials=20):
    """The oracle still holds its results, repeats none of them, and reaches `max_trials`."""
    kept = oracle.get_best_trials(max_trials)
    assert len(kept) == num_completed
    done = values_of(kept)
    ran = drive(oracle, 100)
    assert not [values for values in values_of(ran) if values in done]
    assert len(oracle.trials) == max_trials
    assert sorted(map(int, oracle.trials)) == list(range(max_trials))
    assert not oracle.ongoing_trials


def test_a_plain_kill_repairs_nothing(open_oracle, project):
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == ()
    assert oracle.create_trial("tuner0").trial_id == "04"


def test_it_goes_on_as_an_unkilled_one(open_oracle, project, tmp_path):
    killed = drive(open_oracle(is_reloaded=True), 16)
    shutil.rmtree(project)
    unkilled = drive(open_oracle(), 20)
    assert values_of(killed) == values_of(unkilled)[4:]


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", '{"ongoing_trials": []}', "\x00\x00"])
def test_oracle_file_unreadable(open_oracle, project, content):
    (project / "oracle.json").write_text(content)
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs[0] == "oracle.json could not be read and was rebuilt from 5 trials."
    assert (project / "oracle.json.damaged").read_text() == content
    assert oracle.end_order == ["00", "01", "02", "03"]
    assert oracle.create_trial("tuner0").trial_id == "04"
    oracle.ongoing_trials.clear()
    check_goes_on(open_oracle(is_reloaded=True), 4)


def test_oracle_file_truncated(open_oracle, project):
    truncate(project / "oracle.json")
    check_goes_on(open_oracle(is_reloaded=True), 4)


def test_oracle_file_missing(open_oracle, project):
    (project / "oracle.json").unlink()
    check_goes_on(open_oracle(is_reloaded=True), 4)


def test_oracle_file_missing_and_the_space_known_to_the_trials_only(open_oracle, project):
    (project / "oracle.json").unlink()
    oracle = open_oracle(is_reloaded=True, hyperparameters=None)
    assert [hp.name for hp in oracle.get_space().space] == ["kind", "depth", "width", "wide_kernel"]
    check_goes_on(oracle, 4)


def test_nothing_there_at_all(open_oracle, project):
    shutil.rmtree(project)
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == ()
    check_goes_on(oracle, 0)


@pytest.mark.parametrize("damage", [truncate, lambda path: path.write_text(""), lambda path: path.write_text("{}")])
def test_running_trial_unreadable(open_oracle, project, damage):
    damage(project / "trial_04" / "trial.json")
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == (
        "trial_04/trial.json could not be read and was set aside.",
        "Trial 04 was lost; its number is used again.",
    )
    assert oracle.start_order == ["00", "01", "02", "03"]
    check_goes_on(oracle, 4)


@pytest.mark.parametrize("is_whole_folder", [True, False])
def test_running_trial_missing(open_oracle, project, is_whole_folder):
    if is_whole_folder:
        shutil.rmtree(project / "trial_04")
    else:
        (project / "trial_04" / "trial.json").unlink()
    check_goes_on(open_oracle(is_reloaded=True), 4)


def test_completed_trial_unreadable(open_oracle, project):
    truncate(project / "trial_01" / "trial.json")
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == (
        "trial_01/trial.json could not be read and was set aside.",
        "Trial 01 was lost; an empty trial keeps its number.",
    )
    assert (project / "trial_01" / "trial.json.damaged").exists()
    assert oracle.trials["01"].status == "INVALID"
    check_goes_on(oracle, 3)


def test_an_empty_trial_is_no_candidate_to_the_identity(open_oracle, project):
    truncate(project / "trial_01" / "trial.json")
    oracle = open_oracle(is_reloaded=True)
    oracle.identity = lambda hp: f"{hp.get('kind')} {hp.get('depth')} {hp.get('width')}"
    assert len(drive(oracle, 5)) == 5


def test_many_completed_trials_unreadable_end_no_search(open_oracle, project):
    for number in range(3):
        truncate(project / f"trial_0{number}" / "trial.json")
    check_goes_on(open_oracle(is_reloaded=True), 1)


def test_completed_folder_missing(open_oracle, project):
    shutil.rmtree(project / "trial_00")
    check_goes_on(open_oracle(is_reloaded=True), 3)


def test_last_folders_missing(open_oracle, project):
    shutil.rmtree(project / "trial_03")
    shutil.rmtree(project / "trial_04")
    oracle = open_oracle(is_reloaded=True)
    assert sorted(oracle.trials) == ["00", "01", "02"]
    check_goes_on(oracle, 3)


def test_folder_and_oracle_file_missing(open_oracle, project):
    shutil.rmtree(project / "trial_02")
    (project / "oracle.json").unlink()
    check_goes_on(open_oracle(is_reloaded=True), 3)


def test_tuner_file_unreadable(open_oracle, project):
    (project / "tuner0.json").write_text("")
    assert open_oracle(is_reloaded=True).repairs == ("tuner0.json could not be read and was written anew.",)
    assert read(project / "tuner0.json") == {}


@pytest.mark.parametrize("name", ["random", "evolution"])
def test_killed_between_the_trial_file_and_the_oracle_file_of_a_new_trial(open_oracle, tmp_path, name):
    unkilled = values_of(drive(open_oracle(name), 20))
    shutil.rmtree(tmp_path / "project")
    oracle = open_oracle(name)
    drive(oracle, 10)
    before = (tmp_path / "project" / "oracle.json").read_text()
    oracle.create_trial("tuner0")
    (tmp_path / "project" / "oracle.json").write_text(before)
    again = open_oracle(name, is_reloaded=True)
    assert again.repairs == (), "the files of the trials say all"
    assert values_of(drive(again, 10)) == unkilled[10:]


def test_without_its_oracle_file_it_goes_on_as_an_unkilled_one(open_oracle, tmp_path):
    unkilled = values_of(drive(open_oracle("evolution"), 20))
    shutil.rmtree(tmp_path / "project")
    drive(open_oracle("evolution"), 10)
    (tmp_path / "project" / "oracle.json").unlink()
    assert values_of(drive(open_oracle("evolution", is_reloaded=True), 10)) == unkilled[10:]


def test_killed_between_the_trial_file_and_the_oracle_file_of_a_finished_trial(open_oracle, project):
    before = (project / "oracle.json").read_text()
    oracle = open_oracle(is_reloaded=True)
    drive(oracle, 1)
    (project / "oracle.json").write_text(before)
    again = open_oracle(is_reloaded=True)
    assert again.repairs == ()
    assert again.end_order == ["00", "01", "02", "03", "04"]
    assert [each.metrics for each in again.observations()] == [each.metrics for each in oracle.observations()]
    check_goes_on(again, 5)


def test_metrics_of_the_killed_run_are_forgotten(open_oracle, project):
    oracle = open_oracle(is_reloaded=True)
    trial = oracle.create_trial("tuner0")
    oracle.update_trial(trial.trial_id, {"accuracy": 0.01, "latency_ms": 100.0})
    again = open_oracle(is_reloaded=True)
    drive(again, 1)
    assert again.observations()[-1].metrics == toy_metrics(trial.hyperparameters)


def test_a_trial_waiting_for_its_retry_keeps_waiting(open_oracle, project):
    oracle = open_oracle(is_reloaded=True, max_retries_per_trial=1)
    drive(oracle, 1, evaluate=lambda hp: None)
    again = open_oracle(is_reloaded=True, max_retries_per_trial=1)
    assert again.repairs == ()
    trial = again.create_trial("tuner0")
    assert trial.trial_id == "04"
    trial.status = "INVALID"
    again.end_trial(trial)
    assert again.trials["04"].status == "FAILED"


def test_failed_trials_stay_failed(open_oracle, project):
    drive(open_oracle(is_reloaded=True), 2, evaluate=lambda hp: None)
    (project / "oracle.json").unlink()
    oracle = open_oracle(is_reloaded=True)
    assert [oracle.trials[trial_id].status for trial_id in ("04", "05")] == ["FAILED", "FAILED"]
    assert oracle.end_order[-2:] == ["04", "05"]


def test_repairs_are_logged(open_oracle, project, caplog):
    truncate(project / "oracle.json")
    with caplog.at_level(logging.WARNING, logger="hwkeras"):
        open_oracle(is_reloaded=True)
    assert "oracle.json could not be read and was rebuilt from 5 trials." in caplog.text


def test_a_repair_is_done_once(open_oracle, project):
    truncate(project / "oracle.json")
    truncate(project / "trial_01" / "trial.json")
    assert open_oracle(is_reloaded=True).repairs
    assert open_oracle(is_reloaded=True).repairs == ()


def test_no_file_is_left_half_written(open_oracle, project, monkeypatch):
    oracle = open_oracle(is_reloaded=True)
    before = (project / "oracle.json").read_text()

    def killed(source, target):
        raise KeyboardInterrupt

    trial_before = (project / "trial_04" / "trial.json").read_text()
    monkeypatch.setattr(os, "replace", killed)
    trial = oracle.create_trial("tuner0")
    with pytest.raises(KeyboardInterrupt):
        oracle.update_trial(trial.trial_id, toy_metrics(trial.hyperparameters))
    assert (project / "oracle.json").read_text() == before
    assert (project / "trial_04" / "trial.json").read_text() == trial_before


class TestOldOracleFile:
    """`oracle.json` is written only every so often: what is newer stands in the files of the trials."""

    def test_it_is_never_more_than_a_share_behind(self, open_oracle, tmp_path):
        oracle = open_oracle(max_trials=60)
        for _ in range(60):
            drive(oracle, 1)
            saved = read(tmp_path / "project" / "oracle.json")
            assert len(oracle.end_order) - len(saved["end_order"]) <= 1 + len(oracle.trials) / 8

    def test_it_is_written_less_often_than_trials(self, open_oracle, tmp_path, monkeypatch):
        written, replace = [], os.replace

        def replacing(source, target):
            written.append(os.path.basename(target))
            replace(source, target)

        monkeypatch.setattr(os, "replace", replacing)
        oracle = open_oracle(hyperparameters=toy_space(), max_trials=60)
        drive(oracle, 60)
        assert written.count("trial.json") == 180
        assert written.count("oracle.json") <= 45

    def test_trials_that_ended_out_of_turn_keep_their_order(self, open_oracle, tmp_path):
        oracle = open_oracle()
        begun = [oracle.create_trial(f"tuner{number}") for number in range(4)]
        (tmp_path / "project" / "oracle.json").unlink()
        for trial in (begun[2], begun[0], begun[3]):
            oracle.update_trial(trial.trial_id, toy_metrics(trial.hyperparameters))
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        (tmp_path / "project" / "oracle.json").unlink()
        again = open_oracle(is_reloaded=True)
        assert again.end_order == oracle.end_order == ["02", "00", "03"]
        assert again.observations() == oracle.observations()
        assert again.create_trial("tuner0").trial_id == "01"

    @pytest.mark.parametrize("allow", [True, False])
    def test_a_space_that_grew_is_found_in_the_trials(self, open_oracle, tmp_path, allow):
        space = toy_space()
        oracle = open_oracle(hyperparameters=space, tune_new_entries=allow)

        def evaluate(hp):
            hp.Choice("rate", [0.1, 0.2])
            return toy_metrics(hp)

        drive(oracle, 1)
        before = (tmp_path / "project" / "oracle.json").read_text()
        drive(oracle, 3, evaluate)
        (tmp_path / "project" / "oracle.json").write_text(before)
        again = open_oracle(hyperparameters=toy_space(), tune_new_entries=allow, is_reloaded=True)
        assert [hp.name for hp in again.hyperparameters.space] == [hp.name for hp in oracle.hyperparameters.space]
        assert ("rate" in [hp.name for hp in again.hyperparameters.space]) == allow
        assert values_of(drive(again, 5)) == values_of(drive(oracle, 5))

    def test_a_random_seed_is_kept_without_it(self, open_oracle, tmp_path):
        oracle = open_oracle(seed=None)
        drive(oracle, 3)
        (tmp_path / "project" / "oracle.json").unlink()
        again = open_oracle(seed=None, is_reloaded=True)
        assert again.seed == oracle.seed
        assert values_of(drive(again, 5)) == values_of(drive(oracle, 5))

    def test_a_retry_starts_with_no_metrics_killed_or_not(self, open_oracle, tmp_path):
        oracle = open_oracle(max_retries_per_trial=1)
        trial = oracle.create_trial("tuner0")
        oracle.update_trial(trial.trial_id, {"accuracy": 0.1, "latency_ms": 9.0})
        trial.status = "INVALID"
        oracle.end_trial(trial)
        again = open_oracle(max_retries_per_trial=1, is_reloaded=True)
        for each in (oracle, again):
            drive(each, 1)
            assert each.observations()[0].metrics == toy_metrics(each.trials["00"].hyperparameters)

    def test_what_a_subclass_adds_to_the_state_is_as_new_as_the_trials(self, tmp_path):
        class Counting(RandomOracle):
            num_proposed = 0

            def propose(self, rng):
                self.num_proposed += 1
                return super().propose(rng)

            def get_state(self):
                return {**super().get_state(), "num_proposed": self.num_proposed}

            def set_state(self, state):
                super().set_state(state)
                self.num_proposed = state["num_proposed"]

        oracles = [Counting("accuracy", hyperparameters=toy_space(), seed=0) for _ in range(2)]
        for oracle in oracles:
            oracle._set_project_dir(str(tmp_path), "project")
            oracle.verbose = 0
        drive(oracles[0], 1)
        before = (tmp_path / "project" / "oracle.json").read_text()
        drive(oracles[0], 9)
        (tmp_path / "project" / "oracle.json").write_text(before)
        oracles[1].reload()
        assert oracles[1].num_proposed == oracles[0].num_proposed >= 10


@pytest.mark.parametrize("key", ["hyperparameters", "start_order", "near_misses", "num_draws"])
def test_oracle_file_of_another_shape(open_oracle, project, key):
    state = read(project / "oracle.json")
    (project / "oracle.json").write_text(json.dumps({**state, key: "?"}))
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == ("oracle.json could not be read and was rebuilt from 5 trials.",)
    check_goes_on(oracle, 4)


@pytest.mark.parametrize("change", [{"trial_id": "07"}, {"hyperparameters": {}}, {"oracle": []}, {"num_written": "?"}])
def test_trial_file_of_another_shape(open_oracle, project, change):
    path = project / "trial_02" / "trial.json"
    path.write_text(json.dumps({**read(path), **change}))
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs[0] == "trial_02/trial.json could not be read and was set aside."
    check_goes_on(oracle, 3)


def test_a_folder_that_is_no_trial_is_left_out(open_oracle, project):
    shutil.copytree(project / "trial_02", project / "trial_copy")
    oracle = open_oracle(is_reloaded=True)
    assert oracle.repairs == ("trial_copy/trial.json could not be read and was set aside.",)
    check_goes_on(oracle, 4)


def test_a_trial_file_is_keras_tuners(open_oracle, project):
    trial = Trial.load(str(project / "trial_02" / "trial.json"))
    assert trial.get_state() == open_oracle(is_reloaded=True).trials["02"].get_state()
