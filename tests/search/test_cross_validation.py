"""Few samples: judged by files that were trained without them, and shipped as a file that was trained on all."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwkeras as hw
from hwkeras.convert import score
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.report.page import page_html
from hwkeras.search.folds import fold_indices
from hwkeras.search.training_data import TrainingData

X = np.arange(40 * 4, dtype="float32").reshape(40, 4)
Y = np.tile(np.arange(4), 10)


@given(st.integers(2, 40), st.integers(0, 9), st.booleans())
def test_each_sample_is_in_one_fold(num_folds, seed, is_of_numbers):
    y = Y / 7 if is_of_numbers else Y
    folds = fold_indices(y, num_folds, seed)
    assert len(folds) == num_folds
    np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in folds])), np.arange(40))
    for chosen, held in folds:
        np.testing.assert_array_equal(np.sort(np.concatenate([chosen, held])), np.arange(40))
        if not is_of_numbers and num_folds <= 10:
            counts = np.bincount(Y[held], minlength=4)
            assert counts.max() - counts.min() <= 1


@given(st.integers(2, 6), st.integers(0, 99), st.lists(st.integers(0, 5), min_size=34, max_size=34))
def test_a_group_is_in_one_fold_and_no_fold_is_empty(num_folds, seed, others):
    groups = np.array([*range(6), *others])
    folds = fold_indices(Y, num_folds, seed, groups)
    assert len(folds) == num_folds
    np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in folds])), np.arange(40))
    for chosen, held in folds:
        assert len(held) and len(chosen)
        assert not np.isin(groups[held], groups[chosen]).any()


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"validation_groups": Y}, UserError, r"Received: validation_groups, and validation_folds=None. Pass"),
        (
            {"validation_groups": Y, "validation_folds": 5},
            UserError,
            r"validation_folds=5, 4 groups. Pass .*=4 or fewer",
        ),
        ({"validation_groups": Y[:5], "validation_folds": 2}, DataError, r"groups of shape \(5,\), 40 samples"),
    ],
)
def test_groups_that_cannot_be_put_into_folds(asked, error, said):
    with pytest.raises(error, match=said):
        TrainingData.from_fit_arguments((X, Y), asked)


def test_the_folds_of_training_and_validation_data():
    data = TrainingData.from_fit_arguments(
        (X[:30], Y[:30]), {"validation_data": (X[30:], Y[30:]), "validation_folds": 5, "steps_per_epoch": 10}, seed=1
    )
    np.testing.assert_array_equal(data.fit_args[0], X)
    np.testing.assert_array_equal(data.x_valid, X)
    assert data.num_folds == 5 and "validation_folds" not in data.fit_kwargs
    for fold in data.folds():
        assert len(fold.x) == 32 and len(fold.x_valid) == 8 and fold.num_folds is None
        np.testing.assert_array_equal(fold.fit_args[0], fold.x)
        assert fold.fit_kwargs["steps_per_epoch"] == 8
        np.testing.assert_array_equal(fold.fit_kwargs["validation_data"][0], fold.x_valid)
        assert not np.isin(fold.x[:, 0], fold.x_valid[:, 0]).any()
    by_group = TrainingData.from_fit_arguments((X, Y), {"validation_folds": 4, "validation_groups": Y})
    assert sorted(set(fold.y_valid).pop() for fold in by_group.folds()) == [0, 1, 2, 3]
    prints = {
        TrainingData.from_fit_arguments((X, Y), asked).fingerprint
        for asked in ({}, {"validation_folds": 4}, {"validation_folds": 5})
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (
            {"validation_folds": 1},
            UserError,
            "from 2 to the number of samples, 40. Received: validation_folds=1. Usual",
        ),
        ({"validation_folds": 41}, UserError, "from 2 to the number of samples, 40. Received: validation_folds=41"),
        ({"validation_folds": True}, UserError, "Received: validation_folds=True"),
        ({"validation_folds": 2, "sample_weight": np.ones(40)}, DataError, "count alike. Received: sample_weight."),
        ({"validation_folds": 2, "validation_data": ([1], [2])}, DataError, "of one array in memory, with labels."),
    ],
)
def test_folds_that_cannot_be_cut(asked, error, said):
    with pytest.raises(error, match=said):
        TrainingData.from_fit_arguments((X, Y), asked)


def test_folds_and_a_share_of_the_samples():
    with pytest.raises(UserError, match=r"Received: validation_folds=2 and train_share=0.5. Leave one out."):
        TrainingData.from_fit_arguments((X, Y), {"validation_folds": 2}, train_share=0.5)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"economy": hw.search.Economy(stop_hopeless=True)}, "stop_hopeless"),
        ({"economy": hw.search.Economy(inherit_weights=True)}, "inherit_weights"),
        ({"compression": ("int8_qat",)}, r"recipes=\['int8_qat'\]"),
        ({"oracle": "hyperband"}, "oracle=HyperbandOracle"),
    ],
)
def test_what_does_not_go_together(asked, said, small_space, digits, tmp_path):
    tuner = hw.HardwareTuner(small_space(), directory=tmp_path / "run", device="fake", **asked)
    with pytest.raises(UserError, match=f"is trained from the start, to its end, .* Received: {said}. Leave one out"):
        tuner.search(digits[0][:60], digits[1][:60], validation_folds=2, epochs=2)
    assert not (tmp_path / "run" / "search.json").exists()


def test_samples_are_judged_by_files_that_did_not_see_them(small_space, digits, tmp_path):
    """Labels drawn by lot can be learned by heart, and not told."""
    x, y = digits[0][:90], np.random.default_rng(0).integers(0, 2, size=90)
    tuner = hw.HardwareTuner(
        small_space(num_classes=2), objectives=["log_loss"], max_trials=1, seed=0, directory=tmp_path, device="fake"
    )
    tuner.search(x[:70], y[:70], validation_data=(x[70:], y[70:]), validation_folds=3, epochs=40, batch_size=8)
    assert tuner.results()["validation_folds"] == 3
    assert len(tuner.candidates()) == 2
    for candidate in tuner.candidates():
        content = (tuner.run.directory / candidate.file).read_bytes()
        assert score(content, x, y) > 0.9
        assert candidate.metrics["accuracy"] < 0.7 and candidate.metrics["val_accuracy"] < 0.7
        assert candidate.metrics["log_loss"] > 0.6
    (trial,) = tuner.oracle.trials.values()
    assert trial.metrics.get_best_value("epochs_trained") == 4 * 40
    tuner.export(tmp_path / "bundle")
    assert hw.export.verify(tmp_path / "bundle", remeasure=False).ok
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert manifest["validation_folds"] == 3 and manifest["metrics"]["accuracy"] < 0.7
    page = page_html(tuner.results())
    assert "each trained without a part of the samples" in page and "on the validation data" not in page


def test_what_can_be_told_is_told(small_space, digits, tmp_path):
    x, y = digits[0][:120], (digits[1][:120] > 4).astype("int64")
    tuner = hw.HardwareTuner(small_space(num_classes=2), max_trials=1, seed=0, directory=tmp_path, device="fake")
    tuner.search(x, y, validation_folds=3, epochs=15, batch_size=8)
    told = [dataclasses.asdict(candidate)["metrics"]["accuracy"] for candidate in tuner.candidates()]
    assert min(told) > 0.75
    # All samples count: steps of one in 120.
    assert all(abs(accuracy * 120 - round(accuracy * 120)) < 1e-6 for accuracy in told)
