"""What a search saves on training: stopping what is hopeless, a share of the data, what earlier runs know."""

import dataclasses
import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwkeras as hw
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.oracles.asha import AshaOracle
from hwkeras.search.candidate import Candidate
from hwkeras.search.economy import Economy
from hwkeras.search.hopeless import CurveWatch
from hwkeras.search.hopeless import HopelessTrials
from hwkeras.search.journal import Journal
from hwkeras.search.known_costs import KnownCosts
from hwkeras.search.learning_curve import CompletedCurve
from hwkeras.search.progress import progress_line
from hwkeras.search.training_data import TrainingData
from hwkeras.testing import FakeDevice

EPOCHS = 6
ACCURACY, SIZE, LATENCY = (Objective.parse(name) for name in ("accuracy", "size_bytes", "latency_ms"))


def build(hp):
    """Networks that learn, and some of the same cost that cannot: their only layer never moves from zero."""
    is_dead = hp.Boolean("dead")
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(
            hp.Choice("units", [12, 16, 20, 24]),
            activation="relu",
            kernel_initializer="zeros" if is_dead else "glorot_uniform",
            trainable=not is_dead,
        ),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Scripted(hw.oracles.get("random")):
    """Proposes what it is told to, in that order."""

    script = [(24, False), (20, False), (16, False), (12, False), (24, True), (20, True)]

    def propose(self, rng):
        units, is_dead = self.script[min(len(self.trials), len(self.script) - 1)]
        return {"units": units, "dead": is_dead}


class Watch(keras.callbacks.Callback):
    """Counts the epochs of each training, and ends the process in one of them."""

    def __init__(self, killed_in=None):
        super().__init__()
        self.epochs = []
        self.killed_in = killed_in

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, logs=None):
        self.epochs.append(0)

    def on_epoch_end(self, epoch, logs=None):
        self.epochs[-1] += 1
        if (len(self.epochs) - 1, epoch) == self.killed_in:
            raise KeyboardInterrupt


def open_tuner(directory, economy=None, objectives=("accuracy",), oracle=None, **arguments):
    oracle = oracle or Scripted(list(objectives), max_trials=6, seed=0, max_consecutive_failed_trials=2)
    return hw.HardwareTuner(
        build,
        oracle=oracle,
        device=arguments.pop("device", "raspberry_pi_4"),
        precision="float32",
        seed=0,
        directory=directory,
        economy=economy,
        progress=arguments.pop("progress", None),
        **arguments,
    )


def search(tuner, digits, watch=None, epochs=EPOCHS):
    x, y = digits
    callbacks = [] if watch is None else [watch]
    valid = (x[400:700], y[400:700])
    tuner.search(x[:400], y[:400], validation_data=valid, batch_size=20, epochs=epochs, callbacks=callbacks)
    return tuner


def events(tuner, name):
    return Journal(tuner.run.directory / "journal.jsonl").read(name)


# The switches.


def test_every_switch_is_off_by_default_and_recorded():
    assert Economy() == Economy.of(None)
    assert Economy.of(None).to_json() == {
        "stop_hopeless": False,
        "inherit_weights": False,
        "train_share": 1.0,
        "warm_start": [],
        "zero_cost": False,
    }
    assert Economy(warm_start="runs/a").warm_start == ("runs/a",)
    assert json.loads(json.dumps(Economy(warm_start=["a", "b"]).to_json()))["warm_start"] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"train_share": 0},
            r"`train_share` must be in \(0, 1\]. Received: train_share=0. For half of the training data",
        ),
        ({"train_share": 1.5}, r"Received: train_share=1.5"),
        ({"train_share": "half"}, r"Received: train_share='half'"),
        ({"train_share": math.nan}, r"Received: train_share=nan"),
        ({"stop_hopeless": "yes"}, r"`stop_hopeless` is a switch: True or False. Received: stop_hopeless='yes'"),
        ({"warm_start": 3}, r"`warm_start` names directories of runs. Received: warm_start=3. For one run pass"),
        ({"warm_start": [None]}, r"Received: warm_start=\[None\]"),
    ],
)
def test_wrong_switches_are_told(arguments, said):
    with pytest.raises(UserError, match=said):
        Economy(**arguments)


