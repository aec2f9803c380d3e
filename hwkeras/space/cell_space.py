"""The space of repeated cells: one small graph, the same in every stage of the network."""

from __future__ import annotations

from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.cell import NONE
from hwkeras.space.cell import OPERATIONS
from hwkeras.space.cell import SKIP
from hwkeras.space.cell import Cell
from hwkeras.space.cell import edges
from hwkeras.space.choice import Choice
from hwkeras.space.choice import Menu
from hwkeras.space.draft import Draft
from hwkeras.space.kinds import ACTIVATIONS
from hwkeras.space.law import CLASSES
from hwkeras.space.law import IMAGE_SHAPE
from hwkeras.space.law import POSITIVE
from hwkeras.space.law import Law
from hwkeras.space.law import one_of
from hwkeras.space.menu_space import MenuSpace

# What an operation is beside nothing and a skip: (kind, parameters); convolutions follow an activation.
_LAYERS = {
    "nor_conv_1x1": ("conv", {"kernel": 1}),
    "nor_conv_3x3": ("conv", {"kernel": 3}),
    "sep_conv_3x3": ("separable_conv", {"kernel": 3}),
    "sep_conv_5x5": ("separable_conv", {"kernel": 5}),
    "avg_pool_3x3": ("average_pool", {"size": 3, "stride": 1, "padding": "same"}),
    "max_pool_3x3": ("max_pool", {"size": 3, "stride": 1, "padding": "same"}),
}
_KNOWN = (NONE, SKIP, *_LAYERS)
_LAWS = {
    "operations": one_of(_KNOWN),
    "cells": POSITIVE,
    "stem_widths": POSITIVE,
    "activations": one_of(ACTIVATIONS),
}


def _few(value):
    number = POSITIVE.normalize(value)
    if not 2 <= number <= 6:
        raise ValueError
    return number


_NODES = Law("an integer of 2 to 6", _few)


