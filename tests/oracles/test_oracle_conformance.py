"""Both oracles keep what every oracle must keep."""

from hwkeras.oracles import get
from hwkeras.testing import OracleConformance


class TestRandomOracle(OracleConformance):
    oracle_class = get("random")


class TestEvolutionOracle(OracleConformance):
    oracle_class = get("evolution")
