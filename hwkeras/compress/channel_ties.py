"""Channels as numbers: which of them are one and the same choice, and which must stay."""

from __future__ import annotations

import numpy as np


class ChannelTies:
    """Numbers for the channels of a network's tensors; numbers that are removed together are tied.

    A disjoint-set forest (Tarjan, 10.1145/321879.321884). Of a set of tied channels the lowest number speaks for all:
    its root. A set that must stay is fixed, with the reason first given.
    """

    def __init__(self):
        self._parents = []
        self._reasons = {}  # root -> why its channels must stay

    def new(self, count):
        """Makes channels that nothing is tied to yet.

        Args:
            count: int.

        Returns:
            int array of shape (count,).
        """
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return np.arange(first, first + count)

    def fixed(self, count, reason):
        """Makes channels that must stay.

        Args:
            count: int.
            reason: str, as for `fix`.

        Returns:
            int array of shape (count,).
        """
        channels = self.new(count)
        self.fix(channels, reason)
        return channels

    def tie(self, first, second):
        """Ties the channels of two arrays, place by place.

        Args:
            first: int array of shape (num_channels,).
            second: int array of the same shape.
        """
        for one, other in np.unique(np.stack([first, second], axis=1), axis=0).tolist():
            kept, gone = sorted((self._root(one), self._root(other)))
            self._parents[gone] = kept
            if gone != kept and gone in self._reasons:
                self._reasons.setdefault(kept, self._reasons.pop(gone))

    def fix(self, channels, reason, *, is_foremost=False):
        """Says that channels, and all that are or will be tied to them, must stay.

        Args:
            channels: int array of shape (num_channels,).
            reason: str, ends a sentence such as "4 channels of 'a' stay: ...".
            is_foremost: bool, whether it is to be told instead of a reason given before. Defaults to `False`.
        """
        for root in {self._root(channel) for channel in channels.tolist()}:
            if is_foremost or root not in self._reasons:
                self._reasons[root] = reason

    def roots(self):
        """The root of every channel.

        Returns:
            int array of shape (number of channels made,).
        """
        return np.array([self._root(channel) for channel in range(len(self._parents))], dtype=int)

    def reason(self, channel):
        """Why a channel must stay.

        Args:
            channel: int.

        Returns:
            str, or None for a channel that may be removed.
        """
        return self._reasons.get(self._root(channel))

    def _root(self, channel):
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel
