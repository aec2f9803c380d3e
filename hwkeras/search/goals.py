"""What a search optimizes: what is usual, and what cannot be asked for."""

from __future__ import annotations

from hwkeras.build import HardwareHyperModel
from hwkeras.convert import PRECISIONS
from hwkeras.convert.quality import qualities_of
from hwkeras.errors import UserError

_COSTS = ("latency_ms", "size_bytes")
_OF_CLASSES = ("accuracy", *_COSTS)
_OF_NUMBERS = ("rmse", *_COSTS)


def usual_objectives(hypermodel):
    """The objectives where nobody names any.

    Args:
        hypermodel: keras_tuner.HyperModel.

    Returns:
        tuple of str, names of metrics: of a space of ours that predicts numbers their error, else accuracy.
    """
    is_regression = isinstance(hypermodel, HardwareHyperModel) and hypermodel.predicts_numbers
    return _OF_NUMBERS if is_regression else _OF_CLASSES


def check_goals(objectives, limits):
    """Makes sure that a search can tell what is asked for of every file.

    Args:
        objectives: sequence of `Objective`.
        limits: sequence of `Limit`.

    Raises:
        UserError: an objective of one precision, or qualities of classes beside errors of numbers.
    """
    for objective in objectives:
        precision, _, metric = objective.metric.partition("_")
        if precision in PRECISIONS:
            raise UserError(
                f"Files of all precisions are compared by the same metrics. Received: objective {objective.metric!r}. "
                f"Ask for {metric!r}, and for precision=({precision!r},) where no other is to ship."
            )
    qualities_of(objectives, limits)
