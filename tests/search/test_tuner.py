"""The life of a trial, with the real converter, interpreter, meter and keras-tuner."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import keras_tuner as kt
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.errors import DeviceError
from hwkeras.errors import InfeasibleError
from hwkeras.errors import UserError
from hwkeras.measure import LocalMeter
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.search.journal import Journal

KILLED_SEARCH = pathlib.Path(__file__).with_name("killed_search.py")


def plain_build(hp):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(hp.Choice("filters", [4, 8, 16]), 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_every_candidate_is_true_of_its_bytes(searched, digits):
    x, y = digits
    candidates = searched.candidates()
    assert len(candidates) == 6
    assert {c.precision for c in candidates} == {"float32", "int8"}
    for candidate in candidates:
        content = (searched.run.directory / candidate.file).read_bytes()
        from hwkeras.convert import score

        assert candidate.metrics["accuracy"] == score(content, x[1000:], y[1000:])
        assert candidate.metrics["size_bytes"] == len(content)
        assert candidate.metrics["macs"] == hw.analyze(content).macs
        rounds = candidate.measurement["rounds"]
        assert len(rounds) >= 3
        measurement = candidate.measurement
        assert candidate.metrics["latency_ms"] == measurement["latency_ms"] and measurement["source"] == "measured"
        assert measurement["low_ms"] <= measurement["latency_ms"] <= measurement["high_ms"]
        assert total_violation(searched.limits, candidate.metrics) == 0


def test_something_was_learned_and_the_oracle_knows_it(searched):
    assert max(candidate.metrics["accuracy"] for candidate in searched.candidates()) > 0.8
    journal = Journal(searched.run.directory / "journal.jsonl")
    for trial in searched.oracle.get_best_trials(3):
        own = [c for c in searched.candidates() if c.trial == trial.trial_id]
        metrics = {name: trial.metrics.get_best_value(name) for name in trial.metrics.metrics}
        assert trial.score == metrics["accuracy"] == max(c.metrics["accuracy"] for c in own)
        (event,) = [event for event in journal.read("candidates") if event["trial"] == trial.trial_id]
        for candidate in event["candidates"]:
            assert metrics[f"{candidate['precision']}_latency_ms"] == candidate["metrics"]["latency_ms"]
        assert "val_accuracy" in metrics


def test_the_finalists_were_measured_side_by_side(searched):
    (event,) = Journal(searched.run.directory / "journal.jsonl").read("remeasured")
    again = {(entry["trial"], entry["precision"]): entry["measurement"] for entry in event["candidates"]}
    assert {(c.trial, c.precision) for c in searched.front()} <= set(again)
    assert len({str(measurement["environment"]["before"]) for measurement in again.values()}) == 1
    for candidate in searched.candidates():
        known = again.get((candidate.trial, candidate.precision))
        assert known is None or candidate.measurement == known


def test_the_front_and_the_best(searched):
    front = searched.front()
    assert front
    metrics = [candidate.metrics for candidate in front]
    losses = np.array([(-m["accuracy"], m["latency_ms"], m["size_bytes"]) for m in metrics])
    for one in losses:
        assert not any((other <= one).all() and (other < one).any() for other in losses)
    assert searched.best() in front
    assert searched.best(latency="50ms") == front[0]
    with pytest.raises(InfeasibleError, match="size=10B asked, the nearest is"):
        searched.best(size="10B")


def test_get_best_models_are_those_that_were_deployed(searched, digits):
    x, _ = digits
    model = searched.get_best_models()[0]
    trial = searched.oracle.get_best_trials()[0].trial_id
    file = next(c.file for c in searched.candidates() if c.trial == trial and c.precision == "float32")
    from hwkeras.convert import predict

    bytes_say = predict((searched.run.directory / file).read_bytes(), x[:20])
    np.testing.assert_allclose(model.predict(x[:20], verbose=0), bytes_say, atol=1e-4)


def test_a_bundle_of_the_best_verifies(searched, tmp_path):
    bundle = searched.export(tmp_path / "bundle")
    verification = hw.verify(bundle, latency_tolerance=20.0)  # other tests share the machine
    assert verification.ok, verification
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["metrics"] == pytest.approx(searched.best().metrics)


def test_progress_tells_of_every_trial(searched):
    names = [event for event, _ in searched.events]
    assert names.count("trial_finished") == names.count("trial_started") == 3
    assert names[-1] == "finished"
    from hwkeras.search.progress import progress_line

    finished = next(facts for event, facts in searched.events if event == "trial_finished")
    assert progress_line("trial_finished", finished).startswith("trial 1/3: float32 0.")


def test_the_time_of_a_trial_is_told_by_stage(searched):
    seconds = searched.stage_seconds
    assert all(seconds[stage] > 0 for stage in ("propose", "build", "convert", "analyze", "measure", "fit", "evaluate"))


def test_a_finished_search_is_not_done_again(searched, digits, small_space):
    x, y = digits
    again = hw.HardwareTuner(small_space(), limits=["size=40KiB"], max_trials=3, directory=searched.run.directory)
    before = again.results()
    again.search(x[:1000], y[:1000], validation_data=(x[1000:], y[1000:]), epochs=6, batch_size=64)
    assert again.stage_seconds["fit"] == 0
    assert [c["file"] for c in again.results()["candidates"]] == [c["file"] for c in before["candidates"]]


def test_a_run_belongs_to_its_data(searched, digits, small_space):
    x, y = digits
    again = hw.HardwareTuner(small_space(), max_trials=4, directory=searched.run.directory)
    with pytest.raises(UserError, match=r"which belongs to another data set"):
        again.search(x[:500], y[:500], validation_data=(x[1000:], y[1000:]))


@pytest.mark.slow
def test_limits_turn_networks_away_before_training(tmp_path, digits, small_space):
    x, y = digits
    limits = ["size=9KiB", "macs=60k"]
    tuner = hw.HardwareTuner(
        small_space(widths=(8, 16, 64)), limits=limits, max_trials=3, seed=0, directory=tmp_path / "run"
    )
    tuner.search(x[:300], y[:300], validation_data=(x[300:500], y[300:500]), epochs=1)
    parsed = [Limit.parse(limit) for limit in limits]
    rejected = Journal(tmp_path / "run" / "journal.jsonl").read("rejected")
    assert rejected and tuner.results()["rejected"] >= len(rejected)
    for event in rejected:
        assert all(total_violation(parsed, metrics) > 0 for metrics in event["metrics"].values())
    assert tuner.candidates()
    for candidate in tuner.candidates():
        assert total_violation(parsed, candidate.metrics) == 0
    hashes = [c.architecture_hash for c in tuner.candidates() if c.precision == "int8"]
    assert len(set(hashes)) == len(hashes) > 0


def test_an_impossible_limit_trains_nothing(tmp_path, digits, small_space, monkeypatch):
    monkeypatch.setattr("hwkeras.search.budget.FIRST_CANDIDATE_SECONDS", 4)
    x, y = digits
    tuner = hw.HardwareTuner(
        small_space(), limits=["size=1KiB"], precision="int8", max_trials=3, seed=0, directory=tmp_path / "run"
    )
    with pytest.raises(InfeasibleError, match=r"size=1KiB.*[Ss]mallest.* KiB"):
        tuner.search(x[:300], y[:300], epochs=1)
    assert tuner.stage_seconds["fit"] == 0
    assert tuner.results()["front"] == []


def test_somebody_elses_build_function(tmp_path, digits):
    x, y = digits
    tuner = hw.HardwareTuner(plain_build, precision=("int8",), max_trials=2, seed=0, directory=tmp_path / "run")
    tuner.search(x[:300], y[:300], validation_data=(x[300:500], y[300:500]), epochs=1, verbose=0)
    assert len(tuner.candidates()) == 2
    assert tuner.candidates()[0].architecture.startswith("filters=")


def test_batch_statistics_are_estimated_again_before_scoring(tmp_path, digits):
    """Keras' default momentum of 0.99 lags behind after a few dozen steps; what is scored must not."""
    x, y = digits
    lagging = []

    class Watch(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            lagging.append(self.model.evaluate(x[1000:], y[1000:], verbose=0)[1])

        def __deepcopy__(self, memo):
            return self

    tuner = hw.HardwareTuner(plain_build, precision="float32", max_trials=1, seed=0, directory=tmp_path / "run")
    tuner.search(x[:1000], y[:1000], validation_data=(x[1000:], y[1000:]), epochs=2, batch_size=50, callbacks=[Watch()])
    scored = tuner.candidates()[0].metrics
    assert scored["accuracy"] == pytest.approx(scored["val_accuracy"], abs=0.01)
    assert scored["accuracy"] > lagging[0] + 0.05


def test_a_build_that_returns_nothing_is_told(tmp_path, digits):
    x, y = digits
    said = r"`build\(hp\)` must return a keras.Model\. Received: None"
    with pytest.raises(UserError, match=said):
        hw.HardwareTuner(lambda hp: hp.Int("depth", 1, 3) and None, max_trials=1, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()

    class Forgetful(kt.HyperModel):
        def build(self, hp):
            hp.Int("depth", 1, 3)

    tuner = hw.HardwareTuner(Forgetful(), max_trials=1, directory=tmp_path / "run")
    with pytest.raises(UserError, match=said):
        tuner.search(x[:300], y[:300])


def test_a_device_that_fails_ends_the_search(tmp_path, digits):
    x, y = digits
    meter = LocalMeter(bench=(sys.executable, "-c", "import os; os.abort()"))
    tuner = hw.HardwareTuner(
        plain_build, meter=meter, limits=["latency=5ms"], max_trials=1, directory=tmp_path / "run", precision="float32"
    )
    with pytest.raises(DeviceError, match="`tflite_bench` must run on local. Received: crashed:SIGABRT"):
        tuner.search(x[:300], y[:300])


def test_a_program_that_always_fails_is_told_with_its_last_line(tmp_path, digits):
    x, y = digits

    def build(hp):
        model = plain_build(hp)
        hp.Int("more", 1, 9)
        model.compile("adam", loss=lambda truth, answer: 1 / 0)
        return model

    tuner = hw.HardwareTuner(build, max_trials=9, precision="float32", seed=0, directory=tmp_path / "run")
    with pytest.raises(UserError, match=r"ends after 5 failed trials in a row.*ZeroDivisionError: division by zero"):
        tuner.search(x[:100], y[:100], validation_data=(x[100:150], y[100:150]))
    failed = Journal(tmp_path / "run" / "journal.jsonl").read("failed")
    assert failed and "division by zero" in failed[0]["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"precision": "int4"}, "int4"),
        ({"oracle": "crystal_ball"}, "crystal_ball"),
        ({"device": "toaster"}, "toaster"),
        ({"limits": ["speed=1ms"]}, "speed=1ms"),
        ({"objectives": ["beauty"]}, "beauty"),
    ],
)
def test_wrong_arguments_are_told_at_the_door(arguments, said, tmp_path):
    with pytest.raises(UserError, match=said):
        hw.HardwareTuner(plain_build, directory=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_killed_in_the_middle_of_a_trial_it_goes_on(tmp_path):
    environment = os.environ | {"RUN": str(tmp_path / "run")}
    killed = subprocess.run(
        [sys.executable, KILLED_SEARCH], env=environment | {"DIE_IN_TRIAL": "2"}, capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    kept = Journal(tmp_path / "run" / "journal.jsonl").read("candidates")
    assert [event["trial"] for event in kept] == ["0", "1"]

    done = subprocess.run([sys.executable, KILLED_SEARCH], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)
    assert trained["trained_now"] == ["2", "3"], "finished trials are not repeated"
    assert trained["trials"] == 4
    events = Journal(tmp_path / "run" / "journal.jsonl").read("candidates")
    assert events[:2] == kept
    assert len({event["candidates"][0]["architecture_hash"] for event in events}) == 4


def test_a_search_is_the_same_for_the_same_seed(tmp_path, digits):
    x, y = digits

    def proposals(name):
        tuner = hw.HardwareTuner(plain_build, precision="float32", max_trials=2, seed=0, directory=tmp_path / name)
        tuner.search(x[:200], y[:200], validation_data=(x[200:300], y[200:300]), epochs=1)
        return [(c.architecture_hash, c.metrics["accuracy"]) for c in tuner.candidates()]

    assert proposals("a") == proposals("b")


def test_it_is_a_keras_tuner(searched):
    assert isinstance(searched, kt.Tuner)
    assert searched.get_best_hyperparameters()[0].values
    assert searched.remaining_trials == 0
