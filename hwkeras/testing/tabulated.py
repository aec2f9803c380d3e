"""Candidates whose metrics are known already: read from a finished search or a table, and the space they span."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import math
import pathlib

import keras_tuner as kt
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.trial import TrialStatus

from hwkeras.errors import UserError


def read_project(directory):
    """Reads what a finished search of hwkeras or of keras-tuner left.

    Args:
        directory: str or PathLike of the project, which holds `oracle.json` and a folder a trial.

    Returns:
        (`keras_tuner.HyperParameters`, list of `keras_tuner.engine.trial.Trial`): the space, and the completed trials
        in the order of their ids.

    Raises:
        UserError: no search there, a file of it that cannot be read, or no completed trial.
    """
    directory = pathlib.Path(directory)
    if not (directory / "oracle.json").is_file():
        raise UserError(
            f"A finished search has a file oracle.json. Received: {directory}, which has none. "
            "Pass the run directory (`hwkeras search --out DIR`), or DIRECTORY/PROJECT_NAME of keras-tuner."
        )
    space = kt.HyperParameters.from_config(read_json(directory / "oracle.json")["hyperparameters"])
    states = [read_json(path) for path in sorted(directory.glob("trial_*/trial.json"))]
    trials = [Trial.from_state(state) for state in states if state.get("status") == TrialStatus.COMPLETED]
    if not trials:
        raise UserError(
            f"A search to compare with has a completed trial. Received: {directory}, none of whose {len(states)} "
            "trials is completed. Let it run first."
        )
    return space, sorted(trials, key=lambda trial: int(trial.trial_id))


def complete(space, values):
    """The values of a trial with those it had not heard of: keras-tuner declares a space while models are built.

    Args:
        space: `keras_tuner.HyperParameters`, as known at the end of the search.
        values: dict of hyperparameter name to value, as known when the trial ran.

    Returns:
        dict; a live hyperparameter that the trial did not have has its default, which its model did not ask for.
    """
    full = dict(values)
    for gene in space.space:
        if gene.name not in full and all(condition.is_active(full) for condition in gene.conditions):
            full[gene.name] = gene.default
    return full


def read_json(path):
    """Reads a file of a search.

    Args:
        path: pathlib.Path.

    Returns:
        dict.

    Raises:
        UserError: it cannot be read as JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"A file of a search must be JSON. Received: {path}, which cannot be read ({error}). Make the tuner again "
            "with this directory: it sets damaged files aside."
        ) from error


def read_table(path, metrics):
    """Reads a table: a row a candidate, a column a hyperparameter or a metric.

    Args:
        path: str or PathLike of a `.csv` or `.csv.gz` with a header; an empty cell is an inactive hyperparameter, or
            a metric that is not known.
        metrics: sequence of str, the columns that are metrics; all others are hyperparameters.

    Returns:
        list of (dict of hyperparameter name to int, float, bool or str; dict of metric name to float).

    Raises:
        UserError: a metric that is no column of the table.
    """
    path = pathlib.Path(path)
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    columns = list(lines[0]) if lines else []
    missing = [name for name in metrics if name not in columns]
    if missing:
        raise UserError(
            f"`metrics` are columns of the table. Received: {missing}, of which {path} has none; it has {columns}."
        )
    genes = [name for name in columns if name not in metrics]
    return [
        (
            {name: _value(line[name]) for name in genes if line[name] != ""},
            {name: float(line[name]) for name in metrics if line[name] != ""},
        )
        for line in lines
    ]


def space_of(rows):
    """The space that rows span: for each hyperparameter the values that occur, and the conditions under which it does.

    A hyperparameter that is missing in some rows is taken to hang on the first one before it whose value, or absence,
    decides whether it is there.

    Args:
        rows: sequence of (values, metrics), parents before children in each dict of values.

    Returns:
        `keras_tuner.HyperParameters`.

    Raises:
        UserError: no other hyperparameter decides when one is there.
    """
    values = [row for row, _ in rows]
    # The longest row names parents before children; the others can only add to that.
    names = list(dict.fromkeys(name for row in sorted(values, key=len, reverse=True) for name in row))
    space, chains = kt.HyperParameters(), {}
    for place, name in enumerate(names):
        chains[name] = _chain(name, names[:place], values, chains)
        found = list(dict.fromkeys(row[name] for row in values if name in row))
        options = found if any(isinstance(option, str) for option in found) else sorted(found)
        with contextlib.ExitStack() as scopes:
            for parent, allowed in chains[name]:
                scopes.enter_context(space.conditional_scope(parent, list(allowed)))
            if all(isinstance(option, bool) for option in options):
                space.Boolean(name)
            else:
                space.Choice(name, options)
    return space


def _chain(name, before, values, chains):
    """The conditions of a hyperparameter, those of its parent first."""
    if all(name in row for row in values):
        return ()
    for parent in before:
        there = {row.get(parent) for row in values if name in row}
        absent = {row.get(parent) for row in values if name not in row}
        if None not in there and not there & absent:
            return (*chains[parent], (parent, tuple(sorted(there))))
    raise UserError(
        f"A hyperparameter that is missing in some rows hangs on the value of one other before it. Received: {name!r}, "
        f"for which none of {before} decides. Pass the space itself."
    )


def _value(text):
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            value = kind(text)
            if math.isfinite(value):
                return value
    return text
