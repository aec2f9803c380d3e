import subprocess
import sys

import pytest

import hwkeras.oracles
from hwkeras.errors import UserError
from hwkeras.oracles import HardwareOracle


def test_names_in_order():
    assert " ".join(hwkeras.oracles.names()) == (
        "asha bayesian evolution genetic greedy hyperband nsga2 pareto random reinforce rule swarm"
    )


@pytest.mark.parametrize("name", hwkeras.oracles.names())
def test_every_name_is_an_oracle(name):
    assert issubclass(hwkeras.oracles.get(name), HardwareOracle)


def test_an_unknown_name():
    with pytest.raises(UserError, match="An oracle is one of asha, .*, swarm. Received: 'annealing'"):
        hwkeras.oracles.get("annealing")


@pytest.mark.parametrize("name", hwkeras.oracles.__all__)
def test_public_names_are_there(name):
    assert getattr(hwkeras.oracles, name) is not None


def test_no_other_names():
    with pytest.raises(AttributeError, match="has no attribute 'Annealing'"):
        hwkeras.oracles.Annealing  # noqa: B018


def test_the_room_opens_without_keras():
    code = (
        "import sys, hwkeras.oracles, hwkeras.testing; print({'keras', 'keras_tuner', 'tensorflow'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
