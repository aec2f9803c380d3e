"""A cell: a small graph of nodes in which an operation sits on every edge, as NAS-Bench-201 defines it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from hwkeras.errors import UserError

NONE = "none"
SKIP = "skip_connect"
OPERATIONS = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
_TERM = re.compile(r"([a-z0-9_]+)~(\d+)")


def edges(nodes):
    """The edges of a cell in the order in which its operations are written.

    Args:
        nodes: int, the input included.

    Returns:
        tuple of pairs of ints, (target, source).
    """
    return tuple((target, source) for target in range(1, nodes) for source in range(target))


@dataclass(frozen=True)
class Cell:
    """Operations on the edges of a graph in which every node takes the sum of all nodes before it.

    Node 0 is the input, the last node the output (Dong and Yang, 2020, arXiv:2001.00326).

    Args:
        nodes: int, 2 or more, the input included.
        operations: tuple of str, one an edge, in the order of `edges(nodes)`; `"none"` is no edge.

    Raises:
        UserError: a wrong number of operations.
    """

    nodes: int
    operations: tuple[str, ...]

    def __post_init__(self):
        object.__setattr__(self, "operations", tuple(self.operations))
        wanted = len(edges(self.nodes))
        if len(self.operations) != wanted:
            raise UserError(
                f"A cell of {self.nodes} nodes has {wanted} edges, each with one operation. Received: "
                f"{len(self.operations)} operations."
            )

    @classmethod
    def parse(cls, text):
        """Reads what NAS-Bench-201 calls an architecture string.

        Args:
            text: str such as `"|nor_conv_3x3~0|+|none~0|skip_connect~1|"`: for each node after the first the operations
                on its edges, each with the node that the edge comes from.

        Returns:
            Cell.

        Raises:
            UserError: another form.
        """
        parts = text.split("+")
        terms = [_TERM.findall(part) for part in parts]
        for number, (part, found) in enumerate(zip(parts, terms, strict=True)):
            written = "|" + "|".join(f"{operation}~{source}" for operation, source in found) + "|"
            if written != part or [int(source) for _, source in found] != list(range(number + 1)):
                raise UserError(
                    "A cell is written node by node, '|op~0|+|op~0|op~1|+...', with one operation for every node "
                    f"before. Received: {text!r}."
                )
        return cls(len(parts) + 1, tuple(operation for found in terms for operation, _ in found))

    def __str__(self):
        named = dict(zip(edges(self.nodes), self.operations, strict=True))
        rows = [[f"{named[target, source]}~{source}" for source in range(target)] for target in range(1, self.nodes)]
        return "+".join("|" + "|".join(row) + "|" for row in rows)

    @property
    def live_edges(self):
        """tuple of (target, source, operation): the edges that lie on a way from the input to the output."""
        present = [
            (target, source, operation)
            for (target, source), operation in zip(edges(self.nodes), self.operations, strict=True)
            if operation != NONE
        ]
        fed, needed = {0}, {self.nodes - 1}
        for target, source, _ in present:  # every edge into a node comes before those out of it
            if source in fed:
                fed.add(target)
        for target, source, _ in reversed(present):
            if target in needed:
                needed.add(source)
        return tuple(edge for edge in present if edge[1] in fed and edge[0] in needed)

    @property
    def is_connected(self):
        """bool, whether anything of the input arrives at the output."""
        return bool(self.live_edges)


def every_cell(nodes=4, operations=OPERATIONS):
    """All cells of so many nodes, those included whose output does not depend on the input.

    Args:
        nodes: int. Defaults to `4`.
        operations: sequence of str. Defaults to the five of NAS-Bench-201.

    Yields:
        Cell; for the defaults 15,625.
    """
    for chosen in itertools.product(operations, repeat=len(edges(nodes))):
        yield Cell(nodes, chosen)
