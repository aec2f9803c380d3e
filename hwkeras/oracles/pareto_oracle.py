"""Cheap objectives first: trains only what may move the front, knowing size and memory and latency beforehand."""

from __future__ import annotations

from itertools import compress

import numpy as np

from hwkeras.oracles import pareto
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.arguments import check_chance
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.coded_trials import CodedTrials
from hwkeras.oracles.earlier import EarlierSearches
from hwkeras.oracles.proposal import Proposal
from hwkeras.oracles.proposal import dear_and_others
from hwkeras.oracles.surrogate import FittedWeights
from hwkeras.oracles.surrogate import MetricModel
from hwkeras.oracles.survey import Survey

# Candidates of a proposal, and how many of them are mutations of the elite and crossovers of it; the rest are random.
_NUM_CANDIDATES = 1000
_MUTANTS_SHARE, _CROSSED_SHARE = 0.6, 0.15
# Where no cost model surveys the space, each of the first trials is the farthest from the others of so many.
_NUM_APART = 64
# Of so many of the best candidates of earlier searches it is asked whether they promise something here.
_NUM_EARLIER = 100
# Earlier searches stand in for all but so many of the first candidates.
_NUM_INITIAL_INFORMED = 4
# For how many of them the cost model is asked, where it does not say.
_NUM_COSTED = 32
# A proposal for the first objective alone is worth a trial where it promises this share of the best one's lead.
_WORTH_A_TURN = 0.02
# The elite: the front, and this share of all by rank.
_ELITE_SHARE, _LEAST_ELITE = 0.2, 5