def test_wrong_economies_are_told_at_the_door(tmp_path):
    with pytest.raises(
        UserError, match=r"`economy` is an Economy or None. Received: economy='cheap'. Pass for instance"
    ):
        open_tuner(tmp_path / "run", "cheap")
    said = (
        r"one of several fidelities|of several fidelities by comparing them with each other. Received: stop_hopeless="
    )
    with pytest.raises(UserError, match=said):
        open_tuner(tmp_path / "run", Economy(stop_hopeless=True), oracle=AshaOracle(["accuracy"], seed=0))
    with pytest.raises(UserError, match=r"An earlier run has a file search.json .* Received: .*nowhere"):
        open_tuner(tmp_path / "run", Economy(warm_start=tmp_path / "nowhere"))
    assert not (tmp_path / "run").exists()


# Hopeless trials.


def watched(losses, to_beat, num_epochs=EPOCHS, objective=ACCURACY, name="val_accuracy"):
    """The watch after a training of these losses, that of others falling by a power law to the loss -0.9."""
    curve = tuple(-0.9 + 0.5 / epoch for epoch in range(1, num_epochs + 1))
    watch = CurveWatch(objective, num_epochs, [CompletedCurve(curve, curve[-1])] * 4, to_beat)
    watch.set_model(SimpleNamespace(stop_training=False))
    watch.on_train_begin()
    for epoch, loss in enumerate(losses):
        if not watch.model.stop_training:
            watch.on_epoch_end(epoch, {name: loss if objective.direction == "min" else -loss})
    return watch


@given(
    limit=st.floats(-1, -0.1),
    gap=st.floats(0, 0.5),
    rate=st.floats(0.1, 3),
    to_beat=st.floats(-1, 0),
    num_epochs=st.integers(5, 12),
)
def test_a_trial_that_would_win_is_never_stopped(limit, gap, rate, to_beat, num_epochs):
    """Its curve is of the model's family, without noise; and one that cannot win is, once four epochs are known."""
    losses = [limit + gap * epoch**-rate for epoch in range(1, num_epochs + 1)]
    watch = watched(losses, to_beat, num_epochs)
    if losses[-1] < to_beat:
        assert watch.stopped is None
    elif losses[-1] > to_beat + 1e-4:
        assert watch.stopped.epochs == 4 == len(watch.losses)
        assert watch.stopped.optimistic <= watch.stopped.to_beat + 1e-9


def test_what_is_told_of_a_stopped_trial_is_in_the_unit_of_the_objective():
    losses = [-0.5 - 0.2 * (1 - 1 / epoch) for epoch in range(1, 7)]
    told = watched(losses, -0.8).stopped
    assert (told.metric, told.epochs, told.num_epochs) == ("accuracy", 4, 6)
    assert told.expected == told.optimistic == pytest.approx(-losses[-1], abs=1e-6)
    assert told.to_beat == 0.8
    loss = Objective.parse("val_loss")
    told = watched([1 + 1 / epoch for epoch in range(1, 7)], 0.5, objective=loss, name="val_loss").stopped
    assert told.expected == pytest.approx(1 + 1 / 6, abs=1e-6) and told.to_beat == 0.5


@pytest.mark.parametrize("name", ["val_accuracy", "val_sparse_categorical_accuracy", "val_acc", "val_top_acc"])
def test_accuracy_is_found_whatever_it_is_called(name):
    assert len(watched([-0.1, -0.2], 0.0, name=name).losses) == 2


def test_without_its_metric_nothing_is_watched():
    watch = watched([-0.1] * 6, -0.9, name="val_loss")
    assert watch.losses == [] and watch.stopped is None


