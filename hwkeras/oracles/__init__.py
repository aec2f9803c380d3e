"""Who proposes the next candidate: keras-tuner oracles that know limits, one algorithm a file."""

from hwkeras.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AshaOracle": "hwkeras.oracles.asha",
        "BayesianOracle": "hwkeras.oracles.bayesian",
        "EvolutionOracle": "hwkeras.oracles.evolution",
        "GeneticOracle": "hwkeras.oracles.genetic",
        "GreedyOracle": "hwkeras.oracles.greedy",
        "HardwareOracle": "hwkeras.oracles.base",
        "HyperbandOracle": "hwkeras.oracles.hyperband",
        "Nsga2Oracle": "hwkeras.oracles.nsga2",
        "Observation": "hwkeras.oracles.observation",
        "ParetoOracle": "hwkeras.oracles.pareto_oracle",
        "RandomOracle": "hwkeras.oracles.random_search",
        "ReinforceOracle": "hwkeras.oracles.reinforce",
        "RuleOracle": "hwkeras.oracles.rule",
        "StopReason": "hwkeras.oracles.stopping",
        "SwarmOracle": "hwkeras.oracles.swarm",
        "get": "hwkeras.oracles.catalogue",
        "names": "hwkeras.oracles.catalogue",
    },
)
