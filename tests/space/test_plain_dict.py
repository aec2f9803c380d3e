import keras_tuner
import pytest

from hwkeras.errors import UserError
from hwkeras.space import DictSpace

CHOICES = {"global_pooling": [True, False], "dense_units": [16, 32, 64], "dropout_rate": [0.0, 0.2, 0.4, 0.6]}


def test_only_what_the_dict_leaves_open_is_a_hyperparameter():
    space = DictSpace({**CHOICES, "filters": 4}, (8, 8, 1), 10)
    hp = keras_tuner.HyperParameters()
    space.declare(hp)
    assert hp.values == {"global_pooling": True, "dense_units": 16, "dropout_rate": 0.0}
    assert space.architecture(hp).summary() == (
        "conv4k3 | max_pool2 | conv8k3 | max_pool2 | global_pool | dense16 | dense10"
    )


def test_every_assignment_is_another_network(values_of):
    space = DictSpace(CHOICES, (8, 8, 1), 10)
    hashes = {
        space.architecture(values_of(dict(global_pooling=pool, dense_units=units, dropout_rate=rate))).hash
        for pool in CHOICES["global_pooling"]
        for units in CHOICES["dense_units"]
        for rate in CHOICES["dropout_rate"]
    }
    assert len(hashes) == 2 * 3 * 4


def test_pools_stop_at_1x1(values_of):
    space = DictSpace({"num_conv_layers": 4}, (3, 3, 1), 2)
    assert space.architecture(values_of({})).summary() == (
        "conv16k3 | max_pool2 | conv32k3 | conv64k3 | conv128k3 | global_pool | dense2"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({"units": [16]}, (8, 8, 1), 10), r"The keys of a dict space are num_conv_layers, filters.*Received: 'units'"),
        (({"dense_units": ["many"]}, (8, 8, 1), 10), r"`dense_units` must be an integer of 0 or more.*='many'"),
        (({"filters": []}, (8, 8, 1), 10), r"`filters` must hold at least one value"),
        (([16], (8, 8, 1), 10), r"`choices` must be a dict of key to values. Received: choices=\[16\]"),
        (({}, (8, 8), 10), r"`input_shape` must be \(height, width, channels\)"),
        (({}, (8, 8, 1), 0), r"`num_classes` must be a number of classes, or 1"),
    ],
)
def test_a_dict_that_is_no_space(arguments, said):
    with pytest.raises(UserError, match=said):
        DictSpace(*arguments)
