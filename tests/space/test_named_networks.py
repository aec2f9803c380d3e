import pytest

from hwkeras.build import build_model
from hwkeras.errors import UserError
from hwkeras.space import NAMED_NETWORKS
from hwkeras.space import NamedSpace
from hwkeras.space import named_network
from hwkeras.space.cost import least_cost
from hwkeras.space.named_networks import efficientnet_lite

IMAGENET = ((224, 224, 3), 1000)
# Name -> (input shape, classes), published parameters, what ours has more by the choices that its docstring tells.
# The first six: Keras Applications' own counts; the others: MLPerf Tiny's reference models.
PUBLISHED = {
    "mobilenet_v1": (IMAGENET, 4_253_864, 0),
    "mobilenet_v2": (IMAGENET, 3_538_984, 0),
    "mobilenet_v3_small": (IMAGENET, 2_554_968, 0),
    "mobilenet_v3_large": (IMAGENET, 5_507_432, 0),
    "nasnet_a_mobile": (IMAGENET, 5_326_716, 15_353),
    "squeezenet": (IMAGENET, 1_235_496, 0),
    "resnet8": (((32, 32, 3), 10), 78_666, 288 - 240),
    "ds_cnn": (((49, 10, 1), 12), 24_908, -576),
}
# Multiply-accumulates in millions as their papers give them.
MACS = {
    "mobilenet_v1": 569,
    "mobilenet_v2": 300,
    "mobilenet_v3_small": 56,
    "mobilenet_v3_large": 219,
    "nasnet_a_mobile": 564,
    "resnet8": 12.5,
    "ds_cnn": 2.7,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name):
    (shape, classes), published, more = PUBLISHED[name]
    assert build_model(named_network(name, shape, classes)).count_params() == published + more


@pytest.mark.slow
def test_efficientnet_lite_has_its_published_millions():
    for width, depth, rows, millions in ((1.0, 1.0, 224, 4.7), (1.0, 1.1, 240, 5.4), (1.4, 1.8, 300, 13.0)):
        model = build_model(efficientnet_lite((rows, rows, 3), 1000, width, depth))
        assert model.count_params() / 1e6 == pytest.approx(millions, abs=0.13)


@pytest.mark.parametrize("name", MACS)
def test_operations_are_the_published_ones(name):
    (shape, classes), *_ = PUBLISHED[name]
    macs = least_cost(named_network(name, shape, classes)).macs / 1e6
    assert macs == pytest.approx(MACS[name], rel=0.02)


@pytest.mark.parametrize("name", NAMED_NETWORKS)
def test_a_narrower_network_is_smaller(name, values_of):
    space = NamedSpace(name, (32, 32, 3), 10, widths=(0.5, 1.0))
    narrow, wide = (least_cost(space.architecture(values_of({"width": width}))) for width in (0.5, 1.0))
    assert narrow.params < wide.params
    assert narrow.macs < wide.macs
    assert NamedSpace(**space.to_json()) == space


def test_one_width_is_no_hyperparameter(values_of):
    space = NamedSpace("resnet8", (32, 32, 3), 10, widths=1)
    assert [choice.is_fixed for choice in space.choices] == [True]
    assert space.architecture(values_of({})).hash == named_network("resnet8", (32, 32, 3), 10).hash


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="`name` must be one of ds_cnn, .*squeezenet. Received: name='vgg'"):
        named_network("vgg", (32, 32, 3), 10)


@pytest.mark.parametrize("width", [0, -1.0, True])
def test_a_width_that_is_not_positive_is_refused(width):
    with pytest.raises(UserError, match="`width` must be positive. Received: width="):
        named_network("resnet8", (32, 32, 3), 10, width)


def test_no_widths_are_refused():
    with pytest.raises(UserError, match=r"`widths` must hold at least one value. Received: widths=\(\)"):
        NamedSpace("resnet8", (32, 32, 3), 10, widths=())
