"""Reads what earlier searches found, so that a new one does not begin knowing nothing."""

from __future__ import annotations

import json
import pathlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from keras_tuner.engine.trial import Trial
from keras_tuner.engine.trial import TrialStatus

from hwkeras.errors import UserError
from hwkeras.objectives import Objective
from hwkeras.oracles.fidelity import PARENT
from hwkeras.oracles.fidelity import architecture_values
from hwkeras.oracles.observation import metrics_of
from hwkeras.search.run import Run


@dataclass(frozen=True)
class EarlierTrial:
    """A completed trial of an earlier search, as `HardwareOracle.earlier` takes it.

    Args:
        values: mapping of hyperparameter name to value, active ones only.
        metrics: mapping of metric name to float.
        source: str, the directory of its search.
        same_data: bool, whether that search was on the data of this one. Defaults to `False`, other or unknown data.
    """

    values: Mapping
    metrics: Mapping
    source: str
    same_data: bool = False


def read_earlier_runs(directories, hyperparameters=None, data_fingerprint=None):
    """Reads the completed trials of earlier runs, finished or not; nothing of them is changed.

    A run on other data, another device or with other limits serves, too: what it found is a hint, which the search it
    is given to confirms or not. Of a network that was trained on, the longest trained trial is read alone; a trial
    whose file cannot be read is left out, with a warning.

    Args:
        directories: sequence of str or PathLike, or one of them: directories of runs of hwkeras.
        hyperparameters: `keras_tuner.HyperParameters`, the space of the search they are read for. Defaults to `None`:
            whether they have anything in common is not checked.
        data_fingerprint: str, of the data of that search (`search.json`). Defaults to `None`: none counts as the same.

    Returns:
        list of EarlierTrial, run by run, each in the order of its trials.

    Raises:
        UserError: a directory that holds no run, a run without a completed trial, or one whose space has no
            hyperparameter of `hyperparameters`.
    """
    directories = [directories] if isinstance(directories, (str, pathlib.PurePath)) else directories
    names = None if hyperparameters is None else {gene.name for gene in hyperparameters.space}
    return [trial for directory in directories for trial in _read_run(pathlib.Path(directory), names, data_fingerprint)]


def _read_run(directory, names, data_fingerprint):
    settings = Run(directory).settings()
    if not isinstance(settings, dict) or not settings.get("objectives"):
        raise UserError(
            f"An earlier run has a file search.json that tells what was asked. Received: {directory}, which has none. "
            "Pass the directory of a run (`hwkeras search --out DIR`, `HardwareTuner(directory=DIR)`)."
        )
    trials = _completed(directory)
    if not trials:
        raise UserError(
            f"An earlier run serves by its completed trials. Received: {directory}, which has none yet. "
            "Leave it out, or let it run first."
        )
    same_data = data_fingerprint is not None and settings.get("data_fingerprint") == data_fingerprint
    read = [
        EarlierTrial(
            architecture_values(trial.hyperparameters.values),
            metrics_of(trial, _objective_of(trial, settings["objectives"][0])),
            str(directory),
            same_data,
        )
        for trial in trials
    ]
    theirs = {name for trial in read for name in trial.values}
    if names is not None and not theirs & names:
        raise UserError(
            f"An earlier run serves where its space and this one share hyperparameters. Received: {directory}, which "
            f"has {_listed(theirs)}, for a space that has {_listed(names)}. Leave it out."
        )
    return read


def _completed(directory):
    """The completed trials that no other completed one continues, in the order of their ids."""
    trials = {}
    for path in sorted(directory.glob("trial_*/trial.json")):
        trial = _read_trial(path)
        if trial is not None and trial.status == TrialStatus.COMPLETED:
            trials[trial.trial_id] = trial
    continued = {trial.hyperparameters.values.get(PARENT) for trial in trials.values()}
    return [trials[each] for each in sorted(trials) if each not in continued]


def _read_trial(path):
    """The trial of a file, or None when it is not whole."""
    try:
        return Trial.from_state(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        warnings.warn(f"A trial of an earlier run cannot be read and is left out: {path} ({error!r}).", stacklevel=2)
        return None


def _objective_of(trial, metric):
    """The objective that picks the step of a trial that counts; a run writes down its name alone."""
    known = trial.metrics.metrics.get(metric)
    return Objective.parse(metric) if known is None else Objective(metric, known.direction)


def _listed(names):
    shown = sorted(names)
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "") if shown else "none"