def front_of(*candidates, objectives=(ACCURACY, SIZE), limits=(), costs=None, tmp_path, num_curves=4):
    """The loss to beat for a trial of some costs among completed ones."""
    journal = Journal(tmp_path / "journal.jsonl")
    hopeless = HopelessTrials(
        journal,
        SimpleNamespace(candidates=lambda: list(candidates)),
        SimpleNamespace(of=lambda hp, precisions: {p: costs[p] for p in precisions}),
        objectives,
        [Limit.parse(limit) for limit in limits],
        EPOCHS,
    )
    for number in range(num_curves):
        hopeless.note_curve(str(number), SimpleNamespace(losses=[-0.5] * EPOCHS))
    watch = hopeless.watch(None, list(costs))
    return None if watch is None else watch._to_beat


def candidate(trial, accuracy, size, status="ok", measurement=None, **metrics):
    metrics = {"accuracy": accuracy, "size_bytes": size} | metrics
    return Candidate(str(trial), "int8", metrics, "", "", "", measurement or {}, status)


KNOWN = [candidate(0, 0.7, 10), candidate(1, 0.8, 20), candidate(2, 0.9, 30), candidate(3, 0.6, 40)]


def test_what_a_recipe_made_is_not_to_beat(tmp_path):
    compressed = dataclasses.replace(candidate(0, 0.99, 5), precision="prune=0.5+int8_qat")
    costs = {"int8": {"size_bytes": 15}}
    assert front_of(*KNOWN, compressed, costs=costs, tmp_path=tmp_path) == -0.7


@pytest.mark.parametrize(
    ("size", "to_beat"), [(5, math.inf), (10, -0.7), (15, -0.7), (29, -0.8), (30, -0.9), (99, -0.9)]
)
def test_the_best_of_those_that_cost_no_more_is_to_beat(size, to_beat, tmp_path):
    assert front_of(*KNOWN, costs={"int8": {"size_bytes": size}}, tmp_path=tmp_path) == to_beat


def test_the_easiest_precision_decides(tmp_path):
    costs = {"int8": {"size_bytes": 15}, "float32": {"size_bytes": 99}}
    assert front_of(*KNOWN, costs=costs, tmp_path=tmp_path) == -0.7
    costs["int8"] = {"size_bytes": 5}
    assert front_of(*KNOWN, costs=costs, tmp_path=tmp_path) == math.inf


def test_only_what_can_be_shipped_is_to_beat(tmp_path):
    costs = {"int8": {"size_bytes": 99}}
    broken = [candidate(4, 0.99, 10, status="timeout"), candidate(5, 0.98, 80)]
    assert front_of(*KNOWN, *broken, limits=["size=50B"], costs=costs, tmp_path=tmp_path) == -0.9


def test_of_latencies_the_ends_of_the_intervals_count_that_speak_for_the_trial(tmp_path):
    others = [candidate(n, 0.5, 10, latency_ms=9.0, measurement={"low_ms": 8.0, "high_ms": 9.5}) for n in range(3)]
    sure = candidate(3, 0.8, 10, latency_ms=1.0, measurement={"low_ms": 0.9, "high_ms": 1.2})
    for latency_ms, to_beat in ((1.1, math.inf), (1.2, -0.8)):
        costs = {"int8": {"latency_ms": latency_ms}}
        found = front_of(
            *others, sure, objectives=(ACCURACY, LATENCY), costs=costs, tmp_path=tmp_path / str(latency_ms)
        )
        assert found == to_beat


def test_nothing_is_stopped_where_costs_are_unknown_or_too_few_trials_completed(tmp_path):
    assert front_of(*KNOWN, costs={"int8": {}}, tmp_path=tmp_path / "a") == math.inf
    cheap = {"int8": {"size_bytes": 99}}
    assert front_of(*KNOWN, costs=cheap, tmp_path=tmp_path / "b", num_curves=3) == math.inf
    for objectives in ((SIZE,), (ACCURACY, Objective.parse("val_auc:max"))):
        assert front_of(*KNOWN, objectives=objectives, costs=cheap, tmp_path=tmp_path / "c", num_curves=0) is None


