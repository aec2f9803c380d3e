"""A part of the data held back for validation, the same for the same seed, with every class in proportion."""

from __future__ import annotations

import numpy as np

from hwkeras.data.labels import class_indices
from hwkeras.errors import DataError
from hwkeras.errors import UserError

_NUM_QUANTILES = 10


def split(x, y, share=0.2, seed=0):
    """Splits data into a training and a validation part; each keeps the order of the data.

    The validation part has `round(n * share)` samples, at least 1 and at most n - 1, and of each class its share to
    within one sample. A class always keeps a sample for training, which can make the part smaller by the number of
    classes. Numbers to predict (floats) are held back in proportion from each tenth of their range by rank. Labels of
    which no class has two samples, and targets of several numbers, are split without regard to them.

    Args:
        x: array of shape (n, ...), or list, tuple or dict of such arrays.
        y: labels of shape (n,), (n, 1) or one-hot (n, num_classes), or targets of shape (n, ...).
        share: float in (0, 1), of the validation part. Defaults to `0.2`.
        seed: int. Defaults to `0`.

    Returns:
        tuple `(x_train, y_train, x_valid, y_valid)`, `y` in the form it came.

    Raises:
        UserError: a share outside (0, 1).
        DataError: fewer than two samples, or data and labels of different length.
    """
    y = np.asarray(y)
    arrays = list(x.values()) if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else [x]
    for array in arrays:
        if np.ndim(array) == 0 or y.ndim == 0 or len(array) != len(y):
            shapes = f"data of shape {np.shape(array)}, labels of shape {y.shape}"
            raise DataError(f"There must be one label for each sample. Received: {shapes}.")
    train, valid = split_indices(y, share, seed)
    return _take(x, train), y[train], _take(x, valid), y[valid]


def split_indices(y, share=0.2, seed=0, groups=None):
    """The indices of `split`.

    Args:
        y: array of shape (n, ...), as for `split`.
        share: float in (0, 1). Defaults to `0.2`.
        seed: int. Defaults to `0`.
        groups: array of shape (n,), such as the person a sample is of: a group is in one part or the other as a whole,
            and the validation part has as many as come nearest to the share. Defaults to `None`.

    Returns:
        tuple of two ascending int64 arrays: training, validation.

    Raises:
        UserError: a share outside (0, 1).
        DataError: fewer than two samples, fewer than two groups, or not one group for each sample.
    """
    if not 0 < share < 1:
        raise UserError(f"The validation share must be in (0, 1). Received: {share}. For a fifth pass 0.2.")
    if len(y) < 2:
        raise DataError(f"At least two samples are needed to hold some back for validation. Received: {len(y)}.")
    rng = np.random.default_rng(seed)
    if groups is not None:
        return _by_group(np.asarray(groups), len(y), share, rng)
    total = int(np.clip(round(len(y) * share), 1, len(y) - 1))
    groups = _groups(y)
    counts = _quotas([len(group) for group in groups], share, total)
    if sum(counts) == 0:
        groups, counts = [np.arange(len(y))], [total]
    chosen = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    valid = np.sort(np.concatenate(chosen)).astype(np.int64)
    return np.setdiff1d(np.arange(len(y), dtype=np.int64), valid), valid


def _by_group(groups, number, share, rng):
    names, members = np.unique(groups, return_inverse=True)
    if groups.shape != (number,) or len(names) < 2:
        raise DataError(
            "There must be a group for each sample, and two groups at least. Received: groups of shape "
            f"{groups.shape} with {len(names)} different for {number} samples."
        )
    order = rng.permutation(len(names))
    sizes = np.cumsum(np.bincount(members)[order])[:-1]  # one group is always left to train on
    held = order[: 1 + int(np.argmin(np.abs(sizes - share * number)))]
    is_valid = np.isin(members, held)
    return np.flatnonzero(~is_valid).astype(np.int64), np.flatnonzero(is_valid).astype(np.int64)


def _groups(y):
    try:
        classes = class_indices(y)
    except DataError:  # A regression target: there are no classes to keep in proportion.
        return _tenths(np.asarray(y))
    return [np.flatnonzero(classes == value) for value in np.unique(classes)]


def _tenths(y):
    """Samples by the rank of their number, in ten groups as equal as can be, of two samples at least."""
    if y.size != len(y) or y.dtype.kind != "f":
        return [np.arange(len(y))]
    order = np.argsort(y.reshape(-1), kind="stable")
    return np.array_split(order, min(_NUM_QUANTILES, len(y) // 2))


def _quotas(sizes, share, total):
    """Each group's number of validation samples: its share rounded, the largest remainders up, one always left."""
    counts = [min(int(size * share), size - 1) for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda k: (counts[k] - sizes[k] * share, k))
    for k in by_remainder:
        if sum(counts) >= total:
            break
        if counts[k] < sizes[k] - 1:
            counts[k] += 1
    return counts


def _take(x, indices):
    if isinstance(x, dict):
        return {key: np.asarray(array)[indices] for key, array in x.items()}
    if isinstance(x, (list, tuple)):
        return [np.asarray(array)[indices] for array in x]
    return np.asarray(x)[indices]
