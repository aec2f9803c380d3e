"""Makes a project directory loadable again after a kill, a full disk or a lost file.

What can be repaired is repaired: finished trials are kept, running ones are sent for retry, a file that cannot be read
is set aside as `<name>.damaged`. keras-tuner itself refuses the whole project for one unreadable file.
"""

from __future__ import annotations

import copy
import json
import os
import pathlib

import keras_tuner as kt
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.trial import TrialStatus

from hwkeras.files import write_atomically

_FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


def write_state(path, state):
    """Writes a state as keras-tuner reads it: compact JSON, in which NaN and infinities may stand.

    Args:
        path: str or path-like.
        state: dict, JSON-able.
    """
    write_atomically(path, json.dumps(state))


def repair(project_dir, fresh_state):
    """Repairs the files of a keras-tuner project in place.

    1. An unreadable `trial.json` is set aside. The newest trials lost that way are dropped and their numbers used
       again; an older one becomes an empty `INVALID` trial, for keras-tuner numbers trials by counting them.
    2. An unreadable or missing `oracle.json` is rebuilt from the trials.
    3. A trial that has finished is ended, whatever `oracle.json` says; one that has not is sent for retry, without
       the metrics of the run that was killed.
    4. An unreadable `tuner*.json`, which holds nothing, is written anew.

    Args:
        project_dir: str or path-like.
        fresh_state: dict, the state of an oracle without trials.

    Returns:
        tuple of str, what was repaired; empty for a project in order.
    """
    project = pathlib.Path(project_dir)
    repairs = []
    _repair_tuner_files(project, repairs)
    trials = _read_trials(project, repairs)
    state = _read_state(project, fresh_state, trials, repairs)
    before = json.dumps(state)
    # The generators must go on where they were, also where the newest trial is all that tells how far that was.
    state["num_draws"] = max([state.get("num_draws", 0), *(trial.get("num_draws", 0) for trial in trials.values())])
    _drop_lost(project, state, trials, repairs)
    _place(project, state, trials, repairs)
    if repairs or json.dumps(state) != before or not (project / "oracle.json").exists():
        write_state(project / "oracle.json", state)
    return tuple(repairs)


def _read_json(path):
    """The document of a file, or None when it cannot be read as JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
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
    """The trials that can be read, as their JSON states by id."""
    trials = {}
    for path in sorted(project.glob("trial_*/trial.json")):
        state = _read_json(path)
        try:
            # keras-tuner turns the conditions inside what it is given into objects: it gets a copy.
            trials[Trial.from_state(copy.deepcopy(state)).trial_id] = state
        except (AttributeError, KeyError, TypeError, ValueError):
            _set_aside(path)
            repairs.append(f"{path.parent.name}/trial.json could not be read and was set aside.")
    return trials


def _read_state(project, fresh_state, trials, repairs):
    path = project / "oracle.json"
    state = _read_json(path)
    fresh = json.loads(json.dumps(fresh_state))
    if isinstance(state, dict) and not any(_is_broken(state, key, value) for key, value in fresh.items()):
        return state
    if path.exists() or trials:
        repairs.append(f"oracle.json could not be read and was rebuilt from {len(trials)} trials.")
    _set_aside(path)
    for trial in trials.values():
        _merge_space(fresh, trial)
    return fresh


def _is_broken(state, key, example):
    if key in ("num_draws", "screening"):  # A project that keras-tuner's own oracles wrote does not have them.
        return key in state and type(state[key]) is not type(example)
    return key not in state or (isinstance(example, (dict, list)) and type(state[key]) is not type(example))


def _merge_space(state, trial):
    space = kt.HyperParameters.from_config(state["hyperparameters"])
    space.merge(kt.HyperParameters.from_config(copy.deepcopy(trial["hyperparameters"])), overwrite=False)
    state["hyperparameters"] = space.get_config()


def _drop_lost(project, state, trials, repairs):
    """Removes every trace of trials without a readable file, and fills the gaps they leave among the numbers."""
    mentioned = {*state["start_order"], *state["end_order"], *state["retry_queue"], *state["ongoing_trials"].values()}
    lost = {int(trial_id): trial_id for trial_id in mentioned - set(trials)}
    last = max(map(int, trials), default=-1)
    width = max(map(len, trials), default=1)
    for number in set(range(last)) - set(map(int, trials)):
        lost.setdefault(number, f"{number:0{width}d}")
    for number, trial_id in sorted(lost.items()):
        _forget(state, trial_id)
        if number > last:
            repairs.append(f"Trial {trial_id} was lost; its number is used again.")
            continue
        trials[trial_id] = _write_empty_trial(project, state, trial_id)
        state["end_order"].append(trial_id)
        repairs.append(f"Trial {trial_id} was lost; an empty trial keeps its number.")


def _forget(state, trial_id):
    for order in ("start_order", "end_order", "retry_queue"):
        state[order] = [other for other in state[order] if other != trial_id]
    state["ongoing_trials"] = {who: other for who, other in state["ongoing_trials"].items() if other != trial_id}
    state["run_times"].pop(trial_id, None)
    values_hash = state["id_to_hash"].pop(trial_id, None)
    state["tried_so_far"] = [other for other in state["tried_so_far"] if other != values_hash]


def _write_empty_trial(project, state, trial_id):
    trial = {
        "trial_id": trial_id,
        "hyperparameters": {"space": state["hyperparameters"]["space"], "values": {}},
        "metrics": {"metrics": {}},
        "score": None,
        "best_step": 0,
        "status": TrialStatus.INVALID,
        "message": "The file of this trial was lost; it keeps the number only.",
    }
    _write_trial(project, trial)
    return trial


def _write_trial(project, trial):
    directory = project / f"trial_{trial['trial_id']}"
    write_state(directory / "trial.json", trial)


def _place(project, state, trials, repairs):
    """Puts each trial where its own file says it belongs: among the ended ones, or in the queue for retry."""
    waiting = [*state["retry_queue"], *state["ongoing_trials"].values()]
    state["ongoing_trials"] = {}
    state["retry_queue"] = []
    for trial_id in [*waiting, *sorted(trials, key=int)]:
        if trial_id in state["end_order"] or trial_id in state["retry_queue"]:
            continue
        trial = trials[trial_id]
        if trial_id not in state["start_order"]:
            state["start_order"].append(trial_id)
        if trial["status"] in _FINISHED and (trial["score"] is not None or trial["status"] == TrialStatus.FAILED):
            _end(state, trial)
            repairs.append(f"Trial {trial_id} had finished; its result is kept.")
            continue
        state["retry_queue"].append(trial_id)
        if trial_id not in waiting:
            repairs.append(f"Trial {trial_id} was running; it is sent for retry.")
        if trial["status"] == TrialStatus.RUNNING and trial["metrics"]["metrics"]:
            _write_trial(project, {**trial, "metrics": {"metrics": {}}})


def _end(state, trial):
    trial_id = trial["trial_id"]
    state["end_order"].append(trial_id)
    state["run_times"][trial_id] = state["run_times"].get(trial_id, 0) + 1
    _merge_space(state, trial)
