"""What every search space must do, as a test class that the author of a space inherits."""

from __future__ import annotations

from hwkeras.convert import PRECISIONS
from hwkeras.search.space_lint import lint_space


class SpaceConformance:
    """Inherit, write `make_space`, and pytest draws networks and checks each; see `search.space_lint`.

    Attributes:
        num_samples: int, networks. Defaults to `10`.
        precisions: tuple of str. Defaults to all.
        largest_bytes: int, no float32 file may be larger. Defaults to `None`, no bound.

    Example:
        class TestMySpace(SpaceConformance):
            def make_space(self):
                return MySpace(input_shape=(28, 28, 1), num_classes=10)
    """

    num_samples = 10
    precisions = PRECISIONS
    largest_bytes = None

    def make_space(self):
        """Makes the space; to be overridden.

        Returns:
            what `HardwareTuner` takes.
        """
        raise NotImplementedError(f"{type(self).__name__} must write make_space().")

    def test_every_network_can_be_shipped(self):
        report = lint_space(self.make_space(), self.num_samples, precisions=self.precisions)
        assert report.ok, str(report)
        assert len(report.sizes) == self.num_samples
        if self.largest_bytes is not None:
            assert max(report.sizes) <= self.largest_bytes, str(report)
