"""Values for spaces, without keras-tuner."""

import pytest


@pytest.fixture(scope="session")
def values_of():
    """The function (dict) -> what `architecture` reads."""

    class Values:
        def __init__(self, values):
            self.values = values

    return Values
