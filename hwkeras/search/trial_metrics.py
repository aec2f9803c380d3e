"""What a trial reports to the oracle."""

from __future__ import annotations

import keras_tuner as kt

from hwkeras.objectives import total_violation
from hwkeras.search import selection


def trial_metrics(candidates, objectives, limits, num_epochs):
    """The metrics of a trial, of all the files its network was deployed as.

    Args:
        candidates: non-empty sequence of `Candidate`.
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.
        num_epochs: int, the epochs this trial trained; a continued network was trained for more.

    Returns:
        dict of metric name to float: those of the best precision, each precision's own under `<precision>_<metric>`,
        and `epochs_trained`. A file that a recipe made is the best only where it is nearer to the limits than all
        others: an oracle compares networks, some of which were compressed and some were not.

    Raises:
        keras_tuner.errors.FailedTrialError: no precision has a value for every objective.
    """
    metrics = dict(_leader_of(candidates, objectives, limits).metrics)
    for candidate in candidates:
        own = {name: value for name, value in candidate.metrics.items() if not name.startswith("val_")}
        metrics |= {f"{candidate.precision}_{name}": value for name, value in own.items()}
    missing = [objective.metric for objective in objectives if objective.metric not in metrics]
    if missing:
        said = "; ".join(f"{candidate.precision}: {candidate.status}" for candidate in candidates)
        raise kt.errors.FailedTrialError(f"No precision gave {', '.join(missing)} ({said}).")
    return metrics | {"epochs_trained": float(num_epochs)}


def _leader_of(candidates, objectives, limits):
    plain = [candidate for candidate in candidates if not candidate.is_compressed]
    leaders = [selection.leader_of(group, objectives, limits) for group in (plain, candidates) if group]
    return min(leaders, key=lambda candidate: total_violation(limits, candidate.metrics))
