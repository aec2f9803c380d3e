"""What a search optimizes: what is usual, and what cannot be asked for."""

from __future__ import annotations

from hwkeras.build import HardwareHyperModel
from hwkeras.convert import PRECISIONS
from hwkeras.convert.quality import qualities_of
from hwkeras.errors import UserError

_COSTS = ("latency_ms", "size_bytes")
_OF_CLASSES = ("accuracy", *_COSTS)
_OF_NUMBERS = ("rmse", *_COSTS)
_OF_PIXELS = ("mean_iou", *_COSTS)
_OF_FEW = ("log_loss", *_COSTS)
# Of fewer samples one answer moves the accuracy by more than 3 points: many files have the same, and the smallest of
# them would be called best.
FEW_SAMPLES = 30


def usual_objectives(hypermodel, num_validation=None):
    """The objectives where nobody names any.

    Args:
        hypermodel: keras_tuner.HyperModel.
        num_validation: int, samples that candidates are scored on. Defaults to None, which is many.

    Returns:
        tuple of str, names of metrics: of a space of ours that predicts numbers their error, of one that answers for
        every pixel what classes have in common with the truth, in which no large one counts for more; else accuracy,
        or where fewer than `FEW_SAMPLES` tell it the log loss, which is no share of samples.
    """
    if not isinstance(hypermodel, HardwareHyperModel):
        return _OF_CLASSES
    if hypermodel.predicts_numbers:
        return _OF_NUMBERS
    if hypermodel.predicts_pixels:
        return _OF_PIXELS
    return _OF_FEW if num_validation is not None and num_validation < FEW_SAMPLES else _OF_CLASSES


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
