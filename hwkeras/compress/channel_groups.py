"""Dependency groups: which channels of a network must be removed together, found by walking its layer graph.

Each place of a tensor's last axis carries a number, the channel it holds. A convolution makes new numbers; depthwise
convolutions, normalizations, activations and pooling hand them on; adding ties them, concatenating puts them in a row,
flattening repeats them. What is tied in the end is one choice, and the choices made by the same layers are one group
("DepGraph", Fang et al., CVPR 2023, arXiv:2301.12900).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hwkeras.compress.channel_rules import NotFollowed
from hwkeras.compress.channel_rules import WeightAxis
from hwkeras.compress.channel_rules import effect_of
from hwkeras.compress.channel_ties import ChannelTies
from hwkeras.compress.layer_graph import copy_layer
from hwkeras.compress.layer_graph import copy_model
from hwkeras.compress.layer_graph import functional
from hwkeras.compress.layer_graph import new_inputs


@dataclass(frozen=True, eq=False)
class LayerChannels:
    """A layer whose configuration or weights depend on channels.

    Args:
        layer: keras.layers.Layer of the model.
        axes: tuple of WeightAxis, of the weights the layer has; `channels` holds one number for each group of tied
            channels.
        sizes: mapping of configuration key to the channels it counts, as int array.
        is_producer: bool, whether it makes channels of its own.
        makes: int array of shape (num_channels,), the channels of its output.
    """

    layer: Any
    axes: tuple[WeightAxis, ...]
    sizes: dict[str, Any]
    is_producer: bool
    makes: Any


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels among which some may be removed; each with all that are tied to it.

    Args:
        layers: tuple of str, names of the layers that make them, first in the graph first.
        channels: int array of shape (num_channels,), in the order in which they are made.
    """

    layers: tuple[str, ...]
    channels: Any


@dataclass(frozen=True)
class KeptWhole:
    """A layer of which some channels must stay.

    Args:
        layer: str, name.
        num_channels: int, how many must stay.
        reason: str.
    """

    layer: str
    num_channels: int
    reason: str


@dataclass(frozen=True, eq=False)
class ChannelMap:
    """The channels of a model.

    Args:
        layers: tuple of LayerChannels.
        groups: tuple of ChannelGroup.
        kept: tuple of KeptWhole.
        num_channels: int, all channel numbers are below it.
        nested: mapping of the id of each nested model to int arrays, the channels of its input tensors.
    """

    layers: tuple[LayerChannels, ...]
    groups: tuple[ChannelGroup, ...]
    kept: tuple[KeptWhole, ...]
    num_channels: int
    nested: dict[int, tuple]


def map_channels(model):
    """Finds the dependency groups of a model. Its inputs, its outputs and what no rule follows are never in one.

    Args:
        model: keras.Model, Sequential or functional, built; nested models and layers called several times included.

    Returns:
        ChannelMap.

    Raises:
        UserError: a model without a layer graph, or a layer that cannot be made from its configuration.
    """
    walk = _Walk()
    inputs = [walk.ties.fixed(_width(tensor), "an input of the model has them") for tensor in functional(model).inputs]
    for made in walk.through(model, inputs):
        walk.ties.fix(made, "an output of the model has them", is_foremost=True)
    roots = walk.ties.roots()
    layers = tuple(_resolved(layer, effect, roots) for layer, _, effect in walk.effects.values())
    kept = tuple(_kept_whole(entry, walk.ties) for entry in layers if entry.is_producer)
    nested = {key: tuple(roots[read] for read in reads) for key, reads in walk.nested.items()}
    return ChannelMap(layers, tuple(_groups(layers, walk.ties)), tuple(filter(None, kept)), len(roots), nested)


