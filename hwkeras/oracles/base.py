"""HardwareOracle: a keras-tuner oracle that spends no trial on what could never be shipped, and survives a kill."""

from __future__ import annotations

import json

import keras_tuner as kt
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from hwkeras.errors import InfeasibleError
from hwkeras.objectives import Limit
from hwkeras.objectives import total_violation
from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.arguments import check_at_least
from hwkeras.oracles.arguments import parse_objectives
from hwkeras.oracles.durable import DurableOracle
from hwkeras.oracles.ledger import Results
from hwkeras.oracles.ledger import Tried
from hwkeras.oracles.observation import best_step
from hwkeras.oracles.observation import metrics_of
from hwkeras.oracles.one_thread import ONE_THREAD
from hwkeras.oracles.screening import Screening
from hwkeras.oracles.space_copy import space_with
from hwkeras.oracles.stopping import StopReason

# A search for a first candidate within the limits goes on while it comes nearer, up to this many times `max_draws`.
_MAX_ROUNDS = 8
# Spaces up to this size are listed to the end before an oracle says that they are exhausted.
_MAX_LISTED = 4096


class HardwareOracle(DurableOracle):
    """Base of all oracles: several objectives, limits, and candidates screened before they cost a trial.

    A subclass writes `propose(rng)`. Each draw is checked here: an architecture that was tried is never tried again;
    one that the cost model puts outside the limits is turned down and spends no trial. A third of the draws of a
    trial come from `propose`; the others mutate what came nearest to the limits, so that rare feasible regions are
    found. When nothing new is found the oracle stops and says why in `stop_reason`.

    Args:
        objectives: list of str, `hwkeras.objectives.Objective` or `keras_tuner.Objective`, or one of them. The first
            is the `objective` of keras-tuner: the score of a trial.
        limits: sequence of str such as `"latency=5ms"`, or `hwkeras.objectives.Limit`. Defaults to `()`.
        max_trials: int, trials to spend at most, or None for no end. Defaults to `20`.
        seed: int, 0 or more, or None for a random one. Defaults to `None`.
        hyperparameters: `keras_tuner.HyperParameters`, the space. Defaults to `None`: the models declare it.
        cost_model: callable from `keras_tuner.HyperParameters` to a dict of the metrics known before training, or
            to None for a candidate that cannot be built. Called at most once a candidate in one process; must give
            the same answer in the next. Defaults to `None`: nothing is known before training.
        max_draws: int, how many draws in a row may fail before the oracle stops. Defaults to `64`.
        **kt_oracle_arguments: passed on to `keras_tuner.Oracle`, such as `max_retries_per_trial`, or
            `max_consecutive_failed_trials`, which defaults to `None`: failed trials end no search. Failed trials that
            are known to lie outside the limits never count for it.

    Attributes:
        objectives: tuple of `hwkeras.objectives.Objective`.
        limits: tuple of `hwkeras.objectives.Limit`.
        identity: callable from `keras_tuner.HyperParameters` to str, or None. Two candidates of one identity are
            the same architecture and only one is tried. None compares the active values. Defaults to `None`.
        earlier: sequence of objects with `values` and `metrics`, trials of earlier searches
            (`hwkeras.search.earlier_runs`). They never count as trials of this one; `ParetoOracle` learns from them,
            the others do not. To be set before the first trial, and the same after a reload. Defaults to `()`.
        out_of_budget: callable without arguments to bool, or None: asked before each draw, it ends the search in time.
            Defaults to `None`.
        stop_reason: `StopReason`, or None while the oracle has not stopped by itself.
        repairs: tuple of str, what the last `reload` had to repair.

    Raises:
        UserError: no objective, or two on one metric; an unknown limit; a seed, `max_draws` or `max_trials` out of
            range.
    """

    def __init__(
        self,
        objectives,
        limits=(),
        max_trials=20,
        seed=None,
        hyperparameters=None,
        cost_model=None,
        max_draws=64,
        **kt_oracle_arguments,
    ):
        self.objectives = parse_objectives(objectives)
        self.limits = tuple(Limit.parse(limit) for limit in ([limits] if isinstance(limits, (str, Limit)) else limits))
        first = self.objectives[0]
        super().__init__(
            objective=kt.Objective(first.metric, first.direction),
            max_trials=None if max_trials is None else check_at_least("max_trials", max_trials, 1),
            hyperparameters=hyperparameters,
            seed=None if seed is None else check_at_least("seed", seed, 0),
            **kt_oracle_arguments,
        )
        if seed is not None:
            self.seed = int(seed)  # keras-tuner takes 0 for "no seed".
        self.cost_model = cost_model
        self.max_draws = check_at_least("max_draws", max_draws, 1)
        self.out_of_budget = None
        self.earlier = ()
        self._identity = None
        self.stop_reason = None
        self._screening = Screening(self.limits)
        self._num_draws = 0
        self._costs = {}
        self._tried = Tried(self._key)
        self._results = Results(self.objectives, self.limits)

    # What a subclass writes, and what it may use.

    def propose(self, rng):
        """Proposes the values of one candidate. It may repeat itself or break a limit: the base draws again.

        Args:
            rng: np.random.Generator, a fresh one for each draw. Whatever else the algorithm uses must come from
                `observations()` and the state, so that a reloaded oracle goes on as if it had not been killed.

        Returns:
            dict of hyperparameter name to value; see `hwkeras.oracles.sampling`.
        """
        raise NotImplementedError(f"{type(self).__name__} must write `propose(rng)`.")

    def observations(self):
        """The completed trials, in the order they ended.

        Returns:
            Sequence of `Observation`, read-only, as of now; slices of it are lists.
        """
        return self._known_results().observations()

    def losses(self, observations):
        """The objectives of some observations, all minimized.

        Args:
            observations: sequence of `Observation`.

        Returns:
            float array of shape (num_observations, num_objectives); infinity where a metric is missing or NaN.
        """
        rows = [observation.losses(self.objectives) for observation in observations]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.objectives))

    def cost(self, values):
        """The metrics of a candidate that are known before training; asked once a candidate.

        Args:
            values: dict of hyperparameter name to active value.

        Returns:
            dict of metric name to float, empty without a cost model; or None when the candidate cannot be built.
        """
        if self.cost_model is None:
            return {}
        return self._cost_of(self._key(values), values)

    # What a user reads.

    @property
    def identity(self):
        """Callable from `keras_tuner.HyperParameters` to str, or None."""
        return self._identity

    @identity.setter
    def identity(self, identity):
        self._identity = identity
        self._tried, self._costs = Tried(self._key), {}

    @property
    def num_rejected(self):
        """int, draws that were turned down before training."""
        return self._screening.num_rejected

    @property
    def num_unbuildable(self):
        """int, those of the turned down that could not be built."""
        return self._screening.num_unbuildable

    @property
    def nearest(self):
        """dict of metric name to the value nearest to the limit on it (or deepest within) that was seen."""
        return dict(self._screening.nearest)

    def front(self):
        """The completed trials within the limits that no other one dominates.

        Returns:
            list of `keras_tuner.engine.trial.Trial`, the best in the first objective first. Trials without a finite
            value in every objective are left out.
        """
        within = [observation for observation in self.observations() if observation.violation <= 0]
        losses = self.losses(within)
        finite = np.isfinite(losses).all(axis=1)
        within, losses = [within[i] for i in np.flatnonzero(finite)], losses[finite]
        members = np.flatnonzero(pareto.nondominated(losses))
        order = sorted(members, key=lambda index: (*losses[index], within[index].trial_id))
        return [self.trials[within[index].trial_id] for index in order]

    def get_best_trials(self, num_trials=1):
        """The best completed trials: those within the limits first, then by the first objective.

        Args:
            num_trials: int, how many at most. Defaults to `1`.

        Returns:
            list of `keras_tuner.engine.trial.Trial`; shorter when fewer are completed, never filled up with others.
        """
        return [self.trials[trial_id] for trial_id in self._known_results().best(num_trials)]

    # What keras-tuner calls.

    def populate_space(self, trial_id):
        """Finds the next candidate.

        Args:
            trial_id: str, the trial it is for.

        Returns:
            dict of `status` and `values`; the status is `STOPPED` when `stop_reason` says why.
        """
        self.stop_reason = None
        try:
            with ONE_THREAD:
                values = self._find()
        except Exception as error:  # Raised here, it would leave keras-tuner's lock held for ever.
            self.stop_reason = StopReason("error", f"{type(error).__name__}: {error}", error)
            values = None
        if values is None:
            return {"status": TrialStatus.STOPPED, "values": None}
        return {"status": TrialStatus.RUNNING, "values": values}

    def score_trial(self, trial):
        """Scores a completed trial by the first objective, at its best step; NaN when there is no usable value.

        Args:
            trial: `keras_tuner.engine.trial.Trial`.
        """
        objective = self.objectives[0]
        trial.score = metrics_of(trial, objective).get(objective.metric, float("nan"))
        trial.best_step = best_step(trial, objective)

    def counts_as_failure(self, trial):
        """Whether a failed trial counts for `max_consecutive_failed_trials`: not one outside the limits.

        Args:
            trial: `keras_tuner.engine.trial.Trial` of the status `FAILED`.

        Returns:
            bool, False where what it reported, or what is known of it before training, breaks a limit.
        """
        try:
            cost = self.cost(trial.hyperparameters.values)
        except Exception:  # The run may have failed for the same reason: that is a failure.
            return True
        known = {**(cost or {}), **metrics_of(trial, self.objectives[0])}
        return cost is not None and total_violation(self.limits, known) <= 0

    def get_state(self):
        """Returns:
        dict, JSON-able, with what a reloaded oracle needs to go on exactly as this one. What a subclass adds is
        written with each trial, too: it should be small.
        """
        state = super().get_state()
        state["tried_so_far"].sort()  # It comes from a set: the same search must write the same file.
        return {**state, **self._own_progress(), "near_misses": list(self._screening.near_misses)}

    def get_progress(self):
        """What is written with each trial; see `DurableOracle.get_progress`.

        Returns:
            dict, JSON-able: the draws, what was turned down, and what a subclass adds to `get_state`.
        """
        progress = {**super().get_progress(), **self._own_progress()}
        if type(self).get_state is not HardwareOracle.get_state:
            ours = HardwareOracle.get_state(self)
            progress |= {name: value for name, value in self.get_state().items() if name not in ours}
        return progress

    def set_state(self, state):
        """Takes over a state of `get_state`.

        Args:
            state: dict.
        """
        super().set_state(state)
        self._num_draws = state.get("num_draws", 0)
        if "screening" in state:
            self._screening.set_state({"near_misses": state.get("near_misses", []), **state["screening"]})
        self._tried, self._results = Tried(self._key), Results(self.objectives, self.limits)

    def _own_progress(self):
        return {"num_draws": self._num_draws, "screening": self._screening.get_counts()}

    def _end_trial(self, trial):
        self._tried.mark_changed(trial.trial_id)  # The run may have declared more hyperparameters.
        return super()._end_trial(trial)

    # The draws.

    def _find(self):
        """The values of the next candidate, or None with `stop_reason` set."""
        self._tried.follow(self.start_order, self.trials)
        num_draws = 0
        in_vain = 0
        while in_vain < self.max_draws and num_draws < _MAX_ROUNDS * self.max_draws:
            if self._is_out_of_budget(num_draws):
                return None
            rng = self._next_rng()
            values = self.propose(rng) if 3 * num_draws < self.max_draws else self._guided(rng)
            values = sampling.activate(self.hyperparameters, values, rng)
            num_draws += 1
            best_before = self._screening.least_violation
            if self._is_new(values):
                return values
            in_vain = 0 if not self._tried and self._screening.least_violation < best_before else in_vain + 1
        return self._find_among_all(num_draws)

    def _find_among_all(self, num_draws):
        """Lists a small space in random order, so that it is said to be exhausted only when it is."""
        listed = []
        for values in sampling.enumerate_values(self.hyperparameters):
            listed.append(values)
            if len(listed) > _MAX_LISTED:
                listed = []
                break
        untried = [values for values in listed if self._key(values) not in self._tried]
        bound = _MAX_ROUNDS * self.max_draws
        for index in self._next_rng().permutation(len(untried))[:bound]:
            if self._is_out_of_budget(num_draws):
                return None
            num_draws += 1
            if self._is_new(untried[index]):
                return untried[index]
        self.stop_reason = self._explain(num_draws, is_complete=0 < len(listed) and len(untried) <= bound)
        return None

    def _is_out_of_budget(self, num_draws):
        if self.out_of_budget is None or not self.out_of_budget():
            return False
        message = f"The budget is spent. {len(self.trials)} trials were run."
        error = None
        if not self.trials and num_draws:
            message = self._screening.explain(num_draws)
            error = InfeasibleError(message)
        self.stop_reason = StopReason("budget", message, error)
        return True

    def _explain(self, num_draws, is_complete):
        if not self.trials:
            message = self._screening.explain(num_draws)
            return StopReason("infeasible", message, InfeasibleError(message))
        outside = " or lies outside the limits" if self.cost_model and self.limits else ""
        if is_complete:
            message = f"The search space is exhausted: every candidate was tried{outside}."
        else:
            message = f"The search space looks exhausted: each of {num_draws} draws was tried before{outside}."
        return StopReason("exhausted", f"{message} {len(self.trials)} trials were run.")

    def _guided(self, rng):
        """A mutation of a candidate that was tried, or, while there is none, of one of the nearest misses."""
        misses = [miss["values"] for miss in self._screening.near_misses]
        if self._tried:
            parent = self._tried.values(rng.integers(len(self._tried)))
        elif misses:
            # Misses are sorted: every other time the nearest, every fourth the one after it.
            parent = misses[min(rng.geometric(0.5), len(misses)) - 1]
        else:
            return self.propose(rng)
        return sampling.mutate(self.hyperparameters, parent, rng, num_mutations=int(rng.geometric(0.6)))

    def _is_new(self, values):
        key = self._key(values)
        if key in self._tried:
            return False
        # Misses guide the way to the first trial; later on they would only be more to save.
        return self._screening.accepts(values, self._cost_of(key, values), is_remembered=not self._tried)

    def _cost_of(self, key, values):
        if self.cost_model is None:
            return {}
        if key not in self._costs:
            self._costs[key] = self.cost_model(space_with(self.hyperparameters, values))
        return self._costs[key]

    def _known_results(self):
        return self._results.follow(self.end_order, self.trials)

    def _next_rng(self):
        """A generator that depends on the seed and the number of draws alone: nothing else needs to be saved."""
        self._num_draws += 1
        return np.random.default_rng([self.seed, self._num_draws])

    def _key(self, values):
        if self._identity is not None:
            return self._identity(space_with(self.hyperparameters, values))
        return json.dumps(values, sort_keys=True)
