"""Searches for networks that answer for every pixel: from masks to files that are judged, and bundles that verify."""

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

import hwkeras as hw
from hwkeras.convert import evaluate
from hwkeras.convert import predict
from hwkeras.data import class_weights
from hwkeras.errors import DataError
from hwkeras.export import verify
from hwkeras.search.space_lint import lint_space
from hwkeras.testing import SpaceConformance

SMALL = dict(levels=(1, 2), depths=1, widths=(4, 8), kernels=3, activations="relu", decoder_widths=1)
BACKGROUND, DISC, SQUARE = range(3)


def shapes(number, side, seed=0):
    """Discs and squares before a dark ground, all in noise; the masks tell which pixel is of which."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    x, y = np.zeros((number, side, side, 1), "float32"), np.zeros((number, side, side), "uint8")
    for image, mask in zip(x, y, strict=True):
        for kind in (DISC, SQUARE):
            row, column = rng.integers(side // 5, side - side // 5, 2)
            radius = rng.uniform(0.14, 0.22) * side
            away = np.hypot(rows - row, columns - column)
            away = away if kind == DISC else np.maximum(abs(rows - row), abs(columns - column))
            mask[away <= radius] = kind
            image[away <= radius, 0] = rng.uniform(0.5, 0.7) + (0.3 if kind == SQUARE else 0)
    return x + rng.normal(0, 0.1, x.shape).astype("float32"), y


def best_constant(y):
    """What the best answer that is the same everywhere is worth, in mean intersection over union."""
    return max(np.bincount(y.reshape(-1))) / y.size / len(np.unique(y))


class TestSegmentationSpaceConformance(SpaceConformance):
    num_samples = 3
    precisions = ("float32", "int8")
    largest_bytes = 60_000

    def make_space(self):
        return hw.spaces.Segmentation((16, 16, 1), 3, **SMALL)


@pytest.mark.slow
def test_the_default_space_keeps_its_word():
    report = lint_space(hw.spaces.Segmentation((32, 32, 3), 4), 12, seed=1)
    assert report.ok, str(report)
    assert len(report.sizes) == 12


def searched(space, x, y, num_valid, directory, epochs, **arguments):
    tuner = hw.HardwareTuner(space, max_trials=3, seed=1, directory=directory, device="fake", **arguments)
    valid = (x[:num_valid], y[:num_valid])
    tuner.search(x[num_valid:], y[num_valid:], validation_data=valid, epochs=epochs, batch_size=16)
    return tuner, valid


def require_honest(tuner, valid, directory):
    """What is told of the best network is what its file does, and what its bundle says."""
    best = max(tuner.front(), key=lambda candidate: candidate.metrics["mean_iou"])
    content = (tuner.run.directory / best.file).read_bytes()
    answers = predict(content, valid[0]).reshape(*valid[1].shape, -1).argmax(axis=-1)
    told = jaccard_score(valid[1].reshape(-1), answers.reshape(-1), average="macro")
    assert best.metrics["mean_iou"] == pytest.approx(told)
    assert best.metrics["accuracy"] == pytest.approx((answers == valid[1]).mean())
    tuner.export(directory, best)
    verification = verify(directory, remeasure=False)
    assert verification.ok, verification
    assert {check.name for check in verification.checks} >= {"outputs", "accuracy", "architecture"}
    return told


def test_a_search_from_masks_to_a_bundle(tmp_path):
    x, y = shapes(160, 16)
    space = hw.spaces.Segmentation((16, 16, 1), 3, block_types=("conv", "residual"), **SMALL)
    tuner, valid = searched(space, x, y, 32, tmp_path / "run", 12, precision=("int8",), limits=["mean_iou=0.01"])
    assert [objective.metric for objective in tuner.objectives] == ["mean_iou", "latency_ms", "size_bytes"]
    assert require_honest(tuner, valid, tmp_path / "bundle") > best_constant(valid[1]) + 0.25


def test_masks_that_do_not_suit_cost_no_training(tmp_path):
    x, y = shapes(8, 16)
    with pytest.raises(DataError, match="Accuracy is of classes, numbered 0, 1, 2"):
        searched(hw.spaces.Segmentation((16, 16, 1), 3, **SMALL), x, y + 0.5, 2, tmp_path / "run", 1)
    for weights in ("balanced", {0: 1.0, 1: 2.0}):
        with pytest.raises(DataError, match=r"one class a sample. Received: labels of shape \(8, 16, 16\). Leave them"):
            class_weights(weights, y)


@pytest.mark.slow
def test_scenes_of_fashion_mnist(shared_data, tmp_path):
    """Real garments anywhere on a canvas in noise: every pixel is of the ground, trousers, a bag or an ankle boot."""
    with np.load(shared_data / "fashion_mnist_20k.npz") as archive:
        garments = [archive["x_train"][archive["y_train"] == label] for label in (1, 8, 9)]
        unseen = [archive["x_test"][archive["y_test"] == label] for label in (1, 8, 9)]

    def scenes(images, number, seed):
        rng = np.random.default_rng(seed)
        x, y = rng.integers(0, 40, (number, 64, 64)).astype("uint8"), np.zeros((number, 64, 64), "uint8")
        for canvas, mask in zip(x, y, strict=True):
            for place in rng.permutation([(0, 0), (0, 1), (1, 0), (1, 1)])[:2]:
                kind = rng.integers(3)
                garment = images[kind][rng.integers(len(images[kind]))]
                top, left = place * 32 + rng.integers(0, 5, 2)
                is_there = garment > 30
                canvas[top : top + 28, left : left + 28][is_there] = garment[is_there]
                mask[top : top + 28, left : left + 28][is_there] = 1 + kind
        return (x / np.float32(255))[..., None], y

    x, y = scenes(garments, 400, 0)
    space = hw.spaces.Segmentation((64, 64, 1), 4, levels=2, widths=(8, 16), depths=1, block_types=("conv",))
    tuner, valid = searched(space, x, y, 100, tmp_path / "run", 10, precision=("int8",))
    require_honest(tuner, valid, tmp_path / "bundle")
    best = max(tuner.front(), key=lambda candidate: candidate.metrics["mean_iou"])
    x_test, y_test = scenes(unseen, 200, 1)
    told = evaluate((tuner.run.directory / best.file).read_bytes(), x_test, y_test, ("mean_iou",))["mean_iou"]
    assert told > 0.7 > best_constant(y_test) + 0.3
