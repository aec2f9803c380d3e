"""Several fidelities with real training: networks are trained on, not anew."""

import json
import os
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import hwkeras as hw
from hwkeras.errors import UserError
from hwkeras.oracles import EvolutionOracle
from hwkeras.oracles.asha import AshaOracle
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.search.continuation import Continuation
from hwkeras.search.journal import Journal
from hwkeras.search.run import Run
from hwkeras.search.weights import Weights


def build(hp):
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(hp.Choice("filters", [4, 8, 12, 16]), 3, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Watch(keras.callbacks.Callback):
    """Sees the training of every trial: what it begins with, the files of weights then, and the loss of each epoch."""

    def __init__(self, killed_in=None, directory=None):
        super().__init__()
        self.runs = []
        self.killed_in = killed_in
        self.directory = directory

    def __deepcopy__(self, memo):
        return self  # keras-tuner gives each trial a copy; this one sees all

    def on_train_begin(self, logs=None):
        if len(self.runs) == self.killed_in:
            raise KeyboardInterrupt
        steps = int(self.model.optimizer.iterations)
        files = {} if self.directory is None else weights_in(self.directory)
        self.runs.append(
            {"steps": steps, "weights": self.model.get_weights(), "losses": [], "epochs": [], "files": files}
        )

    def on_epoch_end(self, epoch, logs=None):
        self.runs[-1]["losses"].append(logs["loss"])
        self.runs[-1]["epochs"].append(epoch)


def weights_in(directory):
    """The content of the weight files of a run, by trial."""
    files = directory.glob("trial_*/*.weights.h5")
    return {file.parent.name.removeprefix("trial_"): file.read_bytes() for file in files}


def open_tuner(directory, hypermodel=build, oracle=None, **arguments):
    if oracle is None:
        oracle = AshaOracle(["accuracy"], max_epochs=2, reduction=2, max_trials=4, seed=0, **arguments)
    return hw.HardwareTuner(
        hypermodel,
        oracle=oracle,
        device="raspberry_pi_4",
        precision="float32",
        seed=0,
        directory=directory,
        progress=None,
    )


def search(tuner, digits, watch, **arguments):
    x, y = digits
    valid = (x[300:500], y[300:500])
    tuner.search(x[:300], y[:300], validation_data=valid, batch_size=20, callbacks=[watch], **arguments)


@pytest.fixture(scope="module")
def searched(tmp_path_factory, digits):
    """A search of 4 trials on a ladder of 1 and 2 epochs: the third trains the better of the first two on."""
    directory = tmp_path_factory.mktemp("fidelity") / "run"
    tuner, watch = open_tuner(directory), Watch(directory=directory)
    search(tuner, digits, watch)
    return tuner, watch


def fidelities(tuner):
    return [Fidelity.of(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()]


def test_the_best_is_trained_on_from_its_weights(searched, tmp_path):
    tuner, watch = searched
    parent = fidelities(tuner)[2].parent
    assert [known.epochs for known in fidelities(tuner)] == [1, 1, 2, 1]
    assert parent == max(("0", "1"), key=lambda trial_id: tuner.oracle.trials[trial_id].score)
    begun, continued = watch.runs[int(parent)], watch.runs[2]
    (tmp_path / "then.weights.h5").write_bytes(continued["files"][parent])
    deployed = tuner.hypermodel.build(tuner.oracle.trials[parent].hyperparameters)
    deployed.optimizer.build(deployed.trainable_variables)
    deployed.load_weights(tmp_path / "then.weights.h5")
    for now, then in zip(continued["weights"], deployed.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
    assert (begun["steps"], continued["steps"]) == (0, 15), "the optimizer goes on where it was"
    assert (begun["epochs"], continued["epochs"]) == ([0], [1])


def test_weights_that_were_trained_on_are_removed_and_no_others(searched):
    tuner, watch = searched
    parent = fidelities(tuner)[2].parent
    assert set(watch.runs[2]["files"]) == {"0", "1"}, "they are kept until the longer training is"
    assert set(watch.runs[3]["files"]) == {"0", "1", "2"} - {parent}
    assert set(weights_in(tuner.run.directory)) == {"0", "1", "2", "3"} - {parent}


def test_weights_are_kept_while_another_trial_is_to_continue_them_or_the_longer_training_has_none(tmp_path):
    class Trial:
        def __init__(self, trial_id, status, parent=None):
            self.trial_id, self.status = trial_id, status
            self.hyperparameters = SimpleNamespace(values=Fidelity(2, parent=parent).to_values())

    class Found:
        def candidates_of(self, trial_id):
            return []

    trials = [Trial("0", "COMPLETED"), Trial("1", "COMPLETED", "0"), Trial("2", "RUNNING", "0")]
    weights = Weights(Run(tmp_path))
    oracle = SimpleNamespace(trials={trial.trial_id: trial for trial in trials})
    continuation = Continuation(Journal(tmp_path / "journal.jsonl"), Found(), weights, oracle)
    for trial_id in ("0", "1"):
        weights.file(trial_id).parent.mkdir()
        weights.file(trial_id).write_bytes(b"weights")
    continuation.retire(*trials)
    assert set(weights_in(tmp_path)) == {"0", "1"}
    trials[2].status = "FAILED"
    weights.remove("1")
    continuation.retire(*trials)
    assert set(weights_in(tmp_path)) == {"0"}
    weights.file("1").write_bytes(b"weights")
    continuation.retire(*trials)
    continuation.retire(*trials)
    assert set(weights_in(tmp_path)) == {"1"}


def test_the_loss_goes_on_where_it_was(searched):
    tuner, watch = searched
    before = watch.runs[int(fidelities(tuner)[2].parent)]["losses"][-1]
    from_scratch = min(watch.runs[number]["losses"][0] for number in (0, 1, 3))
    assert watch.runs[2]["losses"][0] < 0.9 * before
    assert watch.runs[2]["losses"][0] < 0.9 * from_scratch


def test_the_epochs_of_each_trial_are_known_and_fewer_than_all_to_the_end(searched):
    tuner, watch = searched
    trained = [trial.metrics.get_last_value("epochs_trained") for trial in tuner.oracle.trials.values()]
    assert trained == [len(run["epochs"]) for run in watch.runs] == [1, 1, 1, 1]
    assert sum(trained) == 4 < 3 * 2


def test_an_architecture_is_in_the_results_once_as_it_was_trained_the_longest(searched):
    tuner, _ = searched
    parent = fidelities(tuner)[2].parent
    trials = {candidate.trial for candidate in tuner.candidates()}
    assert trials == {"0", "1", "2", "3"} - {parent}
    hashes = [candidate.architecture_hash for candidate in tuner.candidates()]
    assert len(set(hashes)) == len(hashes) == 3
    assert not any("tuner/" in candidate.architecture for candidate in tuner.candidates())
    assert parent not in {trial.trial_id for trial in tuner.oracle.get_best_trials(9)}
    document = json.loads((tuner.run.directory / "results.json").read_text())
    assert {entry["trial"] for entry in document["candidates"]} == trials
    assert (document["trials"], document["epochs"]) == (4, 2)


def test_the_best_can_be_loaded_and_shipped(searched, tmp_path, digits):
    tuner, _ = searched
    x, _ = digits
    best = tuner.best()
    model = tuner.get_best_models()[0]
    assert best.trial == tuner.oracle.get_best_trials()[0].trial_id
    assert hw.verify(tuner.export(tmp_path / "bundle", best), remeasure=False).ok
    assert model.predict(x[:2], verbose=0).shape == (2, 10)


def test_killed_in_a_continued_trial_it_goes_on(searched, tmp_path, digits):
    whole, _ = searched
    with pytest.raises(KeyboardInterrupt):
        search(open_tuner(tmp_path / "run"), digits, Watch(killed_in=2))
    resumed, watch = open_tuner(tmp_path / "run"), Watch()
    search(resumed, digits, watch)
    assert [run["steps"] for run in watch.runs] == [15, 0], "what was finished is not trained again"
    assert fidelities(resumed) == fidelities(whole)
    assert [c.metrics for c in resumed.candidates()] == [c.metrics for c in whole.candidates()]


def test_killed_before_the_parent_is_retired_it_is_retired_on_resumption(searched, tmp_path, digits):
    tuner, _ = searched
    shutil.copytree(tuner.run.directory, tmp_path / "run")
    journal = tmp_path / "run" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    retired = [line for line in lines if json.loads(line).get("candidates") == []]
    assert [json.loads(line)["trial"] for line in retired] == [fidelities(tuner)[2].parent]
    journal.write_text("\n".join(line for line in lines if line not in retired) + "\n")
    again, watch = open_tuner(tmp_path / "run"), Watch()
    assert len(again.candidates()) == 4
    search(again, digits, watch)
    assert watch.runs == []
    assert [c.to_json() for c in again.candidates()] == [c.to_json() for c in tuner.candidates()]


def test_weights_that_cannot_be_continued_are_trained_anew(tmp_path, digits):
    with pytest.raises(KeyboardInterrupt):
        search(open_tuner(tmp_path / "run"), digits, Watch(killed_in=2))
    tuner, watch = open_tuner(tmp_path / "run"), Watch()
    trial = tuner.oracle.trials["2"]
    parent = Fidelity.of(trial.hyperparameters.values).parent
    file = tuner.run.directory / f"trial_{parent}" / "deployed.weights.h5"
    os.truncate(file, file.stat().st_size // 2)
    search(tuner, digits, watch)
    assert (watch.runs[0]["steps"], watch.runs[0]["epochs"]) == (0, [0, 1])
    assert tuner.oracle.trials["2"].metrics.get_last_value("epochs_trained") == 2
    (event,) = Journal(tmp_path / "run" / "journal.jsonl").read("restarted")
    assert event["trial"] == "2"
    assert event["message"].startswith(f"The weights of trial {parent} cannot be continued: ")


def test_weights_are_whole_or_an_error(tmp_path):
    def model(units=3, optimizer="adam"):
        layers = keras.layers
        built = keras.Sequential([keras.Input((2,)), layers.Dense(units), layers.BatchNormalization()])
        built.compile(optimizer, "mse")
        return built

    weights = Weights(Run(tmp_path))
    with pytest.raises(OSError, match="No such file"):
        weights.load(model(), "0")
    trained = model()
    trained.fit(np.ones((4, 2)), np.ones((4, 3)), epochs=3, verbose=0)
    weights.save(trained, "0")
    assert [path.name for path in (tmp_path / "trial_0").iterdir()] == [weights.file("0").name]
    loaded = weights.load(model(), "0")
    for now, then in zip(loaded.optimizer.variables, trained.optimizer.variables, strict=True):
        np.testing.assert_array_equal(now, then)
    with pytest.raises(ValueError, match="could not be loaded"):
        weights.load(model(units=4), "0")
    os.truncate(weights.file("0"), 1000)
    with pytest.raises(OSError, match="truncated file"):
        weights.load(model(), "0")


def test_with_a_space_of_ours(tmp_path, digits, small_space):
    """Rate schedule, labels' loss and momentum are set anew for the epochs that are left."""
    oracle = AshaOracle(["accuracy", "size_bytes"], max_epochs=3, max_trials=4, reduction=3, seed=0)
    tuner, watch = open_tuner(tmp_path / "run", small_space(), oracle), Watch()
    search(tuner, digits, watch, epochs=3)
    assert [known.epochs for known in fidelities(tuner)] == [1, 1, 1, 3]
    parent = int(fidelities(tuner)[3].parent)
    assert watch.runs[3]["epochs"] == [1, 2]
    assert watch.runs[3]["losses"][0] < watch.runs[parent]["losses"][-1]
    assert len({c.architecture_hash for c in tuner.candidates()}) == len(tuner.candidates()) == 3


def test_the_epochs_of_the_search_are_those_of_the_oracle(tmp_path, digits):
    oracle = AshaOracle(["accuracy"], max_trials=1, seed=0)
    tuner, watch = open_tuner(tmp_path / "run", oracle=oracle), Watch()
    search(tuner, digits, watch, epochs=3)
    assert oracle.levels == (1, 3)
    with pytest.raises(UserError, match="`epochs` must be the `max_epochs` of the oracle. Received: epochs=5 and max_"):
        search(tuner, digits, watch, epochs=5)


def test_other_oracles_train_as_many_epochs_as_asked(tmp_path, digits):
    oracle = EvolutionOracle(["accuracy"], max_trials=1, seed=0)
    tuner, watch = open_tuner(tmp_path / "run", oracle=oracle), Watch()
    stopping = keras.callbacks.EarlyStopping("loss", min_delta=100.0, patience=1)
    x, y = digits
    tuner.search(x[:100], y[:100], validation_data=(x[300:400], y[300:400]), epochs=4, callbacks=[watch, stopping])
    trained = tuner.oracle.trials["0"].metrics.get_last_value("epochs_trained")
    assert trained == len(watch.runs[0]["epochs"]) == 2
