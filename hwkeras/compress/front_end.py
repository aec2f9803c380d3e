"""A front end that stays float: recipes compress what stands behind it, and the file joins both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from hwkeras.compress.samples import checked_inputs
from hwkeras.convert.converter import flatbuffer_of
from hwkeras.convert.float_front import join
from hwkeras.convert.float_front import split
from hwkeras.convert.frozen import freeze

_BATCH = 128


@dataclass(frozen=True)
class FrontEnd:
    """The two parts of a model.

    Args:
        front: keras.Model that computes in float32 in every file.
        body: keras.Model that takes what the front end makes; compiled as the whole model is.
    """

    front: Any
    body: Any

    @classmethod
    def of(cls, model):
        """The parts of a model.

        Args:
            model: what a user gave as a model.

        Returns:
            FrontEnd, or None where nothing stays float or where it is no Keras 3 model.

        Raises:
            ConversionError: a layer that stays float does not stand between the only input and everything else.
        """
        parts = split(model) if isinstance(model, keras.Model) else None
        if parts is None:
            return None
        front, body = parts
        if getattr(model, "loss", None) is not None:
            body.compile(loss=model.loss)
        return cls(front, body)

    def heard(self, data):
        """What the front end makes of samples.

        Args:
            data: tuple `(x, y, ...)`, or None.

        Returns:
            The tuple with other `x`; anything else as it is.

        Raises:
            DataError: samples of another shape than the model takes.
        """
        if not isinstance(data, tuple | list) or not data:
            return data
        x, *rest = data
        (x,) = checked_inputs(self.front, x)
        return (self.front.predict(x, batch_size=_BATCH, verbose=0), *rest)

    def behind(self, teacher):
        """The part of a teacher that takes what the front end makes.

        Args:
            teacher: keras.Model.

        Returns:
            keras.Model: the teacher's body where it has this same front end, else the teacher itself.
        """
        other = FrontEnd.of(teacher)
        is_same = other is not None and _parameters(other.front) == _parameters(self.front)
        return other.body if is_same else teacher

    def joined(self, content):
        """The file of the whole model.

        Args:
            content: bytes of the body's `.tflite` file.

        Returns:
            bytes.
        """
        return join(flatbuffer_of(freeze(self.front), "float32"), content)


def _parameters(front):
    return {name: value for name, value in front.layers[-1].get_config().items() if name != "name"}
