"""Which channels of each dependency group remain."""

from __future__ import annotations

import math

import numpy as np


def kept_channels(groups, scores, share, *, scope, round_to, min_channels):
    """Chooses the channels that remain in each group.

    Args:
        groups: tuple of ChannelGroup.
        scores: float array of shape (num_channels,), the importance of each channel number.
        share: float in [0, 1), of the channels to remove.
        scope: str. `"group"`: the share of each group; `"global"`: the share of all channels together, the least
            important first, wherever they are.
        round_to: int, as for `rounded_count`.
        min_channels: int, as for `rounded_count`.

    Returns:
        tuple of int arrays, one a group: its remaining channels, in their old order.
    """
    if scope == "group":
        wanted = [len(group.channels) * (1.0 - share) for group in groups]
    else:
        wanted = _wanted_globally(groups, scores, share, min_channels)
    counts = [
        rounded_count(len(group.channels), count, round_to, min_channels)
        for group, count in zip(groups, wanted, strict=True)
    ]
    return tuple(_best(group.channels, scores, count) for group, count in zip(groups, counts, strict=True))


def rounded_count(count, wanted, round_to, min_channels):
    """How many channels of a group remain.

    Args:
        count: int, how many there are.
        wanted: float, how many should remain.
        round_to: int, from 8 remaining channels on, their number is the nearest multiple of this; of two equally near
            ones the smaller.
        min_channels: int, no fewer remain; a group that has no more is left as it is.

    Returns:
        int, at most `count`.
    """
    nearest = math.ceil(wanted - 0.5)
    if nearest >= 8:
        nearest = round_to * math.ceil(wanted / round_to - 0.5)
    return min(count, max(min_channels, nearest))


def _wanted_globally(groups, scores, share, min_channels):
    """How many of each group remain when the least important channels of all groups go; each group keeps its best."""
    ranked = [scores[_best_first(group.channels, scores)] for group in groups]
    owner = np.repeat(np.arange(len(ranked)), [max(0, len(ranks) - min_channels) for ranks in ranked])
    free = np.concatenate([np.zeros(0), *(ranks[min_channels:] for ranks in ranked)])
    num_removed = min(len(free), round(share * sum(map(len, ranked))))
    removed = owner[np.argsort(free, kind="stable")[:num_removed]]
    return [len(ranks) - np.count_nonzero(removed == number) for number, ranks in enumerate(ranked)]


def _best_first(channels, scores):
    return channels[np.argsort(-scores[channels], kind="stable")]


def _best(channels, scores, count):
    return np.sort(_best_first(channels, scores)[:count])