@dataclass(frozen=True)
class CellSpace(MenuSpace):
    """Image classifiers of repeated cells: NAS-Bench-201's network with its sizes left open.

    A 3x3 stem; stages of equal cells, each stage but the first begun by a residual block of stride 2 that doubles the
    channels; global pooling; a classifier (Dong and Yang, 2020, arXiv:2001.00326, figure 1). With four nodes and the
    five operations there are 15,625 cells. `cells=5, stem_widths=16` is the network of the benchmark but for the batch
    normalization in front of its pooling, which no convolution could take in (128 parameters less), and for biases in
    the 1x1 convolutions of its two shortcuts (96 more). Edges that lead nowhere are left out.

    A cell whose output does not depend on its input would be no network (341 of the 15,625): it passes its input on.

    Args:
        input_shape: (height, width, channels).
        num_classes: int; 1 for a regression, one number that is predicted.
        nodes: int, of a cell, its input included. Defaults to `4`.
        operations: what may sit on an edge: `"none"`, `"skip_connect"`, `"nor_conv_1x1"`, `"nor_conv_3x3"`,
            `"avg_pool_3x3"`, `"max_pool_3x3"`, `"sep_conv_3x3"`, `"sep_conv_5x5"`. Defaults to NAS-Bench-201's five.
        stages: int. Defaults to `3`.
        cells: cells in each stage. Defaults to `(1, 2)`.
        stem_widths: channels of the first stage. Defaults to `(8, 16)`.
        activations: the activation everywhere. Defaults to `("relu",)`.

    Raises:
        UserError: an argument breaks its law.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    nodes: int = 4
    operations: tuple = OPERATIONS
    stages: int = 3
    cells: tuple = (1, 2)
    stem_widths: tuple = (8, 16)
    activations: tuple = ("relu",)

    def __post_init__(self):
        set_value = object.__setattr__
        set_value(self, "input_shape", IMAGE_SHAPE.apply("input_shape", self.input_shape))
        set_value(self, "num_classes", CLASSES.apply("num_classes", self.num_classes))
        set_value(self, "nodes", _NODES.apply("nodes", self.nodes))
        set_value(self, "stages", POSITIVE.apply("stages", self.stages))
        for name, law in _LAWS.items():
            set_value(self, name, law.apply_all(name, getattr(self, name)))
        if set(self.operations) <= {NONE}:
            raise UserError(
                f"`operations` must hold one that passes something on. Received: operations={self.operations!r}. "
                "Add 'skip_connect' or 'nor_conv_3x3'."
            )
        self.__dict__["_menu"] = Menu(self._choices())

    @property
    def choices(self):
        """Tuple of `Choice`, parents first, fixed ones included."""
        return self._menu.choices

    def cell(self, hp):
        """The cell of a set of values.

        Args:
            hp: keras_tuner.HyperParameters, declared.

        Returns:
            Cell; its text is the architecture string of NAS-Bench-201.
        """
        return self._cell(self._menu.read(hp))

    def values_of(self, cell):
        """The hyperparameters that describe a cell.

        Args:
            cell: Cell, or the text of one.

        Returns:
            dict of hyperparameter name to value, the edges' alone.

        Raises:
            UserError: a cell that is not of this space.
        """
        cell = Cell.parse(cell) if isinstance(cell, str) else cell
        unknown = sorted(set(cell.operations) - set(self.operations))
        if cell.nodes != self.nodes or unknown:
            raise UserError(
                f"A cell of this space has {self.nodes} nodes and the operations {', '.join(self.operations)}. "
                f"Received: {cell}."
            )
        return dict(zip(map(_edge_name, edges(self.nodes)), cell.operations, strict=True))

    def _choices(self):
        usual = "nor_conv_3x3" if "nor_conv_3x3" in self.operations else None
        fallback = next(operation for operation in self.operations if operation != NONE)
        for edge in edges(self.nodes):
            yield Choice(_edge_name(edge), self.operations, usual or fallback)
        yield Choice("cells", self.cells)
        yield Choice("stem/width", self.stem_widths)
        yield Choice("activation", self.activations)

    def _cell(self, values):
        return Cell(self.nodes, tuple(values[_edge_name(edge)] for edge in edges(self.nodes)))

    def _network(self, values):
        cell, activation = self._cell(values), values["activation"]
        draft = Draft(self.input_shape)
        width = values["stem/width"]
        draft.append("stem", "conv", filters=width, activation="linear")
        for stage in range(1, self.stages + 1):
            if stage > 1:
                width *= 2
                _append_reduction(draft, f"stage{stage}_reduction", width, activation)
            for number in range(1, values["cells"] + 1):
                _append_cell(draft, f"stage{stage}_cell{number}", cell, width, activation)
        draft.append("last_activation", "activation", activation=activation)
        draft.append("pool", "global_average_pool")
        draft.append_head(self.num_classes)
        return draft.finish()


def _edge_name(edge):
    return f"cell/{edge[0]}_from_{edge[1]}"


def _append_reduction(draft, name, width, activation):
    """Halves rows and columns: two convolutions, and a shortcut that averages."""
    source = draft.last
    draft.append(f"{name}_first_activation", "activation", activation=activation)
    draft.append(f"{name}_first", "conv", filters=width, stride=2, activation=activation)
    wide = draft.append(f"{name}_second", "conv", filters=width, activation="linear")
    draft.append(f"{name}_pool", "average_pool", (source,), size=2, padding="same")
    short = draft.append(f"{name}_shortcut", "conv", filters=width, kernel=1, activation="linear", batch_norm=False)
    draft.append(f"{name}_add", "add", (short, wide))


def _append_cell(draft, name, cell, width, activation):
    """The cell with what leads nowhere left out; a node of one skipped edge is the node before."""
    tensors, activated = {0: draft.last}, {}
    for target in range(1, cell.nodes):
        terms = []
        for _, source, operation in (edge for edge in cell.live_edges if edge[0] == target):
            if operation == SKIP:
                terms.append(tensors[source])
                continue
            kind, params = _LAYERS[operation]
            before = tensors[source]
            if kind.endswith("conv"):
                if before not in activated:
                    activated[before] = draft.append(
                        f"{name}_node{source}_activation", "activation", (before,), activation=activation
                    )
                before = activated[before]
                params = {**params, "filters": width, "activation": "linear"}
            terms.append(draft.append(f"{name}_{target}_from_{source}", kind, (before,), **params))
        if terms:
            tensors[target] = terms[0] if len(terms) == 1 else draft.append(f"{name}_node{target}", "add", tuple(terms))
    draft.go_on_from(tensors.get(cell.nodes - 1, tensors[0]))
