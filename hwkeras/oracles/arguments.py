"""Checks of the arguments that all oracles share."""

from __future__ import annotations

import operator

import keras_tuner as kt

from hwkeras.errors import UserError
from hwkeras.objectives import Objective


def parse_objectives(objectives):
    """Reads one objective or a list of them.

    Args:
        objectives: str, `hwkeras.objectives.Objective`, `keras_tuner.Objective`, or a sequence of them.

    Returns:
        tuple of `hwkeras.objectives.Objective`.

    Raises:
        UserError: none at all, two on one metric, or one that is unknown.
    """
    if isinstance(objectives, (str, Objective, kt.Objective)):
        objectives = [objectives]
    parsed = tuple(Objective.parse(objective) for objective in objectives or ())
    metrics = [objective.metric for objective in parsed]
    if not parsed or len(set(metrics)) < len(metrics):
        raise UserError(
            f"`objectives` must name at least one metric, and each only once. Received: objectives={metrics}. "
            "Pass for instance ['accuracy', 'latency_ms']."
        )
    return parsed


def check_at_least(name, value, low):
    """Checks a whole number.

    Args:
        name: str, the argument's name.
        value: int.
        low: int, the least value allowed.

    Returns:
        int.

    Raises:
        UserError: not a whole number, or less than `low`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low:
        raise UserError(f"`{name}` must be an int of {low} or more. Received: {name}={value!r}.")
    return number


def check_chance(name, value):
    """Checks a probability or another share.

    Args:
        name: str, the argument's name.
        value: float.

    Returns:
        float.

    Raises:
        UserError: not a number from 0 to 1.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0:
        return float(value)
    raise UserError(f"`{name}` must be a number from 0 to 1. Received: {name}={value!r}.")
