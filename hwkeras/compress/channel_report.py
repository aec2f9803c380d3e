"""What channel pruning removed, what it left, and why."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass

from hwkeras.compress.channel_groups import KeptWhole


@dataclass(frozen=True)
class GroupReport:
    """What became of one dependency group.

    Args:
        layers: tuple of str, names of the layers whose channels went together.
        channels_before: int, channels of the group; each stands for all that are tied to it.
        channels_after: int.
    """

    layers: tuple[str, ...]
    channels_before: int
    channels_after: int


@dataclass(frozen=True)
class ChannelReport:
    """What channel pruning did.

    Args:
        share: float, of the channels that was to be removed.
        importance: str, how channels were weighed.
        scope: str, `"group"` or `"global"`.
        groups: tuple of GroupReport.
        kept: tuple of KeptWhole, layers of which some or all channels had to stay.
        params_before: int.
        params_after: int.
        notes: tuple of str, what else there is to say. Defaults to `()`.
    """

    share: float
    importance: str
    scope: str
    groups: tuple[GroupReport, ...]
    kept: tuple[KeptWhole, ...]
    params_before: int
    params_after: int
    notes: tuple[str, ...] = ()

    @property
    def channels_before(self):
        """int, channels of all groups."""
        return sum(group.channels_before for group in self.groups)

    @property
    def channels_after(self):
        """int, what remained of `channels_before`."""
        return sum(group.channels_after for group in self.groups)

    def to_json(self):
        """The report as a JSON-able dict."""
        return asdict(self)

    def __str__(self):
        lines = [
            f"channels={self.share:g} by {self.importance}: {self.params_before} -> {self.params_after} parameters, "
            f"{self.channels_before} -> {self.channels_after} channels that may be removed"
        ]
        lines += [
            f"  {', '.join(group.layers)}: {group.channels_before} -> {group.channels_after}" for group in self.groups
        ]
        lines += [f"  {kept.layer}: {kept.num_channels} channels stay, {kept.reason}" for kept in self.kept]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)
