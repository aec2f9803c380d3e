"""What a search over a backbone leaves open: where it is cut, what of it is trained, and the head."""

from __future__ import annotations

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.description import num_assignments
from hwkeras.space.law import COUNT
from hwkeras.space.law import RATE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of

TRAININGS = ("frozen", "top", "all")
POOLS = ("average", "max")
_TUNED = ("top", "all")
_BACKBONE = "transfer/backbone"


def _share(value):
    if isinstance(value, (bool, str)) or not 0.0 < value <= 1.0:
        raise ValueError
    return float(value)


def _factor(value):
    if isinstance(value, (bool, str)) or not value > 0:
        raise ValueError
    whole = value if value >= 1 else 1 / value
    if round(whole, 6) != round(whole):
        raise ValueError
    return float(value)


_LAWS = {
    "training": one_of(TRAININGS),
    "rates": Law("in (0, 1], a share of the usual peak rate", _share),
    "resolutions": Law("a whole number, such as 2 to halve the images, or 1 over one, such as 0.5", _factor),
    "pools": one_of(POOLS),
    "dense_units": COUNT,
    "dropout_rates": RATE,
}


class TransferChoices:
    """The choices, as a space.

    Args:
        backbone: str, name and fingerprint of the backbone.
        input_shape: (height, width, channels).
        num_classes: int.
        cuts: tuple of str, names of layers, first to last.
        **values: those of each of `training`, `rates`, `resolutions`, `pools`, `dense_units`, `dropout_rates`.

    Attributes:
        cuts: as given.
        resolutions: tuple of float.

    Raises:
        UserError: a value that breaks its law.
    """

    def __init__(self, backbone, input_shape, num_classes, cuts, **values):
        self.backbone, self.input_shape, self.num_classes, self.cuts = backbone, input_shape, num_classes, cuts
        values = {name: law.apply_all(name, values[name]) for name, law in _LAWS.items()}
        self.resolutions = values["resolutions"]
        self._verify_resolutions()
        self._menu = Menu(
            [
                # Deep first: a search starts from what the backbone's author meant.
                Choice("transfer/cut", cuts, cuts[-1]),
                Choice("transfer/training", values["training"]),
                Choice("transfer/rate", values["rates"], conditions=(("transfer/training", _TUNED),)),
                Choice("transfer/resolution", self.resolutions),
                Choice("head/pool", values["pools"]),
                Choice("head/units", values["dense_units"]),
                Choice("head/dropout", values["dropout_rates"]),
            ]
        )

    def _verify_resolutions(self):
        height, width, _ = self.input_shape
        for factor in self.resolutions:
            if factor > 1 and (height % factor or width % factor):
                raise UserError(
                    f"Each of `resolutions` above 1 must divide height and width of the input. Received: {factor:g} "
                    f"for {height}x{width}."
                )

    def declare(self, hp):
        """Registers every hyperparameter, and which backbone they are of.

        Args:
            hp: keras_tuner.HyperParameters.

        Raises:
            UserError: they are of another backbone, such as that of the run which goes on.
        """
        found = hp.Fixed(_BACKBONE, self.backbone)
        if found != self.backbone:
            raise UserError(
                f"A search goes on with the backbone it was started with. Received: {self.backbone}, not {found}. Pass "
                "the same file and weights, or choose another directory."
            )
        self._menu.declare(hp)

    def architecture(self, hp):
        """No architecture: layers of a backbone may be of any kind.

        Args:
            hp: keras_tuner.HyperParameters.

        Returns:
            None.
        """
        return None

    def read(self, hp):
        """The values of the active choices, by the last part of their names.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            dict with `cut`, `training`, `resolution`, `pool`, `units`, `dropout` and, where the backbone is trained,
            `rate`.

        Raises:
            UserError: a value is missing.
        """
        return {name.rpartition("/")[2]: value for name, value in self._menu.read(hp).items()}

    def describe(self):
        """What the space leaves open, for a person.

        Returns:
            str: the backbone, and each choice with its values and its condition.
        """
        meaning = "one number" if self.num_classes == 1 else f"{self.num_classes} classes"
        lines = [
            f"Transfer of {self.backbone}: {self.input_shape} to {meaning}, "
            f"{num_assignments(self._menu.choices):,} assignments"
        ]
        for choice in self._menu.choices:
            conditions = " and ".join(f"{name} is {' or '.join(values)}" for name, values in choice.conditions)
            values = ", ".join(map(str, choice.values))
            lines.append(f"  {choice.name:19}  {values}{'  where ' if conditions else ''}{conditions}")
        return "\n".join(lines)
