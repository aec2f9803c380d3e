"""Oracles by their names, as the command line and the tuner read them."""

from __future__ import annotations

import importlib

from hwkeras.errors import UserError

_HOMES = {
    "asha": ("hwkeras.oracles.asha", "AshaOracle"),
    "bayesian": ("hwkeras.oracles.bayesian", "BayesianOracle"),
    "evolution": ("hwkeras.oracles.evolution", "EvolutionOracle"),
    "genetic": ("hwkeras.oracles.genetic", "GeneticOracle"),
    "greedy": ("hwkeras.oracles.greedy", "GreedyOracle"),
    "hyperband": ("hwkeras.oracles.hyperband", "HyperbandOracle"),
    "nsga2": ("hwkeras.oracles.nsga2", "Nsga2Oracle"),
    "pareto": ("hwkeras.oracles.pareto_oracle", "ParetoOracle"),
    "random": ("hwkeras.oracles.random_search", "RandomOracle"),
    "reinforce": ("hwkeras.oracles.reinforce", "ReinforceOracle"),
    "rule": ("hwkeras.oracles.rule", "RuleOracle"),
    "swarm": ("hwkeras.oracles.swarm", "SwarmOracle"),
}


def names():
    """The names `get` knows.

    Returns:
        list of str, sorted.
    """
    return sorted(_HOMES)


def get(name):
    """Finds an oracle by its name.

    Args:
        name: str, one of `names()`.

    Returns:
        class, derived from `HardwareOracle`.

    Raises:
        UserError: an unknown name.
    """
    if name not in _HOMES:
        raise UserError(f"An oracle is one of {', '.join(names())}. Received: {name!r}.")
    home, class_name = _HOMES[name]
    return getattr(importlib.import_module(home), class_name)
