"""Toy searches: small spaces, what their candidates cost, what comes of them, and how to run trials without a tuner."""

from __future__ import annotations

import keras_tuner as kt


def toy_space():
    """A conditional space of 60 candidates: a kind of network, its depth and width, and a kernel for one kind only.

    Returns:
        `keras_tuner.HyperParameters`.
    """
    space = kt.HyperParameters()
    space.Choice("kind", ["dense", "conv"])
    space.Int("depth", 1, 4)
    space.Choice("width", [8, 16, 24, 32, 48])
    with space.conditional_scope("kind", ["conv"]):
        space.Boolean("wide_kernel")
    return space


def toy_cost(hp):
    """What is known of a toy candidate before training.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        dict with `size_bytes` (80 to 3456) and `latency_ms` (0.008 to 0.576).
    """
    kernel = 1 if hp.get("kind") == "dense" else (3 if hp.get("wide_kernel") else 2)
    work = hp.get("depth") * hp.get("width")
    return {"size_bytes": 10.0 * work if kernel == 1 else 6.0 * work * kernel, "latency_ms": 0.001 * work * kernel}


def toy_metrics(hp):
    """What a toy candidate reports after training.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        dict with `accuracy` and the metrics of `toy_cost`.
    """
    kernel = 0.1 if hp.get("kind") == "conv" else 0.0
    accuracy = 0.5 + kernel + 0.05 * hp.get("depth") + 0.004 * hp.get("width")
    return {"accuracy": min(accuracy, 0.97), **toy_cost(hp)}


def gene_space(num_genes=8, num_options=3):
    """A space of numbers that are names only: `gene_0`, `gene_1`, ... of the options 0, 1, ...

    Args:
        num_genes: int. Defaults to `8`.
        num_options: int. Defaults to `3`.

    Returns:
        `keras_tuner.HyperParameters`.
    """
    space = kt.HyperParameters()
    for position in range(num_genes):
        space.Choice(f"gene_{position}", list(range(num_options)))
    return space


def hill(hp):
    """What a candidate of three options a gene reports: every gene helps, those of the first half cost.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        dict with `accuracy` (0 to 1) and `latency_ms` (1 and more).
    """
    genes = list(hp.values.values())
    return {"accuracy": sum(genes) / (2 * len(genes)), "latency_ms": 1.0 + sum(genes[: len(genes) // 2])}


def opened(oracle, directory):
    """Makes an oracle ready to be driven: silent, with a project directory.

    Args:
        oracle: `keras_tuner.Oracle`.
        directory: path-like; the project is the folder `project` in it.

    Returns:
        `keras_tuner.Oracle`, the same.
    """
    oracle.verbose = 0
    oracle._set_project_dir(str(directory), "project")
    return oracle


def drive(oracle, num_trials, evaluate=toy_metrics, tuner_id="tuner0"):
    """Runs trials without a tuner.

    Args:
        oracle: `keras_tuner.Oracle` with a project directory.
        num_trials: int, trials to run at most; fewer when the oracle stops.
        evaluate: callable from `keras_tuner.HyperParameters` to a dict of metrics, or to None for a trial that
            fails. Defaults to `toy_metrics`.
        tuner_id: str. Defaults to `"tuner0"`.

    Returns:
        list of `keras_tuner.engine.trial.Trial`, in the order they ran.
    """
    trials = []
    while len(trials) < num_trials:
        trial = oracle.create_trial(tuner_id)
        if trial.status != "RUNNING":
            break
        metrics = evaluate(trial.hyperparameters)
        if metrics is not None:
            oracle.update_trial(trial.trial_id, metrics)
        trial.status = "INVALID" if metrics is None else "COMPLETED"
        oracle.end_trial(trial)
        trials.append(trial)
    return trials
