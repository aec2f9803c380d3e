"""Blocks of several branches: convolutions side by side whose outputs are concatenated."""

from __future__ import annotations

from types import MappingProxyType


def append_parallel(draft, name, filters, kernel, stride, activation):
    """Appends a kxk and a 1x1 convolution side by side.

    Args:
        draft: Draft.
        name: str, what the layers' names begin with.
        filters: int, 2 or more, output channels of the block.
        kernel: int, or a pair of ints.
        stride: int.
        activation: str.

    Returns:
        str, the name of the last layer.
    """
    source, shared = draft.last, {"stride": stride, "activation": activation}
    branches = (
        draft.append(f"{name}_wide", "conv", (source,), filters=filters - filters // 2, kernel=kernel, **shared),
        draft.append(f"{name}_point", "conv", (source,), filters=filters // 2, kernel=1, **shared),
    )
    return draft.append(f"{name}_concat", "concat", branches)


def append_fire(draft, name, filters, kernel, stride, activation, batch_norm=True, squeezed=None):
    """Appends a fire module: a 1x1 convolution that squeezes, a 1x1 and a kxk that expand, side by side.

    Iandola et al., SqueezeNet, arXiv:1602.07360.

    Args:
        draft: Draft.
        name: str, what the layers' names begin with.
        filters: int, 4 or more, output channels of the block.
        kernel: int, or a pair of ints, of the wide half.
        stride: int, of the squeezing convolution.
        activation: str.
        batch_norm: bool. Defaults to `True`.
        squeezed: int, channels in between. Defaults to `None`, an eighth of `filters` as published, at least 2.

    Returns:
        str, the name of the last layer.
    """
    shared = {"activation": activation, "batch_norm": batch_norm}
    squeezed = squeezed or max(2, filters // 8)
    middle = draft.append(f"{name}_squeeze", "conv", filters=squeezed, kernel=1, stride=stride, **shared)
    branches = (
        draft.append(f"{name}_point", "conv", (middle,), filters=filters // 2, kernel=1, **shared),
        draft.append(f"{name}_wide", "conv", (middle,), filters=filters - filters // 2, kernel=kernel, **shared),
    )
    return draft.append(f"{name}_concat", "concat", branches)


def append_inception(draft, name, filters, kernel, stride, activation):
    """Appends three branches: a 1x1 convolution; a 1x1 and a kxk one after it; a pooling and a 1x1 one.

    Szegedy et al., 10.1109/CVPR.2015.7298594.

    Args:
        draft: Draft.
        name: str, what the layers' names begin with.
        filters: int, 4 or more, output channels of the block: a quarter, a half and a quarter.
        kernel: int, or a pair of ints, of the middle branch.
        stride: int.
        activation: str.

    Returns:
        str, the name of the last layer.
    """
    source, half, quarter = draft.last, filters // 2, filters // 4
    point = draft.append(
        f"{name}_point", "conv", (source,), filters=quarter, kernel=1, stride=stride, activation=activation
    )
    draft.append(f"{name}_reduce", "conv", (source,), filters=quarter, kernel=1, activation=activation)
    wide = draft.append(f"{name}_wide", "conv", filters=half, kernel=kernel, stride=stride, activation=activation)
    draft.append(f"{name}_pool", "average_pool", (source,), size=kernel, stride=stride, padding="same")
    rest = draft.append(f"{name}_pooled", "conv", filters=filters - half - quarter, kernel=1, activation=activation)
    return draft.append(f"{name}_concat", "concat", (point, wide, rest))


def append_dense(draft, name, filters, kernel, stride, activation):
    """Appends two convolutions of which the second adds its channels to those of the first.

    The dense connection of Huang et al., 10.1109/CVPR.2017.243, within a block of a fixed width.

    Args:
        draft: Draft.
        name: str, what the layers' names begin with.
        filters: int, 2 or more, output channels of the block.
        kernel: int, or a pair of ints.
        stride: int, of the first convolution.
        activation: str.

    Returns:
        str, the name of the last layer.
    """
    shared = {"kernel": kernel, "activation": activation}
    first = draft.append(f"{name}_first", "conv", filters=filters // 2, stride=stride, **shared)
    second = draft.append(f"{name}_second", "conv", filters=filters - filters // 2, **shared)
    return draft.append(f"{name}_concat", "concat", (first, second))


# Layer type of a stage -> what appends its block, and the least filters it can divide.
BRANCHED = MappingProxyType(
    {
        "parallel_conv": (append_parallel, 2),
        "fire": (append_fire, 4),
        "inception": (append_inception, 4),
        "dense_block": (append_dense, 2),
    }
)
