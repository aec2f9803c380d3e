"""Compares oracles on networks that are already trained: a finished run, or a table of a whole space.

Nothing is trained. An oracle proposes, the simulator answers with what is tabulated, and the curves say how soon each
oracle would have found what is known to be there.
"""

from __future__ import annotations

import json
import math
import pathlib
import tempfile
import time

import numpy as np

from hwkeras.errors import UserError
from hwkeras.objectives import METRICS
from hwkeras.objectives import Limit
from hwkeras.objectives import Objective
from hwkeras.objectives import total_violation
from hwkeras.oracles import catalogue
from hwkeras.oracles import pareto
from hwkeras.oracles import sampling
from hwkeras.oracles.observation import metrics_of
from hwkeras.testing.tabulated import complete
from hwkeras.testing.tabulated import read_json
from hwkeras.testing.tabulated import read_project
from hwkeras.testing.tabulated import read_table
from hwkeras.testing.tabulated import space_of
from hwkeras.testing.toy_search import drive

# They choose how long to train; a table holds only what came out in the end.
_MULTI_FIDELITY = ("asha", "hyperband")
# Spaces up to this size are counted to the end for `coverage`.
_MAX_COUNTED = 50_000


class Simulator:
    """Replays oracles on tabulated candidates.

    1. A candidate of the space that is tabulated has the metrics of its row.
    2. Any other stands for the nearest tabulated one: hyperparameters that only one of the two has count 1, options
       without an order 1 where they differ, numbers by how far apart they are in their range. Candidates that stand
       for one row are one candidate, which no oracle proposes twice.
    3. So a table of a whole space is replayed exactly. A finished run is a coarse picture of its space, made of what
       one oracle chose to look at: compare at budgets far below the number of rows, for with few rows all oracles look
       alike. `num_nearest` of a replay says how many of its trials a neighbor stood in for.

    Args:
        space: `keras_tuner.HyperParameters`, the space the oracles search.
        rows: sequence of (values, metrics): dict of hyperparameter name to value, dict of metric name to float. Of
            rows of the same values the first counts.
        objectives: list of str or `hwkeras.objectives.Objective`, or one of them, as for an oracle.
        limits: sequence of str or `hwkeras.objectives.Limit`, or one of them. Defaults to `()`.
        known: sequence of names of metrics that an oracle is told before it spends a trial. Defaults to `None`: those
            of `hwkeras.objectives.METRICS` that need no training and that every row has.
        reference: dict of metric name to float, the corner up to which hypervolume counts. Defaults to `None`: the
            worst of each objective among the rows within the limits.

    Attributes:
        space: `keras_tuner.HyperParameters`.
        objectives: tuple of `hwkeras.objectives.Objective`.
        limits: tuple of `hwkeras.objectives.Limit`.
        known: tuple of str.
        values: list of dict, the values of each row.
        metrics: list of dict, the metrics of each row.

    Raises:
        UserError: values that are none of the space; no row within the limits with all objectives known; a metric of
            `known` that a row lacks; a reference that lacks an objective or that no row beats.
    """

    def __init__(self, space, rows, objectives, limits=(), known=None, reference=None):
        objectives = [objectives] if isinstance(objectives, (str, Objective)) else objectives
        self.space = space
        self.objectives = tuple(Objective.parse(objective) for objective in objectives)
        self.limits = tuple(Limit.parse(limit) for limit in ([limits] if isinstance(limits, (str, Limit)) else limits))
        distinct = {}
        for values, metrics in rows:
            values = self._active(values)
            distinct.setdefault(_key(values), (values, dict(metrics)))
        self.values = [values for values, _ in distinct.values()]
        self.metrics = [metrics for _, metrics in distinct.values()]
        self.known = _known(self.metrics, known)
        self._places = {key: row for row, key in enumerate(distinct)}
        self._nearest = {}
        self._names = list(dict.fromkeys(gene.name for gene in space.space))
        unordered = {gene.name for gene in space.space if getattr(gene, "ordered", True) is False}
        self._is_unordered = np.array([name in unordered for name in self._names], dtype=bool)
        self._points = np.array([self._point(values) for values in self.values]).reshape(-1, len(self._names))
        self._judge(reference)

    @classmethod
    def from_run(cls, directory, objectives=None, limits=None, known=None, reference=None):
        """Reads the completed trials of a finished search.

        Args:
            directory: str or PathLike, of a run of hwkeras, or of a project of keras-tuner.
            objectives: see `Simulator`. Defaults to `None`, those of the run.
            limits: see `Simulator`. Defaults to `None`, those of the run.
            known: see `Simulator`. Defaults to `None`.
            reference: see `Simulator`. Defaults to `None`.

        Returns:
            Simulator.

        Raises:
            UserError: no search there; no objectives given where the run does not say its own.
        """
        directory = pathlib.Path(directory)
        space, trials = read_project(directory)
        asked = read_json(directory / "search.json") if (directory / "search.json").is_file() else {}
        objectives = asked.get("objectives") if objectives is None else objectives
        if not objectives:
            raise UserError(
                f"A search that hwkeras did not run does not say what to compare. Received: objectives={objectives!r} "
                f"for {directory}. Pass metrics of its trials, such as objectives=['val_accuracy']."
            )
        limits = asked.get("limits", ()) if limits is None else limits
        first = Objective.parse(objectives if isinstance(objectives, (str, Objective)) else objectives[0])
        rows = [(complete(space, trial.hyperparameters.values), metrics_of(trial, first)) for trial in trials]
        return cls(space, rows, objectives, limits, known, reference)

    @classmethod
    def from_table(cls, path, objectives, metrics, limits=(), known=None, reference=None, space=None):
        """Reads a table: a row a candidate, a column a hyperparameter or a metric.

        Args:
            path: str or PathLike of a `.csv` or `.csv.gz` with a header; an empty cell is an inactive hyperparameter.
            objectives: see `Simulator`.
            metrics: sequence of str, the columns that are metrics; all others are hyperparameters.
            limits: see `Simulator`. Defaults to `()`.
            known: see `Simulator`. Defaults to `None`.
            reference: see `Simulator`. Defaults to `None`.
            space: `keras_tuner.HyperParameters`. Defaults to `None`: the one that the rows span
                (`hwkeras.testing.tabulated.space_of`).

        Returns:
            Simulator.

        Raises:
            UserError: a metric that is no column, or a space that cannot be read off the rows.
        """
        rows = read_table(path, metrics)
        return cls(space_of(rows) if space is None else space, rows, objectives, limits, known, reference)

    def coverage(self):
        """How much of the space is tabulated.

        Returns:
            float, the share of its candidates; 0.0 where there are more than 50,000.
        """
        count = 0
        for count, _ in enumerate(sampling.enumerate_values(self.space), 1):
            if count > _MAX_COUNTED:
                return 0.0
        return len(self.values) / count if count else 0.0

    def row_of(self, values):
        """The row a candidate stands for.

        Args:
            values: dict of hyperparameter name to active value; names that are none of the space are passed over.

        Returns:
            int, an index into `values` and `metrics`.
        """
        key = self._key(values)
        if key in self._places:
            return self._places[key]
        if key not in self._nearest:
            point = self._point(values)
            apart = np.abs(self._points - point)
            apart = np.where(self._is_unordered, apart > 0, apart)
            # NaN stands for a hyperparameter that is not live.
            live, live_here = ~np.isnan(self._points), ~np.isnan(point)
            apart = np.where(live & live_here, apart, live != live_here)
            self._nearest[key] = int(np.argmin(apart.sum(axis=1)))
        return self._nearest[key]

    def is_tabulated(self, values):
        """Whether a candidate has a row of its own.

        Args:
            values: dict of hyperparameter name to active value.

        Returns:
            bool.
        """
        return self._key(values) in self._places

    def replay(self, oracle, num_trials=100, seed=0, clock=time.perf_counter, **arguments):
        """Runs one oracle with one seed.

        Args:
            oracle: str, a name of `hwkeras.oracles.names()`; or a class derived from `HardwareOracle`.
            num_trials: int. Defaults to `100`.
            seed: int, 0 or more. Defaults to `0`.
            clock: callable to seconds. Defaults to `time.perf_counter`.
            **arguments: more arguments of the oracle.

        Returns:
            dict, JSON-able: `oracle`, its name; `seed`; `rows`, in the order they were tried; `regret` and
            `hypervolume`, see `curves`; `num_nearest`, trials a neighbor stood in for; `num_infeasible`, trials outside
            the limits; `ms_per_trial`, what the oracle and its bookkeeping took; `stopped`, why it ended early, or
            None.
        """
        make = catalogue.get(oracle) if isinstance(oracle, str) else oracle
        arguments = {"objectives": list(self.objectives), "limits": self.limits, "max_trials": num_trials, **arguments}
        searcher = make(seed=seed, hyperparameters=self.space.copy(), cost_model=self._cost, **arguments)
        searcher.verbose = 0
        searcher.identity = lambda hp: str(self.row_of(hp.values))
        with tempfile.TemporaryDirectory() as directory:
            searcher._set_project_dir(directory, "replay")
            start = clock()
            trials = drive(searcher, num_trials, lambda hp: self.metrics[self.row_of(hp.values)])
            spent = clock() - start
        tried = [trial.hyperparameters.values for trial in trials]
        rows = [self.row_of(values) for values in tried]
        return {
            "oracle": oracle if isinstance(oracle, str) else oracle.__name__,
            "seed": seed,
            "rows": rows,
            **self.curves(rows),
            "num_nearest": sum(not self.is_tabulated(values) for values in tried),
            "num_infeasible": int((self._violations[rows] > 0).sum()),
            "ms_per_trial": 1000 * spent / max(1, len(rows)),
            "stopped": searcher.stop_reason.message if len(rows) < num_trials and searcher.stop_reason else None,
        }

    def compare(self, oracles=None, num_trials=100, seeds=5, told=None):
        """Runs several oracles with several seeds.

        Args:
            oracles: sequence of names or classes, see `replay`. Defaults to `None`: all of `hwkeras.oracles.names()`
                but those that choose how long to train, of which a table knows nothing.
            num_trials: int. Defaults to `100`.
            seeds: int, how many, from 0; or a sequence of ints. Defaults to `5`.
            told: callable, called with each replay when it has ended. Defaults to `None`.

        Returns:
            list of dict, see `replay`, oracle by oracle.
        """
        if oracles is None:
            oracles = [name for name in catalogue.names() if name not in _MULTI_FIDELITY]
        replays = []
        for oracle in oracles:
            for seed in range(seeds) if isinstance(seeds, int) else seeds:
                replays.append(self.replay(oracle, num_trials, seed))
                if told is not None:
                    told(replays[-1])
        return replays

    def curves(self, rows):
        """How good the best so far is after each trial, whoever chose them.

        Args:
            rows: sequence of int, in the order they were tried.

        Returns:
            dict of two lists of float, each as long as `rows`. `regret`: how far the first objective is from its best
            row within the limits, in its own unit; that of the worst such row until one is tried.
            `hypervolume`: the share of what all rows within the limits dominate together, 0.0 to 1.0.
        """
        regret, hypervolume = [], []
        best, share, kept = self._worst, 0.0, np.empty((0, len(self.objectives)))
        for row in rows:
            losses = self._losses[row]
            if self._violations[row] <= 0 and not (kept <= losses).all(axis=1).any():
                best = min(best, losses[0])
                kept = np.vstack([kept[~(losses <= kept).all(axis=1)], losses])
                share = pareto.hypervolume(kept, self._reference) / self._volume
            regret.append(float(best - self._best))
            hypervolume.append(float(share))
        return {"regret": regret, "hypervolume": hypervolume}

    def _active(self, values):
        """The values of the live hyperparameters."""
        live = sampling.activate(self.space, dict(values), np.random.default_rng(0))
        wrong = [name for name, value in live.items() if name not in values or values[name] != value]
        if wrong:
            raise UserError(
                "Each row gives every live hyperparameter a value of the space. Received: "
                f"{ {name: values.get(name) for name in wrong} } in {dict(values)}. Pass the space of these rows."
            )
        return live

    def _judge(self, reference):
        """What the curves are measured against."""
        losses = [[each.loss(_number(row.get(each.metric))) for each in self.objectives] for row in self.metrics]
        self._losses = np.array(losses, dtype=float).reshape(-1, len(self.objectives))
        self._violations = np.array([total_violation(self.limits, row) for row in self.metrics], dtype=float)
        # A row without one of the objectives is no better than one outside the limits.
        self._violations[~np.isfinite(self._losses).all(axis=1)] = math.inf
        within = self._losses[self._violations <= 0]
        if not len(within):
            raise UserError(
                "A row must lie within the limits and have all objectives. Received: "
                f"{len(self.metrics)} rows, limits {[str(limit) for limit in self.limits]}, objectives "
                f"{[each.metric for each in self.objectives]}. Raise the limits, or name metrics that the rows have."
            )
        self._best, self._worst = within[:, 0].min(), within[:, 0].max()
        self._reference = self._corner(within, reference)
        self._volume = pareto.hypervolume(within, self._reference)
        if not self._volume > 0:
            raise UserError(
                "A row must be better than `reference` in every objective. Received: "
                f"reference={reference}. Name values worse than those worth finding."
            )

    def _corner(self, within, reference):
        if reference is None:
            worst = within.max(axis=0)
            # Where all are equally good, or the best is the worst elsewhere, there would be no volume at all.
            return worst + 1e-3 * np.maximum(worst - within.min(axis=0), 1e-9 * np.maximum(1.0, np.abs(worst)))
        missing = [each.metric for each in self.objectives if each.metric not in reference]
        if missing:
            raise UserError(
                f"`reference` has a value for each objective. Received: reference={reference}, without {missing}."
            )
        return np.array([each.loss(reference[each.metric]) for each in self.objectives])

    def _cost(self, hp):
        metrics = self.metrics[self.row_of(hp.values)]
        return {name: metrics[name] for name in self.known}

    def _key(self, values):
        return _key({name: values[name] for name in self._names if name in values})

    def _point(self, values):
        """Where each hyperparameter stands in its range, NaN where it is not live."""
        places = {gene.name: gene.value_to_prob(values[gene.name]) for gene in sampling.live(self.space, values)}
        return np.array([places.get(name, math.nan) for name in self._names])


def _known(metrics, known):
    if known is None:
        return tuple(
            name
            for name, metric in METRICS.items()
            if metric.is_static and all(math.isfinite(_number(row.get(name))) for row in metrics)
        )
    known = (known,) if isinstance(known, str) else tuple(known)
    missing = [name for name in known if any(row.get(name) is None for row in metrics)]
    if missing:
        raise UserError(
            f"What is known before training is known of every row. Received: known={list(known)}, but a row lacks "
            f"{missing}. Leave it out."
        )
    return known


def _number(value):
    return math.nan if value is None else float(value)


def _key(values):
    return json.dumps(values, sort_keys=True)
