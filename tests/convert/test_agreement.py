"""The criterion that accepts honest quantization and refuses a broken file."""

import numpy as np
import pytest

from hwkeras.convert.agreement import compare

STEP = 1 / 256


def _confident(num_classes, num_samples=16, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(num_samples, num_classes)) + 8 * np.eye(num_classes)[np.arange(num_samples) % num_classes]
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True)


def _judge(precision, reference, outputs, step=0.0):
    return compare(precision, [reference], [outputs], [step])


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8"])
def test_equal_outputs_agree_exactly(precision):
    agreement = _judge(precision, _confident(10), _confident(10))
    assert (agreement.max_error, agreement.figure, agreement.ok) == (0.0, 0.0, True)


@pytest.mark.parametrize("error, ok", [(0.9e-3, True), (1.1e-3, False)])
def test_float32_is_judged_relative_to_the_largest_output(error, ok):
    reference = np.full((16, 2), 50.0)
    assert _judge("float32", reference, reference * (1 + error)).ok is ok


@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_permuted_classes_are_refused(num_classes):
    reference = _confident(num_classes)
    assert not _judge("int8", reference, np.roll(reference, 1, axis=1), STEP).ok


@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_a_constant_is_refused_with_a_figure_near_one(num_classes):
    reference = _confident(num_classes)
    assert not _judge("int8", reference, np.full_like(reference, 1 / num_classes), STEP).ok
    assert _judge("dynamic", reference, np.full_like(reference, 1 / num_classes)).figure == pytest.approx(1.0)


def test_a_sigmoid_stuck_in_the_middle_is_refused_though_all_samples_are_of_one_class():
    assert not _judge("int8", np.full((16, 1), 0.99), np.full((16, 1), 0.5), STEP).ok


@pytest.mark.parametrize("num_classes", [2, 10, 1000])
def test_rounding_to_the_output_step_is_accepted(num_classes):
    reference = _confident(num_classes)
    assert _judge("int8", reference, np.round(reference / STEP) * STEP, STEP).figure == 0.0


def test_an_untrained_softmax_with_noise_of_two_steps_is_accepted():
    rng = np.random.default_rng(0)
    reference = np.full((16, 10), 0.1) + rng.normal(scale=1e-3, size=(16, 10))
    assert _judge("int8", reference, reference + rng.normal(scale=2 * STEP, size=(16, 10)), STEP).ok


def test_two_of_sixteen_answers_flipped_is_honest_quantization():
    reference = _confident(10)
    outputs = reference.copy()
    outputs[:2] = np.roll(outputs[:2], 3, axis=1)
    assert _judge("int8", reference, outputs, STEP).ok


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_outputs_that_are_not_finite_are_refused(precision):
    outputs = _confident(4)
    outputs[0, 0] = np.nan
    agreement = _judge(precision, _confident(4), outputs)
    assert not agreement.ok and agreement.max_error == np.inf


def test_of_several_outputs_the_worst_counts():
    good, bad = _confident(4), _confident(4)
    agreement = compare("int8", [good, bad], [good, np.roll(bad, 1, axis=1)], [STEP, STEP])
    assert not agreement.ok
