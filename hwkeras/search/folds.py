"""The samples of a search cut into folds, each held back once."""

from __future__ import annotations

import numbers

import numpy as np

from hwkeras.data.labels import class_indices
from hwkeras.errors import DataError
from hwkeras.errors import UserError


def together(x, y, kwargs, num_folds, train_share):
    """Training and validation data as one, of which folds are cut.

    Args:
        x: training inputs, an array.
        y: array of labels, as many.
        kwargs: dict of keyword arguments of `model.fit`; its `validation_data` are all samples afterwards.
        num_folds: int.
        train_share: float, which must be 1.

    Returns:
        tuple `(x, y)`.

    Raises:
        DataError: something else than one array in memory with labels, or weights of samples.
        UserError: fewer than 2 folds, more than samples, or a share of the samples.
    """
    valid = kwargs.get("validation_data")
    parts = [(x, y)] if valid is None else [(x, y), tuple(valid)]
    if not all(len(part) == 2 and all(isinstance(each, np.ndarray) for each in part) for part in parts):
        raise DataError(
            "Folds are cut of one array in memory, with labels. Received: x of type "
            f"{type(x).__name__}, y of type {type(y).__name__}. Pass validation_data instead of validation_folds."
        )
    if kwargs.get("sample_weight") is not None:
        raise DataError("Folds are of samples that count alike. Received: sample_weight. Pass class_weight.")
    x, y = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    if isinstance(num_folds, bool) or not isinstance(num_folds, numbers.Integral) or not 2 <= num_folds <= len(x):
        raise UserError(
            f"`validation_folds` must be a whole number from 2 to the number of samples, {len(x)}. Received: "
            f"validation_folds={num_folds!r}. Usual is 5."
        )
    if train_share < 1:
        raise UserError(
            f"Folds are for few samples, a share is for many. Received: validation_folds={num_folds} and "
            f"train_share={train_share}. Leave one out."
        )
    kwargs.pop("validation_split", None)
    kwargs["validation_data"] = (x, y)
    return x, y


def checked_groups(groups, num_folds, y):
    """Makes sure that groups can be put into folds.

    Args:
        groups: array, or None.
        num_folds: int, or None.
        y: array of the labels of all samples.

    Returns:
        np.ndarray, or None.

    Raises:
        UserError: groups without folds, or fewer groups than folds.
        DataError: not one group for each sample.
    """
    if groups is None:
        return None
    if num_folds is None:
        raise UserError(
            "`validation_groups` says what stays in one fold. Received: validation_groups, and validation_folds=None. "
            "Pass validation_folds=5."
        )
    groups = np.asarray(groups)
    if groups.shape != (len(y),):
        raise DataError(
            f"There must be a group for each sample, validation data last. Received: groups of shape {groups.shape}, "
            f"{len(y)} samples."
        )
    num_groups = len(np.unique(groups))
    if num_groups < num_folds:
        raise UserError(
            f"A fold holds a group at least. Received: validation_folds={num_folds}, {num_groups} groups. Pass "
            f"validation_folds={max(2, num_groups)} or fewer."
        )
    return groups


def fold_indices(y, num_folds, seed, groups=None):
    """Cuts samples into folds.

    Args:
        y: array of labels of shape (n,), (n, 1) or one-hot, or of numbers.
        num_folds: int, from 2 to n.
        seed: int.
        groups: array of shape (n,), whom each sample is of: all of a group are in one fold. Defaults to `None`.

    Returns:
        list of tuples of two ascending int arrays: the samples to train on, and those of the fold. Each sample is in
        one fold; classes are in proportion where each has a sample for every fold, and as far as groups let them.
    """
    from sklearn.model_selection import KFold
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.model_selection import StratifiedKFold

    try:
        classes = class_indices(y)
        is_even = np.unique(classes, return_counts=True)[1].min() >= num_folds
    except DataError:  # Numbers to predict: there are no classes to keep in proportion.
        classes, is_even = None, False
    classes = classes if is_even else np.zeros(len(y), int)
    kind = StratifiedKFold if is_even else KFold
    if groups is not None:
        kind = StratifiedGroupKFold
    return list(kind(num_folds, shuffle=True, random_state=seed % 2**32).split(classes, classes, groups))


def arguments_of_fold(kwargs, x, y, chosen, held):
    """Arguments of `model.fit` for the samples beside a fold.

    Args:
        kwargs: dict of keyword arguments of `model.fit`, for all samples.
        x: array of all inputs.
        y: array of all labels.
        chosen: int array, the samples to train on.
        held: int array, the samples of the fold.

    Returns:
        dict; steps that were asked for are fewer by as much as there are fewer samples.
    """
    steps = kwargs.get("steps_per_epoch")
    fewer = {} if steps is None else {"steps_per_epoch": max(1, round(steps * len(chosen) / len(x)))}
    return kwargs | {"validation_data": (x[held], y[held])} | fewer
