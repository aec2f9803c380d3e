"""A space of one network: nothing varies, everything else of a search holds."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.space.architecture import Architecture


@dataclass(frozen=True)
class OneArchitecture:
    """The space that holds exactly one architecture.

    Args:
        only: `Architecture`.
    """

    only: Architecture

    @property
    def input_shape(self):
        """Tuple of ints, without the batch."""
        return self.only.input_shape

    @property
    def num_classes(self):
        """int, outputs of the last layer."""
        return self.only.output_shape[-1]

    def declare(self, hp):
        """Registers nothing.

        Args:
            hp: keras_tuner.HyperParameters.
        """

    def architecture(self, hp):
        """The one architecture, whatever the values.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            Architecture.
        """
        return self.only
