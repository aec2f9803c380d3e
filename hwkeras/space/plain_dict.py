"""A space written as a plain dict, `{"dense_units": [16, 32], "global_pooling": [True, False]}`."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.law import CLASSES
from hwkeras.space.law import COUNT
from hwkeras.space.law import FLAG
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import RATE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

# Key -> its law, and the value where the dict does not name it.
_KEYS = {
    "num_conv_layers": (POSITIVE, 2),
    "filters": (POSITIVE, 16),
    "kernel_size": (POSITIVE, 3),
    "strides": (POSITIVE, 1),
    "activation": (one_of(ACTIVATIONS), "relu"),
    "batch_norm": (FLAG, True),
    "global_pooling": (FLAG, True),
    "dense_units": (COUNT, 0),
    "dropout_rate": (RATE, 0.0),
}


@dataclass(frozen=True)
class DictSpace(MenuSpace):
    """Convolutions with doubling filters, each followed by a 2x2 max pool where it fits; a head; a softmax classifier.

    Args:
        choices: dict of key to a value or a list of values. Keys: `num_conv_layers` (2), `filters` of the first
            convolution (16), `kernel_size` (3), `strides` (1), `activation` (`"relu"`), `batch_norm` (True),
            `global_pooling` (True; False flattens), `dense_units` (0, none), `dropout_rate` (0.0). In brackets what
            holds where the key is absent.
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.

    Raises:
        UserError: an unknown key, or a value that breaks its law.
    """

    choices: dict
    input_shape: tuple[int, int, int]
    num_classes: int

    def __post_init__(self):
        if not isinstance(self.choices, dict):
            raise UserError(f"`choices` must be a dict of key to values. Received: choices={self.choices!r}.")
        unknown = sorted(map(str, set(self.choices) - set(_KEYS)))
        if unknown:
            raise UserError(f"The keys of a dict space are {', '.join(_KEYS)}. Received: {unknown[0]!r}.")
        object.__setattr__(self, "input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        object.__setattr__(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        values = {key: law.apply_all(key, self.choices.get(key, default)) for key, (law, default) in _KEYS.items()}
        object.__setattr__(self, "choices", {key: list(values[key]) for key in self.choices})
        self.__dict__["_menu"] = Menu(Choice(key, several) for key, several in values.items())

    def _network(self, values):
        draft = Draft(self.input_shape)
        for number in range(values["num_conv_layers"]):
            self._append_conv(draft, number, values)
        draft.append("pool", "global_average_pool") if values["global_pooling"] else draft.append("flatten", "flatten")
        if values["dense_units"]:
            draft.append("dense", "dense", units=values["dense_units"], activation=values["activation"])
        if values["dropout_rate"]:
            draft.append("dropout", "dropout", rate=values["dropout_rate"])
        draft.append_head(self.num_classes)
        return draft.finish()

    def _append_conv(self, draft, number, values):
        draft.append(
            f"conv{number + 1}",
            "conv",
            filters=values["filters"] * 2**number,
            kernel=values["kernel_size"],
            stride=values["strides"],
            activation=values["activation"],
            batch_norm=values["batch_norm"],
        )
        if min(draft.shape[:2]) >= 2:
            draft.append(f"pool{number + 1}", "max_pool", size=2)