class ParetoOracle(HardwareOracle):
    """Expected improvement of the constrained hypervolume where only the dear objectives are unknown.

    1. The first `num_initial` candidates are random ones, each as far as possible from those before.
    2. Then a Gaussian process over the architecture models the first objective that the cost model does not know
       (`surrogate`). Candidates are made by evolution: mutations and crossovers of the front, and random ones. Of those
       that promise most, the cost model is asked for the rest; what they are then expected to add to the hypervolume
       within the limits is known in closed form (`improvement`), and the best is proposed. With one objective that is
       its expected improvement (Jones et al., 1998, DOI 10.1023/A:1008306431147); for several see Emmerich et al.,
       2006, DOI 10.1109/TEVC.2005.859463.
       The hypervolume rewards a small gain of a tiny network more than a large one near the limits, where most
       networks that ship lie: where there are limits, every other proposal is for the first objective alone, for as
       long as that promises a fiftieth of what the best is ahead of the median. The volume ends at the limits.
    3. Where the process predicts the trials so far no better than chance, a mutation of the front is proposed.
    4. Trials of earlier searches (`earlier`) enter the process too, each search with a likeness to this one and a level
       of its own, which the trials of this search decide; and every other of the first candidates, which are then
       fewer, is one the earlier ones expect most of. A search whose trials do not predict each other is ignored.
    5. Where the cost model knows the MACs or the weights of a network (`macs`, `params`), the process compares
       candidates by these too, and with `learns_from_costs` by every cost: larger ones mostly learn more, whatever they
       are made of. Where it gives scores of the untrained network (`zero_cost_naswot` and its like), the last few
       candidates of a choice are compared by these as well.
    6. Where the cost model knows the MACs, a candidate is worth what it promises over a power of what its training
       takes, which grows with them: expected improvement by cost (Snoek et al., 2012, arXiv:1206.2944), softened as
       Lee et al. do (2020, arXiv:2003.10870), for few trials whose number is the limit.

    Improvement counts from all files that the trials were deployed as, whichever precision leads its trial.

    A limit on a metric that is only known after training, such as `accuracy=0.9`, is met with the chance that the
    process gives it. Any further objective the cost model does not know is taken at its predicted value.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        num_initial: int, 2 or more, or None for a fifth of `max_trials`, between 4 and 8. Defaults to `None`.
        num_costed: int, 1 or more, or None: candidates a proposal for which the cost model is asked; once, at the
            beginning, for twice as many. Defaults to `None`: the attribute `num_affordable` of the cost model, 32 where
            it has none.
        learns_from_costs: bool, whether the process compares candidates by all that the cost model knows, such as
            latency and peak RAM. Defaults to `False`: then by MACs, weights and zero-cost scores, where there are any.
        effort_exponent: float from 0 to 1, the power of step 6; 0 counts trials, 1 counts time. Defaults to `0.5`.
        num_candidates: int, 10 or more, made for each proposal, of which the best is taken. Defaults to `1000`.
        **arguments: see `HardwareOracle`.

    Raises:
        UserError: a number out of range.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        num_initial=None,
        num_costed=None,
        learns_from_costs=False,
        effort_exponent=0.5,
        num_candidates=_NUM_CANDIDATES,
        **arguments,
    ):
        super().__init__(objectives, limits, **arguments)
        if num_initial is None:
            num_initial = 8 if self.max_trials is None else min(8, max(4, self.max_trials // 5))
        self.num_initial = check_at_least("num_initial", num_initial, 2)
        self._num_costed = None if num_costed is None else check_at_least("num_costed", num_costed, 1)
        self.learns_from_costs = bool(learns_from_costs)
        self.effort_exponent = check_chance("effort_exponent", effort_exponent)
        self.num_candidates = check_at_least("num_candidates", num_candidates, 10)
        self._num_mutants = round(_MUTANTS_SHARE * self.num_candidates)
        self._num_crossed = round(_CROSSED_SHARE * self.num_candidates)
        self._num_random = self.num_candidates - self._num_mutants - self._num_crossed
        self._coded = CodedTrials(self)
        self._surveyed_encoding = None
        self._survey = None
        self._weights = None
        self._heard, self._heard_from = {}, None
        self._expected_gain = None

    def propose(self, rng):
        """Proposes what is expected to move the front most.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        coded, encoding = self._coded, self._coded.encoding
        known = self.observations()
        losses = self.losses(known)
        is_scored = np.isfinite(losses[:, 0])
        observations, losses = list(compress(known, is_scored)), losses[is_scored]
        earlier = self.heard(self._dear()) if self.earlier else None
        if len(observations) < (min(self.num_initial, _NUM_INITIAL_INFORMED) if earlier else self.num_initial):
            is_apart = earlier is None or len(self.trials) % 2
            return coded.take(self._apart(rng) if is_apart else self._expected(earlier, rng))
        codes = coded.of(observations)
        elite = codes[_elite(losses, [each.violation for each in observations])]
        pool = coded.untried(self._pool(elite, rng, earlier))
        proposal = Proposal(self, encoding, observations, codes)
        if not len(pool) or not proposal.is_informed:
            self._expected_gain = None
            return encoding.decode(encoding.mutate(elite[[rng.integers(len(elite))]], rng)[0])
        chosen, self._expected_gain = self._best_alone(observations, codes, pool) or proposal.best_of(pool)
        return coded.take(chosen)

    def _best_alone(self, observations, codes, pool):
        """Every other time the best candidate for the first objective alone, while that promises enough; else None."""
        objectives = self.objectives
        is_its_turn = self.limits and len(objectives) > 1 and len(observations) % 2
        if not is_its_turn or self._dear() is not objectives[0]:
            return None
        alone = Proposal(self, self._coded.encoding, observations, codes, objectives[:1])
        chosen, share = alone.best_of(pool)
        return (chosen, share) if share is None or share >= _WORTH_A_TURN * alone.lead else None

    @property
    def num_costed(self):
        """int, candidates a proposal for which the cost model is asked."""
        return self._num_costed or getattr(self.cost_model, "num_affordable", _NUM_COSTED)

    def expected_gain(self):
        """What the last proposal is expected to add.

        Returns:
            float, a share of the hypervolume of the trials within the limits (of the first objective's range,
            where the proposal was for it alone); None while that is not known.
        """
        return self._expected_gain

    def heard(self, objective):
        """What earlier searches say of a metric.

        Args:
            objective: `hwkeras.objectives.Objective`.

        Returns:
            EarlierSearches that are informed, or None.
        """
        encoding = self._coded.encoding
        if self._heard_from is None or self._heard_from[0] is not encoding or self._heard_from[1] is not self.earlier:
            self._heard, self._heard_from = {}, (encoding, self.earlier)
        if objective not in self._heard:
            found = EarlierSearches(encoding, objective, self.earlier)
            self._heard[objective] = found if found.is_informed else None
        return self._heard[objective]

    def _dear(self):
        return dear_and_others(self.objectives, self.surveyed().known)[0]

    def _expected(self, earlier, rng):
        """A candidate that earlier searches expect much of."""
        coded, encoding = self._coded, self._coded.encoding
        none = np.zeros((0, encoding.num_genes), dtype=np.int16)
        surveyed, best = self.surveyed().codes, earlier.codes[:_NUM_EARLIER]
        mutants = encoding.mutate(best[rng.integers(len(best), size=self._num_mutants)], rng)
        drawn = encoding.draw(self._num_random, rng)
        pool = coded.untried(np.concatenate([surveyed, encoding.completed(best, rng), mutants, drawn]))
        if not len(pool):
            return encoding.draw(1, rng)[0]
        return Proposal(self, encoding, [], none).best_by(earlier, pool, rng)

    def _apart(self, rng):
        """A candidate that has as little as possible in common with those that were tried."""
        coded, encoding = self._coded, self._coded.encoding
        survey = self.surveyed()
        pool = coded.untried(survey.codes[survey.able])
        if not len(pool):
            pool = coded.untried(encoding.draw(_NUM_APART, rng))
        if not len(pool):
            return encoding.draw(1, rng)[0]
        tried = coded.tried()
        nearest = np.min(np.count_nonzero(pool[:, None] != tried[None], axis=2), axis=1, initial=encoding.num_genes)
        return pool[rng.choice(np.flatnonzero(nearest == nearest.max()))]

    def _pool(self, elite, rng, earlier):
        encoding = self._coded.encoding
        first, second = (elite[rng.integers(len(elite), size=self._num_crossed)] for _ in range(2))
        mutants = encoding.mutate(elite[rng.integers(len(elite), size=self._num_mutants)], rng)
        crossed = encoding.mutate(encoding.cross(first, second, rng), rng)
        others = [encoding.draw(self._num_random, rng)]
        if earlier is not None:
            best = encoding.completed(earlier.codes[:_NUM_EARLIER], rng)
            others += [best, encoding.mutate(best, rng)]
        return np.concatenate([mutants, crossed, *others])

    def surveyed(self):
        """Random candidates and what the cost model knows of them; asked once.

        Returns:
            Survey.
        """
        encoding = self._coded.encoding
        if self._surveyed_encoding is not encoding:
            rows, costs = [], []
            if self.cost_model is not None:
                for row in encoding.draw(2 * self.num_costed, np.random.default_rng([self.seed, 0])):
                    cost = self.cost(encoding.decode(row))
                    if cost:
                        rows.append(row)
                        costs.append(cost)
            codes = np.array(rows, dtype=np.int16).reshape(len(rows), encoding.num_genes)
            self._survey = Survey(codes, costs, self.limits)
            self._surveyed_encoding, self._weights = encoding, FittedWeights()
        return self._survey

    def model(self, objective, codes, losses, features=None, is_informed=True):
        """A model of a metric; see `MetricModel`.

        Args:
            objective: `hwkeras.objectives.Objective`.
            codes: int array of shape (num_observations, num_genes).
            losses: float array of shape (num_observations,).
            features: float array of shape (num_observations, num_features), or None. Defaults to `None`.
            is_informed: bool, whether earlier searches are heard. Defaults to `True`.

        Returns:
            MetricModel.
        """
        earlier = self.heard(objective) if is_informed and self.earlier else None
        others = () if earlier is None else earlier.observed
        return MetricModel(self._coded.encoding, objective, codes, losses, self._weights, features, others)


def _elite(losses, violations):
    """The places of the front, and of the best by rank."""
    rank = pareto.ranks(losses, violations)
    order = np.argsort(rank, kind="stable")
    number = max(_LEAST_ELITE, round(_ELITE_SHARE * len(order)), np.count_nonzero(rank == 0))
    return order[:number]
