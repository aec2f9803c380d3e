"""How far one trial trains its network: what of it stands in the values of the trial, and who deserves more.

The names are those of keras-tuner's own Hyperband: `tuner/epochs` (trained to), `tuner/initial_epoch` (trained from),
`tuner/trial_id` (the trial whose weights are continued).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hwkeras.oracles import pareto

_PREFIX = "tuner/"
_EPOCHS = f"{_PREFIX}epochs"
_INITIAL_EPOCH = f"{_PREFIX}initial_epoch"
PARENT = f"{_PREFIX}trial_id"
_BRACKET = f"{_PREFIX}bracket"
_LEVEL = f"{_PREFIX}level"


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """How far one trial trains its network, and from where on.

    Args:
        epochs: int, the network has been trained for so many when the trial ends.
        level: int, place of `epochs` on the oracle's ladder, from 0. Defaults to `0`.
        bracket: int, which of several tournaments the trial belongs to, from 0. Defaults to `0`.
        initial_epoch: int, epochs the parent trained it for. Defaults to `0`.
        parent: str, id of the trial that is continued, or None for a new network. Defaults to `None`.
    """

    epochs: int
    level: int = 0
    bracket: int = 0
    initial_epoch: int = 0
    parent: str | None = None

    @classmethod
    def of(cls, values):
        """Reads the fidelity of a trial.

        Args:
            values: mapping of hyperparameter name to value.

        Returns:
            Fidelity, or None for a trial of an oracle that knows only one.
        """
        if _EPOCHS not in values:
            return None
        return cls(
            epochs=int(values[_EPOCHS]),
            level=int(values.get(_LEVEL, 0)),
            bracket=int(values.get(_BRACKET, 0)),
            initial_epoch=int(values.get(_INITIAL_EPOCH, 0)),
            parent=values.get(PARENT),
        )

    def to_values(self):
        """Returns dict of hyperparameter name to value; `of` reads it back."""
        values = {
            _EPOCHS: self.epochs,
            _INITIAL_EPOCH: self.initial_epoch,
            _BRACKET: self.bracket,
            _LEVEL: self.level,
        }
        return values if self.parent is None else {**values, PARENT: self.parent}


def architecture_values(values):
    """Values without those that say how far to train: equal for a network and its continuation.

    Args:
        values: mapping of hyperparameter name to value.

    Returns:
        dict of hyperparameter name to value.
    """
    return {name: value for name, value in values.items() if not name.startswith(_PREFIX)}


def architecture_hyperparameters(hp):
    """Hyperparameters without those that say how far to train.

    Args:
        hp: `keras_tuner.HyperParameters`.

    Returns:
        `keras_tuner.HyperParameters`, a copy.
    """
    copied = hp.copy()
    copied.values = architecture_values(hp.values)
    return copied


def ladder(max_epochs, reduction=3, min_epochs=1):
    """The epochs at which candidates are compared: each level about `reduction` times the one before.

    Args:
        max_epochs: int, the last level.
        reduction: int. Defaults to `3`.
        min_epochs: int, no level is below. Defaults to `1`.

    Returns:
        tuple of int, rising; `max_epochs` alone where it is less than `reduction * min_epochs`.
    """
    shares = [1]
    while min_epochs * shares[-1] * reduction <= max_epochs:
        shares.append(shares[-1] * reduction)
    return tuple(max(min_epochs, round(max_epochs / share)) for share in reversed(shares))


def best_first(losses, violations):
    """Orders candidates by who deserves more training.

    1. Those within the limits come before all others, and those by how far they lie outside.
    2. Then the plain value for one objective; the Pareto rank and then the crowding distance for several.
    3. With three or more objectives most candidates are on the front: every other place goes by the first one alone.

    Args:
        losses: float array of shape (num_candidates, num_objectives), all minimized.
        violations: sequence of float, 0.0 within the limits.

    Returns:
        list of int, indices of the candidates.
    """
    losses = np.asarray(losses, dtype=float)
    rank = pareto.ranks(losses, violations)
    if losses.shape[1] == 1:
        return [int(index) for index in np.argsort(rank, kind="stable")]
    crowding = np.zeros(len(losses))
    for level in np.unique(rank):
        crowding[rank == level] = pareto.crowding_distance(losses[rank == level])
    by_all = np.lexsort((-crowding, rank))
    if losses.shape[1] == 2:
        return [int(index) for index in by_all]
    by_first = np.argsort(pareto.ranks(losses[:, :1], violations), kind="stable")
    in_turn = [int(index) for pair in zip(by_first, by_all, strict=True) for index in pair]
    return list(dict.fromkeys(in_turn))
