"""Several fidelities: a candidate is trained for a few epochs first, and only the best ones are trained on.

What a trial trains stands in its values (see `fidelity`). All an oracle of this kind needs to know is read back from
there, so a reloaded one goes on as if it had not been killed.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

from keras_tuner.engine.trial import TrialStatus

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.objectives import total_violation
from hwkeras.oracles import catalogue
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.base import HardwareOracle
from hwkeras.oracles.fidelity import PARENT
from hwkeras.oracles.fidelity import Fidelity
from hwkeras.oracles.fidelity import architecture_values
from hwkeras.oracles.fidelity import best_first
from hwkeras.oracles.fidelity import ladder
from hwkeras.oracles.stopping import StopReason

# Who proposes new candidates when nobody is named.
DEFAULT_INNER = "pareto"
# Most candidates it proposes are trained for an epoch or so: less time is spent on choosing them.
_DEFAULT_INNER_ARGUMENTS = MappingProxyType({"num_candidates": 200})

# What an inner oracle reads of the outer one, as it is now: it runs no trials of its own.
_LENT = ("hyperparameters", "cost_model", "earlier", "trials", "start_order", "end_order", "ongoing_trials")


class FidelityOracle(HardwareOracle):
    """Base of the oracles that train many candidates a little and few of them to the end.

    New candidates come from another oracle, whichever; a promotion is a further trial of the same architecture, which
    goes on from the weights of the one before. It counts neither as a repeat nor as a second result: `observations`,
    `front` and `get_best_trials` know each architecture once, as it was when it was trained the longest.

    Args:
        objectives: see `HardwareOracle`.
        limits: see `HardwareOracle`. Defaults to `()`.
        inner: str, a name of `hwkeras.oracles.names()`, or a class derived from `HardwareOracle`: who proposes new
            candidates. It sees one observation for each architecture, the longest trained. Defaults to `"pareto"`.
        max_epochs: int, the most epochs a network is trained, or None for the `epochs` of `HardwareTuner.search`;
            driven without that, there is one level and nothing is promoted. Defaults to `None`.
        reduction: int, 2 or more: one of so many candidates is trained on, for so many times the epochs. Defaults to
            `3`.
        min_epochs: int, 1 or more: epochs of the first comparison, at least. Defaults to `1`.
        inner_arguments: dict, further arguments of the inner oracle. Defaults to `None`: none, but 200 candidates a
            proposal where `inner` is `"pareto"`.
        **arguments: see `HardwareOracle`; `max_trials` counts trainings, continued ones too.

    Attributes:
        max_epochs: int or None, to be set before the first trial.
        reduction: int.
        min_epochs: int.

    Raises:
        UserError: a number out of range, or an inner oracle that cannot be one.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        inner=DEFAULT_INNER,
        max_epochs=None,
        reduction=3,
        min_epochs=1,
        inner_arguments=None,
        **arguments,
    ):
        super().__init__(objectives, limits, **arguments)
        self.max_epochs = None if max_epochs is None else check_at_least("max_epochs", max_epochs, 1)
        self.reduction = check_at_least("reduction", reduction, 2)
        self.min_epochs = check_at_least("min_epochs", min_epochs, 1)
        if self.max_epochs is not None and self.min_epochs > self.max_epochs:
            raise UserError(
                f"`min_epochs` must not exceed `max_epochs`. Received: min_epochs={min_epochs} and "
                f"max_epochs={max_epochs}. Lower it, or train longer."
            )
        self._inner_class = _inner_class(inner)
        if inner_arguments is None and inner == DEFAULT_INNER:
            inner_arguments = _DEFAULT_INNER_ARGUMENTS
        self._inner_arguments = dict(inner_arguments or {})
        self._inner = self._new_inner()
        self._inner_saw = ()
        self._plain, self._latest = {}, (0, [])
        # By the first of some trials: the trials, and the order of them.
        self._orders = {}

    # What a subclass writes.

    def next_fidelity(self, is_exhausted):
        """Decides what the next trial trains.

        Args:
            is_exhausted: bool, whether the inner oracle has no new candidate any more.

        Returns:
            Fidelity: without a parent a new candidate is drawn. None when nothing can be begun now.
        """
        raise NotImplementedError(f"{type(self).__name__} must write `next_fidelity(is_exhausted)`.")

    # What it may use.

    @property
    def levels(self):
        """Tuple of int, the epochs at which candidates are compared; see `ladder`."""
        if self.max_epochs is None:
            return (self.min_epochs,)
        return ladder(self.max_epochs, self.reduction, min(self.min_epochs, self.max_epochs))

    def fidelities(self):
        """Returns dict of trial id to Fidelity, of all trials, in the order of their ids."""
        known = {trial_id: Fidelity.of(self.trials[trial_id].hyperparameters.values) for trial_id in self.trials}
        return {trial_id: known[trial_id] for trial_id in sorted(known, key=int) if known[trial_id] is not None}

    def deserving(self, trial_ids):
        """Orders completed trials by who deserves more training; see `best_first`.

        Trials outside a limit that training does not change, such as one on latency, are left out.

        Args:
            trial_ids: sequence of str; others than completed ones are passed over.

        Returns:
            list of str.
        """
        completed = tuple(filter(self.is_completed, trial_ids))
        if not completed:
            return []
        known, order = self._orders.get(completed[0], ((), []))
        if known != completed:
            order = self._ordered(completed)
            self._orders[completed[0]] = (completed, order)
        return order

    def is_completed(self, trial_id):
        """Returns bool, whether a trial has results."""
        return self.trials[trial_id].status == TrialStatus.COMPLETED

    def promotion(self, trial_id, fidelities):
        """The next level of a trial.

        Args:
            trial_id: str.
            fidelities: dict as of `fidelities()`.

        Returns:
            Fidelity.
        """
        now = fidelities[trial_id]
        level = now.level + 1
        return Fidelity(self.levels[level], level, now.bracket, now.epochs, trial_id)

    # What the base calls.

    def propose(self, rng):
        """Asks the inner oracle.

        Args:
            rng: np.random.Generator.

        Returns:
            dict of hyperparameter name to value.
        """
        seen = tuple(observation.trial_id for observation in self.observations())
        if seen[: len(self._inner_saw)] != self._inner_saw:
            # An oracle may count on observations that are only ever added: where one took the place of another, it is
            # made anew, and knows what it would know after a reload.
            self._inner = self._new_inner()
        self._inner_saw = seen
        for name in _LENT:
            setattr(self._inner, name, getattr(self, name))
        return self._inner.propose(rng)

    def observations(self):
        """One observation for each architecture, that of the longest training, in the order these ended.

        Returns:
            list of `Observation`; their values are the architecture's alone.
        """
        observations = super().observations()
        number, latest = self._latest
        if number != len(observations):  # They are only ever added.
            continued = {each.values.get(PARENT) for each in observations}
            latest = [self._plainly(each) for each in observations if each.trial_id not in continued]
            self._latest = (len(observations), latest)
        return list(latest)

    def expected_gain(self):
        """What the inner oracle expects of one more candidate, once nothing on the front is left to be trained on.

        Returns:
            float, a share of the hypervolume, see `ParetoOracle.expected_gain`. None where the inner oracle does not
            say, or while a member of the front was not trained to the end: what that brings, nobody has forecast.
        """
        told = getattr(self._inner, "expected_gain", None)
        if told is None:
            return None
        top = len(self.levels) - 1
        known = [Fidelity.of(trial.hyperparameters.values) for trial in self.front()]
        return told() if all(fidelity is None or fidelity.level >= top for fidelity in known) else None

    def get_best_trials(self, num_trials=1):
        """See `HardwareOracle.get_best_trials`; of an architecture, the longest trained trial alone.

        Args:
            num_trials: int, how many at most. Defaults to `1`.

        Returns:
            list of `keras_tuner.engine.trial.Trial`.
        """
        latest = {observation.trial_id for observation in self.observations()}
        found = super().get_best_trials(len(self.trials))
        return [trial for trial in found if trial.trial_id in latest][:num_trials]

    def populate_space(self, trial_id):
        """Finds what the next trial trains.

        Args:
            trial_id: str, the trial it is for.

        Returns:
            dict of `status` and `values`; `IDLE` when running trials decide what comes next, `STOPPED` when
            `stop_reason` says why.
        """
        try:
            return self._populate(trial_id)
        except Exception as error:  # Raised here, it would leave keras-tuner's lock held for ever.
            self.stop_reason = StopReason("error", f"{type(error).__name__}: {error}", error)
            return _answer(TrialStatus.STOPPED)

    def set_state(self, state):
        """See `HardwareOracle.set_state`."""
        super().set_state(state)
        self._inner, self._inner_saw, self._orders = self._new_inner(), (), {}
        self._plain, self._latest = {}, (0, [])

    def _populate(self, trial_id):
        fidelity = self.next_fidelity(is_exhausted=False)
        stopped = None
        if fidelity is not None and fidelity.parent is None:
            answer = super().populate_space(trial_id)
            if answer["status"] == TrialStatus.RUNNING:
                return _answer(TrialStatus.RUNNING, {**answer["values"], **fidelity.to_values()})
            stopped = self.stop_reason
            if stopped.kind != "exhausted":
                return answer
            fidelity = self.next_fidelity(is_exhausted=True)
        self.stop_reason = None
        if fidelity is not None:
            return self._promote(fidelity)
        if self.ongoing_trials:
            return _answer(TrialStatus.IDLE)
        self.stop_reason = stopped or StopReason("exhausted", f"Nothing is left to train. {self._num_run()}")
        return _answer(TrialStatus.STOPPED)

    def _promote(self, fidelity):
        if self.out_of_budget is not None and self.out_of_budget():
            self.stop_reason = StopReason("budget", f"The budget is spent. {self._num_run()}")
            return _answer(TrialStatus.STOPPED)
        values = architecture_values(self.trials[fidelity.parent].hyperparameters.values)
        return _answer(TrialStatus.RUNNING, {**values, **fidelity.to_values()})

    def _key(self, values):
        # A candidate and its continuation are one.
        return super()._key(architecture_values(values))

    def _num_run(self):
        return f"{len(self.trials)} trials were run."

    def _ordered(self, completed):
        observed = {observation.trial_id: observation for observation in super().observations()}
        static = [limit for limit in self.limits if METRICS[limit.metric].is_static]
        members = [observed[trial_id] for trial_id in completed if trial_id in observed]
        members = [each for each in members if total_violation(static, each.metrics) <= 0]
        order = best_first(self.losses(members), [each.violation for each in members]) if members else []
        return [members[index].trial_id for index in order]

    def _plainly(self, observation):
        known = self._plain.get(observation.trial_id)
        if known is None or known.metrics is not observation.metrics:
            values = MappingProxyType(architecture_values(observation.values))
            self._plain[observation.trial_id] = known = dataclasses.replace(observation, values=values)
        return known

    def _new_inner(self):
        shared = {"max_trials": self.max_trials, "seed": self.seed, "max_draws": self.max_draws}
        shared |= {"hyperparameters": self.hyperparameters, "cost_model": self.cost_model}
        inner = self._inner_class(self.objectives, self.limits, **{**shared, **self._inner_arguments})
        inner.observations = self.observations
        inner.cost = self.cost
        # It reads trials whose values also say how far they were trained.
        inner.identity = lambda hp: self._key(hp.values)
        return inner


