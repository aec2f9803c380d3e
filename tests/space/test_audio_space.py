"""The space for sounds: pictures come in, or waveforms of which the first layer makes pictures."""

import json
import random

import pytest

from hwkeras.errors import UserError
from hwkeras.space import Architecture
from hwkeras.space import AudioSpace
from hwkeras.space import Draft
from hwkeras.space import ImageSpace
from hwkeras.space.choice import Choice
from hwkeras.space.cost import least_cost
from hwkeras.space.shapes import fourier_factors

FRONT_END = dict(
    sample_rate=8000, frame=256, hop=160, low_hz=60, high_hz=4000, mean=(-9.0, -8.0, -7.5), deviation=(1.0, 2.0, 2.5)
)


def test_outside_it_is_an_image_space(draw):
    outside, image = AudioSpace((22, 3, 1), 4, stages=2), ImageSpace((22, 3, 1), 4, stages=2)
    assert outside.choices == (Choice("backbone", ("2d",)), *image.choices)
    chosen = draw(image, random.Random(3))
    assert outside.architecture(chosen).hash == image.architecture(chosen).hash


def test_inside_the_same_networks_follow_the_front_end(draw):
    inside, image = AudioSpace((3700,), 4, stages=2, front_end=FRONT_END), ImageSpace((22, 3, 1), 4, stages=2)
    assert inside.choices == (Choice("backbone", ("2d",)), *image.choices)
    assert inside.resolutions == image.resolutions
    chosen = draw(image, random.Random(3))
    architecture, pictures = inside.architecture(chosen), image.architecture(chosen)
    assert architecture.input_shape == (3700,)
    assert architecture.output_shapes()["log_mel"] == pictures.input_shape
    assert architecture.summary() == f"log_mel | {pictures.summary()}"
    assert [layer.kind for layer in architecture.layers[2:]] == [layer.kind for layer in pictures.layers[1:]]
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture
    assert AudioSpace(**json.loads(json.dumps(inside.to_json()))) == inside


def test_the_bands_of_a_picture_are_channels_of_a_sequence(draw):
    either = AudioSpace((32, 20, 1), 4, backbones=("1d", "2d"), kernels=9)
    assert either.resolutions == (1, 2)
    image, row = ImageSpace((32, 20, 1), 4, kernels=9), ImageSpace((1, 32, 20), 4, kernels=9)
    chosen = draw(image, random.Random(3))
    for backbone, alone in (("2d", image), ("1d", row)):
        chosen.values["backbone"] = backbone
        architecture = either.architecture(chosen)
        assert architecture.input_shape == (32, 20, 1)
        assert least_cost(architecture).macs == least_cost(alone.architecture(chosen)).macs
    assert architecture.output_shapes()["row"] == (1, 32, 20)
    assert AudioSpace(**json.loads(json.dumps(either.to_json()))) == either


def test_frames_alone_are_halved_where_there_is_no_image():
    assert AudioSpace((32, 5, 1), 4).resolutions == (1,)
    assert AudioSpace((32, 5, 1), 4, backbones="1d").resolutions == (1, 2)
    with pytest.raises(UserError, match="Each of `resolutions` must divide height and width .* Received: 2 for 32x5"):
        AudioSpace((32, 5, 1), 4, backbones=("1d", "2d"), resolutions=2)


def test_what_the_front_end_costs():
    draft = Draft((3700,))
    draft.append("log_mel", "log_mel", **FRONT_END)
    cost = least_cost(draft.finish())
    assert fourier_factors(256) == (16, 16)
    assert cost.params == 256 * 2 * 9 + 4 * 16**2 + 9 * 16 * 3
    assert cost.macs == 22 * (256 * 2 * 9 + 9 * 4 * 16**2 + 9 * 16 * 3)


@pytest.mark.parametrize(("frame", "factors"), [(1, (1, 1)), (353, (1, 353)), (200, (10, 20)), (512, (16, 32))])
def test_the_factors_of_a_frame(frame, factors):
    assert fourier_factors(frame) == factors


@pytest.mark.parametrize(
    ("shape", "changes", "said"),
    [
        ((22, 3, 1), {}, r"`input_shape` must be \(num_samples,\), a positive integer, where the network computes"),
        ((3700,), {"mean": (1.0,)}, "must be of the same bands. Received: 1 means, 3 deviations."),
        ((200,), {}, r"A log_mel layer must get a waveform of one frame or more, \(num_samples,\). Received: \(200,\)"),
        ((3700,), {"mean": ()}, r"`mean` of log_mel layer 'log_mel' must be a tuple of finite numbers, .*mean=\(\)"),
        ((3700,), {"mean": (1.0, float("nan"), 2.0)}, "`mean` of log_mel layer 'log_mel' must be a tuple of finite"),
        ((3700,), {"deviation": (1.0, 0.0, 2.0)}, "`deviation` of log_mel layer 'log_mel' must be a tuple of positive"),
        ((3700,), {"low_hz": 0}, "`low_hz` of log_mel layer 'log_mel' must be a positive number. Received: low_hz=0."),
        ((3700,), {"hop": None}, "`hop` of log_mel layer 'log_mel' must be a positive integer. Received: hop=None."),
    ],
)
def test_a_front_end_cannot_be_made_wrong(shape, changes, said):
    with pytest.raises(UserError, match=said):
        AudioSpace(shape, 4, front_end=FRONT_END | changes)


def test_a_backbone_is_one_of_two():
    with pytest.raises(UserError, match="`backbones` must be one of '2d', '1d'. Received: backbones='3d'"):
        AudioSpace((22, 3, 1), 4, backbones="3d")
