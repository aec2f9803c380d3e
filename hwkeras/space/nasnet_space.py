"""The space of NASNet: a normal and a reduction cell of searched blocks, repeated."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.law import CLASSES
from hwkeras.space.law import COUNT
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace
from hwkeras.space.nasnet_cell import IDENTITY
from hwkeras.space.nasnet_cell import INPUT
from hwkeras.space.nasnet_cell import KNOWN_OPERATIONS
from hwkeras.space.nasnet_cell import NOTHING
from hwkeras.space.nasnet_cell import PREVIOUS
from hwkeras.space.nasnet_cell import Block
from hwkeras.space.nasnet_cell import NasnetCell
from hwkeras.space.nasnet_cell import states
from hwkeras.space.nasnet_network import append_cells
from hwkeras.space.nasnet_network import nasnet_steps

USUAL_OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", IDENTITY)
_LAWS = {
    "operations": one_of(KNOWN_OPERATIONS),
    "repeats": POSITIVE,
    "filters": POSITIVE,
    "stem_widths": POSITIVE,
    "stem_strides": POSITIVE,
    "activations": one_of(ACTIVATIONS),
}
_PARTS = ("first", "first_operation", "second", "second_operation")


@dataclass(frozen=True)
class NasnetSpace(MenuSpace):
    """Image classifiers of NASNet's cells (Zoph et al., 2018, arXiv:1707.07012, DOI 10.1109/CVPR.2018.00907).

    A stem; stages of equal normal cells, each stage but the first begun by a reduction cell, which halves rows and
    columns, and doubles the channels; global pooling; a classifier. A cell is made of blocks; a block adds two
    operations, each on one of the two cells before or on an earlier block; the blocks that no other takes are
    concatenated. A separable convolution is applied twice, after an activation each time.

    NASNet-A is a point of this space: `values_of(NASNET_A_NORMAL, NASNET_A_REDUCTION)` of `space.nasnet_cell`, where
    `blocks` is 5 and `operations` and `kept` hold what those cells have; its mobile network at its sizes is
    `named_network("nasnet_a_mobile", ...)`. Shapes that differ, after a reduction, are matched by a 1x1 convolution
    with a stride (`nasnet_network.append_cells`). The auxiliary classifier and the drop-path of its training are not
    here.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        blocks: int, of each cell; 5 in the article. Defaults to `3`.
        operations: what a block may do: `"sep_conv_3x3"`, `"sep_conv_5x5"`, `"sep_conv_7x7"`, `"avg_pool_3x3"`,
            `"max_pool_3x3"`, `"identity"`, `"conv_1x7_7x1"`. Defaults to the first two, the pools and the identity.
        kept: one more state that a cell concatenates although a block takes it: `"none"`, `"input"`, `"previous"`,
            `"block1"` and so on. Defaults to `("none",)`.
        stages: int. Defaults to `3`.
        repeats: normal cells in each stage. Defaults to `(1, 2)`.
        filters: channels of each operation in the first stage; a cell has as many times that as it concatenates.
            Defaults to `(4, 8, 16)`.
        stem_widths: channels of the stem. Defaults to `(8, 16)`.
        stem_strides: strides of the stem. Defaults to `(1,)`.
        stem_reductions: int, reduction cells between the stem and the first stage, each with half the channels of what
            follows; 2 for large images in the article. Defaults to `0`.
        activations: the activation everywhere. Defaults to `("relu",)`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    blocks: int = 3
    operations: tuple = USUAL_OPERATIONS
    kept: tuple = (NOTHING,)
    stages: int = 3
    repeats: tuple = (1, 2)
    filters: tuple = (4, 8, 16)
    stem_widths: tuple = (8, 16)
    stem_strides: tuple = (1,)
    stem_reductions: int = 0
    activations: tuple = ("relu",)

    def __post_init__(self):
        set_value = object.__setattr__
        set_value(self, "input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        set_value(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        set_value(self, "blocks", POSITIVE.apply("blocks", self.blocks))
        set_value(self, "stages", POSITIVE.apply("stages", self.stages))
        set_value(self, "stem_reductions", COUNT.apply("stem_reductions", self.stem_reductions))
        for name, law in (_LAWS | {"kept": one_of((NOTHING, *states(self.blocks)))}).items():
            set_value(self, name, law.apply_all(name, getattr(self, name)))
        least = 2**self.stem_reductions
        if min(self.filters) < least:
            raise UserError(
                f"`filters` must be {least} or more with stem_reductions={self.stem_reductions}, each of which halves "
                f"them. Received: filters={self.filters}."
            )
        self.__dict__["_menu"] = Menu(self._choices())

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def cells(self, hp):
        """The cells of a set of values.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            dict of `"normal"`, and `"reduction"` where the network has one, to `NasnetCell`.
        """
        values = self._menu.read(hp)
        return {kind: self._cell(kind, values) for kind in self._cell_kinds()}

    def values_of(self, normal, reduction=None):
        """The hyperparameters that describe cells.

        Args:
            normal: NasnetCell.
            reduction: NasnetCell. Defaults to `None`, which a network without reductions may leave away.

        Returns:
            dict of hyperparameter name to value, the cells' alone.

        Raises:
            UserError: a cell that is not of this space, or none where one is needed.
        """
        values = {}
        for kind, cell in zip(self._cell_kinds(), (normal, reduction), strict=False):
            self._require_own(kind, cell)
            for number, block in enumerate(cell.blocks, 1):
                values |= {f"{kind}/block{number}/{part}": getattr(block, part) for part in _PARTS}
            values[f"{kind}/kept"] = cell.kept
        return values

    def _require_own(self, kind, cell):
        operations = set(self.operations)
        if (
            not isinstance(cell, NasnetCell)
            or len(cell.blocks) != self.blocks
            or cell.kept not in self.kept
            or any(operation not in operations for block in cell.blocks for _, operation in block.terms)
        ):
            raise UserError(
                f"A {kind} cell of this space has {self.blocks} blocks of the operations {', '.join(self.operations)}, "
                f"and keeps {' or '.join(self.kept)}. Received: {cell}."
            )

    def _cell_kinds(self):
        return ("normal", "reduction") if self.stages > 1 or self.stem_reductions else ("normal",)

    def _choices(self):
        calm = IDENTITY if IDENTITY in self.operations else None
        for kind in self._cell_kinds():
            for number in range(1, self.blocks + 1):
                name, before = f"{kind}/block{number}", states(number - 1)
                yield Choice(f"{name}/first", before, before[-1] if number > 1 else INPUT)
                yield Choice(f"{name}/first_operation", self.operations)
                yield Choice(f"{name}/second", before, PREVIOUS if number == 1 else INPUT)
                yield Choice(f"{name}/second_operation", self.operations, calm)
            yield Choice(f"{kind}/kept", self.kept)
        yield Choice("repeats", self.repeats)
        yield Choice("filters", self.filters)
        yield Choice("stem/width", self.stem_widths)
        yield Choice("stem/stride", self.stem_strides)
        yield Choice("activation", self.activations)

    def _cell(self, kind, values):
        blocks = (
            Block(*(values[f"{kind}/block{number}/{part}"] for part in _PARTS)) for number in range(1, self.blocks + 1)
        )
        return NasnetCell(tuple(blocks), values[f"{kind}/kept"])

    def _network(self, values):
        cells = {kind: self._cell(kind, values) for kind in self._cell_kinds()}
        draft = Draft(self.input_shape)
        draft.append("stem", "conv", filters=values["stem/width"], stride=values["stem/stride"], activation="linear")
        sizes = (self.stages, values["repeats"], values["filters"], self.stem_reductions)
        append_cells(draft, nasnet_steps(cells["normal"], cells.get("reduction"), *sizes), values["activation"])
        draft.append("last_activation", "activation", activation=values["activation"])
        draft.append("pool", "global_average_pool")
        draft.append_head(self.num_classes)
        return draft.finish()
