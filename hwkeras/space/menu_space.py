"""What the ready-made spaces share: hyperparameters come from a menu, the network from the values chosen."""

from __future__ import annotations


class MenuSpace:
    """Base of spaces written as a `Menu` of choices; a subclass sets `_menu` and writes `_network(values)`."""

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

    def _network(self, values):
        raise NotImplementedError(f"{type(self).__name__} must write `_network(values)`.")
