"""Copies of a search space with values of one's own, made for each candidate that is looked at."""

from __future__ import annotations

import copy


def space_with(space, values):
    """Copies a space ten times as fast as its own `copy`, which makes every hyperparameter anew.

    Args:
        space: `keras_tuner.HyperParameters`.
        values: dict of name to value.

    Returns:
        `keras_tuner.HyperParameters` with these values. It may be added to like any other; the hyperparameters that
        both know are shared, for they are never changed.
    """
    copied = copy.copy(space)
    for name, held in vars(space).items():
        if isinstance(held, dict):
            held = copy.copy(held)
            held.update((key, each[:]) for key, each in held.items() if isinstance(each, list))
        vars(copied)[name] = held[:] if isinstance(held, list) else held
    copied.values = dict(values)
    return copied
