"""The cells of NASNet: blocks that add two operations each."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from hwkeras.errors import UserError

# What a block may take: the cell before, the one before that, or an earlier block, `block1` and so on.
INPUT, PREVIOUS = "input", "previous"
NOTHING = "none"
IDENTITY = "identity"
FACTORIZED = "conv_1x7_7x1"
# Operation -> kernel, and operation -> kind of layer.
SEPARABLE = MappingProxyType({"sep_conv_3x3": 3, "sep_conv_5x5": 5, "sep_conv_7x7": 7})
POOLS = MappingProxyType({"avg_pool_3x3": "average_pool", "max_pool_3x3": "max_pool"})
KNOWN_OPERATIONS = (*SEPARABLE, *POOLS, IDENTITY, FACTORIZED)


def states(num_blocks):
    """What blocks and the output of a cell may take.

    Args:
        num_blocks: int, blocks so far.

    Returns:
        tuple of str: `"input"`, `"previous"`, `"block1"` and so on.
    """
    return (INPUT, PREVIOUS, *(f"block{number}" for number in range(1, num_blocks + 1)))


@dataclass(frozen=True)
class Block:
    """The sum of two operations.

    Args:
        first: str, a state: `"input"`, the output of the cell before; `"previous"`, of the one before that;
            `"block1"`, an earlier block of the same cell.
        first_operation: str, of `KNOWN_OPERATIONS`.
        second: str, a state.
        second_operation: str, of `KNOWN_OPERATIONS`.
    """

    first: str
    first_operation: str
    second: str
    second_operation: str

    @property
    def terms(self):
        """Tuple of two (state, operation), in an order that does not depend on which is the first."""
        return tuple(sorted([(self.first, self.first_operation), (self.second, self.second_operation)]))


@dataclass(frozen=True)
class NasnetCell:
    """Blocks, of which those that no other block takes are concatenated (Zoph et al., 2018, arXiv:1707.07012).

    Args:
        blocks: tuple of `Block`.
        kept: str, one more state that is concatenated although a block takes it, or `"none"`. The published NASNet-A
            keeps `"previous"` in its normal cell and `"block2"` in its reduction cell. Defaults to `"none"`.

    Raises:
        UserError: no blocks, a state that is not there yet, or an unknown operation.
    """

    blocks: tuple[Block, ...]
    kept: str = NOTHING

    def __post_init__(self):
        object.__setattr__(self, "blocks", tuple(self.blocks))
        if not self.blocks:
            raise UserError("A cell must have at least one block. Received: blocks=().")
        for number, block in enumerate(self.blocks, 1):
            for state, operation in block.terms:
                _require(state, states(number - 1), f"What block {number} takes")
                _require(operation, KNOWN_OPERATIONS, f"An operation of block {number}")
        _require(self.kept, (NOTHING, *states(len(self.blocks))), "`kept`")

    @property
    def outputs(self):
        """Tuple of str, the states that are concatenated, in their order."""
        taken = {state for block in self.blocks for state, _ in block.terms}
        every = states(len(self.blocks))
        return tuple(state for state in every if state == self.kept or (state not in taken and state in every[2:]))

    def takes(self, state):
        """Whether anything of the cell depends on a state.

        Args:
            state: str, `"input"` or `"previous"`.

        Returns:
            bool.
        """
        return state == self.kept or any(state == taken for block in self.blocks for taken, _ in block.terms)


def _require(value, allowed, what):
    if value not in allowed:
        raise UserError(f"{what} must be one of {', '.join(allowed)}. Received: {value!r}.")


# Figure 4 of the article; what is concatenated as in its published code.
NASNET_A_NORMAL = NasnetCell(
    (
        Block(INPUT, "sep_conv_5x5", PREVIOUS, "sep_conv_3x3"),
        Block(PREVIOUS, "sep_conv_5x5", PREVIOUS, "sep_conv_3x3"),
        Block(INPUT, "avg_pool_3x3", PREVIOUS, IDENTITY),
        Block(PREVIOUS, "avg_pool_3x3", PREVIOUS, "avg_pool_3x3"),
        Block(INPUT, "sep_conv_3x3", INPUT, IDENTITY),
    ),
    kept=PREVIOUS,
)
NASNET_A_REDUCTION = NasnetCell(
    (
        Block(INPUT, "sep_conv_5x5", PREVIOUS, "sep_conv_7x7"),
        Block(INPUT, "max_pool_3x3", PREVIOUS, "sep_conv_7x7"),
        Block(INPUT, "avg_pool_3x3", PREVIOUS, "sep_conv_5x5"),
        Block("block1", "avg_pool_3x3", "block2", IDENTITY),
        Block("block1", "sep_conv_3x3", INPUT, "max_pool_3x3"),
    ),
    kept="block2",
)
