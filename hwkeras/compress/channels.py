"""Channel pruning: a smaller Keras 3 model, whose tensors are narrower, from a trained one."""

from __future__ import annotations

import numbers
from typing import Any
from typing import NamedTuple

import keras
import numpy as np

from hwkeras.build.batch_statistics import reestimate_batch_statistics
from hwkeras.compress.channel_choice import kept_channels
from hwkeras.compress.channel_groups import map_channels
from hwkeras.compress.channel_importance import channel_importance
from hwkeras.compress.channel_report import ChannelReport
from hwkeras.compress.channel_report import GroupReport
from hwkeras.compress.layer_graph import copy_layer
from hwkeras.compress.layer_graph import copy_model
from hwkeras.errors import DataError
from hwkeras.errors import UserError

SCOPES = ("group", "global")


class ChannelPruned(NamedTuple):
    """A model with fewer channels.

    Args:
        model: keras.Model, compiled as the original was; to be fine-tuned.
        report: ChannelReport.
    """

    model: Any
    report: ChannelReport


def prune_channels(model, share, data=None, *, importance="magnitude", scope="group", round_to=4, min_channels=4):
    """Removes channels of a trained model and builds the smaller model that remains, with the weights that remain.

    Channels that depend on each other (through residual additions, squeeze-excite gates, depthwise convolutions, shared
    layers) are removed together. Inputs and outputs of the model keep their channels, and so does what meets a layer
    that is not followed, such as attention, recurrent layers and custom ones; the report names them. What is removed is
    gone: a channel that was all zeros changes no output (but for layer normalization, whose mean runs over one channel
    less); any other loss is for fine-tuning to mend.

    Args:
        model: keras.Model, Sequential or functional, built and trained; left as it is. Its batch size, input names,
            layer names and nested models are kept.
        share: float in [0, 1), of the channels to remove. MACs and weights fall to about `(1 - share) ** 2`.
        data: tuple `(x, y)` of training data. From `x` the statistics of batch normalizations are taken anew, as what
            they normalize has changed; `y` is read by importance `"taylor"` alone and may else be None. Defaults to
            `None`: statistics remain until fine-tuning moves them.
        importance: str, `"magnitude"`, `"taylor"` or `"bn_scale"`, see `channel_importance`. Defaults to `"magnitude"`.
        scope: str. `"group"`: the share of each dependency group; `"global"`: the share of all channels together.
            Defaults to `"group"`.
        round_to: int, from 8 remaining channels on, a group keeps a multiple of this many, which kernels run faster.
            Defaults to `4`.
        min_channels: int, no group is left with fewer. Defaults to `4`.

    Returns:
        ChannelPruned.

    Raises:
        UserError: a wrong argument, a model without a layer graph, a layer that cannot be made from its configuration,
            or nothing that can be removed.
        DataError: data that is no pair or without samples; importance `"taylor"` without labels.
    """
    _check(share, scope, round_to, min_channels)
    samples = None if data is None else _samples(data)
    channel_map = map_channels(model)
    scores = channel_importance(model, channel_map, importance, data)
    kept = kept_channels(channel_map.groups, scores, share, scope=scope, round_to=round_to, min_channels=min_channels)
    groups = tuple(
        GroupReport(group.layers, len(group.channels), len(remaining))
        for group, remaining in zip(channel_map.groups, kept, strict=True)
    )
    if share > 0:
        _require_removal(model, channel_map, groups, round_to, min_channels)
    smaller = _without(model, channel_map, kept)
    notes = _compiled_alike(smaller, model)
    if share > 0 and samples is not None:
        count = reestimate_batch_statistics(smaller, samples)
        notes += (f"statistics of {count} batch normalizations taken anew from the data",) if count else ()
    report = ChannelReport(
        share=float(share),
        importance=importance,
        scope=scope,
        groups=groups,
        kept=channel_map.kept,
        params_before=model.count_params(),
        params_after=smaller.count_params(),
        notes=notes,
    )
    return ChannelPruned(smaller, report)


