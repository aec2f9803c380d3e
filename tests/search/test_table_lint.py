"""The spaces for tables and recommendations keep their word: whatever is drawn builds, converts and has a twin."""

import pytest

import hwkeras as hw
from hwkeras.search.space_lint import lint_space
from hwkeras.testing import SpaceConformance


class TestTabularSpaceConformance(SpaceConformance):
    num_samples = 4
    largest_bytes = 200_000

    def make_space(self):
        return hw.spaces.Tabular((9,), 3)


class TestTabularRegressionConformance(SpaceConformance):
    num_samples = 2
    precisions = ("float32", "int8")

    def make_space(self):
        return hw.spaces.Tabular((9,), 1, batch_norms=True, gates="hard_sigmoid")


class TestTwoTowerSpaceConformance(SpaceConformance):
    num_samples = 3
    precisions = ("float32", "int8")

    def make_space(self):
        return hw.spaces.TwoTower(30, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classes", "numbers", "two towers"])
def test_the_default_spaces_keep_their_word(name):
    space = {
        "classes": lambda: hw.spaces.Tabular((20,), 4),
        "numbers": lambda: hw.spaces.Tabular((20,), 1),
        "two towers": lambda: hw.spaces.TwoTower(200, 100),
    }[name]()
    # Fifty of every space are looked at by benchmarks/bench_space_lint.py.
    report = lint_space(space, 12, seed=1)
    assert report.ok, str(report)
    assert len(report.sizes) == 12
