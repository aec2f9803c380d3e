"""The stand-alone callback in keras-tuner's own tuners, on somebody else's `build(hp)`."""

import keras
import keras_tuner as kt
import pytest

from hwkeras import LatencyCallback
from hwkeras.errors import DeviceError
from hwkeras.errors import UserError
from hwkeras.measure import LocalMeter


def build(hp):
    """Nobody told this function of hwkeras."""
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for _ in range(hp.Int("depth", 1, 2)):
        model.add(keras.layers.Conv2D(hp.Choice("filters", [4, 16]), 3, activation="relu"))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


TUNERS = {
    "random": lambda **kwargs: kt.RandomSearch(build, max_trials=2, **kwargs),
    "hyperband": lambda **kwargs: kt.Hyperband(build, max_epochs=2, hyperband_iterations=1, **kwargs),
    "bayesian": lambda **kwargs: kt.BayesianOptimization(build, max_trials=3, num_initial_points=2, **kwargs),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TUNERS))
def test_any_tuner_minimizes_latency(name, tmp_path, digits):
    x, y = digits
    tuner = TUNERS[name](objective=kt.Objective("latency_ms", "min"), directory=tmp_path, seed=1)
    tuner.search(
        x[:200],
        y[:200],
        validation_data=(x[200:300], y[200:300]),
        epochs=1,
        verbose=0,
        callbacks=[LatencyCallback("int8")],
    )
    trials = tuner.oracle.get_best_trials(10)
    assert len(trials) >= 2
    for trial in trials:
        assert trial.status == "COMPLETED"
        metrics = {name: trial.metrics.get_best_value(name) for name in trial.metrics.metrics}
        assert {"latency_ms", "size_bytes", "peak_ram_bytes", "macs", "val_accuracy"} <= set(metrics)
        assert trial.score == metrics["latency_ms"] > 0
        assert metrics["macs"] == expected_macs(trial.hyperparameters)
    assert trials[0].score == min(trial.score for trial in trials)


def expected_macs(hp):
    side, channels, macs = 8, 1, 0
    for _ in range(hp.get("depth")):
        side, filters = side - 2, hp.get("filters")
        macs += side * side * 9 * channels * filters
        channels = filters
    return macs + channels * 10


def test_a_copy_shares_nothing_and_measures_alike():
    import copy

    callback = LatencyCallback("float32", meter=LocalMeter(num_threads=1))
    twin = copy.deepcopy(callback)
    assert (twin.precision, twin.device) == ("float32", "local")
    assert twin._meter is not callback._meter


def test_wrong_arguments_are_told_at_the_door():
    with pytest.raises(UserError, match="int4"):
        LatencyCallback("int4")
    with pytest.raises(UserError, match="toaster"):
        LatencyCallback(device="toaster")


def test_a_device_that_gives_nothing_is_an_error(digits):
    import sys

    x, y = digits
    meter = LocalMeter(bench=(sys.executable, "-c", "import os; os.abort()"))
    model = build(kt.HyperParameters())
    with pytest.raises(DeviceError, match="Device 'local' gave no latency"):
        model.fit(x[:8], y[:8], verbose=0, callbacks=[LatencyCallback(meter=meter)])
