import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeras.convert.quality import judge
from hwkeras.convert.quality import qualities_of
from hwkeras.convert.quality import require_targets
from hwkeras.errors import DataError
from hwkeras.errors import UserError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective


def of(*names):
    return [Objective.parse(name) for name in names]


def test_accuracy_is_always_told_of_classes_and_the_errors_of_numbers_together():
    assert qualities_of(of("latency_ms")) == ("accuracy",)
    assert qualities_of(of("f1", "size_bytes"), [Limit.parse("auc=0.9")]) == ("accuracy", "f1", "auc")
    assert qualities_of(of("rmse", "latency_ms")) == ("mae", "rmse")
    assert qualities_of(of("latency_ms"), [Limit.parse("mae=0.5")]) == ("mae", "rmse")


def test_classes_and_numbers_do_not_mix():
    with pytest.raises(UserError, match="classes or for numbers. Received: 'f1', of classes, and 'mae', of numbers"):
        qualities_of(of("f1", "mae"))


def test_two_classes():
    outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    told = judge(outputs, [0, 1, 0, 1], ("accuracy", "f1", "auc"))
    # Answers 0 1 1 0: one of two positives found, one of two that were called so is one.
    assert told == {"accuracy": 0.5, "f1": 0.5, "auc": 0.5}
    alone = judge(outputs[:, 1:], np.array([[0.0], [1.0], [0.0], [1.0]]), ("accuracy", "f1", "auc"))
    assert alone == told


def test_log_loss_of_one_two_and_several_outputs():
    outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]])
    expected = -np.log([0.9, 0.6, 0.2, 0.3]).mean()
    assert judge(outputs, [0, 1, 0, 1], ("log_loss",))["log_loss"] == pytest.approx(expected)
    assert judge(outputs[:, 1:], [0, 1, 0, 1], ("log_loss",))["log_loss"] == pytest.approx(expected)
    labels = judge(np.array([[0.9, 0.2], [0.5, 0.6]]), np.array([[1, 1], [0, 0]]), ("log_loss",))
    assert labels["log_loss"] == pytest.approx(-np.log([0.9, 0.2, 0.5, 0.4]).mean())


def test_a_sure_mistake_costs_no_more_than_an_int8_softmax_can_tell():
    told = judge(np.array([[1.0, 0.0], [0.0, 1.0]]), [0, 0], ("log_loss",))
    assert told["log_loss"] == pytest.approx(np.log(512) / 2)


def test_log_loss_is_of_probabilities():
    with pytest.raises(DataError, match=r"log_loss is of probabilities. Received: outputs from -3 to 4. End the"):
        judge(np.array([[-3.0, 4.0]]), [1], ("accuracy", "log_loss"))


def test_several_classes_count_alike():
    outputs = np.eye(3)[[0, 0, 0, 1, 2]]
    told = judge(outputs, [0, 0, 0, 0, 2], ("accuracy", "f1"))
    assert told["accuracy"] == pytest.approx(0.8)
    # Class 0 has precision 1 and recall 3/4, class 1 was wrongly found, class 2 is right.
    assert told["f1"] == pytest.approx((6 / 7 + 0 + 1) / 3)


def test_several_labels_a_sample():
    y = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]])
    outputs = np.array([[0.9, 0.8, 0.3], [0.1, 0.2, 0.6], [0.2, 0.7, 0.9]])
    told = judge(outputs, y, ("accuracy", "f1", "auc"))
    assert told["accuracy"] == pytest.approx(8 / 9)
    assert told["f1"] == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert told["auc"] == 1.0


def test_one_hot_rows_are_classes():
    outputs = np.array([[0.4, 0.3, 0.3], [0.1, 0.2, 0.7]])
    assert judge(outputs, np.eye(3)[[0, 2]], ("accuracy",)) == {"accuracy": 1.0}


def test_an_area_of_one_class_alone_is_not_known():
    assert np.isnan(judge(np.array([[0.9, 0.1], [0.4, 0.6]]), [1, 1], ("auc",))["auc"])
    # Of three classes those that were there count.
    outputs = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    assert judge(outputs, [0, 1], ("auc",)) == {"auc": 1.0}


def test_numbers():
    told = judge(np.array([[1.0], [4.0]]), np.array([1.0, 0.0]), ("mae", "rmse"))
    assert told == {"mae": 2.0, "rmse": pytest.approx(8**0.5)}
    both = judge(np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]), ("mae", "rmse"))
    assert both == {"mae": 1.5, "rmse": pytest.approx(2.5**0.5)}


@given(st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), min_size=1, max_size=20))
def test_the_mean_error_is_at_most_the_squared_one(pairs):
    outputs, y = np.array(pairs, dtype=float).T
    told = judge(outputs[:, None], y, ("mae", "rmse"))
    assert 0 <= told["mae"] <= told["rmse"] * (1 + 1e-9)
    assert told["rmse"] <= np.abs(outputs - y).max() * (1 + 1e-9)


def test_numbers_that_do_not_fit_the_outputs():
    with pytest.raises(DataError, match=r"2 number\(s\) for each sample. Received: dtype float64, shape \(3,\)"):
        judge(np.zeros((3, 2)), np.zeros(3), ("rmse",))


@pytest.mark.parametrize(
    ("y", "names", "message"),
    [
        (np.array([0.5, 1.5]), ("accuracy",), r"Accuracy is of classes, numbered 0, 1, 2 .* objectives=\['rmse'"),
        (np.array(["a", "b"]), ("accuracy",), "must be numbers. Received: dtype <U1"),
        (np.array([1.0, np.nan]), ("rmse",), "must be finite"),
    ],
)
def test_targets_are_looked_at_before_anything_is_trained(y, names, message):
    with pytest.raises(DataError, match=message):
        require_targets(y, names)


def test_targets_that_suit():
    require_targets(np.array([0.0, 1.0]), ("accuracy",))
    require_targets(np.array([[0.3, 0.7]]), ("accuracy",))  # one row, soft labels
    require_targets(np.array([0.5]), ("mae", "rmse"))
