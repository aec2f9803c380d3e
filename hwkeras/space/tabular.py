"""The ready-made space for tables: dense layers, with shortcuts and gates."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.kinds import GATES
from hwkeras.space.law import CLASSES
from hwkeras.space.law import COUNT
from hwkeras.space.law import FLAG
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import RATE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

NO_GATE = "none"


def _features(value):
    (number,) = value
    return (POSITIVE.normalize(number),)


TABLE_SHAPE = Law("(features,), one positive integer", _features)
_CHOICE_LAWS = {
    "depths": COUNT,
    "widths": POSITIVE,
    "residuals": FLAG,
    "gates": one_of((NO_GATE, *GATES)),
    "activations": one_of(ACTIVATIONS),
    "batch_norms": FLAG,
    "dropout_rates": RATE,
}


@dataclass(frozen=True)
class TabularSpace(MenuSpace):
    """Classifiers, or predictors of a number, of vectors: blocks of a dense layer, a head.

    Every argument from `depths` on is a tuple of values to choose from; a single value is fixed. The first values are
    the first architecture.

    Args:
        input_shape: (features,), such as `data.TableEncoder` makes.
        num_classes: int; 1 for a regression, one number that is predicted.
        depths: blocks; 0 is the linear model, a logistic or linear regression. Defaults to `(2, 1, 3, 0)`.
        widths: units of a block. Defaults to `(16, 32, 64, 128)`.
        residuals: whether the input of a block is added to what it gives, from the second block on (He et al.,
            10.1109/CVPR.2016.90). Defaults to `(True, False)`.
        gates: what a block's units are multiplied by, which a second dense layer makes of the block's input: a
            `"sigmoid"`, a `"hard_sigmoid"`, or `"none"` (gated linear units: Dauphin et al., arXiv:1612.08083).
            Defaults to all three.
        activations: the activation of all blocks. Defaults to `("relu", "relu6", "hard_swish")`.
        batch_norms: whether units are normalized in front of their activation. Defaults to `(False, True)`.
        dropout_rates: dropout behind each block, 0 for none. Defaults to `(0.0, 0.1, 0.3)`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int]
    num_classes: int
    depths: tuple = (2, 1, 3, 0)
    widths: tuple = (16, 32, 64, 128)
    residuals: tuple = (True, False)
    gates: tuple = (NO_GATE, "hard_sigmoid", "sigmoid")
    activations: tuple = ("relu", "relu6", "hard_swish")
    batch_norms: tuple = (False, True)
    dropout_rates: tuple = (0.0, 0.1, 0.3)

    def __post_init__(self):
        object.__setattr__(self, "input_shape", TABLE_SHAPE.apply("input_shape", self.input_shape))
        object.__setattr__(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        for name, law in _CHOICE_LAWS.items():
            object.__setattr__(self, name, law.apply_all(name, getattr(self, name)))
        self.__dict__["_menu"] = Menu(self._choices())

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def _choices(self):
        yield Choice("depth", self.depths)
        some, several = (tuple(depth for depth in self.depths if depth >= least) for least in (1, 2))
        is_deep, is_deeper = (("depth", some),), (("depth", several),)
        yield Choice("width", self.widths, None, is_deep)
        yield Choice("gate", self.gates, None, is_deep)
        yield Choice("activation", self.activations, None, is_deep)
        yield Choice("batch_norm", self.batch_norms, None, is_deep)
        yield Choice("dropout", self.dropout_rates, None, is_deep)
        yield Choice("residual", self.residuals, None, is_deeper)

    def _network(self, values):
        draft = Draft(self.input_shape)
        for number in range(1, values["depth"] + 1):
            _append_block(draft, f"block{number}", values, number > 1 and values["residual"])
        draft.append_head(self.num_classes)
        return draft.finish()


def _append_block(draft, name, values, has_shortcut):
    source, units = draft.last, values["width"]
    if values["batch_norm"]:
        draft.append(f"{name}_dense", "dense", units=units, activation="linear")
        draft.append(f"{name}_norm", "batch_norm")
        if values["activation"] != "linear":
            draft.append(f"{name}_activation", "activation", activation=values["activation"])
    else:
        draft.append(f"{name}_dense", "dense", units=units, activation=values["activation"])
    if values["gate"] != NO_GATE:
        inner = draft.last
        gate = draft.append(f"{name}_gate", "dense", (source,), units=units, activation=values["gate"])
        draft.append(f"{name}_gated", "multiply", (inner, gate))
    if has_shortcut:
        draft.append(f"{name}_add", "add", (source, draft.last))
    if values["dropout"]:
        draft.append(f"{name}_dropout", "dropout", rate=values["dropout"])
