"""Reads a project directory back after a kill, a full disk or a lost file.

What can be repaired is repaired: finished trials are kept, running ones are sent for retry, a file that cannot be read
is set aside as `<name>.damaged`. keras-tuner itself refuses the whole project for one unreadable file.
"""

from __future__ import annotations

import json
import os
import pathlib
from dataclasses import dataclass

import keras_tuner as kt
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.trial import TrialStatus

from hwkeras.files import write_atomically

_FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)
_LOST = "The file of this trial was lost; it keeps the number only."
# What keras-tuner writes into `oracle.json`; the rest is ours, and a project of its own oracles does not have it.
_HOST_KEYS = frozenset(
    "ongoing_trials hyperparameters start_order end_order run_times retry_queue seed seed_state tried_so_far "
    "id_to_hash display".split()
)
_NUMBERS = ("num_draws", "num_written", "num_failed_in_a_row")


@dataclass(frozen=True)
class Recovered:
    """A project as it was read back.

    Args:
        trials: dict of trial id to `keras_tuner.engine.trial.Trial`, in the order of their numbers.
        state: dict, the state of the oracle when the last file was written. `id_to_hash` and `tried_so_far` may be
            older.
        spaces: tuple of str, ids of trials whose spaces differ, in the order in which they are to be merged.
        has_state: bool, whether `oracle.json` was there and whole.
        num_unsaved: int, how many trial files were written after `oracle.json`.
        repairs: tuple of str, what was repaired; empty for a project in order.
    """

    trials: dict
    state: dict
    spaces: tuple
    has_state: bool
    num_unsaved: int
    repairs: tuple


def write_state(path, state):
    """Writes a state as keras-tuner reads it: compact JSON, in which NaN and infinities may stand. Whole or not at all.

    The disk is not waited for: three times a trial that would cost more than all the rest. What a power failure takes
    is found by `recover`.

    Args:
        path: str or path-like; a missing parent folder is made.
        state: dict, JSON-able.
    """
    write_atomically(path, json.dumps(state), is_awaited=False)


def is_lost(trial):
    """Returns:
    bool, whether a `keras_tuner.engine.trial.Trial` only keeps the number of one whose file was lost.
    """
    return trial.status == TrialStatus.INVALID and trial.message == _LOST


def recover(project_dir, fresh_state):
    """Reads a project, and repairs its files in place.

    1. An unreadable `trial.json` is set aside. The newest trials lost that way are dropped and their numbers used
       again; an older one becomes an empty `INVALID` trial, for keras-tuner numbers trials by counting them.
    2. An unreadable or missing `oracle.json` is rebuilt from the trials.
    3. The trials say which of them have ended, in which order, and how far the oracle was, whatever `oracle.json` says;
       those that have not are sent for retry.
    4. An unreadable `tuner*.json`, which holds nothing, is written anew.

    Args:
        project_dir: str or path-like.
        fresh_state: dict, the state of an oracle without trials.

    Returns:
        Recovered.
    """
    project = pathlib.Path(project_dir)
    repairs = []
    _repair_tuner_files(project, repairs)
    trials, read, unreadable = _read_trials(project, repairs)
    state = _read_state(project, fresh_state, trials, repairs)
    has_state = state is not None
    state = {**_copy(fresh_state), **(state or {})}
    saved = state["num_written"]
    _bring_forward(state, trials)
    _fill_gaps(project, state, trials, unreadable, repairs)
    trials = dict(sorted(trials.items(), key=lambda item: int(item[0])))
    _place(state, trials)
    spaces = _different_spaces(trials, [*state["end_order"], *state["retry_queue"]])
    num_unsaved = max(0, state["num_written"] - saved)
    whole = {trial_id: read.get(trial_id) or Trial.from_state(_copy(trial)) for trial_id, trial in trials.items()}
    return Recovered(whole, state, spaces, has_state, num_unsaved, tuple(repairs))