def _without(model, channel_map, kept):
    """The model without the channels of its groups that are not kept."""
    stays = np.ones(channel_map.num_channels, bool)
    for group, remaining in zip(channel_map.groups, kept, strict=True):
        stays[group.channels] = False
        stays[remaining] = True
    entries = {id(entry.layer): entry for entry in channel_map.layers}
    pairs = []

    def copied(layer):
        entry = entries.get(id(layer))
        copy = copy_layer(layer, **(_new_sizes(entry, stays) if entry else {}))
        pairs.append((layer, copy))
        return copy

    widths = {key: [_count(stays, read) for read in reads] for key, reads in channel_map.nested.items()}
    smaller = copy_model(model, copied, widths)
    for layer, copy in pairs:
        if getattr(layer, "weights", None):
            copy.set_weights(_cut(layer, entries.get(id(layer)), stays))
    return smaller


def _count(stays, channels):
    """How many channels stay; None for an axis of open length, which carries none."""
    return int(np.count_nonzero(stays[channels])) if len(channels) else None


def _new_sizes(entry, stays):
    config = entry.layer.get_config()
    sizes = {}
    for key, channels in entry.sizes.items():
        count = _count(stays, channels)
        sizes[key] = (*config[key][:-1], count) if isinstance(config[key], list | tuple) else count
    return sizes


def _cut(layer, entry, stays):
    values = layer.get_weights()
    places = {weight.name: place for place, weight in enumerate(layer.weights)}
    for axis in entry.axes if entry else ():
        remaining = np.flatnonzero(stays[axis.channels])
        place = places[axis.weight]
        values[place] = np.take(values[place], remaining, axis=axis.axis)
    return values


def _compiled_alike(smaller, model):
    """Compiles the smaller model as the original is; says so where it cannot."""
    if not getattr(model, "compiled", False):
        return ()
    try:
        smaller.compile_from_config(model.get_compile_config())
    except (TypeError, ValueError) as error:
        return (f"left uncompiled, call `compile` before training: {str(error).splitlines()[0]}",)
    return ()


def _samples(data):
    """The inputs of `data` as arrays."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"`data` must be a tuple (x, y). Received: {type(data).__name__}. Give the arrays the model was trained on."
        )
    x = keras.tree.map_structure(np.asarray, data[0])
    if not all(len(part) for part in keras.tree.flatten(x)):
        raise DataError("`data` must hold samples. Received: none. Give the arrays the model was trained on.")
    return x


def _check(share, scope, round_to, min_channels):
    is_number = isinstance(share, numbers.Real) and not isinstance(share, bool)
    if not is_number or not 0 <= share < 1:
        raise UserError(
            f"The share of channels to remove must be in [0, 1). Received: share={share!r}. To halve them pass 0.5."
        )
    if scope not in SCOPES:
        raise UserError(f"`scope` must be one of {', '.join(map(repr, SCOPES))}. Received: scope={scope!r}.")
    for name, value in (("round_to", round_to), ("min_channels", min_channels)):
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
            raise UserError(f"`{name}` must be an int of 1 or more. Received: {name}={value!r}. Its default is 4.")


def _require_removal(model, channel_map, groups, round_to, min_channels):
    if not groups:
        found = "; ".join(f"{kept.layer!r} stays whole: {kept.reason}" for kept in channel_map.kept[:3])
        raise UserError(
            "Channel pruning needs a hidden convolution or dense layer whose channels nothing holds. Received: "
            f"{model.name!r}, {found or 'which makes no channels'}. Leave the channels out of the recipe."
        )
    if all(group.channels_before == group.channels_after for group in groups):
        widest = max(group.channels_before for group in groups)
        raise UserError(
            f"Some channels must go when the share is above 0. Received: groups of at most {widest} channels, of which "
            f"rounding to multiples of {round_to} and a minimum of {min_channels} leave all. Pass a larger share, or "
            "a smaller `round_to` or `min_channels`."
        )
