"""The proof: every pruned or clustered weight found again in the final file, with what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwkeras.compress.flatbuffer import ConstantTensor
from hwkeras.compress.structure import KeptWeight
from hwkeras.compress.structure import fewest_zeros
from hwkeras.compress.structure import num_broken_groups
from hwkeras.errors import CompressionError

# A recurrent layer's gates may lie in the file as one weight or apart: 3 of a GRU, 4 of an LSTM.
_NUM_GATES = (3, 4)
# Rounding to int8, by a range that is a training step old, and to float16.
_STEPS_OFF, _RELATIVE_ERROR = 2.0, 1e-3
# More weights than this share of those alive must not have been rounded to zero.
_MOST_VANISHED = 0.5
# A channel whose weights are this share of the largest of all is dead: regularization leaves some at 1e-32.
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class Found:
    """A weight, or one gate of it, and the tensor of the file that holds it.

    Args:
        kept: KeptWeight.
        values: float array, of the weight or the gate, in the order and shape of the tensor, multiplied as there.
        tensor: ConstantTensor.
    """

    kept: KeptWeight
    values: np.ndarray
    tensor: ConstantTensor

    @property
    def num_values(self):
        """int, different values or codes in the file."""
        return np.unique(self.tensor.values).size

    def num_alive(self):
        """How many weights should have survived rounding, and did.

        Below one of the steps to the largest weight of its channel, or of the tensor (127 of int8, 7 of int4), rounding
        may leave nothing: many small weights do so in any int8 file.

        Returns:
            pair of ints.
        """
        sizes = np.abs(self.values)
        per_channel = self.tensor.scales is not None and self.tensor.scales.size > 1
        axes = tuple(place for place in range(sizes.ndim) if not per_channel or place != self.tensor.axis % sizes.ndim)
        least = sizes.max(axis=axes, keepdims=True, initial=0.0) / self.tensor.num_steps
        alive = sizes > np.maximum(least, _NOTHING * sizes.max(initial=0.0))
        return int(np.count_nonzero(alive)), int(np.count_nonzero(alive & (self.tensor.values != 0)))


def find_kept(weights, tensors):
    """Finds each weight in a file, by the places of its zeros or by its values.

    Folding a batch normalization scales a kernel and quantization rounds it; both leave zeros where they were. A
    clustered weight has no scales to be folded, and lies in the file with its own values, or all of them multiplied.

    Args:
        weights: iterable of KeptWeight, as the last step left them.
        tensors: iterable of ConstantTensor, the weights of the file.

    Returns:
        Tuple of Found, in the order of `weights`.

    Raises:
        CompressionError: a weight that is not in the file (named, with figures).
    """
    weights, free, found = list(weights), list(tensors), {}
    # The sparsest pattern first: a weight with few zeros could also pass for one that has them and more.
    for kept in sorted(weights, key=lambda one: one.values.size - one.num_zeros):
        matches = _match(kept, free)
        if not matches:
            raise _lost(kept, free)
        # Equal weights may share one buffer, but each has a tensor of its own.
        free = [tensor for tensor in free if all(tensor is not match.tensor for match in matches)]
        found[id(kept)] = matches
    return tuple(match for kept in weights for match in found[id(kept)])


def check_file(found):
    """Checks what the file holds against what was asked for.

    Args:
        found: iterable of Found.

    Raises:
        CompressionError: too few zeros, a broken pattern, too many values, or a weight that has vanished.
    """
    found = tuple(found)
    for kept in {id(one.kept): one.kept for one in found}.values():
        tensors = [one.tensor for one in found if one.kept is kept]
        zeros = sum(_num_zeros(tensor.values) for tensor in tensors)
        if zeros < fewest_zeros(kept.values.size, kept.sparsity):
            raise _lost(kept, tensors)
        counts = [one.num_alive() for one in found if one.kept is kept]
        alive, left = (sum(each) for each in zip(*counts, strict=True))
        if alive - left > _MOST_VANISHED * alive:
            raise CompressionError(
                f"A weight must not vanish in the file. Received: layer {kept.layer!r}, where {alive} weights were too "
                f"large to be rounded to zero and {left} are left. Leave 'cluster' or the precision out of the recipe."
            )
    for one in found:
        kept = one.kept
        if kept.pattern is not None:
            _check_pattern(kept, one.tensor.values)
        if kept.clusters is not None and one.num_values > kept.clusters:
            raise CompressionError(
                f"The final file must hold at most the asked number of values in every clustered weight. Received: "
                f"layer {kept.layer!r} with {one.num_values} values, {kept.clusters} asked. Use 'cluster' with another "
                "precision, such as 'cluster=16+int8'."
            )


def num_groups(found, pattern):
    """The groups of a pattern in a tensor of the file.

    Args:
        found: Found.
        pattern: tuple `(zeros, group)`.

    Returns:
        int.
    """
    shape = found.tensor.values.shape
    return int(np.prod(shape[:-1])) * -(-shape[-1] // pattern[1])


def _check_pattern(kept, values):
    broken = num_broken_groups(values, kept.pattern)
    if broken:
        raise CompressionError(
            f"The final file must hold the pattern {kept.pattern[0]}:{kept.pattern[1]} in every group along its last "
            f"axis. Received: layer {kept.layer!r} with {broken} broken groups in a tensor of shape {values.shape}. "
            "Prune by a share instead, such as 'prune=0.5'."
        )


def _match(kept, tensors):
    """Where a weight lies: one Found, one for each gate, or none."""
    whole = _match_one(kept, kept.values, tensors)
    if whole is not None:
        return [whole]
    for count in _NUM_GATES if kept.values.ndim == 2 and kept.values.shape[-1] else ():
        if kept.values.shape[-1] % count == 0:
            parts, free = [], list(tensors)
            for values in np.split(kept.values, count, axis=-1):
                part = _match_one(kept, values, free)
                if part is None:
                    break
                free = [tensor for tensor in free if tensor is not part.tensor]
                parts.append(part)
            if len(parts) == count:
                return parts
    return []


def _match_one(kept, values, tensors):
    for tensor in tensors:
        if tensor.values.size != values.size:
            continue
        factors = [(layout, _factor(tensor, layout, kept)) for layout in _layouts(values)]
        fitting = [factor * layout for layout, factor in factors if factor is not None]
        if fitting:
            # Many zeros fit several orders: large weights lie where the file has large ones.
            codes = np.abs(tensor.values.ravel().astype(float))
            best = max(fitting, key=lambda layout: float(np.abs(layout) @ codes))
            return Found(kept, best.reshape(tensor.values.shape), tensor)
    return None


def _factor(tensor, wanted, kept):
    """By what a tensor multiplies a weight, as attention's queries are by 1 / sqrt(size); None if it is not its tensor.

    Of a weight that was not clustered only the zeros are compared, and nothing is known of the factor.
    """
    if kept.is_pruned and tensor.values.ravel()[wanted == 0].any():
        return None
    if kept.clusters is None:
        return 1.0
    numbers = tensor.numbers.ravel()
    power = float(wanted @ wanted)
    factor = float(numbers @ wanted) / power if power else 1.0
    step = 0.0 if tensor.scales is None else float(tensor.scales.max())
    allowed = _STEPS_OFF * step + _RELATIVE_ERROR * float(np.abs(numbers).max(initial=0.0))
    return factor if np.abs(numbers - factor * wanted).max() <= allowed else None


def _layouts(weight):
    """A weight flattened in the orders TFLite stores one: as it is, or with the output axis first."""
    orders = [weight]
    if weight.ndim > 1:
        # The output axis is the last, of a transposed convolution the one before; attention has two of them.
        orders += [np.moveaxis(weight, -1, 0), np.moveaxis(weight, -2, 0), np.moveaxis(weight, 0, -1)]
    return [order.ravel() for order in orders]


def _num_zeros(values):
    return values.size - np.count_nonzero(values)


def _lost(kept, tensors):
    size = kept.values.size
    nearest = max((_num_zeros(tensor.values) / size for tensor in tensors if tensor.values.size == size), default=0.0)
    asked = f"{kept.sparsity or kept.num_zeros / size:.3g} of zeros" if kept.is_pruned else f"{kept.clusters} values"
    return CompressionError(
        f"The final file must hold every pruned or clustered weight as it was left. Received: layer {kept.layer!r}, "
        f"{asked} asked, not found; {nearest:.3f} of zeros at most in a tensor of its {size} elements. "
        "Use a recipe that keeps them, such as 'prune=0.5+int8_qat' or 'prune=0.5+int8'."
    )
