"""What the ready-made spaces share: hyperparameters come from a menu, the network from the values chosen."""

from __future__ import annotations

from dataclasses import fields

from hwkeras.space.description import describe


class MenuSpace:
    """Base of spaces written as a `Menu` of choices; a subclass is a dataclass that sets `_menu` and has `_network`."""

    def declare(self, hp):
        """Registers every hyperparameter with its conditions.

        Args:
            hp: keras_tuner.HyperParameters.
        """
        self._menu.declare(hp)

    def architecture(self, hp):
        """The network of a set of values.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            Architecture.

        Raises:
            UserError: a value is missing.
        """
        return self._network(self._menu.read(hp))

    @property
    def menu(self):
        """`Menu`, what the space leaves open."""
        return self._menu

    @property
    def answer(self):
        """str, what a network of the space answers."""
        return "one number" if self.num_classes == 1 else f"{self.num_classes} classes"

    def to_json(self):
        """The arguments that make this space again.

        Returns:
            dict of JSON values.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def describe(self):
        """What the space leaves open, for a person.

        Returns:
            str: each choice with its values and its condition, the number of assignments, an example.
        """
        return describe(self)

    def _network(self, values):
        raise NotImplementedError(f"{type(self).__name__} must write `_network(values)`.")
