"""A network before it is built: a frozen graph of typed layers with known shapes, a JSON form and a stable hash."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass

from hwkeras.errors import UserError
from hwkeras.space.kinds import KINDS
from hwkeras.space.layer import Layer
from hwkeras.space.shapes import output_shape
from hwkeras.space.summary import summarize

_FORMAT = 1
# Kinds that nothing follows.
_HEADS = ("classifier", "pixel_classifier", "regressor")


@dataclass(frozen=True)
class Architecture:
    """A network: layers in the order they are computed, from one input to one output, the last layer.

    Args:
        layers: tuple of `Layer`; the first is the input, each one's inputs come before it.

    Raises:
        UserError: not exactly one input layer, a name used twice, an input that is unknown or comes later, a layer
            nobody uses, shapes that do not fit.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self):
        object.__setattr__(self, "layers", tuple(self.layers))
        self._verify_names()
        self._verify_graph()
        self.__dict__["_shapes"] = self._inferred_shapes()

    def _verify_names(self):
        strangers = [layer for layer in self.layers if not isinstance(layer, Layer)]
        if strangers:
            raise UserError(f"`layers` must be Layer objects. Received: {strangers[0]!r}.")
        num_inputs = sum(layer.kind == "input" for layer in self.layers)
        if num_inputs != 1 or self.layers[0].kind != "input":
            raise UserError(
                "An architecture must have exactly one input layer, the first. Received: "
                f"kinds {[layer.kind for layer in self.layers]}."
            )
        names = [layer.name for layer in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"Layer names must be unique. Received: {twice[0]!r} {names.count(twice[0])} times.")

    def _verify_graph(self):
        known, used = set(), set()
        for layer in self.layers:
            for name in layer.inputs:
                if name not in known:
                    raise UserError(
                        f"The inputs of layer {layer.name!r} must be layers before it. Received: {name!r}. "
                        f"Known there: {', '.join(sorted(known))}."
                    )
            known.add(layer.name)
            used.update(layer.inputs)
        unused = [layer.name for layer in self.layers[:-1] if layer.name not in used]
        if unused:
            raise UserError(
                f"Every layer but the last must be used by another. Received: {unused[0]!r} without a user. "
                "Leave it out, or merge it by an add or concat layer."
            )
        heads = [layer for layer in self.layers[:-1] if layer.kind in _HEADS]
        if heads:
            raise UserError(f"A {heads[0].kind} must be the last layer. Received: {heads[0].name!r} before others.")

    def _inferred_shapes(self):
        shapes = {}
        for layer in self.layers:
            shapes[layer.name] = output_shape(layer, [shapes[name] for name in layer.inputs])
        return shapes

    @property
    def input_shape(self):
        """Tuple of ints, without the batch."""
        return self.layers[0].params["shape"]

    @property
    def output_shape(self):
        """Tuple of ints, without the batch."""
        return self._shapes[self.layers[-1].name]

    def output_shapes(self):
        """The shape each layer gives.

        Returns:
            dict of layer name to tuple of ints, without the batch.
        """
        return dict(self._shapes)

    @functools.cached_property
    def hash(self):
        """str of 64 hexadecimal digits: equal for equal networks, whatever their layers are called."""
        text = json.dumps(self._structure(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _structure(self):
        # Layers by number, numbered in the order a walk back from the output leaves them: neither names nor which of
        # two independent branches was written first matter. Defaults are left out: a new parameter changes no old hash.
        order = self._walk()
        numbers = {layer.name: number for number, layer in enumerate(order)}
        return [[layer.kind, [numbers[name] for name in layer.inputs], _told(layer)] for layer in order]

    def _walk(self):
        layers = {layer.name: layer for layer in self.layers}
        order, seen, stack = [], set(), [(self.layers[-1], False)]
        while stack:
            layer, is_left = stack.pop()
            if is_left:
                order.append(layer)
            elif layer.name not in seen:
                seen.add(layer.name)
                stack.append((layer, True))
                stack.extend((layers[name], False) for name in reversed(layer.inputs))
        return order

    def summary(self):
        """One line for a person, such as `conv16k3s2 | 2x inverted_bottleneck24k3 e4 se | global_pool | dense10`.

        Returns:
            str.
        """
        return summarize(self.layers)

    def to_json(self):
        """The architecture as a dict of JSON values.

        Returns:
            dict with `format` and `layers`.
        """
        return {"format": _FORMAT, "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, document):
        """Reads what `to_json` wrote.

        Args:
            document: dict.

        Returns:
            Architecture, equal to the one written.

        Raises:
            UserError: another format, or layers that break a law.
        """
        if not isinstance(document, dict) or document.get("format") != _FORMAT or "layers" not in document:
            raise UserError(
                f"An architecture in JSON must hold format={_FORMAT} and layers. Received: {str(document)[:200]}. "
                "Write it by Architecture.to_json()."
            )
        return cls(tuple(Layer.from_json(layer) for layer in document["layers"]))


def _told(layer):
    defaults = {name: parameter.default for name, parameter in KINDS[layer.kind].parameters.items()}
    return {name: value for name, value in layer.params.items() if value != defaults[name]}
