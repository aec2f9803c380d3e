import json

import keras
import pytest

import hwkeras as hw
from hwkeras.errors import UserError
from hwkeras.search.space_lint import lint_space
from hwkeras.testing import SpaceConformance

SMALL = dict(stages=1, depths=(1,), widths=(8,), kernels=(3,), stem_widths=(4,), stem_strides=(2,), dense_units=(0,))


class TestImageSpaceConformance(SpaceConformance):
    num_samples = 4
    largest_bytes = 100_000

    def make_space(self):
        further = ("conv", "fire", "inception", "dense_block")
        return hw.spaces.Image((8, 8, 1), 3, layer_types=further, **SMALL)


class TestSequenceSpaceConformance(SpaceConformance):
    num_samples = 3

    def make_space(self):
        return hw.spaces.Sequence((24, 2), 3, **SMALL)


class TestCellSpaceConformance(SpaceConformance):
    num_samples = 3
    precisions = ("float32", "int8")

    def make_space(self):
        return hw.spaces.Cells((8, 8, 1), 3, nodes=3, stages=2, cells=1, stem_widths=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image", "sequence", "cells"])
def test_the_default_spaces_keep_their_word(name):
    space = {
        "image": lambda: hw.spaces.Image((16, 16, 1), 4),
        "sequence": lambda: hw.spaces.Sequence((64, 6), 5),
        "cells": lambda: hw.spaces.Cells((16, 16, 1), 4),
    }[name]()
    report = lint_space(space, 12, seed=1)
    assert report.ok, str(report)
    assert len(report.sizes) == 12


def test_behind_a_front_end_that_stays_float_there_is_a_twin():
    front_end = {"sample_rate": 8000, "frame": 64, "hop": 64, "low_hz": 60, "high_hz": 4000}
    front_end |= {"mean": (-9.0,) * 8, "deviation": (2.0,) * 8}
    report = lint_space(hw.spaces.Audio((1024,), 3, front_end=front_end), 2, precisions=["float32", "int8"], seed=1)
    assert report.ok, str(report)
    assert len(report.sizes) == 2


def test_a_report_says_what_was_drawn_and_made():
    report = lint_space(hw.spaces.Image((8, 8, 1), 3, **SMALL), 2, precisions=["int8"], twins=False)
    assert str(report).startswith(f"{report.num_hyperparameters} hyperparameters; 2 of 2 networks converted to int8, ")
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


def net(hp, *between):
    hp.Choice("units", [2, 3])
    return keras.Sequential([keras.Input((4,)), *between, keras.layers.Dense(3, activation="softmax")])


def test_a_network_that_cannot_be_built_is_found():
    def build(hp):
        if hp.Choice("rows", [1, 3]) == 3:
            return keras.Sequential([keras.Input((4,)), keras.layers.Reshape((3, 2)), keras.layers.Dense(3)])
        return net(hp)

    report = lint_space(build, 6, precisions=["float32"], twins=False)
    assert {each.check for each in report.findings} == {"build"}
    assert {each.values["rows"] for each in report.findings} == {3}
    assert len(report.sizes) == 6 - len(report.findings) > 0


def test_a_network_without_a_twin_is_found():
    @keras.saving.register_keras_serializable("tests")
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return x * 2

    report = lint_space(lambda hp: net(hp, Doubled(name="doubled")), 1, precisions=["float32"])
    assert [each.check for each in report.findings] == ["twin"]
    assert "doubled" in report.findings[0].message
    assert "twin: " in str(report)


def test_a_network_that_does_not_convert_is_found():
    report = lint_space(
        lambda hp: net(hp, keras.layers.Reshape((2, 2)), keras.layers.GRU(2)), 1, precisions=["int8"], twins=False
    )
    assert [each.check for each in report.findings] == ["convert"]
    assert "int8 calibration cannot enter a loop" in report.findings[0].message


def test_another_shape_than_the_space_says_is_found():
    class Lying(hw.spaces.Image):
        num_classes = 7

    report = lint_space(Lying((8, 8, 1), 3, **SMALL), 1, precisions=["float32"], twins=False)
    assert [each.message for each in report.findings] == ["the network has 3 where the space says num_classes=7"]


def test_the_same_seed_finds_the_same():
    drawn = []

    def build(hp):
        model = net(hp)
        drawn.append(float(model.layers[-1].kernel.numpy().sum()))
        return model

    first, again, other = (lint_space(build, 3, precisions=["float32"], twins=False, seed=seed) for seed in (1, 1, 2))
    assert first == again and other.ok
    assert drawn[1:4] == drawn[5:8] != drawn[9:]  # the first of each is what declares


def test_no_samples_are_refused():
    with pytest.raises(UserError, match="`num_samples` must be at least 1. Received: num_samples=0."):
        lint_space(net, 0)


def test_a_conformance_class_without_a_space_says_so():
    with pytest.raises(NotImplementedError, match=r"SpaceConformance must write make_space\(\)"):
        SpaceConformance().make_space()