def agree_on_epochs(oracle, epochs):
    """The epochs a search trains a network at most; an oracle of several fidelities is told where it does not know.

    Args:
        oracle: `HardwareOracle`.
        epochs: int or None, what was asked of the search.

    Returns:
        int, or None where neither says.

    Raises:
        UserError: both say, and differ.
    """
    if not isinstance(oracle, FidelityOracle):
        return epochs
    if oracle.max_epochs is None:
        oracle.max_epochs = check_at_least("epochs", 1 if epochs is None else epochs, 1)
    if epochs not in (None, oracle.max_epochs):
        raise UserError(
            f"`epochs` must be the `max_epochs` of the oracle. Received: epochs={epochs} and "
            f"max_epochs={oracle.max_epochs}. Leave one of them out."
        )
    return oracle.max_epochs


def _inner_class(inner):
    found = catalogue.get(inner) if isinstance(inner, str) else inner
    is_oracle = isinstance(found, type) and issubclass(found, HardwareOracle)
    if not is_oracle or issubclass(found, FidelityOracle):
        raise UserError(
            "`inner` must be an oracle that proposes candidates by itself: a name, or a class derived from "
            f"HardwareOracle. Received: inner={inner!r}. Pass for instance inner='{DEFAULT_INNER}'."
        )
    return found


def _answer(status, values=None):
    return {"status": status, "values": values}
