"""An architecture while it is written, layer after layer."""

from __future__ import annotations

from hwkeras.space.architecture import Architecture
from hwkeras.space.layer import Layer
from hwkeras.space.shapes import output_shape


class Draft:
    """Appends layers to a chain; each takes the last one as its input unless told otherwise.

    Args:
        input_shape: tuple of ints, without the batch.
        dtype: str, of the input, `"float32"` or `"int32"`. Defaults to `"float32"`.
    """

    def __init__(self, input_shape, dtype="float32"):
        self._layers = []
        self._shapes = {}
        self._last = None
        self.append("input", "input", inputs=(), shape=input_shape, dtype=dtype)

    @property
    def last(self):
        """str, the name of the layer that the next one follows: the one appended last, unless `go_on_from` was told."""
        return self._last

    @property
    def shape(self):
        """Tuple of ints, the output shape of `last`."""
        return self._shapes[self.last]

    def append(self, name, kind, inputs=None, **params):
        """Appends a layer.

        Args:
            name: str, unique.
            kind: str, a key of `KINDS`.
            inputs: tuple of names. Defaults to `None`, the layer appended last.
            **params: the kind's parameters.

        Returns:
            str, the name.
        """
        layer = Layer(name, kind, (self.last,) if inputs is None else inputs, params)
        self._shapes[name] = output_shape(layer, [self._shapes[source] for source in layer.inputs])
        self._layers.append(layer)
        self._last = name
        return name

    def go_on_from(self, name):
        """Lets the next layer follow another than the one appended last.

        Args:
            name: str, of a layer appended before.
        """
        self._last = name

    def append_average(self, is_weighed):
        """Appends the mean of all positions.

        Args:
            is_weighed: bool, whether by attention. Of a single position there is nothing to weigh.

        Returns:
            str, the name.
        """
        rows, columns, _ = self.shape
        return self.append("pool", "attention_pool" if is_weighed and rows * columns > 1 else "global_average_pool")

    def append_head(self, num_classes):
        """Appends the last layer: a softmax of classes, or one number.

        Args:
            num_classes: int, 2 or more; 1 for a number.

        Returns:
            str, the name.
        """
        if num_classes == 1:
            return self.append("regressor", "regressor")
        return self.append("classifier", "classifier", classes=num_classes)

    def finish(self):
        """The architecture written.

        Returns:
            Architecture.
        """
        return Architecture(tuple(self._layers))
