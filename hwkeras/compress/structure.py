"""What a step left in the weights and later steps must keep: zeros, patterns of zeros, shared values.

Every step is checked against it, and so are the final bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np

from hwkeras.errors import CompressionError

# A step that keeps zeros adds few: one that zeroes more than this share of the other weights is broken.
_MOST_VANISHED = 0.5


@dataclass(frozen=True, eq=False)
class KeptWeight:
    """A weight whose structure was made by a step and must be found again in the file.

    Args:
        layer: str, layer name.
        values: float array, the weight as the last step left it.
        sparsity: float, the share of zeros asked for; 0.0 for none. Defaults to `0.0`.
        pattern: tuple `(zeros, group)` along the input channels, or None. Defaults to `None`.
        clusters: int, the most different values, or None. Defaults to `None`.
    """

    layer: str
    values: np.ndarray
    sparsity: float = 0.0
    pattern: tuple[int, int] | None = None
    clusters: int | None = None

    @property
    def is_pruned(self):
        """bool, whether zeros were asked for."""
        return self.sparsity > 0 or self.pattern is not None

    @property
    def num_zeros(self):
        """int, zeros the weight holds."""
        return self.values.size - np.count_nonzero(self.values)

    @property
    def num_values(self):
        """int, different values the weight holds."""
        return np.unique(self.values).size

    @property
    def num_groups(self):
        """int, groups of the pattern along the input channels; 0 where none was asked."""
        if self.pattern is None:
            return 0
        channels = self.values.shape[-2]
        return self.values.size // channels * -(-channels // self.pattern[1])

    @property
    def broken_groups(self):
        """int, groups along the input channels without the zeros of the pattern; 0 where none was asked."""
        if self.pattern is None:
            return 0
        return num_broken_groups(np.moveaxis(self.values, -2, -1), self.pattern)


def num_broken_groups(values, pattern):
    """Counts the groups of neighbors on the last axis that hold fewer zeros than a pattern asks.

    A last group that is too short counts as filled up with zeros, as a kernel that reads whole groups sees it.

    Args:
        values: array of shape (..., size).
        pattern: tuple `(zeros, group)`.

    Returns:
        int.
    """
    zeros, group = pattern
    rows = values.reshape(-1, values.shape[-1])
    rows = np.pad(rows, [(0, 0), (0, -rows.shape[-1] % group)])
    return int(np.sum(np.count_nonzero(rows.reshape(-1, group), axis=1) > group - zeros))


def fewest_zeros(size, sparsity):
    """The zeros a weight must hold: the share asked for, rounded up, but never all of it.

    Args:
        size: int, elements of the weight.
        sparsity: float, asked for.

    Returns:
        int.
    """
    # The subtraction forgives what 0.7 * 10 has too much in floating point.
    return min(int(np.ceil(size * sparsity - 1e-6)), max(size - 1, 0))


def check_kept(weights, step):
    """Checks that weights hold what was asked for.

    Args:
        weights: iterable of KeptWeight.
        step: str, the step after which they are checked.

    Raises:
        CompressionError: too few zeros, a broken group, or too many different values (layer named, with figures).
    """
    for weight in weights:
        size, zeros = weight.values.size, weight.num_zeros
        if zeros < fewest_zeros(size, weight.sparsity):
            raise CompressionError(
                f"Every pruned weight must hold the asked sparsity after the step {step!r}. Received: layer "
                f"{weight.layer!r} with {zeros} zeros of {size} where {weight.sparsity:g} was asked. Train for more "
                "steps."
            )
        if weight.broken_groups:
            raise CompressionError(
                f"Every group of a weight must hold the zeros of the pattern after the step {step!r}. Received: layer "
                f"{weight.layer!r} with {weight.broken_groups} groups that break {weight.pattern[0]}:"
                f"{weight.pattern[1]}. Train for more steps."
            )
        if weight.clusters is not None and weight.num_values > weight.clusters:
            raise CompressionError(
                f"Every clustered weight must hold at most the asked number of values after the step {step!r}. "
                f"Received: layer {weight.layer!r} with {weight.num_values} values where {weight.clusters} were asked. "
                "Leave 'cluster' out of the recipe."
            )


def kept_after(weights, model, step):
    """What a later step left of weights it had to keep, found in its model by their structure.

    A layer that the step wrapped, renamed or wrote in another shape is found too.

    Args:
        weights: iterable of KeptWeight, as they were before the step.
        model: tf_keras.Model, after it.
        step: str, the step.

    Returns:
        Tuple of KeptWeight with the values they have now.

    Raises:
        CompressionError: a weight whose zeros are filled or whose clusters fell apart, or one that has vanished.
    """
    variables = [*model.trainable_weights, *model.non_trainable_weights]
    free = [variable.numpy() for variable in variables if "float" in variable.dtype.name and len(variable.shape) > 1]
    after = []
    for weight in sorted(weights, key=lambda one: one.values.size - one.num_zeros):
        place = next((place for place, values in enumerate(free) if _keeps(weight, values)), None)
        if place is None:
            raise CompressionError(
                f"The step {step!r} must keep the zeros and shared values of the steps before. Received: layer "
                f"{weight.layer!r}, whose structure is in no weight of the model any more. Leave one of the steps out."
            )
        after.append(replace(weight, values=free.pop(place).reshape(weight.values.shape)))
    check_kept(after, step)
    return tuple(after)


def _keeps(weight, values):
    """Whether a variable has the weight's zeros and clusters, and not many more zeros."""
    if values.size != weight.values.size:
        return False
    wanted, values = weight.values.ravel(), values.ravel()
    is_zero = values == 0
    alive = wanted.size - weight.num_zeros
    if weight.is_pruned and not is_zero[wanted == 0].all():
        return False
    if is_zero.sum() - weight.num_zeros > _MOST_VANISHED * alive:
        return False
    if weight.clusters is None:
        return True
    _, first, groups = np.unique(wanted, return_index=True, return_inverse=True)
    return bool(np.array_equal(values, values[first][groups.ravel()]))