def test_a_latency_that_no_limit_asks_for_is_timed_once(tmp_path, digits):
    hp = SimpleNamespace(values={"dead": False, "units": 12})
    hp.Boolean, hp.Choice = (lambda name: False), (lambda name, values: 12)
    tuner = open_tuner(tmp_path / "run", objectives=["accuracy", "latency_ms"], device="fake", meter=FakeDevice(seed=1))
    parts = (tuner.hypermodel, tuner._naming, tuner._admission, tuner._journal, tuner._latencies, tuner.objectives)
    known = KnownCosts(*parts, tuner._clock).of(hp, ["float32"])["float32"]
    assert known["latency_ms"] > 0 and known["size_bytes"] > 0
    assert tuner.meter.num_calls == 1
    assert KnownCosts(*parts, tuner._clock).of(hp, ["float32"])["float32"] == known
    assert tuner.meter.num_calls == 1


def test_a_measured_latency_loses_its_guard_and_an_estimated_one_has_none():
    metrics = {"int8": {"latency_ms": 2.1, "latency_ms@pi": 4.0, "size_bytes": 7}}
    sources = {"int8": "measured", "int8@pi": "estimated"}
    admission = SimpleNamespace(costs=lambda identity: (metrics, sources))
    naming = SimpleNamespace(identity=lambda hp: "net")
    journal = SimpleNamespace(read=lambda event: [])
    costs = KnownCosts(None, naming, admission, journal, (), [LATENCY, SIZE], None).of(None, ["int8"])
    assert costs == {"int8": {"latency_ms": pytest.approx(2.0), "latency_ms@pi": 4.0, "size_bytes": 7}}


@pytest.fixture(scope="module")
def searched(tmp_path_factory, digits):
    """Four networks that learn, then two that cannot."""
    told = []
    tuner = open_tuner(
        tmp_path_factory.mktemp("economy") / "run",
        Economy(stop_hopeless=True),
        progress=lambda event, facts: told.append((event, facts)),
    )
    watch = Watch()
    search(tuner, digits, watch)
    return tuner, watch, told


def test_hopeless_trials_are_stopped_and_others_are_not(searched):
    tuner, watch, _ = searched
    assert watch.epochs == [6, 6, 6, 6, 4, 4]
    assert [event["trial"] for event in events(tuner, "stopped")] == ["4", "5"]
    assert [event["trial"] for event in events(tuner, "curve")] == ["0", "1", "2", "3"]
    assert all(len(event["losses"]) == EPOCHS for event in events(tuner, "curve"))


def test_a_stopped_trial_has_no_candidates_and_the_oracle_knows_what_it_would_have_come_to(searched):
    tuner, _, _ = searched
    assert {candidate.trial for candidate in tuner.candidates()} == {"0", "1", "2", "3"}
    assert not list((tuner.run.directory / "trial_4").glob("*.tflite"))
    for event in events(tuner, "stopped"):
        trial = tuner.oracle.trials[event["trial"]]
        assert trial.status == "COMPLETED"
        assert trial.score == event["expected"] <= event["optimistic"] < event["to_beat"]
        assert event["to_beat"] == max(candidate.metrics["accuracy"] for candidate in tuner.candidates())
        metrics = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
        assert (metrics["epochs_trained"], metrics["stopped_after_epochs"]) == (4.0, 4.0)
        assert metrics["size_bytes"] > 0 and metrics["val_accuracy"] < 0.3
    assert tuner.best().trial in "0123"


