"""NASNet's cells keep their word: whatever is drawn builds, converts and has a twin."""

import pytest

import hwkeras as hw
from hwkeras.errors import UserError
from hwkeras.search.space_lint import lint_space
from hwkeras.space.nasnet_cell import KNOWN_OPERATIONS
from hwkeras.testing import SpaceConformance


class TestNasnetSpaceConformance(SpaceConformance):
    num_samples = 3
    precisions = ("float32", "int8")

    def make_space(self):
        return hw.spaces.Nasnet(
            (8, 8, 1),
            3,
            blocks=2,
            operations=KNOWN_OPERATIONS,
            kept=("none", "previous", "block1"),
            stages=2,
            repeats=1,
            filters=4,
            stem_widths=4,
        )


@pytest.mark.slow
def test_networks_of_the_default_cells_keep_their_word():
    report = lint_space(hw.spaces.Nasnet((12, 12, 1), 4, filters=(4, 8)), 5, seed=3)
    assert report.ok, str(report)
    assert len(report.sizes) == 5


def test_a_choice_that_the_space_does_not_have_is_refused():
    with pytest.raises(UserError, match="The choices of this space are blocks, .* Received: 'nodes'."):
        hw.spaces.Nasnet((8, 8, 1), 3, nodes=4)
