"""How even the classes of a data set are: told where they are not, and weights that make up for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwkeras.data.labels import Classes
from hwkeras.errors import DataError
from hwkeras.errors import UserError

BALANCED = "balanced"
# From here on the share of right answers says more of the large class than of the network.
_UNEVEN = 4


def notes_of_imbalance(y, names):
    """What a person should know of uneven classes before believing an accuracy.

    Args:
        y: int array of shape (n,), class indices of the samples trained on.
        names: sequence of str, the classes by index.

    Returns:
        list of str: none, or one where the largest class has four times the samples of the smallest, or more.
    """
    counts = np.bincount(y, minlength=len(names))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < _UNEVEN * max(1, counts[least]):
        return []
    return [
        f"{counts[most]} of {len(y)} training samples are of class {names[most]!r}, {counts[least]} of class "
        f"{names[least]!r}: accuracy says little of the small classes. Consider the objective f1 (`--objective f1`) "
        "and class_weight='balanced' (`--class-weight balanced`)."
    ]


def class_weights(asked, y):
    """The weight of each class in the loss, as `model.fit` takes it.

    Args:
        asked: `"balanced"`: n / (number of classes * samples of the class), so that each class weighs the same in all
            (King & Zeng, 10.1093/oxfordjournals.pan.a004868); or a mapping of class index to weight, which is handed
            back as it is; or None.
        y: labels as for `data.class_indices`.

    Returns:
        dict of class index to float, or None.

    Raises:
        UserError: something else is asked for.
        DataError: labels that are not one class a sample.
    """
    if asked is not None and getattr(y, "ndim", 0) > 2:
        raise DataError(
            f"Class weights are for one class a sample. Received: labels of shape {tuple(y.shape)}. Leave them away: "
            "in the objective mean_iou each class of pixels counts alike."
        )
    if asked is None or isinstance(asked, Mapping):
        return asked
    if asked != BALANCED:
        raise UserError(
            f"`class_weight` must be 'balanced' or a dict of class index to weight. Received: class_weight={asked!r}."
        )
    if y is None or not hasattr(y, "__array__"):
        raise DataError(
            f"Balanced class weights are counted on an array of labels. Received: y of type {type(y).__name__}. Pass "
            "class_weight={0: ..., 1: ...}."
        )
    counts = _counts(np.asarray(y))
    return {index: len(y) / (len(counts) * count) for index, count in counts.items()}


def _counts(y):
    """Samples of each class that has any. Whole numbers are class indices by themselves, however many are left out."""
    is_numbered = y.dtype.kind in "biu" and y.size == len(y)
    indices = y.reshape(-1) if is_numbered else Classes.of(y).indices(y)
    present, counts = np.unique(indices, return_counts=True)
    return dict(zip(present.tolist(), counts.tolist(), strict=True))
