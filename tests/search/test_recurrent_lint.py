"""Networks with heads beyond pooling keep their word."""

import hwkeras as hw
from hwkeras.testing import SpaceConformance

SMALL = dict(
    stages=1, depths=(1,), widths=(8,), kernels=(3,), stem_widths=(4,), dense_units=(0,), layer_types=("conv",)
)


class TestHeadsOfSequences(SpaceConformance):
    num_samples = 4

    def make_space(self):
        return hw.spaces.Sequence((24, 2), 3, heads=("attention_pool", "gru", "lstm"), recurrent_units=(4,), **SMALL)


class TestRecurrentHeadsOfPictures(SpaceConformance):
    num_samples = 1
    precisions = ("float32", "int8")

    def make_space(self):
        return hw.spaces.Image((10, 8, 1), 3, heads=("gru",), recurrent_units=(4,), **SMALL)
