"""Changes of training batches: the numpy side of `space.augmentation`, where each one is explained."""

from __future__ import annotations

from functools import partial

import numpy as np

from hwkeras.data.log_mel import FLOOR


def augment(x, y, values, rng, num_classes=None, standardization=None):
    """Changes the samples of a batch, each one in its own way.

    Mixing keeps the larger share for the sample at its own place (as MixMatch does, arXiv:1905.02249): the pairs are as
    likely as without, and weights of samples or classes go on belonging to the sample that is seen most of.

    Args:
        x: array of shape (num_samples, height or time, width or bands, channels), or (num_samples, steps, channels).
        y: targets, array of shape (num_samples, ...), or None.
        values: dict of name to value, see `space.augmentation.Augmentation`; what is 0, False or missing is off.
        rng: np.random.Generator.
        num_classes: int where `y` are class numbers, which mixing makes float32 of shape (num_samples, num_classes).
            Defaults to `None`: targets are mixed as they are.
        standardization: pair of float arrays, the mean that was taken off `x` and the deviation it was divided by: of
            shape (channels,) for `rotate`, (bands,) for `loudness`; or None where `x` is as it was measured. Defaults
            to `None`.

    Returns:
        pair of arrays: `x` with its shape and type kept, and `y`, which is changed only by mixing: to float32 where it
        was of whole numbers.
    """
    active = [name for name in _CHANGES if values.get(name)]
    if not active and not values.get("mixup"):
        return x, y
    changed = x.astype(np.result_type(x.dtype, np.float32), copy=False)
    known = ((0.0,), (1.0,)) if standardization is None else standardization
    mean, deviation = (np.asarray(numbers).astype(changed.dtype) for numbers in known)
    changes = _CHANGES | {name: partial(_CHANGES[name], mean=mean, deviation=deviation) for name in _OF_MEASURES}
    for name in active:
        changed = changes[name](changed, values[name], rng)
    if values.get("mixup"):
        changed, y = _mixed(changed, y, values["mixup"], rng, num_classes)
    return _as_type(changed, x.dtype), y


def one_hot(y, num_classes):
    """Class numbers as shares of the classes.

    Args:
        y: int array of shape (num_samples,) or (num_samples, 1).
        num_classes: int.

    Returns:
        float32 array of shape (num_samples, num_classes).
    """
    return np.eye(num_classes, dtype=np.float32)[np.asarray(y).reshape(-1).astype(np.int64)]


def _flipped(x, _, rng):
    is_flipped = rng.random(len(x)) < 0.5
    return np.where(is_flipped[:, None, None, None], x[:, :, ::-1], x)


def _cropped(x, share, rng):
    for axis in range(1, x.ndim - 1):
        length = x.shape[axis]
        most = round(share * length)
        shifts = rng.integers(-most, most, size=len(x), endpoint=True)
        x = _taken(x, np.clip(np.arange(length) + shifts[:, None], 0, length - 1), axis)
    return x


def _warped(x, share, rng):
    last = x.shape[1] - 1
    if last < 1:
        return x
    moments = rng.uniform(share, 1.0 - share, size=(len(x), 1)) * last
    arrivals = moments + rng.uniform(-share, share, size=(len(x), 1)) * last
    times = np.arange(last + 1)
    # Where each step comes from; a moment that arrives at an end leaves nothing on that side.
    before = times * moments / np.maximum(arrivals, 1e-9)
    after = last - (last - times) * (last - moments) / np.maximum(last - arrivals, 1e-9)
    sources = np.clip(np.where(times <= arrivals, before, after), 0, last)
    steps = np.minimum(sources.astype(np.int64), last - 1)
    shares = (sources - steps).reshape(len(x), last + 1, *[1] * (x.ndim - 2)).astype(x.dtype)
    lower = _taken(x, steps, 1)
    return lower + shares * (_taken(x, steps + 1, 1) - lower)