def test_who_was_stopped_is_told(searched):
    tuner, _, told = searched
    finished = [facts for event, facts in told if event == "trial_finished"]
    assert [facts["stopped"] and facts["stopped"]["trial"] for facts in finished] == [None] * 4 + ["4", "5"]
    line = progress_line("trial_finished", finished[4])
    assert line.startswith("trial 5/6: stopped after 4 of 6 epochs: accuracy 0.") and " is known (rejected" in line
    document = json.loads((tuner.run.directory / "results.json").read_text())
    assert document["stopped_trials"] == [facts["stopped"] for facts in finished[4:]]
    assert document["economy"]["stop_hopeless"] is True


@pytest.mark.parametrize("killed_in", [(4, 2), (5, 3)])
def test_killed_in_a_hopeless_trial_it_goes_on_the_same(searched, tmp_path, digits, killed_in):
    whole, _, _ = searched
    economy = Economy(stop_hopeless=True)
    with pytest.raises(KeyboardInterrupt):
        search(open_tuner(tmp_path / "run", economy), digits, Watch(killed_in))
    resumed = search(open_tuner(tmp_path / "run", economy), digits, Watch())
    assert resumed.results()["stopped_trials"] == whole.results()["stopped_trials"]
    assert [c.metrics for c in resumed.candidates()] == [c.metrics for c in whole.candidates()]


def test_without_the_switch_nothing_is_stopped(tmp_path, digits):
    tuner, watch = open_tuner(tmp_path / "run"), Watch()
    search(tuner, digits, watch)
    assert watch.epochs == [6] * 6 and events(tuner, "curve") == events(tuner, "stopped") == []
    assert len(tuner.candidates()) == 6


# A share of the data.

X = np.arange(200, dtype="float32").reshape(100, 2)
Y = np.repeat([0, 1, 2], [70, 28, 2])
VALID = {"validation_data": (X[:4], Y[:4])}


@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_a_share_is_stratified_seeded_and_in_order(share, seed):
    data = TrainingData.from_fit_arguments((X, Y), VALID, seed, share)
    x, y = data.fit_args
    assert len(x) == len(y) == data.num_samples
    assert abs(len(x) - 100 * share) <= 3
    assert (np.diff(x[:, 0]) > 0).all() and (Y[(x[:, 0] / 2).astype(int)] == y).all()
    for label, number in ((0, 70), (1, 28), (2, 2)):
        assert max(1, number * share - 1.01) <= (y == label).sum() <= number * share + 1.01
    again = TrainingData.from_fit_arguments((X, Y), VALID, seed, share)
    np.testing.assert_array_equal(again.x, x)
    assert data.x is x


def test_a_share_leaves_validation_data_and_fingerprint_as_they_are():
    whole = TrainingData.from_fit_arguments((X, Y), {}, 3)
    half = TrainingData.from_fit_arguments((X, Y), {}, 3, 0.5)
    np.testing.assert_array_equal(half.x_valid, whole.x_valid)
    assert half.fingerprint == whole.fingerprint
    assert (whole.num_samples, half.num_samples) == (80, 40)


def test_weights_of_samples_and_steps_are_shared_out_too():
    kwargs = VALID | {"sample_weight": X[:, 0], "steps_per_epoch": 10}
    data = TrainingData.from_fit_arguments(({"a": X, "b": [X, X]}, Y), kwargs, 0, 0.3)
    x, _ = data.fit_args
    np.testing.assert_array_equal(data.fit_kwargs["sample_weight"], x["a"][:, 0])
    np.testing.assert_array_equal(x["b"][1], x["a"])
    assert data.fit_kwargs["steps_per_epoch"] == 3
    assert kwargs["steps_per_epoch"] == 10


def test_only_arrays_are_shared_out():
    import tensorflow as tf

    train = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    with pytest.raises(
        DataError, match=r"can only be taken of arrays. Received: train_share=0.5 and x of type .*Batch"
    ):
        TrainingData.from_fit_arguments((train,), VALID, 0, 0.5)
    assert TrainingData.from_fit_arguments((train,), VALID).num_samples is None