class _Walk:
    """One walk through a model and the models nested in it."""

    def __init__(self):
        self.ties = ChannelTies()
        self.effects = {}  # id of a layer bound to channels -> (layer, channels of its first input, Effect)
        self.nested = {}  # id of a nested model -> channels of each of its inputs
        self.refused = {}  # id of an operation -> why one of its calls is not followed

    def through(self, model, inputs):
        """Carries channels through a model, on a copy of it: calling its own layers would leave traces in them.

        Args:
            model: keras.Model.
            inputs: list of int arrays, the channels of each input tensor.

        Returns:
            List of int arrays, the channels of each output tensor.
        """
        plain, originals = functional(model), {}
        tensors = new_inputs(plain)
        carried = dict(zip(map(id, tensors), inputs, strict=True))

        def copied(operation):
            is_model = isinstance(operation, keras.Model)
            copy = copy_model(operation, copy_layer) if is_model else copy_layer(operation)
            originals[id(copy)] = operation
            return copy

        def called(copy, *args, **kwargs):
            outputs = copy(*args, **kwargs)
            # A mask says which steps of a sequence count: it carries no channels.
            given = keras.tree.flatten((args, {key: value for key, value in kwargs.items() if key != "mask"}))
            made = self._call(originals[id(copy)], given, carried, keras.tree.flatten(outputs))
            carried.update(zip(map(id, keras.tree.flatten(outputs)), made, strict=True))
            return outputs

        tensors = keras.tree.pack_sequence_as(plain.input, tensors)
        copy = keras.models.clone_model(plain, input_tensors=tensors, clone_function=copied, call_function=called)
        return [carried[id(tensor)] for tensor in copy.outputs]

    def _call(self, operation, given, carried, outputs):
        reads = [carried[id(value)] for value in given if isinstance(value, keras.KerasTensor)]
        if isinstance(operation, keras.Model):
            for first, read in zip(self.nested.setdefault(id(operation), reads), reads, strict=True):
                self.ties.tie(first, read)
            return self.through(operation, reads)
        try:
            _refuse_arrays(given)
            if len(outputs) != 1:
                raise NotFollowed(f"it has {len(outputs)} outputs")
            return [self._followed(operation, reads, outputs[0].shape)]
        except NotFollowed as stop:
            self.refused.setdefault(id(operation), str(stop))
            reason = f"{operation.name!r} ({type(operation).__name__}) is not followed: {stop}"
            for channels in (*reads, *self._known(operation)):
                self.ties.fix(channels, reason)
            return [self.ties.fixed(_width(tensor), reason) for tensor in outputs]

    def _known(self, operation):
        """What an operation read and made when a call of it before was followed."""
        _, reads, effect = self.effects.get(id(operation), (None, (), None))
        return (*reads, effect.makes) if effect else ()

    def _followed(self, operation, reads, shape):
        """The channels a followed layer gives; called again, it gives and reads the same ones."""
        if id(operation) in self.refused:
            raise NotFollowed(self.refused[id(operation)])
        if id(operation) not in self.effects:
            effect = effect_of(operation, reads, shape, self.ties)
            if effect.is_bound:
                self.effects[id(operation)] = (operation, reads, effect)
            return effect.makes
        _, first_reads, effect = self.effects[id(operation)]
        for first, read in zip(first_reads, reads, strict=True):
            if len(first) != len(read):
                raise NotFollowed("it is called with different numbers of channels")
            self.ties.tie(first, read)
        return effect.makes


def _refuse_arrays(given):
    for value in given:
        if not isinstance(value, keras.KerasTensor) and getattr(value, "shape", ()) != ():
            raise NotFollowed("it is called with a constant array")


def _width(tensor):
    return tensor.shape[-1] or 0 if len(tensor.shape) > 1 else 0


def _resolved(layer, effect, roots):
    names = {weight.name for weight in layer.weights}
    axes = tuple(
        WeightAxis(axis.weight, axis.axis, roots[axis.channels], axis.role)
        for axis in effect.axes
        if axis.weight in names
    )
    sizes = {key: roots[channels] for key, channels in effect.sizes.items()}
    return LayerChannels(layer, axes, sizes, effect.is_producer, roots[effect.makes])


def _kept_whole(entry, ties):
    reasons = [ties.reason(channel) for channel in entry.makes.tolist()]
    given = [reason for reason in reasons if reason is not None]
    return KeptWhole(entry.layer.name, len(given), given[0]) if given else None


def _groups(layers, ties):
    makers = {}  # channel -> names of the layers that make it or one tied to it
    for entry in layers:
        for channel in dict.fromkeys(entry.makes.tolist()) if entry.is_producer else ():
            if ties.reason(channel) is None:
                makers.setdefault(channel, []).append(entry.layer.name)
    members = {}
    for channel, names in makers.items():
        members.setdefault(tuple(names), []).append(channel)
    for names, channels in members.items():
        yield ChannelGroup(names, np.array(sorted(channels)))
