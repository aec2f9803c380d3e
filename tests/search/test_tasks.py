"""Searches for something else than accuracy: numbers instead of classes, F1, several labels a sample."""

import json

import numpy as np
import pytest

import hwkeras as hw
from hwkeras.convert import predict
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.export import verify


def searched(space, data, directory, **arguments):
    x, y = data
    tuner = hw.HardwareTuner(space, max_trials=1, seed=0, directory=directory, device="fake", **arguments)
    tuner.search(x[:600], y[:600], validation_data=(x[600:900], y[600:900]), epochs=6, batch_size=32)
    return tuner


def of_bytes(tuner, candidate, x):
    return predict((tuner.run.directory / candidate.file).read_bytes(), x[600:900])


def checks(tuner, directory):
    tuner.export(directory)
    return {check.name: check for check in verify(directory, remeasure=False).checks}


def test_a_regression_end_to_end(small_space, digits, tmp_path):
    x = digits[0]
    y = (1000 + 100 * x[:, :4].mean(axis=(1, 2, 3)) / 0.3).astype("float32")
    tuner = searched(small_space(num_classes=1), (x, y), tmp_path / "run")
    assert [objective.metric for objective in tuner.objectives] == ["rmse", "latency_ms", "size_bytes"]
    for candidate in tuner.candidates():
        off = of_bytes(tuner, candidate, x)[:, 0] - y[600:900]
        assert candidate.metrics["rmse"] == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-5)
        assert candidate.metrics["mae"] == pytest.approx(np.mean(np.abs(off)), rel=1e-5)
        assert "accuracy" not in candidate.metrics
        # Better than the mean: something was learned, and in the unit of the data.
        assert candidate.metrics["rmse"] < 0.7 * y.std()
    found = checks(tuner, tmp_path / "bundle")
    assert found["rmse"].ok and found["outputs"].ok
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert set(manifest["check"]) == {"num_samples", "rmse"}


def test_f1_of_a_rare_class(small_space, digits, tmp_path):
    x, y = digits[0], (digits[1] == 3).astype("int64")
    tuner = searched(small_space(num_classes=2), (x, y), tmp_path / "run", objectives=["f1", "latency_ms"])
    candidate = tuner.front()[0]
    answers = of_bytes(tuner, candidate, x).argmax(axis=1)
    found, truth = answers.astype(bool), y[600:900].astype(bool)
    expected = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert candidate.metrics["f1"] == pytest.approx(expected) and expected > 0.5
    assert candidate.metrics["accuracy"] == pytest.approx((found == truth).mean())
    assert checks(tuner, tmp_path / "bundle")["accuracy"].ok


def test_targets_that_do_not_suit_cost_no_training(small_space, digits, tmp_path):
    x, y = digits[0], digits[1] + 0.5
    with pytest.raises(DataError, match=r"Accuracy is of classes.*objectives=\['rmse', 'latency_ms', 'size_bytes'\]"):
        searched(small_space(), (x, y), tmp_path / "run")
    assert not list((tmp_path / "run").glob("trial_*"))


def test_classes_and_numbers_are_not_asked_for_together(small_space, digits, tmp_path):
    with pytest.raises(UserError, match="for classes or for numbers"):
        searched(small_space(), digits, tmp_path / "run", objectives=["accuracy", "rmse"])


def test_an_objective_of_one_precision_is_asked_for_otherwise(small_space, tmp_path):
    said = r"objective 'int8_accuracy'. Ask for 'accuracy', and for precision=\('int8',\)"
    with pytest.raises(UserError, match=said):
        hw.HardwareTuner(small_space(), objectives=["int8_accuracy:max"], directory=tmp_path / "run", device="fake")