def test_each_trial_is_trained_on_the_same_share_and_a_run_keeps_it(tmp_path, digits):
    told = []

    def random():
        return hw.oracles.get("random")(["accuracy"], max_trials=2, seed=0)

    tuner = open_tuner(
        tmp_path / "run",
        Economy(train_share=0.25),
        oracle=random(),
        progress=lambda event, facts: told.append((event, facts)),
    )
    search(tuner, digits, epochs=2)
    steps = [int(tuner.load_model(trial).optimizer.iterations) for trial in tuner.oracle.trials.values()]
    assert steps == [10, 10], "100 of 400 samples, in batches of 20, twice"
    assert ("economy", "each network is trained on 100 samples, 0.25 of the training data") in [
        (event, facts.get("message")) for event, facts in told
    ]
    assert progress_line(*told[0]) == told[0][1]["message"]
    assert tuner.run.settings()["economy"]["train_share"] == 0.25
    again = open_tuner(tmp_path / "run", oracle=random())
    with pytest.raises(UserError, match=r"belongs to another share of the training data \(0.25, not 1.0\)"):
        search(again, digits, epochs=2)


# What earlier runs know.


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_earlier_runs_found_is_handed_to_the_oracle_and_kept(searched, tmp_path, digits, is_lost):
    import shutil

    earlier, _, _ = searched
    directory = tmp_path / "earlier"
    shutil.copytree(earlier.run.directory, directory)
    economy = Economy(warm_start=[directory])

    def opened():
        oracle = hw.oracles.get("pareto")(["accuracy"], max_trials=1, seed=0, max_consecutive_failed_trials=2)
        return open_tuner(tmp_path / "run", economy, oracle=oracle)

    tuner = search(opened(), digits, epochs=1)
    assert len(tuner.oracle.earlier) == 6
    known = {trial.trial_id: trial for trial in earlier.oracle.trials.values()}
    assert [dict(trial.values) for trial in tuner.oracle.earlier] == [known[n].hyperparameters.values for n in known]
    assert all(trial.same_data for trial in tuner.oracle.earlier)
    assert tuner.run.settings()["economy"]["warm_start"] == [str(directory)]
    if is_lost:
        shutil.rmtree(directory)
    again = search(opened(), digits, epochs=1)
    assert again.oracle.earlier == tuner.oracle.earlier
    assert len(events(again, "earlier")) == 1


# Scores of untrained networks.


def test_untrained_networks_are_scored_the_same_after_a_kill(tmp_path, digits):
    def opened(name):
        oracle = hw.oracles.get("pareto")(["accuracy"], max_trials=3, seed=0, max_consecutive_failed_trials=2)
        return open_tuner(tmp_path / name, Economy(zero_cost=True), oracle=oracle)

    def scores(tuner):
        known = {event["identity"]: event["metrics"]["float32"] for event in events(tuner, "accepted")}
        return {who: {n: v for n, v in of.items() if n.startswith("zero_cost_")} for who, of in known.items()}

    whole = search(opened("whole"), digits, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        search(opened("run"), digits, Watch((1, 0)), epochs=1)
    resumed = search(opened("run"), digits, epochs=1)
    assert all(
        set(each) == {"zero_cost_naswot", "zero_cost_synflow", "zero_cost_grad_norm"} for each in scores(whole).values()
    )
    assert len(scores(whole)) >= 3 and scores(resumed) == scores(whole)
    assert [c.metrics for c in resumed.candidates()] == [c.metrics for c in whole.candidates()]
    assert whole.run.settings()["economy"]["zero_cost"] is True


def test_networks_of_several_inputs_have_no_scores():
    assert Economy().zero_cost_scores({"a": X}, 0) is None
    with pytest.raises(
        UserError, match="`zero_cost` scores networks of one input. Received: inputs in a dict. Leave it"
    ):
        Economy(zero_cost=True).zero_cost_scores({"a": X}, 0)
