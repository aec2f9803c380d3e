"""What answers for every pixel are worth: worked out by hand, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hwkeras.convert.quality import by_pixel
from hwkeras.convert.quality import judge
from hwkeras.convert.quality import qualities_of
from hwkeras.convert.quality import require_targets
from hwkeras.errors import DataError
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.search import selection

TRUTH = np.array([[[0, 0, 1], [0, 1, 1]], [[2, 2, 2], [0, 0, 2]]])
ANSWERS = np.array([[[0, 1, 1], [0, 1, 1]], [[2, 2, 0], [0, 0, 0]]])


def outputs_of(answers, classes):
    """What `predict` returns of networks that give these classes."""
    return np.eye(classes)[answers].reshape(len(answers), -1)


def test_a_class_for_every_pixel_by_hand():
    told = judge(outputs_of(ANSWERS, 3), TRUTH, ("accuracy", "mean_iou", "f1"))
    assert told["accuracy"] == pytest.approx(9 / 12)
    # Of 0: 4 in common of 7 that are either; of 1: 3 of 4; of 2: 2 of 4.
    assert told["mean_iou"] == pytest.approx((4 / 7 + 3 / 4 + 2 / 4) / 3)
    assert told["f1"] == pytest.approx((8 / 11 + 6 / 7 + 4 / 6) / 3)
    assert judge(outputs_of(ANSWERS, 3), TRUTH[..., None], ("mean_iou",))["mean_iou"] == told["mean_iou"]


def test_classes_that_are_nowhere_do_not_count():
    told = judge(outputs_of(ANSWERS, 7), TRUTH.astype("uint8"), ("mean_iou",))
    assert told["mean_iou"] == pytest.approx((4 / 7 + 3 / 4 + 2 / 4) / 3)
    # A class that is answered and never there counts 0.
    wrong = np.where(ANSWERS == 1, 5, ANSWERS)
    assert judge(outputs_of(wrong, 7), TRUTH, ("mean_iou",))["mean_iou"] == pytest.approx((4 / 7 + 0 + 2 / 4 + 0) / 4)


def test_one_output_is_of_two_classes():
    truth = np.array([[[0, 1], [1, 1]]])
    told = judge(np.array([[0.2, 0.9, 0.4, 0.6]]), truth, ("accuracy", "mean_iou", "auc"))
    assert told == {"accuracy": 0.75, "mean_iou": pytest.approx((1 / 2 + 2 / 3) / 2), "auc": 1.0}


def test_the_index_is_of_whole_samples_and_several_labels_too():
    assert judge(np.eye(3)[[0, 0, 1]], [0, 1, 1], ("mean_iou",)) == {"mean_iou": 0.5}
    outputs, y = np.array([[0.9, 0.9], [0.1, 0.9]]), np.array([[1, 1], [1, 0]])
    assert judge(outputs, y, ("mean_iou",)) == {"mean_iou": 0.5}


MASKS = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)), elements=st.integers(0, 3)
)


@given(MASKS, st.randoms(use_true_random=False))
def test_laws(truth, rng):
    answers = np.array([rng.randrange(4) for _ in range(truth.size)]).reshape(truth.shape)
    names = ("accuracy", "mean_iou")
    assert judge(outputs_of(truth, 4), truth, names) == {"accuracy": 1.0, "mean_iou": 1.0}
    told = judge(outputs_of(answers, 4), truth, names)
    assert 0 <= told["mean_iou"] <= 1
    # Nothing is in common only where nothing is right, and what is in common is at most what is right.
    assert (told["mean_iou"] == 0) == (told["accuracy"] == 0)
    order = list(range(len(truth)))
    rng.shuffle(order)
    assert judge(outputs_of(answers[order], 4), truth[order], names) == pytest.approx(told)
    # Nor does it matter how pixels are spread over samples, or what classes are called.
    one = judge(outputs_of(answers.reshape(1, 1, -1), 4), truth.reshape(1, 1, -1), names)
    assert one == pytest.approx(told)
    assert judge(outputs_of(3 - answers, 4), 3 - truth, names) == pytest.approx(told)
    # Whose truth it is does not matter either.
    assert judge(outputs_of(truth, 4), answers, names) == pytest.approx(told)


def test_labels_that_do_not_fit():
    with pytest.raises(DataError, match=r"a label for each pixel of the answers. Received: y of shape \(2, 2, 2\), 9"):
        judge(np.zeros((2, 9)), np.zeros((2, 2, 2), int), ("accuracy",))
    with pytest.raises(DataError, match=r"Labels must be in 0..2. Received: 0..3."):
        judge(outputs_of(ANSWERS, 3), TRUTH + (TRUTH == 2), ("accuracy",))
    with pytest.raises(DataError, match="one label for each sample. Received: 2 samples"):
        judge(outputs_of(ANSWERS, 3), TRUTH[:1], ("accuracy",))
    with pytest.raises(DataError, match="Accuracy is of classes, numbered 0, 1, 2"):
        require_targets(TRUTH + 0.5, ("accuracy", "mean_iou"))
    require_targets(TRUTH, ("accuracy", "mean_iou"))


def test_other_labels_are_as_they_were():
    outputs, y = np.zeros((3, 4)), np.array([[1], [2], [3]])
    assert by_pixel(outputs, y)[0] is outputs and by_pixel(outputs, y)[1] is y


def test_it_is_an_objective_and_a_limit():
    objective = Objective.parse("mean_iou")
    assert (objective.metric, objective.direction) == ("mean_iou", "max")
    assert qualities_of([objective, Objective.parse("latency_ms")]) == ("accuracy", "mean_iou")
    limit = Limit.parse("mean_iou=0.6")
    assert limit.violation({"mean_iou": 0.61}) == 0 and limit.violation({"mean_iou": 0.3}) == pytest.approx(0.5)
    assert str(selection.limits_from({"mean_iou": 0.6})[0]) == str(limit)
