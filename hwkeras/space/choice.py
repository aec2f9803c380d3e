"""What a space leaves open: choices, each with the conditions under which it means something."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

from hwkeras.errors import UserError


@dataclass(frozen=True)
class Choice:
    """A value to be chosen.

    Args:
        name: str, the hyperparameter's name.
        values: tuple of int, float, str or bool, all of one type; a single value is fixed and no hyperparameter.
        default: one of the values. Defaults to `None`, the first.
        conditions: tuple of (name of an earlier choice, tuple of its values): the choice is active where each of those
            choices is active with one of those values. They are a chain: all but the last are the conditions of the
            last one's parent (keras-tuner scopes nest so). Defaults to `()`.
    """

    name: str
    values: tuple
    default: Any = None
    conditions: tuple = ()

    @property
    def is_fixed(self):
        """bool, whether there is nothing to choose."""
        return len(self.values) == 1

    def declare(self, hp):
        """Registers the hyperparameter within the scopes that are open.

        Args:
            hp: keras_tuner.HyperParameters.
        """
        default = self.values[0] if self.default is None else self.default
        if isinstance(self.values[0], bool):
            hp.Boolean(self.name, default=default)
        else:
            hp.Choice(self.name, list(self.values), default=default)


class Menu:
    """The choices of a space, in an order in which parents come first.

    Conditions on choices that are fixed are settled here, and choices that can never be active are dropped.

    Args:
        choices: sequence of `Choice`.
    """

    def __init__(self, choices):
        self._values = {}
        self.choices = tuple(filter(None, map(self._settled, choices)))

    def _settled(self, choice):
        conditions = []
        for parent, allowed in choice.conditions:
            possible = tuple(value for value in self._values.get(parent, ()) if value in allowed)
            if not possible:
                return None
            if possible != self._values[parent]:
                conditions.append((parent, possible))
        self._values[choice.name] = choice.values
        return Choice(choice.name, choice.values, choice.default, tuple(conditions))

    def declare(self, hp):
        """Registers every hyperparameter, each within its conditional scopes.

        Args:
            hp: keras_tuner.HyperParameters.
        """
        free = (choice for choice in self.choices if not choice.is_fixed)
        for conditions, choices in itertools.groupby(free, key=lambda choice: choice.conditions):
            with contextlib.ExitStack() as scopes:
                for parent, allowed in conditions:
                    scopes.enter_context(hp.conditional_scope(parent, list(allowed)))
                for choice in choices:
                    choice.declare(hp)

    def read(self, hp):
        """The values of the active choices, fixed ones included.

        Args:
            hp: keras_tuner.HyperParameters, or anything whose `values` is a dict of name to value.

        Returns:
            dict of choice name to value.

        Raises:
            UserError: the value of an active choice is missing.
        """
        chosen = {}
        for choice in self.choices:
            if not all(parent in chosen and chosen[parent] in allowed for parent, allowed in choice.conditions):
                continue
            if not choice.is_fixed and choice.name not in hp.values:
                raise UserError(
                    f"The hyperparameters must hold {choice.name!r}. Received: {sorted(hp.values)}. "
                    "Call declare(hp) first, or build(hp)."
                )
            chosen[choice.name] = choice.values[0] if choice.is_fixed else hp.values[choice.name]
        return chosen