def _rotated(x, most, rng, mean, deviation):
    axes = rng.standard_normal((len(x), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.pi * rng.uniform(-most, most, size=(len(x), 1, 1))
    # Rodrigues' formula: `across` is the cross product with the axis.
    across = np.cross(np.eye(3), axes[:, None, :])
    turns = np.eye(3) + np.sin(angles) * across + (1.0 - np.cos(angles)) * across @ across
    # NOTE: space is turned, not what is left of it when each axis has its own zero and unit.
    sensors = (x * deviation + mean).reshape(*x.shape[:2], -1, 3)
    return ((sensors @ turns[:, None].astype(x.dtype)).reshape(x.shape) - mean) / deviation


def _louder(x, most, rng, mean, deviation):
    factors = 10.0 ** (rng.uniform(-most, most, size=(len(x), 1, 1, 1)) / 10.0)
    mean, deviation = mean[:, None], deviation[:, None]
    # NOTE: energies are scaled, not their logarithms shifted: silence stays silent, what is quiet sinks to the floor.
    energies = np.maximum(np.exp(x * deviation + mean) - FLOOR, 0.0)
    return (np.log(energies * factors.astype(x.dtype) + FLOOR) - mean) / deviation


def _scaled(x, most, rng):
    shape = (len(x), *[1] * (x.ndim - 2), x.shape[-1])
    return x * np.power(1.0 + most, rng.uniform(-1.0, 1.0, size=shape)).astype(x.dtype)


def _noisy(x, share, rng):
    deviations = x.std(axis=tuple(range(1, x.ndim - 1)), keepdims=True)
    return x + share * deviations * rng.standard_normal(x.shape, dtype=x.dtype)


def _cut_out(x, share, rng):
    rows, columns = (_near_center(length, share, len(x), rng) for length in x.shape[1:3])
    return _blanked(x, (rows[:, :, None] & columns[:, None, :])[..., None])


def _near_center(length, share, num_samples, rng):
    size = max(1, round(share * length))
    starts = rng.integers(length, size=(num_samples, 1)) - size // 2
    places = np.arange(length)
    return (places >= starts) & (places < starts + size)


def _time_masked(x, share, rng):
    mask = _stretch(x.shape[1], share, len(x), rng)
    return _blanked(x, mask.reshape(len(x), -1, *[1] * (x.ndim - 2)))


def _frequency_masked(x, share, rng):
    return _blanked(x, _stretch(x.shape[2], share, len(x), rng)[:, None, :, None])


def _stretch(length, share, num_samples, rng):
    widths = rng.integers(round(share * length), size=(num_samples, 1), endpoint=True)
    starts = rng.integers(length - widths, endpoint=True)
    places = np.arange(length)
    return (places >= starts) & (places < starts + widths)


def _blanked(x, mask):
    return np.where(mask, x.mean(axis=tuple(range(1, x.ndim - 1)), keepdims=True), x)


def _mixed(x, y, alpha, rng, num_classes):
    shares = rng.beta(alpha, alpha, size=len(x))
    shares = np.maximum(shares, 1.0 - shares)
    partners = rng.permutation(len(x))
    if y is not None:
        y = np.asarray(y) if num_classes is None else one_hot(y, num_classes)
        y = y.astype(y.dtype if np.issubdtype(y.dtype, np.floating) else np.float32, copy=False)
        y = _mean(y, y[partners], shares)
    return _mean(x, x[partners], shares), y


def _mean(one, other, shares):
    shares = shares.reshape(len(one), *[1] * (one.ndim - 1)).astype(one.dtype)
    return other + shares * (one - other)


def _taken(x, positions, axis):
    """Along one axis, other positions for each sample: int array of shape (num_samples, length)."""
    rows = np.arange(len(x))[:, None]
    return x[rows, positions] if axis == 1 else x.swapaxes(1, axis)[rows, positions].swapaxes(1, axis)


def _as_type(x, dtype):
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        x = np.clip(np.rint(x), limits.min, limits.max)
    return x.astype(dtype, copy=False)


# In this order: what blanks comes after what would change the blank.
_CHANGES = {
    "flip": _flipped,
    "crop": _cropped,
    "time_warp": _warped,
    "rotate": _rotated,
    "loudness": _louder,
    "scale": _scaled,
    "noise": _noisy,
    "cutout": _cut_out,
    "time_mask": _time_masked,
    "frequency_mask": _frequency_masked,
}
# What acts on what was measured, not on what standardization left of it.
_OF_MEASURES = ("rotate", "loudness")