def _read_json(path):
    """The document of a file, or None when it cannot be read as JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _set_aside(path):
    if path.exists():
        os.replace(path, f"{path}.damaged")


def _repair_tuner_files(project, repairs):
    for path in sorted(project.glob("tuner*.json")):
        if not isinstance(_read_json(path), dict):
            _set_aside(path)
            write_state(path, {})
            repairs.append(f"{path.name} could not be read and was written anew.")


def _read_trials(project, repairs):
    """The trials that can be read, by id, as JSON states and as trials; and the ids of those that cannot."""
    states, trials, unreadable = {}, {}, []
    for path in sorted(project.glob("trial_*/trial.json")):
        trial_id = path.parent.name.removeprefix("trial_")
        state = _read_json(path)
        trial = _as_trial(state)
        if trial is not None and trial.trial_id == trial_id and trial_id.isdecimal():
            states[trial_id], trials[trial_id] = state, trial
            continue
        _set_aside(path)
        repairs.append(f"{path.parent.name}/trial.json could not be read and was set aside.")
        if trial_id.isdecimal():
            unreadable.append(trial_id)
    return states, trials, unreadable


def _as_trial(state):
    """The trial of a JSON state, or None when it is none."""
    try:
        trial = Trial.from_state(_copy(state))
        is_ours = isinstance(state.get("oracle", {}), dict)
        numbers = [state.get("num_written", 0), state.get("run_times", 0)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return trial if is_ours and all(isinstance(number, int) for number in numbers) else None


def _copy(document):
    """A copy for keras-tuner, which turns the conditions inside what it is given into objects."""
    return json.loads(json.dumps(document))


def _read_state(project, fresh_state, trials, repairs):
    """The document of `oracle.json`, or None."""
    path = project / "oracle.json"
    state = _read_json(path)
    if isinstance(state, dict) and not _is_broken(state, fresh_state):
        return state
    if path.exists() or trials:
        repairs.append(f"oracle.json could not be read and was rebuilt from {len(trials)} trials.")
    _set_aside(path)
    return None


def _is_broken(state, fresh_state):
    if not _HOST_KEYS <= set(state) or not all(isinstance(state.get(key, 0), int) for key in _NUMBERS):
        return True
    examples = {key: value for key, value in fresh_state.items() if key in state and isinstance(value, (dict, list))}
    if not all(isinstance(state[key], type(_copy(value))) for key, value in examples.items()):
        return True
    try:
        kt.HyperParameters.from_config(_copy(state["hyperparameters"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return True
    return False


def _bring_forward(state, trials):
    """Takes over how far the oracle was from the newest trial file, where that is newer than `oracle.json`."""
    newest = max(trials.values(), key=_num_written, default={})
    if "oracle" in newest and _num_written(newest) > state["num_written"]:
        state.update(newest["oracle"], num_written=_num_written(newest))


def _num_written(trial):
    return trial.get("num_written", 0)


def _fill_gaps(project, state, trials, unreadable, repairs):
    """Puts empty trials in place of lost ones, and drops the newest of the lost."""
    waiting = [*state["retry_queue"], *state["ongoing_trials"].values()]
    mentioned = {*state["start_order"], *state["end_order"], *waiting, *unreadable}
    lost = {int(trial_id): trial_id for trial_id in mentioned - set(trials)}
    last = max(map(int, trials), default=-1)
    width = max(map(len, trials), default=1)
    for number in set(range(last)) - set(map(int, trials)):
        lost.setdefault(number, f"{number:0{width}d}")
    for number, trial_id in sorted(lost.items()):
        if number > last:
            repairs.append(f"Trial {trial_id} was lost; its number is used again.")
            continue
        state["num_written"] += 1
        trials[trial_id] = _write_empty_trial(project, state, trial_id)
        repairs.append(f"Trial {trial_id} was lost; an empty trial keeps its number.")


def _write_empty_trial(project, state, trial_id):
    trial = {
        "trial_id": trial_id,
        "hyperparameters": {"space": state["hyperparameters"]["space"], "values": {}},
        "metrics": {"metrics": {}},
        "score": None,
        "best_step": 0,
        "status": TrialStatus.INVALID,
        "message": _LOST,
        "num_written": state["num_written"],
    }
    write_state(project / f"trial_{trial_id}" / "trial.json", trial)
    return trial


def _place(state, trials):
    """Puts each trial where its own file says it belongs: among the ended ones, or in the queue for retry."""
    # Trials that keras-tuner's own oracles wrote have no number: they came first, in the order it wrote down.
    old_places = {trial_id: place for place, trial_id in enumerate(state["end_order"])}

    def when(trial_id):
        return _num_written(trials[trial_id]), old_places.get(trial_id, len(old_places)), int(trial_id)

    ended = [trial_id for trial_id, trial in trials.items() if _has_ended(trial)]
    waiting = sorted(set(trials) - set(ended), key=when)
    failed = [trial_id for trial_id in waiting if trials[trial_id]["status"] == TrialStatus.INVALID]
    run_times = {
        trial_id: trial.get("run_times", state["run_times"].get(trial_id, 0)) for trial_id, trial in trials.items()
    }
    state["ongoing_trials"] = {}
    state["start_order"] = list(trials)
    state["end_order"] = sorted(ended, key=when)
    # keras-tuner takes them from the end: what was running comes first, as a tuner that was not killed would have it.
    state["retry_queue"] = [*failed, *(trial_id for trial_id in waiting if trial_id not in failed)]
    state["run_times"] = {trial_id: times for trial_id, times in run_times.items() if times}


def _has_ended(trial):
    if trial["status"] == TrialStatus.COMPLETED:
        return trial["score"] is not None  # Else it was killed before it was scored.
    return trial["status"] == TrialStatus.FAILED or trial["message"] == _LOST


def _different_spaces(trials, order):
    """Ids of the first trial of each space, in the order given."""
    different, seen = [], []
    for trial_id in order:
        space = trials[trial_id]["hyperparameters"]["space"]
        if space not in seen:
            seen.append(space)
            different.append(trial_id)
    return tuple(different)
