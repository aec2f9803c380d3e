"""Random values of a space, drawn as keras-tuner's random search draws them."""

import keras_tuner
import pytest


def sample(space, rng):
    """Returns keras_tuner.HyperParameters with random values of the active hyperparameters alone."""
    declared = keras_tuner.HyperParameters()
    space.declare(declared)
    hp = keras_tuner.HyperParameters()
    for parameter in declared.space:
        hp.merge([parameter])
        if hp.is_active(parameter):
            hp.values[parameter.name] = parameter.random_sample(rng.randrange(2**31))
    return hp


@pytest.fixture(scope="session")
def draw():
    """The function (space, random.Random) -> keras_tuner.HyperParameters."""
    return sample
