"""Where a backbone may be cut off: the tensors that every path from its input to its output goes through."""

from __future__ import annotations

import itertools

from keras import layers

from hwkeras.errors import UserError

# What belongs to the layer after it.
_LEADERS = (layers.ZeroPadding2D, layers.Cropping2D)
# Where the classifier begins.
_HEADS = (layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


def calls_of(model):
    """The calls of a functional model's operations, in an order in which they can be computed.

    Args:
        model: keras.Model, functional.

    Returns:
        list of Keras nodes: `operation`, `arguments` and `outputs`.
    """
    # Keras' own record of the calls: the configuration tells of them only by the way of text.
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


class Places:
    """The places where a backbone may be cut off.

    A tensor is one where nothing that was computed before it is read after it (a dominator of the output), and where it
    is an image still. The classifier, which begins by pooling or flattening, is none.

    Args:
        model: keras.Model, functional, of one input and one output, without nested models.

    Attributes:
        tensors: dict of layer name to Keras tensor, first to last.
    """

    def __init__(self, model):
        self._model = model
        self._calls = calls_of(model)
        self._readers = {}
        for place, node in enumerate(self._calls):
            for tensor in node.arguments.keras_tensors:
                self._readers.setdefault(id(tensor), []).append(place)
        self._places = self._found()
        self.tensors = {self._name(place): self._tensor(place) for place in self._places}

    def _found(self):
        names = [node.operation.name for node in self._calls]
        found, read_until = [], max(self._readers.get(id(self._model.inputs[0]), [0]))
        for place, node in enumerate(self._calls):
            if read_until <= place and len(node.outputs) == 1:
                if isinstance(node.operation, _HEADS) or len(node.outputs[0].shape) != 4:
                    break
                if names.count(names[place]) == 1:  # a layer called twice is no place
                    found.append(place)
            read_until = max(read_until, *(max(self._readers.get(id(t), [place])) for t in node.outputs))
        return found

    def named(self, names):
        """Checks places given by name.

        Args:
            names: sequence of str.

        Returns:
            tuple of str, first to last, each once.

        Raises:
            UserError: no name, or one of no such place.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        wrong = [name for name in names if name not in self.tensors]
        if wrong or not names:
            raise UserError(
                f"`cuts` must name layers through which every path to the output goes: {', '.join(self.tensors)}. "
                f"Received: cuts={names!r}."
            )
        return tuple(name for name in self.tensors if name in names)

    def chosen(self, most):
        """Some places that are worth a try: ends of blocks, spread over the depth.

        A place is left out where a later one has fewer channels: that is the wide middle of a bottleneck, or what a
        squeeze follows. Ends of a resolution come before others.

        Args:
            most: int.

        Returns:
            tuple of str, first to last.

        Raises:
            UserError: there is none.
        """
        ends = [place for place in self._places if self._is_end(place)]
        if ends and self._gives_classes(ends[-1]):
            ends.pop()
        least = list(itertools.accumulate(map(self._channels, reversed(ends)), min))[::-1]
        ends = [place for place, later in zip(ends, least, strict=True) if self._channels(place) == later]
        sizes = [tuple(self._tensor(place).shape[1:3]) for place in ends]
        is_last = [size != following for size, following in itertools.zip_longest(sizes, sizes[1:])]
        if not ends:
            raise UserError(
                f"`backbone` must hold a convolution through which every path to the output goes. Received: "
                f"{self._model.name!r}, which has none before its classifier. Pass another model, or a part of it by "
                "`keras.Model(inputs, outputs)`."
            )
        numbers = _spread([number for number, last in enumerate(is_last) if last], len(ends), most)
        return tuple(self._name(ends[number]) for number in numbers)

    def _is_end(self, place):
        is_followed = self._is_follower(self._readers.get(id(self._tensor(place)), []))
        is_leader = isinstance(self._calls[place].operation, _LEADERS)
        return not is_leader and not is_followed and self._has_kernel_until(place)

    def _is_follower(self, readers):
        """Whether the one reader belongs to the layer before it, as normalizations, activations and dropout do."""
        if len(readers) != 1:
            return False
        node = self._calls[readers[0]]
        shapes = [tuple(tensor.shape) for tensor in [*node.arguments.keras_tensors, *node.outputs]]
        return len(shapes) == 2 and shapes[0] == shapes[1] and not _has_kernel(node)

    def _has_kernel_until(self, place):
        return any(_has_kernel(node) for node in self._calls[: place + 1])

    def _gives_classes(self, place):
        """Whether the classifier is this convolution, whose channels are averaged to the classes."""
        output = self._model.outputs[0]
        is_followed = any(_has_kernel(node) for node in self._calls[place + 1 :])
        return len(output.shape) == 2 and output.shape[-1] == self._channels(place) and not is_followed

    def _channels(self, place):
        return self._tensor(place).shape[-1]

    def _tensor(self, place):
        return self._calls[place].outputs[0]

    def _name(self, place):
        return self._calls[place].operation.name


def _has_kernel(node):
    return any(len(weight.shape) > 1 for weight in getattr(node.operation, "weights", ()))


def _spread(preferred, num_places, most):
    """At most so many numbers of places, the last among them: the preferred, then those in the widest gaps."""
    if len(preferred) > most:
        step = (len(preferred) - 1) / max(1, most - 1)
        return [preferred[len(preferred) - 1 - round(number * step)] for number in reversed(range(most))]
    chosen = list(preferred)
    while len(chosen) < min(most, num_places):
        gaps = [(after - before, before) for before, after in itertools.pairwise([-1, *chosen])]
        width, before = max(gaps, key=lambda gap: gap[0])
        chosen = sorted([*chosen, before + (width + 1) // 2])
    return chosen
