"""The space of one well-known network in several widths."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.law import CLASSES
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.menu_space import MenuSpace
from hwkeras.space.named_networks import named_network


@dataclass(frozen=True)
class NamedSpace(MenuSpace):
    """A network of `named_networks` whose width multiplier is searched.

    Args:
        name: str, a key of `NAMED_NETWORKS`, such as `"mobilenet_v2"`.
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        widths: width multipliers; 1.0 is the published network. Defaults to `(0.25, 0.35, 0.5, 0.75, 1.0)`.

    Raises:
        UserError: an unknown name, a width that is not positive, or a network that does not fit the input.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    widths: tuple = (0.25, 0.35, 0.5, 0.75, 1.0)

    def __post_init__(self):
        set_value = object.__setattr__
        set_value(self, "input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        set_value(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        widths = self.widths if isinstance(self.widths, (list, tuple)) else (self.widths,)
        if not widths:
            raise UserError("`widths` must hold at least one value. Received: widths=(). Pass 1.0 for the published.")
        set_value(self, "widths", tuple(dict.fromkeys(map(float, widths))))
        for width in self.widths:
            named_network(self.name, self.input_shape, self.num_classes, width)
        self.__dict__["_menu"] = Menu([Choice("width", self.widths)])

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _network(self, values):
        return named_network(self.name, self.input_shape, self.num_classes, values["width"])
